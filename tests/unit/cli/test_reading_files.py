"""What is wrong with a file is said with its path, what was found and what is accepted; nothing is guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pillion.cli import deployments, documents
from pillion.cli.exits import BadInputError
from tests.unit.cli import objects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VALID = """\
apiVersion: pillion.dev/v1alpha1
kind: ModelDeployment
metadata: {name: chat}
spec: {model: {repo: Qwen/Qwen3-8B}}
"""


def problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(BadInputError) as refused:
        deployments.read(str(path))
    return tuple(problem.replace(f"{path}: ", "") for problem in refused.value.problems)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "is empty", id="an empty file"),
        pytest.param("kind: [", "line 2, column 1: is no valid YAML", id="broken YAML"),
        pytest.param('{"kind": "x",, }', "line 1, column 14: is no valid JSON", id="broken JSON"),
        pytest.param("- a\n- b\n", "holds a list where an object", id="a list"),
        pytest.param("just words", "holds the text 'just words' where an object", id="a text"),
        pytest.param("42", "holds 42 where an object", id="a number"),
        pytest.param("spec: {}", "kind: is required; a ModelDeployment begins with apiVersion", id="no kind"),
        pytest.param(
            "kind: Secret",
            "holds no ModelDeployment of pillion.dev/v1alpha1; it holds Secret",
            id="another kind",
        ),
        pytest.param("kind: A\nkind: B\n", "the key 'kind' stands twice", id="a key twice in YAML"),
        pytest.param('{"kind": "A", "kind": "B"}', "the key 'kind' stands twice", id="a key twice in JSON"),
        pytest.param(VALID + "status: &x [*x]", "an anchor that holds itself", id="a knot of anchors"),
        pytest.param("!!python/object:os.system {}", "is no valid YAML", id="a tag that makes an object"),
        pytest.param(VALID + "---\n" + VALID, "ModelDeployment chat stands twice", id="one name twice"),
    ],
)
def test_a_file_that_is_none(written: Callable[..., Path], text: str, said: str) -> None:
    assert said in "\n".join(problems(written(text)))


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(BadInputError, match="there is no such file"):
        documents.objects("/nonexistent/file.yaml")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(b"kind: \xff\xfe")
    assert "is no UTF-8 text" in problems(path)[0]


def test_all_problems_of_all_documents_are_told_at_once(written: Callable[..., Path]) -> None:
    first = objects.deployment("first", serving={"contextLength": 0, "concurency": 4})
    second = objects.deployment("second", repo="https://huggingface.co/Qwen/Qwen3-8B", modelGate="Never")
    said = problems(written(first, objects.workload(), second))

    assert [each.partition(":")[0].rpartition(", ")[2] for each in said] == ["document 1"] * 2 + [
        "document 3"
    ] * 2
    assert "spec.serving.concurency: there is no such field; did you mean concurrency?" in said[0]
    assert "spec.serving.contextLength: input should be greater than or equal to 1; found 0" in said[1]
    assert "spec.model.repo: must be owner/name as on the Hub" in said[2]
    assert said[2].endswith("found 'https://huggingface.co/Qwen/Qwen3-8B'")
    assert (
        "spec.modelGate: \"Never\" is not accepted; accepted: 'Auto', 'None', 'Startup' or 'Readiness'"
        in said[3]
    )


def test_another_version_of_the_api_is_not_taken_for_this_one(written: Callable[..., Path]) -> None:
    (said,) = problems(written({**objects.deployment(), "apiVersion": "pillion.dev/v2"}))
    assert "apiVersion: input should be 'pillion.dev/v1alpha1'; found 'pillion.dev/v2'" in said


def test_a_list_of_kubectl_and_json_are_read_alike(written: Callable[..., Path]) -> None:
    items = [objects.deployment("one"), objects.deployment("two"), objects.workload()]
    listed = written({"apiVersion": "v1", "kind": "List", "items": items}, name="list.yaml")
    json_text = written(str({"kind": "List", "items": items}).replace("'", '"'), name="list.json")

    for path in (listed, json_text):
        given = deployments.read(str(path))
        assert [each.metadata.name for each in given.deployments] == ["one", "two"]
        assert [each["metadata"]["name"] for each in given.workloads] == ["web"]


def test_an_item_of_a_typed_list_has_the_lists_kind(written: Callable[..., Path]) -> None:
    item = {key: value for key, value in objects.deployment().items() if key != "kind"}
    given = deployments.read(str(written({"kind": "ModelDeploymentList", "items": [item]})))
    assert [each.metadata.name for each in given.deployments] == ["chat"]


def test_a_date_stays_the_text_that_kubernetes_wrote(written: Callable[..., Path]) -> None:
    metadata = {"name": "chat", "creationTimestamp": "PLACE"}
    path = written({**objects.deployment(), "metadata": metadata})
    path.write_text(path.read_text().replace("PLACE", "2026-01-02T03:04:05Z"))
    (found,) = deployments.read(str(path)).deployments
    assert found.metadata.creation_timestamp == "2026-01-02T03:04:05Z"
