"""How does a test or the demo get a kind cluster, where containers really run, and how does it go away again?

With a Docker daemon and a registry it is kind with its stock node image. Elsewhere, on a Linux machine with
root, the daemon is one that is started by hand and the node image one that is built here; a cluster says
which it has. Every cluster has a folder in the cache with its kubeconfig and a note of how it was made; the
last one to go takes the daemon with it.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster import binaries, cache, debian, dockerd, images, node_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STOCK_REPOSITORY = "kindest/node"
READY_SECONDS = 180
PULL_SECONDS = 600
ADMIN = "/etc/kubernetes/admin.conf"  # on the first node


class KindError(Exception):
    """A kind cluster cannot be had or did not come up, with what to do. The command line prints it, a test
    lane skips with it.
    """


@dataclass(frozen=True, kw_only=True, slots=True)
class KindCluster:
    """A kind cluster that is up."""

    name: str
    kubeconfig: Path
    node_image: str
    node_image_origin: str  # in words, for whoever reads a result
    nodes: Sequence[str]  # names of the nodes, which are names of containers too
    docker: dockerd.Docker

    def node_exec(
        self, *command: str, node: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on a node, the first one unless told."""
        return self.docker.run("exec", node or self.nodes[0], *command, check=check)

    def load(self, archive: Path, *, progress: cache.Progress = print) -> list[str]:
        """Put an archive's images onto every node, leaving out nodes that have them; return the images'
        names.
        """
        wanted = images.identities(archive)
        lacking = [node for node in self.nodes if not _has(self, node, wanted)]
        if lacking:
            progress(f"loading {', '.join(wanted)} onto {', '.join(lacking)}")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(lambda node: _import(self, node, archive), lacking))
        return list(wanted)

    def export_logs(self, folder: Path) -> None:
        """Write what every node, container runtime, kubelet and pod has logged."""
        folder.mkdir(parents=True, exist_ok=True)
        _kind(self.docker, "export", "logs", str(folder), "--name", self.name, check=False)
        if self.docker.ours:
            shutil.copyfile(dockerd.log(), folder / "dockerd.log")


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
                _kind(docker, "delete", "cluster", "--name", name)
            elif name in _kind(docker, "get", "clusters").stdout.split():
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
    image, origin = _node_image(docker, version=version, progress=progress)
    folder = _home() / name
    started = time.monotonic()
    progress(f"{name}: creating the kind cluster, node image {origin}")
    network_is_new = docker.run("network", "inspect", "kind", check=False).returncode != 0
    configuration = folder / "kind.json"  # YAML takes JSON
    configuration.write_text(json.dumps(_configuration(nodes)))
    made = _kind(
        docker,
        *("create", "cluster", "--name", name, "--image", image, "--config", str(configuration), "--retain"),
        *("--kubeconfig", str(folder / "kubeconfig")),
        check=False,
    )
    containers = _kind(docker, "get", "nodes", "--name", name).stdout.split()
    cluster = KindCluster(
        name=name,
        kubeconfig=folder / "kubeconfig",
        node_image=image,
        node_image_origin=origin,
        nodes=sorted(containers, key=lambda node: ("control-plane" not in node, node)),
        docker=docker,
    )
    try:
        _settle(cluster, made, nodes=nodes)
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


def _node_image(docker: dockerd.Docker, *, version: str, progress: cache.Progress) -> tuple[str, str]:
    """The node image to use, and where it is from in words."""
    if not docker.ours:
        stock = _stock_image(docker, version=version, progress=progress)
        if stock:
            return stock, f"{stock} (kind's stock image)"
    image = node_image.available(docker, kubernetes_version=version, progress=progress)
    return image, f"{image} (built here from Go modules and Debian packages)"


