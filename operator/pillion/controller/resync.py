"""What ended while nobody was watching?

A watch that the API server breaks off (410 Gone, after a restart or a compaction) is begun anew with a list, and kopf
tells nothing of what is missing in it. So its requests are listened to: after each list but the first, what is known
of that kind is compared with what is there.
"""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import aiohttp

from pillion.controller.queue import WorkQueue
from pillion.controller.store import Key, Store
from pillion.kube import resources
from pillion.kube.client import Cluster, KubeError
from pillion.kube.resources import Resource

__all__ = ["Resync", "concerned_by", "forget"]

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5.0

Raw = dict[str, Any]


class Resync:
    """Takes out of the store what the watches did not see end."""

    def __init__(
        self, cluster: Cluster, store: Store, queue: WorkQueue, watched: dict[Resource, str]
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._queue = queue
        self._watched = watched
        self._paths = {resource.path(): resource for resource in watched}
        self._listed: set[Resource] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(
        self,
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        request: aiohttp.TraceRequestEndParams,
    ) -> None:
        """A request of the watches has its answer."""
        resource = self._paths.get(request.url.path)
        if resource is None or "watch" in request.url.query or request.response.status >= 300:
            return
        if resource not in self._listed:
            self._listed.add(resource)  # the first list, into an empty store
            return
        task = asyncio.create_task(self._compare(resource))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _compare(self, resource: Resource) -> None:
        while True:
            try:
                items, version = await self._cluster.snapshot(resource, labels=self._watched[resource])
            except KubeError as error:
                logger.warning("%s could not be listed again: %s", resource.plural, error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self.compare(resource, items, version)
            return

    def compare(self, resource: Resource, items: list[Raw], version: int) -> None:
        """Forget what is older than a list of all there is, and not in it."""
        living = {item["metadata"]["uid"] for item in items}
        for known in list(self._store.all(resource)):
            metadata = known["metadata"]
            if metadata["uid"] not in living and int(metadata["resourceVersion"]) <= version:
                logger.info("%s %s/%s ended unseen", resource.kind, metadata["namespace"], metadata["name"])
                for key in forget(self._store, resource, known):
                    self._queue.add(key)


def concerned_by(store: Store, resource: Resource, obj: Raw) -> set[Key]:
    """Who has to look when an object comes, changes or goes: also the models beside a ModelDeployment."""
    found = set(store.interested(resource, obj))
    if resource is resources.MODEL_DEPLOYMENTS:
        found |= {neighbour for key in found for neighbour in store.beside(key)}
    return found


def forget(store: Store, resource: Resource, obj: Raw) -> set[Key]:
    """Take an object that ended out of the store; answers who has to look."""
    concerned = concerned_by(store, resource, obj)
    return concerned if store.remove(resource, obj) else set()
