"""When is a key looked at, and by how many at once?"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from pillion.controller.queue import LONGEST_WAIT_SECONDS, TOGETHER_SECONDS, WorkQueue
from pillion.controller.store import Key

A, B = Key("shop", "a"), Key("shop", "b")


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@contextlib.asynccontextmanager
async def running(
    queue: WorkQueue, work: Callable[[Key], Awaitable[None]], workers: int = 2
) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.run(work, workers=workers))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


async def test_a_key_that_is_added_twice_is_looked_at_once() -> None:
    queue = WorkQueue(Clock())
    seen: list[Key] = []

    async def work(key: Key) -> None:
        seen.append(key)

    for key in (A, A, B, A):
        queue.add(key)
    async with running(queue, work):
        await until(lambda: len(queue) == 0)
    assert sorted(seen) == [A, B]


async def test_what_arrives_during_the_work_is_looked_at_afterwards_and_never_beside_it() -> None:
    queue = WorkQueue(Clock())
    running_now, most_at_once, looks = 0, 0, 0

    async def work(key: Key) -> None:
        nonlocal running_now, most_at_once, looks
        running_now += 1
        most_at_once = max(most_at_once, running_now)
        looks += 1
        if looks == 1:
            queue.add(key)
            queue.add(key)
        await asyncio.sleep(0)
        running_now -= 1

    queue.add(A)
    async with running(queue, work):
        await until(lambda: looks == 2 and len(queue) == 0)
    assert (looks, most_at_once) == (2, 1)


def test_the_back_off_doubles_up_to_a_longest_wait_and_starts_anew_when_settled() -> None:
    queue = WorkQueue(Clock())
    waits = []
    for _ in range(12):
        waits.append(queue.wait(A))
        queue._waiting[A].due = 0.0
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert LONGEST_WAIT_SECONDS <= waits[-1] < LONGEST_WAIT_SECONDS + TOGETHER_SECONDS
    queue.settle(A)
    assert queue.wait(A) == 0.2


async def test_what_arrives_for_a_key_that_rests_is_looked_at_once_afterwards() -> None:
    loop = asyncio.get_running_loop()
    queue = WorkQueue(loop.time)
    looks: list[Key] = []

    async def work(key: Key) -> float:
        looks.append(key)
        return 0.05 if len(looks) == 1 else 0.0

    async with running(queue, work):
        queue.add(A)
        await until(lambda: looks == [A] and A in queue._resting)
        for _ in range(5):
            queue.add(A)
        queue.add(B)
        await until(lambda: B in looks)
        assert looks == [A, B]  # another key need not wait
        await until(lambda: len(looks) == 3 and not queue._resting)
    assert looks == [A, B, A]


def test_long_waits_end_together() -> None:
    clock = Clock()
    queue = WorkQueue(clock)
    dues = {}
    for _ in range(12):
        for key in (A, B):
            clock.now += 0.7
            dues[key] = clock.now + queue.wait(key)
            queue._waiting[key].due = 0.0
    assert dues[A] == pytest.approx(dues[B])


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_an_unexpected_error_makes_the_key_wait_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = WorkQueue(Clock())
    seen: list[Key] = []

    async def work(key: Key) -> None:
        seen.append(key)
        if key == A:
            raise RuntimeError("broken")

    queue.add(A)
    queue.add(B)
    async with running(queue, work):
        await until(lambda: len(queue) == 0)
    assert sorted(seen) == [A, B]
    assert queue.waiting == 1
    assert "shop/a" in caplog.text


async def test_with_nobody_waiting_nothing_is_due() -> None:
    queue = WorkQueue(Clock())
    queue.wait(A)
    queue.settle(A)
    assert queue.waiting == 0
