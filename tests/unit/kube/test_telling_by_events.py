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


async def test_they_wait_while_work_is_due_and_are_written_before_the_end_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(events, "BUSY_SECONDS", 0.01)
    cluster = FakeCluster()
    recorder = EventRecorder(cast("Cluster", cluster), instance="i", busy=lambda: True)
    emit(recorder, "A", "B", "C")
    for _ in range(20):
        await asyncio.sleep(0)
    assert cluster.written == []
    await recorder.drain()
    assert cluster.written == ["A", "B", "C"]


async def test_who_ends_does_not_wait_for_a_server_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(events, "DRAIN_SECONDS", 0.01)
    recorder = EventRecorder(cast("Cluster", FakeCluster(gate=asyncio.Event())), instance="i")
    emit(recorder, "A", "B")
    await recorder.drain()
    assert "1 events were not written" in caplog.text
