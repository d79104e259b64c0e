"""Which processes does an engine's container have, and how are they killed?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.e2e.harness.application import container_status
from tests.e2e.harness.cluster import KubectlError
from tests.e2e.harness.waiting import NotYet, until

if TYPE_CHECKING:
    from tests.cluster import kind
    from tests.e2e.harness.cluster import Space

Raw = dict[str, Any]

SUPERVISOR_PID = 1
FETCHING = "--fetch"  # the supervisor's child that downloads has this on its command line

PROCESSES = """
import json, os
found = []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()
        words = open(f"/proc/{pid}/cmdline").read().split(chr(0))
    except OSError:
        continue
    if fields[0] not in "ZX" and int(pid) != os.getpid():
        found.append({"pid": int(pid), "parent": int(fields[1]), "session": int(fields[3]), "words": words})
print(json.dumps(found))
"""
KILL = "import os, sys; os.kill(int(sys.argv[1]), 9)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A process of the container, by the numbers that it has there."""

    pid: int
    parent: int
    session: int
    command: str

    @property
    def leads(self) -> bool:
        """Whether it leads a session; the supervisor gives one to each engine."""
        return self.pid == self.session


@dataclass(frozen=True, kw_only=True, slots=True)
class Engine:
    """The engine's container of one pod."""

    space: Space
    pod: str
    container: str

    def processes(self) -> list[Process]:
        """Everything that runs in the container, but for the supervisor and for what looks at it."""
        told = json.loads(self.space.run_python(self.pod, self.container, PROCESSES))
        found = [
            Process(
                pid=each["pid"],
                parent=each["parent"],
                session=each["session"],
                command=" ".join(each["words"]).strip(),
            )
            for each in told
        ]
        return [each for each in found if each.pid != SUPERVISOR_PID and each.parent != 0]

    def main(self) -> Process:
        """The engine's own first process, waited for."""

        def look() -> Process:
            try:
                found = self.processes()
            except KubectlError as error:
                raise NotYet(str(error)) from error
            for each in found:
                if each.leads and each.parent == SUPERVISOR_PID and FETCHING not in each.command:
                    return each
            raise NotYet(f"processes {found}")

        return until("the engine's main process", look, seconds=60, more=self.space.circumstances)

    def others(self) -> list[Process]:
        """The processes that the engine's main one has started, by their numbers."""
        main = self.main()
        return sorted(
            (each for each in self.processes() if each.session == main.session and each.pid != main.pid),
            key=lambda each: each.pid,
        )

    def kill(self, process: Process) -> None:
        """`kill -9`."""
        self.space.run_python(self.pod, self.container, KILL, str(process.pid))

    def kill_supervisor(self, node: kind.KindCluster) -> None:
        """`kill -9` from the node: a container's first process cannot be killed from within."""
        pod = self.space.the("pod", self.pod)
        identity = container_status(pod, self.container)["containerID"].rpartition("/")[2]
        told = node.node_exec(
            *("crictl", "inspect", "--output=go-template", "--template={{.info.pid}}", identity),
            node=pod["spec"]["nodeName"],
        ).stdout.strip()
        assert told.isdigit(), f"crictl names no process for {identity}: {told!r}"
        node.node_exec("sh", "-c", f"kill -9 {told}", node=pod["spec"]["nodeName"])
