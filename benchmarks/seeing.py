"""When did something become true of an object? As a watch of the benchmark's own process saw it.

Nothing here polls: whoever waits gives a condition, and each event of the watch is held against the conditions that
wait for its object. Times are those of the event loop's clock, in seconds.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.api import Api, Collection, Raw

    Condition = Callable[[Raw], bool]

PATIENCE_SECONDS = 400.0


@dataclass(slots=True)
class Sight:
    """What one watch shows."""

    objects: dict[str, Raw] = field(default_factory=dict)
    last_change: float = 0.0
    _waiting: dict[str, list[tuple[Condition, asyncio.Future[float]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    _leaving: dict[str, list[asyncio.Future[float]]] = field(default_factory=lambda: defaultdict(list))
    _task: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, api: Api, collection: Collection, namespace: str, group: asyncio.TaskGroup) -> Sight:
        """Begin to watch a namespace's objects of one kind; a watch that breaks ends the group."""
        sight = cls()
        sight._task = group.create_task(sight._follow(api, collection, namespace))
        return sight

    def when(self, name: str, condition: Condition) -> asyncio.Future[float]:
        """The time at which the condition holds for that object: now, or with an event that comes."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[float] = loop.create_future()
        known = self.objects.get(name)
        if known is not None and condition(known):
            future.set_result(loop.time())
        else:
            self._waiting[name].append((condition, future))
        return future

    def gone(self, name: str) -> asyncio.Future[float]:
        """The time at which that object is no more."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[float] = loop.create_future()
        if name in self.objects:
            self._leaving[name].append(future)
        else:
            future.set_result(loop.time())
        return future

    async def quiet(self, seconds: float) -> float:
        """Wait until no event came for so long; answers the time of the last one."""
        loop = asyncio.get_running_loop()
        while True:
            left = self.last_change + seconds - loop.time()
            if left <= 0:
                return self.last_change
            await asyncio.sleep(left)

    def close(self) -> None:
        """Stop watching."""
        if self._task is not None:
            self._task.cancel()

    async def _follow(self, api: Api, collection: Collection, namespace: str) -> None:
        loop = asyncio.get_running_loop()
        listed, version = await api.list(collection, namespace)
        for obj in listed:
            self._see("ADDED", obj, loop.time())
        async for event in api.watch(collection, namespace, version):
            self._see(event.type, event.object, loop.time())

    def _see(self, kind: str, obj: Raw, now: float) -> None:
        name = obj["metadata"]["name"]
        self.last_change = now
        if kind == "DELETED":
            self.objects.pop(name, None)
            for future in self._leaving.pop(name, []):
                future.set_result(now)
            return
        self.objects[name] = obj
        waiting = self._waiting.pop(name, [])
        left = []
        for condition, future in waiting:
            if condition(obj):
                future.set_result(now)
            else:
                left.append((condition, future))
        if left:
            self._waiting[name] = left


async def soon(future: asyncio.Future[float], what: str, *, seconds: float = PATIENCE_SECONDS) -> float:
    """The time that the future tells; an error that says what did not come in so many seconds.

    Raises:
        TimeoutError: with what was waited for.
    """
    try:
        async with asyncio.timeout(seconds):
            return await future
    except TimeoutError as error:
        raise TimeoutError(f"after {seconds:.0f} s there is still no {what}") from error
