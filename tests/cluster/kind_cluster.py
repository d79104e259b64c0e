"""What can be done with a kind cluster that is up?"""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.cluster import ClusterError, binaries, cache, dockerd, images, oci_layout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

READY_SECONDS = 180
ADMIN = "/etc/kubernetes/admin.conf"  # on the first node


class KindError(ClusterError):
    """A kind cluster cannot be had or did not come up, with what to do."""


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

    def settle(self, made: subprocess.CompletedProcess[str], *, routes: bool) -> None:
        """From kind's answer to nodes that take pods; sets routes between them where the node image does not."""
        if made.returncode:
            raise KindError(f"kind did not create {self.name}: {reason(made.stderr)}")
        _wait(self)
        if routes and len(self.nodes) > 1:
            _connect(self)

    def export_logs(self, folder: Path) -> None:
        """Write what every node, container runtime, kubelet and pod has logged."""
        folder.mkdir(parents=True, exist_ok=True)
        run_kind(self.docker, "export", "logs", str(folder), "--name", self.name, check=False)
        if self.docker.ours:
            shutil.copyfile(dockerd.log(), folder / "dockerd.log")


def _wait(cluster: KindCluster) -> None:
    def kubectl(*words: str) -> None:
        cluster.node_exec("kubectl", "--kubeconfig", ADMIN, *words, f"--timeout={READY_SECONDS}s")

    nodes = [f"node/{name}" for name in cluster.nodes]
    kubectl(
        "wait", "--for=create", *nodes
    )  # kind is done when they have joined, which is before they are listed
    kubectl("wait", "--for=condition=Ready", *nodes)
    # A ready node is not enough: a pod is refused until its namespace has a service account, and a Service's
    # address leads out of the machine, to whoever answers there, until kube-proxy has written its rules.
    kubectl("wait", "--for=create", "serviceaccount/default")
    kubectl("--namespace=kube-system", "rollout", "status", "daemonset/kube-proxy")


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
            oci_layout.write_missing(archive, target, present=present)
        said = importing.stderr.read().decode(errors="replace")
    if importing.returncode:
        raise KindError(f"{node} does not take {archive}: {reason(said)}")


def run_kind(docker: dockerd.Docker, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """The result of a kind command in this daemon."""
    # Our node image is made for the version whose base files it has; for the stock one an installed kind will
    # do.
    installed = None if docker.ours else shutil.which("kind")
    program = installed or str(binaries.ensure(["kind"]) / "kind")
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, check=False, env=docker.environment()
    )
    if check and done.returncode:
        raise KindError(f"`kind {' '.join(arguments[:2])}` failed: {reason(done.stderr)}")
    return done


def reason(text: str) -> str:
    """The line of a program's complaint that says why."""
    errors = (
        [line for line in text.splitlines() if line.startswith("ERROR: ")]
        or text.strip().splitlines()
        or ["it said nothing"]
    )
    return errors[-1].removeprefix("ERROR: ")
