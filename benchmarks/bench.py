"""What does a benchmark act on? A control plane of its own, a Hub, the operator as a process, and the floor."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks import consumption, engines, floor
from benchmarks.api import FLOOR_GROUP, GROUP
from tests import operator_process
from tests.cluster import controlplane, processes, registry
from tests.operator_process import OperatorProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.cluster.controlplane import ControlPlane

ROOT = Path(__file__).parents[1]
NAMESPACE = "bench"
FLOOR_NAMESPACE = "floor"
HUB_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """What runs, and who it is."""

    cluster: ControlPlane
    operator: OperatorProcess
    floor_pid: int
    hub_pid: int
    control_plane_pids: tuple[int, ...]
    _stack: contextlib.ExitStack = field(repr=False)
    _players: list[int] = field(default_factory=list)

    def play_engines(self) -> None:
        """Have the engines of simulated pods answered for, until the end."""
        self._players.append(
            _start("benchmarks.engines", engines.READY, self.cluster, NAMESPACE, self._stack)
        )

    @property
    def operator_pids(self) -> list[int]:
        """The operator and whatever it started; nothing while it is stopped."""
        return consumption.tree(self.operator.pid) if self.operator.running else []

    @property
    def all_pids(self) -> list[int]:
        """Everything that a benchmark brings, itself too; the rest of the machine's load is somebody else's."""
        return [
            os.getpid(),
            self.floor_pid,
            self.hub_pid,
            *self._players,
            *self.control_plane_pids,
            *self.operator_pids,
        ]


@contextlib.contextmanager
def start(*, say: Callable[[str], None], under: Sequence[str] = ()) -> Iterator[Bench]:
    """Start all of it, and stop all of it at the end.

    Args:
        say: told what takes long.
        under: what the operator's interpreter runs under, for example a profiler.
    """
    name = f"bench-{os.getpid()}"
    with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory(prefix=name) as folder:
        say("a control plane starts")
        cluster = controlplane.start(name, nodes=2, progress=say)
        stack.callback(cluster.stop)
        operator_process.install(cluster)
        _install_floor(cluster)
        hub_pid, hub_url = _start_hub(Path(folder), stack)
        operator = OperatorProcess(cluster, hub_url=hub_url, folder=Path(folder))
        stack.callback(operator.stop)
        operator.start(under=under)
        yield Bench(
            cluster=cluster,
            operator=operator,
            floor_pid=_start("benchmarks.floor", floor.READY, cluster, FLOOR_NAMESPACE, stack),
            hub_pid=hub_pid,
            control_plane_pids=tuple(process.pid for process in registry.noted_processes(name)),
            _stack=stack,
        )


def _install_floor(cluster: ControlPlane) -> None:
    """The namespaces, and the floor's own kind: what a ModelDeployment is, under another group."""
    crd: dict[str, Any] = yaml.safe_load((ROOT / "crds" / f"{GROUP}_modeldeployments.yaml").read_text())
    names = {key: crd["spec"]["names"][key] for key in ("kind", "listKind", "plural", "singular")}
    copy = {
        "apiVersion": crd["apiVersion"],
        "kind": crd["kind"],
        "metadata": {"name": f"{names['plural']}.{FLOOR_GROUP}"},
        "spec": {**crd["spec"], "group": FLOOR_GROUP, "names": names},
    }
    namespaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        for name in (NAMESPACE, FLOOR_NAMESPACE)
    ]
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=yaml.safe_dump_all([*namespaces, copy]))
    operator_process.until_served(cluster)


def _start(
    module: str, ready: str, cluster: ControlPlane, namespace: str, stack: contextlib.ExitStack
) -> int:
    """A program of ours that says one word when it has begun to watch a namespace."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(cluster.kubeconfig), namespace],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.callback(_end, process)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == ready, f"{module} does not start"
    return process.pid


def _start_hub(folder: Path, stack: contextlib.ExitStack) -> tuple[int, str]:
    """A process of its own: in ours it would hold up the watches that measure."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with (folder / "hub.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.hub.server", "--host", "127.0.0.1", "--port", str(port)],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    stack.callback(_end, process)

    def answers() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    assert processes.wait_until(answers, seconds=HUB_SECONDS), "the local Hub does not answer"
    return process.pid, url


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    process.wait(timeout=10)
    if process.stdout is not None:
        process.stdout.close()
