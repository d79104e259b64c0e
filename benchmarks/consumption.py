"""What do processes take of the machine? Read from /proc, so that nothing has to run beside them for it.

CPU is what the scheduler counted for all threads, in seconds (/proc/PID/task/TID/schedstat has nanoseconds, where
/proc/PID/stat has hundredths of a second); memory is the resident set.
"""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
NANOSECONDS = 1e9


def tree(root: int) -> list[int]:
    """A process and all of its descendants."""
    parents: dict[int, list[int]] = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                parents.setdefault(int(_stat(int(folder.name))[1]), []).append(int(folder.name))
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        queue += parents.get(pid, [])
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time of all threads that live; a process of which nothing lives any more counts as none."""
    nanoseconds = 0
    for pid in pids:
        for thread in _threads(pid):
            with suppress(OSError):
                nanoseconds += int((thread / "schedstat").read_text().split()[0])
    return nanoseconds / NANOSECONDS


def resident_bytes(pids: Iterable[int]) -> int:
    """Resident memory, pages that several share counted for each."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            total += int((PROC / str(pid) / "statm").read_text().split()[1]) * PAGE_BYTES
    return total


def busy_seconds() -> float:
    """CPU time that all cores of the machine have spent on anything: user, nice, system, interrupts, stolen."""
    fields = [int(field) for field in (PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _io_wait, hard, soft, stolen = fields
    return (user + nice + system + hard + soft + stolen) / TICKS_PER_SECOND


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Where it was measured."""

    cores: int
    processor: str
    memory_gib: float
    kernel: str
    python: str

    @classmethod
    def this(cls) -> Machine:
        """The machine that this runs on."""
        model = next(
            (
                line.partition(":")[2].strip()
                for line in (PROC / "cpuinfo").read_text().splitlines()
                if line.startswith("model name")
            ),
            platform.machine(),
        )
        memory = next(
            int(line.split()[1])
            for line in (PROC / "meminfo").read_text().splitlines()
            if line.startswith("MemTotal")
        )
        return cls(
            cores=len(os.sched_getaffinity(0)),
            processor=model,
            memory_gib=round(memory / 1024**2, 1),
            kernel=platform.release(),
            python=platform.python_version(),
        )


def _threads(pid: int) -> list[Path]:
    with suppress(OSError):
        return list((PROC / str(pid) / "task").iterdir())
    return []


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on; the name before it stands in parentheses and may hold spaces."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
