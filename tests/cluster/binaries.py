"""Which programs make a cluster, at which versions, and how is each built from its Go module?

Every program is compiled statically in a throw-away module that requires the module it comes from; neither git nor a clone is needed.
One set serves both kinds of cluster, the bare control plane and kind. A program is one cache entry; a Kubernetes version other than
the default gets entries of its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import cache, toolchain
from tests.cluster.cache import Progress

DEFAULT_KUBERNETES_VERSION = "v1.36.3"

# How often a long compilation says that it is alive.
HEARTBEAT_SECONDS = 30.0

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


class BinariesError(Exception):
    """A program cannot be had, with the reason and what to do. The command line prints it, a test lane skips with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Programs that come out of one module at one version. `packages` maps a program's name to its package's path in the module."""

    name: str
    module: str
    version: str
    packages: dict[str, str]
    ldflags: tuple[str, ...] = ()


# etcd, CoreDNS: the versions that `kubeadm config images list` names for Kubernetes 1.36.3. kind 0.33.0 ships containerd 2.4 and
# CNI plugins 1.9. KWOK, helm and crictl are their newest releases that support Kubernetes 1.36.
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
    Group(name="pause", module="", version="v1", packages={"pause": ""}),
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
    """A folder that holds these programs, built where they are missing. Costs milliseconds once they are there.

    Programs that `KUBEBUILDER_ASSETS` has are taken from it, whatever their version.

    Raises:
        BinariesError: a program is unknown or does not compile; the message names the log.
        toolchain.ToolchainError: something has to be compiled and there is no Go.
    """
    wanted = list(dict.fromkeys(names))
    version = _normal(kubernetes_version)
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    found: dict[str, Path] = {}
    missing: list[tuple[str, Group]] = []
    for name in wanted:
        group = _group_of(name, version)
        given = Path(assets).expanduser().resolve() / name if assets else None
        if given and os.access(given, os.X_OK):
            found[name] = given
        elif cache.fault(_entry(name, group), recipe=_recipe(name, group)) is None:
            found[name] = _entry(name, group) / name
        else:
            missing.append((name, group))
    if missing:
        compiler = toolchain.go()
        for position, (name, group) in enumerate(missing, start=1):
            found[name] = _built(name, group, compiler, f"[{position}/{len(missing)}]", progress)
    return _linked(found, version)


def missing_programs(
    names: Iterable[str] = EVERYTHING, *, kubernetes_version: str = DEFAULT_KUBERNETES_VERSION
) -> list[str]:
    """Those of the programs that `ensure` would have to compile."""
    version = _normal(kubernetes_version)
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    answer = []
    for name in names:
        group = _group_of(name, version)
        if assets and os.access(Path(assets).expanduser() / name, os.X_OK):
            continue
        if cache.fault(_entry(name, group), recipe=_recipe(name, group)) is not None:
            answer.append(name)
    return answer


def versions(kubernetes_version: str = DEFAULT_KUBERNETES_VERSION) -> dict[str, str]:
    """The version of every program, for the tables that we print."""
    return {name: _group_of(name, _normal(kubernetes_version)).version for name in EVERYTHING}


def folder(kubernetes_version: str = DEFAULT_KUBERNETES_VERSION) -> Path:
    """Where `ensure` puts its links. Another choice of KUBEBUILDER_ASSETS has a folder of its own."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    suffix = f"-{cache.recipe_hash(assets)}" if assets else ""
    return cache.root() / "bin" / f"{_normal(kubernetes_version)}{suffix}"


def _normal(kubernetes_version: str) -> str:
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
        return Group(
            name=group.name,
            module=group.module,
            version=kubernetes_version,
            packages=group.packages,
            ldflags=tuple(f"-X {symbol}={value}" for symbol, value in values.items()),
        )
    raise BinariesError(f"No recipe for a program named {name!r}. Known: {', '.join(EVERYTHING)}.")


def _entry(name: str, group: Group) -> Path:
    return cache.root() / "programs" / f"{name}-{group.version}"


def _recipe(name: str, group: Group) -> str:
    target = [os.environ.get(variable, "") for variable in ("GOOS", "GOARCH")]
    source = PAUSE_SOURCE if name == "pause" else ""
    return cache.recipe_hash(group.module, group.version, group.packages[name], group.ldflags, source, target)


def _built(name: str, group: Group, compiler: Path, label: str, progress: Progress) -> Path:
    title = f"{label} {name} {group.version}"

    def make(draft: Path) -> None:
        # One compilation per module at a time: its go.mod and go.sum are completed on the way.
        workshop = cache.root() / "modules" / f"{group.name}-{group.version}"
        with cache.locked(
            workshop.with_name(f".{workshop.name}.lock"),
            waiting=lambda: progress(f"{title}: waiting for its module"),
        ):
            _compile(name, group, compiler, workshop, draft / name, title, progress)

    entry = _entry(name, group)
    cache.made(entry, recipe=_recipe(name, group), make=make, progress=progress)
    return entry / name


