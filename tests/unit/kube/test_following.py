"""Is everything seen that happens to a kind's objects, whatever becomes of the watches?"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, cast

from pillion.kube import following, resources
from pillion.kube.client import Cluster, Gone, KubeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import pytest

    from pillion.kube.client import Raw
    from pillion.kube.resources import Resource

Event = tuple[str, "Raw"]


def thing(name: str, version: str) -> Raw:
    return {"metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": version}}


class FakeCluster:
    """Answers lists and watches one after the other; a watch that is an error breaks off with it."""

    def __init__(
        self, lists: Sequence[tuple[list[Raw], str]], watches: Sequence[list[Event | KubeError]]
    ) -> None:
        self._lists = list(lists)
        self._watches = list(watches)
        self.asked: list[str] = []
        self.done = asyncio.Event()

    async def snapshot(self, _resource: Resource, *, labels: str = "") -> tuple[list[Raw], str]:
        self.asked.append(f"list {labels}".strip())
        return self._lists.pop(0)

    async def watch(self, _resource: Resource, since: str, *, labels: str = "") -> AsyncIterator[Event]:
        self.asked.append(f"watch {since} {labels}".strip())
        if not self._watches:
            self.done.set()
            await asyncio.Event().wait()
        for event in self._watches.pop(0):
            if isinstance(event, KubeError):
                raise event
            yield event


class Told:
    """What a follower was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def listed(self, _resource: Resource, objects: list[Raw], version: int) -> None:
        self.lines.append(f"listed {len(objects)} at {version}")

    def changed(self, _resource: Resource, obj: Raw) -> None:
        self.lines.append(f"changed {obj['metadata']['name']}")

    def ended(self, _resource: Resource, obj: Raw) -> None:
        self.lines.append(f"ended {obj['metadata']['name']}")


async def run(cluster: FakeCluster, *, labels: str = "") -> list[str]:
    told, listed = Told(), asyncio.Event()
    task = asyncio.create_task(
        following.follow(cast("Cluster", cluster), resources.PODS, told, labels=labels, listed=listed)
    )
    await cluster.done.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert listed.is_set()
    return told.lines


async def test_events_after_the_list_are_told_and_bookmarks_only_carry_the_version_on() -> None:
    cluster = FakeCluster(
        [([thing("a", "3")], "5")],
        [
            [
                ("MODIFIED", thing("a", "6")),
                ("DELETED", thing("a", "7")),
                ("BOOKMARK", {"metadata": {"resourceVersion": "9"}}),
            ]
        ],
    )
    assert await run(cluster, labels="x=y") == ["listed 1 at 5", "changed a", "ended a"]
    assert cluster.asked == ["list x=y", "watch 5 x=y", "watch 9 x=y"]


async def test_a_version_that_is_too_old_brings_a_new_list() -> None:
    cluster = FakeCluster(
        [([], "5"), ([thing("b", "50")], "60")], [[Gone(410, "too old")], [("ADDED", thing("c", "61"))]]
    )
    assert await run(cluster) == ["listed 0 at 5", "listed 1 at 60", "changed c"]


async def test_a_watch_that_breaks_off_goes_on_where_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "RETRY_SECONDS", 0.0)
    cluster = FakeCluster([([], "5")], [[("ADDED", thing("a", "6")), KubeError(0, "reset by peer")], []])
    assert await run(cluster) == ["listed 0 at 5", "changed a"]
    assert cluster.asked == ["list", "watch 5", "watch 6", "watch 6"]
