"""Which ModelDeployment is looked at next?

Events only put keys in here. A key is worked on by one worker at a time; what arrives for it meanwhile makes it be
looked at once more afterwards. Keys that wait for something that raises no event (a target that does not exist yet,
an accelerator that becomes free, the Hub) are due again after a back-off of their own; with nobody waiting, the
queue sleeps.
"""

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from pillion.controller.store import Key

__all__ = ["FIRST_WAIT_SECONDS", "LONGEST_WAIT_SECONDS", "WorkQueue"]

logger = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 75.0
# Long waits end together, so that those who wait for accelerators share one look at the nodes.
TOGETHER_SECONDS = 15.0

Clock = Callable[[], float]
Work = Callable[[Key], Awaitable[float | None]]  # seconds for which the key is not looked at again, if any


@dataclass(slots=True)
class _Waiting:
    """How often in a row a key was told to wait, and the one entry in the heap that counts."""

    attempts: int = 0
    due: float = 0.0


@dataclass(slots=True)
class WorkQueue:
    """Keys that are due, keys in work, and keys that wait."""

    clock: Clock
    _ready: asyncio.Queue[Key] = field(default_factory=asyncio.Queue)
    _queued: set[Key] = field(default_factory=set)
    _working: set[Key] = field(default_factory=set)
    _again: set[Key] = field(default_factory=set)
    _waiting: dict[Key, _Waiting] = field(default_factory=dict)
    _resting: dict[Key, float] = field(default_factory=dict)  # until when
    _heap: list[tuple[float, Key]] = field(default_factory=list)
    _heap_changed: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, key: Key) -> None:
        """Have a key looked at as soon as a worker is free."""
        if key in self._working or key in self._resting:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._ready.put_nowait(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Have a key looked at after a time; an earlier date that stands already stays."""
        due = self.clock() + seconds
        waiting = self._waiting.setdefault(key, _Waiting())
        if waiting.due and waiting.due <= due:
            return
        waiting.due = due
        self._put_off(key, due)

    def wait(self, key: Key) -> float:
        """Have a key looked at after its back-off, which doubles from 0.2 s; the seconds are returned.

        The longest is what keeps one that fails for ever below one request a minute.
        """
        waiting = self._waiting.setdefault(key, _Waiting())
        seconds: float = min(FIRST_WAIT_SECONDS * 2**waiting.attempts, LONGEST_WAIT_SECONDS)
        if seconds >= TOGETHER_SECONDS:
            seconds += -(self.clock() + seconds) % TOGETHER_SECONDS
        waiting.attempts = min(waiting.attempts + 1, 16)
        self.add_after(key, seconds)
        return seconds

    def settle(self, key: Key) -> None:
        """Nothing to wait for any more: the back-off starts anew next time."""
        self._waiting.pop(key, None)

    def __len__(self) -> int:
        return self._ready.qsize() + len(self._working)

    @property
    def waiting(self) -> int:
        """Keys that wait for a date."""
        return sum(1 for waiting in self._waiting.values() if waiting.due)

    async def run(self, work: Work, *, workers: int) -> None:
        """Work until cancelled. An error of the work is logged, and the key waits its back-off."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._release())
            for _ in range(workers):
                group.create_task(self._worker(work))

    async def _worker(self, work: Work) -> None:
        while True:
            key = await self._ready.get()
            self._queued.discard(key)
            self._working.add(key)
            rest = None
            try:
                rest = await work(key)
            except Exception:
                logger.exception("%s: an unexpected error; it is tried again", key)
                self.wait(key)
            finally:
                self._working.discard(key)
            if rest:
                self._resting[key] = self.clock() + rest
                self._put_off(key, self._resting[key])
            self._add_again(key)

    def _add_again(self, key: Key) -> None:
        """What arrived for a key meanwhile is looked at, once."""
        if key in self._again and key not in self._resting:
            self._again.discard(key)
            self.add(key)

    def _put_off(self, key: Key, due: float) -> None:
        heapq.heappush(self._heap, (due, key))
        self._heap_changed.set()

    async def _release(self) -> None:
        while True:
            self._heap_changed.clear()
            timeout = max(0.0, self._heap[0][0] - self.clock()) if self._heap else None
            try:
                await asyncio.wait_for(self._heap_changed.wait(), timeout)
            except TimeoutError:
                now = self.clock()
                while self._heap and self._heap[0][0] <= now:
                    due, key = heapq.heappop(self._heap)
                    if self._resting.get(key) == due:
                        del self._resting[key]
                        self._add_again(key)
                    waiting = self._waiting.get(key)
                    if waiting is not None and waiting.due == due:
                        waiting.due = 0.0
                        self.add(key)
