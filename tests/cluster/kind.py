"""How does a test or the demo get a kind cluster, where containers really run, and how does it go away again?

With a Docker daemon and a registry it is kind with its stock node image. Elsewhere, on a Linux machine with
root, the daemon is one that is started by hand and the node image one that is built here; a cluster says
which it has. Every cluster has a folder in the cache with its kubeconfig and a note of how it was made; the
last one to go takes the daemon with it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster import binaries, cache, debian, dockerd, node_image
from tests.cluster.kind_cluster import KindCluster, KindError, run_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "KindCluster",
    "KindError",
    "availability",
    "cgroup_version",
    "down",
    "found",
    "logs_folder",
    "status",
    "up",
]


def availability() -> str | None:
    """None where a kind cluster can be made, else the reason it cannot, as a sentence with a remedy."""
    if dockerd.found():
        return None
    obstacle = next(_obstacles(), None)
    if obstacle is None:
        return None
    return (
        f"No Docker daemon answers, and none can be started by hand: {obstacle}. "
        "Install and start Docker, or use the control plane without kind."
    )


def _obstacles() -> Iterator[str]:
    if platform.system() != "Linux":
        yield f"this is {platform.system()}, and it takes Linux"
    if os.geteuid() != 0:
        yield "that takes root"
    if missing := debian.missing_tools():
        yield f"Debian's packages cannot be had without {', '.join(missing)}"
    if "overlay" not in Path("/proc/filesystems").read_text().split():
        yield "the kernel has no overlayfs"
    if not any(Path("/sys/fs/cgroup").glob("*")):
        yield "no cgroups are mounted at /sys/fs/cgroup"
    for program in ("ip", "unshare", "tar", "chroot"):
        if shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") is None:
            yield f"the program `{program}` is missing"


def up(
    name: str = "pillion",
    *,
    nodes: int = 1,
    kubernetes_version: str = binaries.DEFAULT_KUBERNETES_VERSION,
    progress: cache.Progress = print,
) -> KindCluster:
    """The cluster of that name, made unless it is up: ready nodes, and a default namespace that takes pods.

    Raises:
        KindError: kind cannot run here, the name is no cluster's, or the cluster did not come up.
        dockerd.DockerError, node_image.NodeImageError, binaries.BinariesError, debian.PackageError: a part
            cannot be had.
    """
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", name):
        raise KindError(
            f"{name!r} cannot name a cluster: use up to 40 lower-case letters, digits and hyphens."
        )
    if reason := availability():
        raise KindError(reason)
    version = kubernetes_version if kubernetes_version.startswith("v") else f"v{kubernetes_version}"
    with cache.locked(
        _home() / f".{name}.lock", waiting=lambda: progress(f"{name}: another process is at it, waiting")
    ):
        already = found(name)
        if already:
            return _wanted(already, nodes=nodes, version=version)
        with cache.locked(_home() / ".daemon.lock"):
            docker = dockerd.found() or dockerd.started(progress=progress)
            if (_home() / name).exists():
                progress(f"{name}: removing what is left of an earlier start")
                run_kind(docker, "delete", "cluster", "--name", name)
            elif name in run_kind(docker, "get", "clusters").stdout.split():
                raise KindError(
                    f"A kind cluster named {name} is there already and was not made here. Choose another "
                    "name."
                )
            (_home() / name).mkdir(parents=True, exist_ok=True)  # from here on the daemon has a reason to run
        try:
            return _created(docker, name, nodes=nodes, version=version, progress=progress)
        except BaseException:
            _delete(docker, name, progress=progress)
            raise


def down(name: str = "pillion", *, progress: cache.Progress = print) -> bool:
    """Delete the cluster, keep its logs, and stop the daemon if it was started here and nothing runs in it.
    False: there was none.
    """
    with cache.locked(
        _home() / f".{name}.lock", waiting=lambda: progress(f"{name}: another process is at it, waiting")
    ):
        if not (_home() / name).exists():
            return False
        noted = _noted(name)
        docker = _docker_of(noted, progress=progress)
        cluster = found(name)
        if cluster:
            logs = logs_folder(name)
            shutil.rmtree(logs, ignore_errors=True)
            progress(f"{name}: keeping the logs in {logs}")
            cluster.export_logs(logs)
        _delete(docker, name, progress=progress)
    return True


def status() -> list[KindCluster]:
    """The clusters that were made here and are up."""
    home = _home()
    names = sorted(path.name for path in home.iterdir() if path.is_dir()) if home.is_dir() else []
    return [cluster for cluster in map(found, names) if cluster]


def found(name: str) -> KindCluster | None:
    """The cluster of that name, if it was made here, whole, and its nodes run."""
    noted = _noted(name)
    docker = dockerd.running() if noted.get("ours") else dockerd.found()
    if not noted or docker is None or docker.ours != noted["ours"]:
        return None
    cluster = KindCluster(
        name=name,
        kubeconfig=_home() / name / "kubeconfig",
        node_image=noted["node_image"],
        node_image_origin=noted["node_image_origin"],
        nodes=noted["nodes"],
        docker=docker,
    )
    states = docker.run("inspect", "--format", "{{.State.Running}}", *cluster.nodes, check=False)
    return cluster if states.returncode == 0 and set(states.stdout.split()) == {"true"} else None


def logs_folder(name: str) -> Path:
    """Where the logs of a cluster lie after it has gone."""
    return cache.root() / "logs" / "kind" / name


def _home() -> Path:
    return cache.root() / "kind"


def _noted(name: str) -> dict[str, Any]:
    try:
        noted: dict[str, Any] = json.loads((_home() / name / "cluster.json").read_text())
    except (OSError, ValueError):
        return {}
    return noted


def _wanted(cluster: KindCluster, *, nodes: int, version: str) -> KindCluster:
    has = _noted(cluster.name)["kubernetes_version"]
    if len(cluster.nodes) != nodes or has != version:
        raise KindError(
            f"The kind cluster {cluster.name} is up with {len(cluster.nodes)} node(s) and Kubernetes "
            f"{has}, not {nodes} and {version}. "
            "Take it down first, or choose another name."
        )
    return cluster


def _docker_of(noted: dict[str, Any], *, progress: cache.Progress) -> dockerd.Docker:
    """The daemon that a cluster was made in. Ours is started again if it died: its containers are still
    there.
    """
    if noted.get("ours", True) and dockerd.had():
        return dockerd.running() or dockerd.started(progress=progress)
    docker = dockerd.found()
    if docker is None:
        raise KindError(
            "The Docker daemon that the cluster was made in does not answer. Start it, and try again."
        )
    return docker


def _created(
    docker: dockerd.Docker, name: str, *, nodes: int, version: str, progress: cache.Progress
) -> KindCluster:
    image, origin = node_image.chosen(docker, version=version, progress=progress)
    folder = _home() / name
    started = time.monotonic()
    progress(f"{name}: creating the kind cluster, node image {origin}")
    network_is_new = docker.run("network", "inspect", "kind", check=False).returncode != 0
    configuration = folder / "kind.json"  # YAML takes JSON
    configuration.write_text(json.dumps(_configuration(nodes)))
    made = run_kind(
        docker,
        *("create", "cluster", "--name", name, "--image", image, "--config", str(configuration), "--retain"),
        *("--kubeconfig", str(folder / "kubeconfig")),
        check=False,
    )
    containers = run_kind(docker, "get", "nodes", "--name", name).stdout.split()
    cluster = KindCluster(
        name=name,
        kubeconfig=folder / "kubeconfig",
        node_image=image,
        node_image_origin=origin,
        nodes=sorted(containers, key=lambda node: ("control-plane" not in node, node)),
        docker=docker,
    )
    try:
        cluster.settle(made, routes=image.startswith(node_image.REPOSITORY))
    except (KindError, dockerd.DockerError) as error:
        logs = logs_folder(name)
        cluster.export_logs(logs)
        raise KindError(f"{error} (logs of the nodes are in {logs})") from error
    note = {
        "ours": docker.ours,
        "node_image": image,
        "node_image_origin": origin,
        "nodes": cluster.nodes,
        "kubernetes_version": version,
        "network_is_new": network_is_new,
    }
    (folder / "cluster.json").write_text(json.dumps(note, indent=1))
    progress(f"{name}: ready after {time.monotonic() - started:.0f} s")
    return cluster


def _configuration(nodes: int) -> dict[str, Any]:
    document: dict[str, Any] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{"role": "control-plane"}, *({"role": "worker"} for _ in range(nodes - 1))],
    }
    if cgroup_version() == 1:
        # Kubelets since 1.35 refuse cgroup v1 unless they are told not to.
        kubelet = {
            "kind": "KubeletConfiguration",
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "failCgroupV1": False,
        }
        document["kubeadmConfigPatches"] = [json.dumps(kubelet)]
    return document


def cgroup_version() -> int:
    """The version that memory limits of containers on this host are kept by: 2 where only the unified
    hierarchy is mounted.
    """
    return 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1


def _delete(docker: dockerd.Docker, name: str, *, progress: cache.Progress) -> None:
    with cache.locked(_home() / ".daemon.lock"):
        run_kind(docker, "delete", "cluster", "--name", name)
        network_is_new = _noted(name).get("network_is_new", False)
        shutil.rmtree(_home() / name, ignore_errors=True)
        if any(path.is_dir() for path in _home().iterdir()):
            return
        if docker.ours:
            dockerd.stopped(progress=progress)
        elif network_is_new:
            docker.run("network", "rm", "kind", check=False)  # refused, rightly, while somebody uses it
