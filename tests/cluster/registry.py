"""Which control planes are there, what does each consist of, and which of them are only leftovers?

Each has a folder under `clusters/` in the cache. Its `state.json` is written before anything is started and
again after every start, so that whoever comes next can find, judge and stop all of it, however its starter
ended.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import socket
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster import ClusterError, cache, processes
from tests.cluster.components import HOST, Layout, Ports
from tests.cluster.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterable

# Below the range from which the system picks ports for outgoing connections, so that none takes one between
# our look and our use.
PORT_RANGE = (20_000, 32_000)
POD_NETWORKS = tuple(f"127.{second}.0.0/16" for second in range(64, 250))
STOPPED_CLUSTERS_KEPT = 10


class ControlPlaneError(ClusterError):
    """A control plane cannot be started, found or used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """All that has to be known to find, judge and stop one control plane.

    Attributes:
        programs: the folder of the programs that it was started with.
        tokens: user -> bearer token.
        created: seconds since the epoch.
        starter: the process that starts it; until `complete` a living starter counts as a part of it.
        complete: everything has been started.
    """

    name: str
    kubernetes_version: str
    programs: Path
    ports: Ports
    pod_network: str
    tokens: dict[str, str] = field(repr=False)
    audit: bool
    created: float
    starter: Process
    processes: tuple[Process, ...] = ()
    complete: bool = False

    @property
    def server(self) -> str:
        """The API server's address."""
        return f"https://{HOST}:{self.ports.api}"

    def dead(self) -> list[str]:
        """What of it does not run, by name."""
        gone = [process.name for process in self.processes if not processes.runs(process)]
        if self.abandoned():
            gone.append("the command that was starting it")
        return gone

    def abandoned(self) -> bool:
        """Whether its starter ended before everything was started, whatever of it still runs."""
        return not self.complete and not processes.runs(self.starter)

    def gone(self) -> bool:
        """Whether nothing of it runs and nobody is starting it."""
        parts = self.processes if self.complete else (*self.processes, self.starter)
        return not any(processes.runs(process) for process in parts)


def folder() -> Path:
    """Where all control planes have their folders."""
    return cache.root() / "clusters"


def layout(name: str) -> Layout:
    """Where that one keeps its files."""
    return Layout(folder=folder() / name)


def read(name: str) -> State | None:
    """What is noted of that one; None if nothing is, or nothing readable, which makes it a leftover."""
    try:
        raw: dict[str, Any] = json.loads(layout(name).state.read_text())
        raw["programs"] = Path(raw["programs"])
        raw["ports"] = Ports(**raw["ports"])
        raw["starter"] = Process(**raw["starter"])
        raw["processes"] = tuple(Process(**process) for process in raw["processes"])
        return State(**raw)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def noted_processes(name: str) -> tuple[Process, ...]:
    """Its processes, also where another version of this tool has noted the rest in its own way."""
    try:
        raw: dict[str, Any] = json.loads(layout(name).state.read_text())
        return tuple(Process(**process) for process in raw["processes"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def write(state: State) -> None:
    """Note it."""
    write_private(layout(state.name).state, json.dumps(asdict(state), indent=1, default=str))


def names() -> list[str]:
    """All of which something is noted, leftovers included."""
    return sorted(path.parent.name for path in folder().glob("*/state.json"))


def claim(
    name: str, *, kubernetes_version: str, programs: Path, users: Iterable[str], with_audit: bool
) -> State:
    """Take the name, free ports and a pod network, and note them, under a lock that all starters share.

    Raises:
        ControlPlaneError: the name is in use.
    """
    with cache.locked(folder() / ".lock"):
        sweep()
        if name in names():
            raise ControlPlaneError(
                f"Control plane {name!r} runs already. "
                f"Take it down (`python -m tests.cluster down {name}`) or choose another name."
            )
        others = [state for other in names() if (state := read(other))]
        ports = _free_ports({port for state in others for port in asdict(state.ports).values()})
        networks = {state.pod_network for state in others}
        us = Process(name="starter", pid=os.getpid(), started=processes.start_time(os.getpid()) or "")
        state = State(
            name=name,
            kubernetes_version=kubernetes_version,
            programs=programs,
            ports=ports,
            pod_network=next(network for network in POD_NETWORKS if network not in networks),
            tokens={user: secrets.token_urlsafe(24) for user in users},
            audit=with_audit,
            created=time.time(),
            starter=us,
        )
        place = layout(name)
        shutil.rmtree(place.folder, ignore_errors=True)
        for part in (place.logs, place.certificates):
            part.mkdir(parents=True)
        write(state)
    return state


def started(state: State, process: Process) -> State:
    """The state with one more process, already written down."""
    longer = replace(state, processes=(*state.processes, process))
    write(longer)
    return longer


def completed(state: State) -> State:
    """The state of a control plane that no longer needs its starter, already written down."""
    whole = replace(state, complete=True)
    write(whole)
    return whole


def sweep() -> list[str]:
    """Forget control planes of which nothing runs, and the logs of all but the latest; return their names."""
    forgotten = []
    for name in names():
        state = read(name)
        if state.gone() if state else not any(processes.runs(each) for each in noted_processes(name)):
            forget(name)
            forgotten.append(name)
    stopped = [logs for logs in folder().glob("*/logs") if not (logs.parent / "state.json").exists()]
    for logs in sorted(stopped, key=lambda path: path.stat().st_mtime)[:-STOPPED_CLUSTERS_KEPT]:
        shutil.rmtree(logs.parent, ignore_errors=True)
    return forgotten


def forget(name: str) -> None:
    """Remove everything but the logs."""
    place = layout(name)
    shutil.rmtree(place.run, ignore_errors=True)
    place.admin_kubeconfig.unlink(missing_ok=True)
    place.state.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write so that nobody else can read it, and so that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def _free_ports(taken: set[int]) -> Ports:
    wanted = list(Ports.__dataclass_fields__)
    found: list[int] = []
    candidates = [port for port in range(*PORT_RANGE) if port not in taken]
    random.shuffle(candidates)
    for port in candidates:
        with socket.socket() as probe:
            # Without it a port that a stopped cluster used a minute ago counts as taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == len(wanted):
            return Ports(**dict(zip(wanted, found, strict=True)))
    raise ControlPlaneError(
        f"No {len(wanted)} free ports between {PORT_RANGE[0]} and {PORT_RANGE[1]} on {HOST}."
    )
