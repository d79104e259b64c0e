"""Are programs found where they are, refused where unknown, and made by a recipe that notices every change?"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.cluster import binaries, gomodule, toolchain

if TYPE_CHECKING:
    from pathlib import Path

KIND = next(group for group in binaries.GROUPS if group.name == "kind")


@pytest.fixture(autouse=True)
def an_empty_cache_and_no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_go() -> Path:
        raise toolchain.ToolchainError("no Go here")

    monkeypatch.setenv("PILLION_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setattr(toolchain, "go", no_go)


def test_programs_of_kubebuilder_assets_are_taken_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    (assets / "etcd").touch(mode=0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))

    folder = binaries.ensure(["etcd"])

    assert (folder / "etcd").resolve() == assets / "etcd"


def test_what_the_assets_lack_has_to_be_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    with pytest.raises(toolchain.ToolchainError, match="no Go here"):
        binaries.ensure(["etcd"])


def test_an_unknown_program_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(binaries.BinariesError, match=r"named 'kubeclt'\. Known: etcd, kube-apiserver"):
        binaries.ensure(["kubeclt"])


@pytest.mark.parametrize("version", ["1.36", "v1", "latest", "v1.36.3; rm"])
def test_an_incomplete_kubernetes_version_is_refused(version: str) -> None:
    with pytest.raises(binaries.BinariesError, match="give all three numbers"):
        binaries.ensure(["kubectl"], kubernetes_version=version)


def test_another_kubernetes_version_changes_kubernetes_programs_and_no_others() -> None:
    default, other = binaries.versions(), binaries.versions("1.35.2")

    changed = {name for name in default if default[name] != other[name]}
    assert changed == {
        "kube-apiserver",
        "kube-controller-manager",
        "kube-proxy",
        "kube-scheduler",
        "kubeadm",
        "kubectl",
        "kubelet",
    }
    assert other["kubelet"] == "v1.35.2"


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(replace(KIND, version="v0.34.0"), id="the version"),
        pytest.param(replace(KIND, ldflags=("-X a.b=c",)), id="the linker's flags"),
        pytest.param(replace(KIND, packages={"kind": "cmd/kind"}), id="the package"),
        pytest.param(replace(KIND, source="package main"), id="the source"),
    ],
)
def test_the_recipe_changes_with(changed: gomodule.Group) -> None:
    assert changed.recipe("kind") != KIND.recipe("kind")


def test_the_recipe_changes_with_the_target_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    before = KIND.recipe("kind")
    monkeypatch.setenv("GOARCH", "s390x")

    assert KIND.recipe("kind") != before


def test_every_program_has_one_recipe() -> None:
    names = [name for group in binaries.GROUPS for name in group.packages]

    assert sorted(names) == sorted(set(names)) == sorted(binaries.EVERYTHING)
