"""Which programs make a cluster, at which versions, and how is each built from its Go module?

Every program is compiled statically in a throw-away module that requires the module it comes from; neither
git nor a clone is needed. One set serves both kinds of cluster, the bare control plane and kind. A program is
one cache entry; a Kubernetes version other than the default gets entries of its own.
"""

from __future__ import annotations

import os
import re
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster import cache, toolchain
from tests.cluster.gomodule import BinariesError, Build, Group

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.cluster.cache import Progress

__all__ = [
    "DEFAULT_KUBERNETES_VERSION",
    "EVERYTHING",
    "INTEGRATION",
    "KIND",
    "BinariesError",
    "ensure",
    "folder",
    "normal_version",
    "versions",
]

DEFAULT_KUBERNETES_VERSION = "v1.36.3"

# Our own holder of a pod's namespaces: the published image cannot be fetched from a module proxy.
PAUSE_SOURCE = """\
// Pause keeps the namespaces of a pod alive and collects the children that nobody else waits for.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, syscall.SIGCHLD, syscall.SIGINT, syscall.SIGTERM)
	for received := range signals {
		if received == syscall.SIGINT || received == syscall.SIGTERM {
			os.Exit(0)
		}
		reaped := 1
		for reaped > 0 {
			reaped, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		}
	}
}
"""

# etcd, CoreDNS: the versions that `kubeadm config images list` names for Kubernetes 1.36.3. kind 0.33.0 ships
# containerd 2.4 and CNI plugins 1.9. KWOK, helm and crictl are their newest releases that support Kubernetes
# 1.36.
GROUPS: tuple[Group, ...] = (
    Group(
        name="kubernetes",
        module="k8s.io/kubernetes",
        version=DEFAULT_KUBERNETES_VERSION,
        packages={
            name: f"cmd/{name}"
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubectl",
                "kubelet",
                "kubeadm",
                "kube-proxy",
            )
        },
        staging=True,
    ),
    Group(name="etcd", module="go.etcd.io/etcd/server/v3", version="v3.6.8", packages={"etcd": ""}),
    Group(
        name="kwok",
        module="sigs.k8s.io/kwok",
        version="v0.8.0",
        packages={"kwok": "cmd/kwok"},
        ldflags=("-X sigs.k8s.io/kwok/pkg/consts.Version=v0.8.0",),
    ),
    Group(
        name="helm",
        module="helm.sh/helm/v4",
        version="v4.3.1",
        packages={"helm": "cmd/helm"},
        ldflags=("-X helm.sh/helm/v4/internal/version.version=v4.3.1",),
    ),
    Group(name="kind", module="sigs.k8s.io/kind", version="v0.33.0", packages={"kind": ""}),
    Group(
        name="containerd",
        module="github.com/containerd/containerd/v2",
        version="v2.4.2",
        packages={name: f"cmd/{name}" for name in ("containerd", "ctr", "containerd-shim-runc-v2")},
    ),
    Group(
        name="crictl", module="sigs.k8s.io/cri-tools", version="v1.36.0", packages={"crictl": "cmd/crictl"}
    ),
    Group(
        name="cni",
        module="github.com/containernetworking/plugins",
        version="v1.9.1",
        packages={
            "bridge": "plugins/main/bridge",
            "loopback": "plugins/main/loopback",
            "ptp": "plugins/main/ptp",
            "host-local": "plugins/ipam/host-local",
            "portmap": "plugins/meta/portmap",
        },
    ),
    Group(name="coredns", module="github.com/coredns/coredns", version="v1.14.2", packages={"coredns": ""}),
    Group(name="pause", module="", version="v1", packages={"pause": ""}, source=PAUSE_SOURCE),
)

INTEGRATION = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
    "kwok",
    "helm",
)
KIND = tuple(name for group in GROUPS for name in group.packages if name not in INTEGRATION)
EVERYTHING = INTEGRATION + KIND


