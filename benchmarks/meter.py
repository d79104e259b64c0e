"""What did a stretch of time take: CPU of the operator, of the control plane and of others, and requests?"""

from __future__ import annotations

import asyncio
import os
import time
from typing import TYPE_CHECKING

from benchmarks import consumption
from benchmarks.results import Load, Measure
from tests import operator_process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.bench import Bench
    from tests.cluster.audit import Request

SILENT_SECONDS = 2.0
MIB = 1024**2
KIB = 1024


class Beside:
    """What else ran on the machine since this was made.

    Args:
        own: the processes that are the benchmark's, asked at both ends.
    """

    def __init__(self, own: Callable[[], Sequence[int]]) -> None:
        self._own = own
        self._started = time.monotonic()
        self._load = os.getloadavg()[0]
        self._busy = consumption.busy_seconds()
        self._before = consumption.cpu_seconds(own())

    def load(self) -> Load:
        """From then until now."""
        busy = consumption.busy_seconds() - self._busy
        own = consumption.cpu_seconds(self._own()) - self._before
        return Load(
            average_before=self._load,
            average_after=os.getloadavg()[0],
            others_cores=max(0.0, busy - own) / (time.monotonic() - self._started),
        )


class Meter:
    """The figures of a bench since this was made, or since `begin`."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        assert bench.cluster.requests is not None
        self._log = bench.cluster.requests
        self.begin()

    def begin(self) -> None:
        """From now on."""
        self._since = self._log.position()
        self._started = time.monotonic()
        self._beside = Beside(lambda: self._bench.all_pids)
        self._operator = consumption.cpu_seconds(self._bench.operator_pids)
        self._floor = consumption.cpu_seconds([self._bench.floor_pid])
        self._plane = consumption.cpu_seconds(self._bench.control_plane_pids)

    def requests(self) -> list[Request]:
        """The operator's, since the beginning."""
        return self._log.requests(user=operator_process.USER, since=self._since)

    def operator_cpu(self) -> float:
        """Seconds."""
        return consumption.cpu_seconds(self._bench.operator_pids) - self._operator

    def floor_cpu(self) -> float:
        """Seconds."""
        return consumption.cpu_seconds([self._bench.floor_pid]) - self._floor

    def control_plane_cpu(self) -> float:
        """Seconds, for the operator's and the floor's requests and for all that follows from them."""
        return consumption.cpu_seconds(self._bench.control_plane_pids) - self._plane

    def seconds(self) -> float:
        """How long it is."""
        return time.monotonic() - self._started

    def load(self) -> Load:
        """What else ran."""
        return self._beside.load()


async def silent(bench: Bench) -> None:
    """Wait until the operator asks for nothing any more: its Events are written beside its work, and come last."""
    assert bench.cluster.requests is not None
    while True:
        since = bench.cluster.requests.position()
        await asyncio.sleep(SILENT_SECONDS)
        asked = bench.cluster.requests.requests(user=operator_process.USER, since=since)
        if all(request.is_lease or request.is_watch for request in asked):
            return


def cpu_each(name: str, seconds: float, floor_seconds: float | None, count: int) -> Measure:
    """CPU time for one."""
    floor = None if floor_seconds is None else 1e3 * floor_seconds / count
    return Measure(name=name, unit="ms", value=1e3 * seconds / count, floor=floor)


def cpu_share(seconds: float, floor_seconds: float, of: float) -> Measure:
    """CPU time as a share of one core."""
    return Measure(
        name="operator's CPU", unit="% of a core", value=100 * seconds / of, floor=100 * floor_seconds / of
    )


def memory(bench: Bench, name: str = "operator's memory (RSS)") -> Measure:
    """The operator's memory now."""
    return Measure(
        name=name,
        unit="MiB",
        value=consumption.resident_bytes(bench.operator_pids) / MIB,
        floor=consumption.resident_bytes([bench.floor_pid]) / MIB,
    )