def _compile(
    name: str, group: Group, compiler: Path, workshop: Path, output: Path, title: str, progress: Progress
) -> None:
    log = cache.root() / "logs" / f"build-{name}-{group.version}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    workshop.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    try:
        with log.open("w") as transcript, _heartbeat(title, log, started, progress):
            package = _prepare(group, compiler, workshop, transcript.fileno())
            ldflags = " ".join(("-s", "-w", *group.ldflags))
            # -mod=mod completes go.mod and go.sum as it goes, which spares `go mod tidy` and the test dependencies it downloads.
            command = [
                compiler,
                "build",
                "-v",
                "-trimpath",
                "-buildvcs=false",
                "-mod=mod",
                "-ldflags",
                ldflags,
                "-o",
                output,
            ]
            where = f"{package}/{group.packages[name]}".rstrip("/")
            subprocess.run(
                [*command, where],
                cwd=workshop,
                env=toolchain.environment(),
                stdout=transcript,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                check=True,
            )
    except subprocess.CalledProcessError as error:
        tail = "\n".join(f"    {line}" for line in log.read_text(errors="replace").splitlines()[-8:])
        raise BinariesError(f"{name} {group.version} does not compile. The end of {log}:\n{tail}") from error
    mebibytes = output.stat().st_size / 2**20
    progress(f"{title}: built in {time.monotonic() - started:.0f} s, {mebibytes:.0f} MiB")


def _prepare(group: Group, compiler: Path, workshop: Path, transcript: int) -> str:
    """Write the throw-away module that requires the group's module; return the import path that programs hang below."""
    lines = ["module pillion.dev/build", "", "go 1.26.0", ""]
    if not group.module:
        (workshop / "go.mod").write_text("\n".join(lines))
        (workshop / "main.go").write_text(PAUSE_SOURCE)
        return "."
    lines.append(f"require {group.module} {group.version}")
    if group.name == "kubernetes":
        lines += _staging(group, compiler, workshop, transcript)
    source = "\n".join(lines) + "\n"
    # go.mod grows while building; it starts anew only where the lines we wrote differ, which also heals one left half-written.
    noted = workshop / "written.mod"
    if not (workshop / "go.sum").exists() or not noted.exists() or noted.read_text() != source:
        (workshop / "go.sum").unlink(missing_ok=True)
        (workshop / "go.mod").write_text(source)
        noted.write_text(source)
    return group.module


def _staging(group: Group, compiler: Path, workshop: Path, transcript: int) -> list[str]:
    """Replacements for the modules that Kubernetes keeps in ./staging: each is published as v0.x.y beside Kubernetes v1.x.y."""
    answer = subprocess.run(
        [compiler, "mod", "download", "-json", f"{group.module}@{group.version}"],
        # Outside the workshop, whose go.mod may be the half-written one that is about to be replaced.
        cwd=workshop.parent,
        env=toolchain.environment(),
        stdout=subprocess.PIPE,
        stderr=transcript,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    told = json.loads(answer.stdout or "{}")
    if answer.returncode or "GoMod" not in told:
        os.write(transcript, (told.get("Error", "") + "\n").encode())
        raise BinariesError(
            f"Kubernetes {group.version} cannot be fetched from the Go module proxy: {told.get('Error') or 'no answer'}. "
            "Check the version, the network and GOPROXY."
        )
    staged = re.findall(
        r"^\s*(k8s\.io/[a-z0-9-]+) => \./staging/", Path(told["GoMod"]).read_text(), flags=re.MULTILINE
    )
    return [f"replace {module} => {module} v0{group.version.removeprefix('v1')}" for module in staged]


@contextlib.contextmanager
def _heartbeat(title: str, log: Path, started: float, progress: Progress) -> Iterator[None]:
    """Say now and then how many packages the compiler has listed, so that nobody takes a long build for a hanging one."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(HEARTBEAT_SECONDS):
            with log.open(errors="replace") as lines:
                packages = sum(1 for line in lines if not line.startswith("go: "))
            progress(f"{title}: {time.monotonic() - started:.0f} s, {packages} packages compiled")

    progress(f"{title}: building")
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _linked(found: dict[str, Path], version: str) -> Path:
    """One folder with a link to every program; callers put it on PATH. Programs asked for by others before stay in it."""
    place = folder(version)
    place.mkdir(parents=True, exist_ok=True)
    for name, program in found.items():
        link = place / name
        if link.is_symlink() and Path(os.readlink(link)) == program:
            continue
        draft = place / f".{name}.{os.getpid()}.{threading.get_ident()}"
        draft.symlink_to(program)
        draft.replace(link)
    return place