def ensure(
    names: Iterable[str] = EVERYTHING,
    *,
    kubernetes_version: str = DEFAULT_KUBERNETES_VERSION,
    progress: Progress = print,
) -> Path:
    """A folder that holds these programs, built where they are missing; once they are there, in milliseconds.

    Programs that `KUBEBUILDER_ASSETS` has are taken from it, whatever their version.

    Raises:
        BinariesError: a program is unknown or does not compile; the message names the log.
        toolchain.ToolchainError: something has to be compiled and there is no Go.
    """
    wanted = list(dict.fromkeys(names))
    version = normal_version(kubernetes_version)
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    found: dict[str, Path] = {}
    missing: list[tuple[str, Group]] = []
    for name in wanted:
        group = _group_of(name, version)
        given = Path(assets).expanduser().resolve() / name if assets else None
        if given and os.access(given, os.X_OK):
            found[name] = given
        elif cache.fault(_entry(name, group), recipe=group.recipe(name)) is None:
            found[name] = _entry(name, group) / name
        else:
            missing.append((name, group))
    if missing:
        compiler = toolchain.go()
        for position, (name, group) in enumerate(missing, start=1):
            title = f"[{position}/{len(missing)}] {name} {group.version}"
            build = Build(program=name, group=group, compiler=compiler, title=title, progress=progress)
            entry = _entry(name, group)
            cache.made(entry, recipe=group.recipe(name), make=build.make, progress=progress)
            found[name] = entry / name
    return _linked(found, version)


def versions(kubernetes_version: str = DEFAULT_KUBERNETES_VERSION) -> dict[str, str]:
    """The version of every program, for the tables that we print."""
    return {name: _group_of(name, normal_version(kubernetes_version)).version for name in EVERYTHING}


def folder(kubernetes_version: str = DEFAULT_KUBERNETES_VERSION) -> Path:
    """Where `ensure` puts its links. Another choice of KUBEBUILDER_ASSETS has a folder of its own."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    suffix = f"-{cache.recipe_hash(assets)}" if assets else ""
    return cache.root() / "bin" / f"{normal_version(kubernetes_version)}{suffix}"


def normal_version(kubernetes_version: str) -> str:
    """The version with its v.

    Raises:
        BinariesError: it is no complete version.
    """
    version = kubernetes_version if kubernetes_version.startswith("v") else f"v{kubernetes_version}"
    if not re.fullmatch(r"v1\.\d+\.\d+(-[a-z0-9.]+)?", version):
        raise BinariesError(
            f"Kubernetes version {kubernetes_version!r} is not of the form v1.36.3; give all three numbers."
        )
    return version


def _group_of(name: str, kubernetes_version: str) -> Group:
    for group in GROUPS:
        if name not in group.packages:
            continue
        if group.name != "kubernetes":
            return group
        major, minor = kubernetes_version[1:].split(".")[:2]
        values = {
            "k8s.io/component-base/version.gitVersion": kubernetes_version,
            "k8s.io/component-base/version.gitMajor": major,
            "k8s.io/component-base/version.gitMinor": minor,
            "k8s.io/component-base/version.gitTreeState": "clean",
            "k8s.io/client-go/pkg/version.gitVersion": kubernetes_version,
        }
        ldflags = tuple(f"-X {symbol}={value}" for symbol, value in values.items())
        return replace(group, version=kubernetes_version, ldflags=ldflags)
    raise BinariesError(f"No recipe for a program named {name!r}. Known: {', '.join(EVERYTHING)}.")


def _entry(name: str, group: Group) -> Path:
    return cache.root() / "programs" / f"{name}-{group.version}"


def _linked(found: dict[str, Path], version: str) -> Path:
    """One folder with a link to every program, for PATH. Programs that others asked for stay in it."""
    place = folder(version)
    place.mkdir(parents=True, exist_ok=True)
    for name, program in found.items():
        link = place / name
        if link.is_symlink() and link.readlink() == program:
            continue
        draft = place / f".{name}.{os.getpid()}.{threading.get_ident()}"
        draft.symlink_to(program)
        draft.replace(link)
    return place