def _stock_image(docker: dockerd.Docker, *, version: str, progress: cache.Progress) -> str | None:
    """kind's image for this Kubernetes, or for the nearest patch release that was published, or None without
    a registry.
    """
    minor, patch = version.rsplit(".", 1)
    patches = [patch, *(str(other) for other in range(9, -1, -1) if str(other) != patch)]
    names = [f"{STOCK_REPOSITORY}:{minor}.{other}" for other in patches]
    for name in names:
        if docker.run("image", "inspect", name, check=False).returncode == 0:
            return name
    for name in names:
        progress(f"pulling {name}")
        try:
            pulled = docker.run("pull", "--quiet", name, check=False, timeout=PULL_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        if pulled.returncode == 0:
            return name
        if "not found" not in pulled.stderr and "manifest unknown" not in pulled.stderr:
            progress("no image registry can be reached, so the node image is built here")
            return None
    return None


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


def _settle(cluster: KindCluster, made: subprocess.CompletedProcess[str], *, nodes: int) -> None:
    """From a created cluster to one that takes pods."""
    if made.returncode:
        raise KindError(f"kind did not create {cluster.name}: {_reason(made.stderr)}")
    _wait(cluster)
    if cluster.node_image.startswith(node_image.REPOSITORY) and nodes > 1:
        _connect(cluster)


def _wait(cluster: KindCluster) -> None:
    kubectl = ("kubectl", "--kubeconfig", ADMIN)
    cluster.node_exec(
        *kubectl, "wait", "--for=condition=Ready", "node", "--all", f"--timeout={READY_SECONDS}s"
    )
    # A ready node is not enough: a pod is refused until its namespace has a service account.
    cluster.node_exec(
        *kubectl, "wait", "--for=create", "serviceaccount/default", f"--timeout={READY_SECONDS}s"
    )


def _connect(cluster: KindCluster) -> None:
    """Routes between the nodes' pod subnets; kindnet, which sets them in the stock image, is not in ours."""
    fields = ("{.metadata.name}", "{.spec.podCIDR}", '{.status.addresses[?(@.type=="InternalIP")].address}')
    template = "{range .items[*]}" + " ".join(fields) + '{"\\n"}{end}'
    get = ("kubectl", "--kubeconfig", ADMIN, "get", "nodes", "-o", f"jsonpath={template}")
    told = cluster.node_exec(*get).stdout
    rows = [line.split() for line in told.splitlines()]
    for node in cluster.nodes:
        for other, subnet, address in rows:
            if other != node:
                cluster.node_exec("ip", "route", "replace", subnet, "via", address, node=node)


def _delete(docker: dockerd.Docker, name: str, *, progress: cache.Progress) -> None:
    with cache.locked(_home() / ".daemon.lock"):
        _kind(docker, "delete", "cluster", "--name", name)
        network_is_new = _noted(name).get("network_is_new", False)
        shutil.rmtree(_home() / name, ignore_errors=True)
        if any(path.is_dir() for path in _home().iterdir()):
            return
        if docker.ours:
            dockerd.stopped(progress=progress)
        elif network_is_new:
            docker.run("network", "rm", "kind", check=False)  # refused, rightly, while somebody uses it


def _has(cluster: KindCluster, node: str, wanted: dict[str, str]) -> bool:
    told = json.loads(cluster.node_exec("crictl", "images", "--output", "json", node=node).stdout)
    present = {name: image["id"] for image in told.get("images", ()) for name in image.get("repoTags") or ()}
    return all(present.get(name) == identity for name, identity in wanted.items())


def _import(cluster: KindCluster, node: str, archive: Path) -> None:
    """What `kind load image-archive` does, on one node, without the layers that lie there already."""
    present = set(
        cluster.node_exec("ctr", "--namespace=k8s.io", "content", "ls", "--quiet", node=node).stdout.split()
    )
    ctr = ("ctr", "--namespace=k8s.io", "images", "import", "--snapshotter=overlayfs", "-")
    with subprocess.Popen(
        [cluster.docker.client, "exec", "--interactive", node, *ctr],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=cluster.docker.environment(),
    ) as importing:
        assert importing.stdin is not None
        assert importing.stderr is not None
        with contextlib.suppress(BrokenPipeError), importing.stdin as target:
            images.write_missing(archive, target, present=present)
        said = importing.stderr.read().decode(errors="replace")
    if importing.returncode:
        raise KindError(f"{node} does not take {archive}: {_reason(said)}")


def _kind(docker: dockerd.Docker, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    # Our node image is made for the version whose base files it has; for the stock one an installed kind will
    # do.
    installed = None if docker.ours else shutil.which("kind")
    program = installed or str(binaries.ensure(["kind"]) / "kind")
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, env=docker.environment()
    )
    if check and done.returncode:
        raise KindError(f"`kind {' '.join(arguments[:2])}` failed: {_reason(done.stderr)}")
    return done


def _reason(text: str) -> str:
    errors = (
        [line for line in text.splitlines() if line.startswith("ERROR: ")]
        or text.strip().splitlines()
        or ["it said nothing"]
    )
    return errors[-1].removeprefix("ERROR: ")
