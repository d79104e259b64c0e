"""What is generated is what lies in the repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools import generated

if TYPE_CHECKING:
    from pathlib import Path


def test_definitions_and_the_charts_copies_are_up_to_date() -> None:
    assert generated.stale(generated.folders()) == []


def test_the_manifests_are_the_chart_as_helm_renders_it() -> None:
    helm = generated.built_helm()
    if helm is None:
        pytest.skip("helm has not been built; `make manifests` or the integration tests build it")

    assert generated.MANIFEST.read_text("utf-8") == generated.manifest(helm)


def test_a_file_that_differs_is_missing_or_too_many_is_found_and_put_right(tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    (folder / "edited.yaml").write_text("edited")
    (folder / "left-over.yaml").write_text("from an older version")
    wanted = {folder: {"edited.yaml": "as generated", "missing.yaml": "as generated"}}

    assert [path.name for path in generated.stale(wanted)] == [
        "edited.yaml",
        "left-over.yaml",
        "missing.yaml",
    ]

    generated.write(wanted)

    assert generated.stale(wanted) == []
    assert sorted(path.name for path in folder.iterdir()) == ["edited.yaml", "missing.yaml"]
