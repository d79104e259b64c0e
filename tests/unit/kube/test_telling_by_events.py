"""How are events written: beside the work, one at a time, and without keeping anybody from ending?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from pillion.kube import events
from pillion.kube.client import Cluster, KubeError
from pillion.kube.events import EventRecorder

if TYPE_CHECKING:
    import pytest

ABOUT = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop", "uid": "u"}}


class FakeCluster:
    """Remembers events, and how many were written at once."""

    def __init__(self, *, gate: asyncio.Event | None = None, fails: int = 0) -> None:
        self.written: list[str] = []
        self.most_at_once = self._now = 0
        self._gate = gate
        self._fails = fails

    async def create(self, _resource: Any, body: dict[str, Any], **_: Any) -> dict[str, Any]:
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        await (self._gate.wait() if self._gate is not None else asyncio.sleep(0))
        self._now -= 1
        if self._fails:
            self._fails -= 1
            raise KubeError(500, "no")
        self.written.append(body["reason"])
        return body


def emit(recorder: EventRecorder, *reasons: str) -> None:
    for reason in reasons:
        recorder.emit(ABOUT, kind="Normal", reason=reason, note="n", action="A")


async def test_they_are_written_in_order_and_one_at_a_time() -> None:
    cluster = FakeCluster()
    recorder = EventRecorder(cast("Cluster", cluster), instance="i")
    emit(recorder, "A", "B", "C")
    await recorder.drain()
    assert (cluster.written, cluster.most_at_once) == (["A", "B", "C"], 1)


async def test_one_that_cannot_be_written_is_dropped_and_the_others_are_written() -> None:
    cluster = FakeCluster(fails=1)
    recorder = EventRecorder(cast("Cluster", cluster), instance="i")
    emit(recorder, "A", "B")
    await recorder.drain()
    assert cluster.written == ["B"]


async def test_they_are_written_slowly_while_work_is_due() -> None:
    cluster = FakeCluster()
    slept: list[tuple[float, int]] = []

    async def sleep(seconds: float) -> None:
        slept.append((seconds, len(cluster.written)))

    recorder = EventRecorder(
        cast("Cluster", cluster), instance="i", busy=lambda: len(cluster.written) < 2, sleep=sleep
    )
    emit(recorder, "A", "B", "C", "D")
    while len(cluster.written) < 4:
        await asyncio.sleep(0)
    # One at a time, until nothing is due any more.
    assert slept == [(events.BUSY_SECONDS, 0), (events.BUSY_SECONDS, 1)]
    assert cluster.written == ["A", "B", "C", "D"]


async def test_before_the_end_nothing_waits_for_work_any_more() -> None:
    cluster = FakeCluster()

    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    recorder = EventRecorder(cast("Cluster", cluster), instance="i", busy=lambda: True, sleep=sleep)
    emit(recorder, "A", "B", "C")
    await recorder.drain()
    assert cluster.written == ["A", "B", "C"]


async def test_what_was_cancelled_while_it_was_written_is_written_before_the_end() -> None:
    gate = asyncio.Event()
    cluster = FakeCluster(gate=gate)
    recorder = EventRecorder(cast("Cluster", cluster), instance="i")
    emit(recorder, "A", "B")
    await asyncio.sleep(0)
    # As kopf does it with whatever began after it.
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    gate.set()
    await recorder.drain()
    assert cluster.written == ["A", "B"]


async def test_the_oldest_are_dropped_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events, "MOST_WAITING", 2)
    cluster = FakeCluster()
    recorder = EventRecorder(cast("Cluster", cluster), instance="i")
    emit(recorder, "A", "B", "C")
    await recorder.drain()
    assert cluster.written == ["B", "C"]
    assert "2 events wait, and the oldest is dropped" in caplog.text


async def test_who_ends_does_not_wait_for_a_server_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events, "DRAIN_SECONDS", 0.01)
    recorder = EventRecorder(cast("Cluster", FakeCluster(gate=asyncio.Event())), instance="i")
    emit(recorder, "A", "B")
    await recorder.drain()
    assert "2 events were not written" in caplog.text
