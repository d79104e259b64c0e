"""Which objects of a kind are there, and what happens to them, for as long as the process runs?

A list, and a watch from its version on. The API server ends each watch after some minutes, and it is begun again where
it ended; where the server knows nothing of that version any more (410 Gone, after a restart or a compaction),
everything is listed anew, and whoever follows is told all there is, so that it can tell what ended unseen.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Protocol

from pillion.kube.client import Cluster, Gone, KubeError, Raw
from pillion.kube.resources import Resource

__all__ = ["Follower", "complete", "follow", "retry_seconds"]

logger = logging.getLogger(__name__)

RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 30.0


class Follower(Protocol):
    """Whoever is told."""

    def listed(self, resource: Resource, objects: list[Raw], version: int) -> None:
        """All there is, at a version."""

    def changed(self, resource: Resource, obj: Raw) -> None:
        """An object came or changed."""

    def ended(self, resource: Resource, obj: Raw) -> None:
        """An object went, or left the selector; it has the version at which it did."""


async def follow(
    cluster: Cluster, resource: Resource, follower: Follower, *, labels: str, listed: asyncio.Event
) -> None:
    """Tell the follower everything, until cancelled; `listed` is set after the first list."""
    version: str | None = None
    failures = 0
    while True:
        try:
            if version is None:
                objects, version = await cluster.snapshot(resource, labels=labels)
                follower.listed(resource, [complete(resource, obj) for obj in objects], int(version))
                listed.set()
            async for kind, obj in cluster.watch(resource, version, labels=labels):
                version, failures = obj["metadata"]["resourceVersion"], 0
                if kind == "DELETED":
                    follower.ended(resource, obj)
                elif kind != "BOOKMARK":
                    follower.changed(resource, obj)
        except Gone:
            version = None
        except KubeError as error:
            seconds = retry_seconds(failures)
            failures += 1
            logger.warning("%s are not seen for %.1f s: %s", resource.plural, seconds, error.message)
            await asyncio.sleep(seconds)


def retry_seconds(failures: int) -> float:
    """How long to wait after a failure that came after so many others: twice as long each time, up to a limit."""
    return min(RETRY_SECONDS * 2.0 ** min(failures, 16), LONGEST_RETRY_SECONDS)


def complete(resource: Resource, obj: Mapping[str, Any]) -> Raw:
    """An object with its kind, which those of a list do not say."""
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
