"""What does an event of a watch mean: what is kept, and who has to look?

Only what makes a difference wakes somebody. The echo of an own write does not, because the write's answer is in the
store before it, and neither does a workload's status while the model has no pods that the rollout could move.
"""

import logging
from typing import Any

from pillion.controller.queue import WorkQueue
from pillion.controller.store import CLUSTER, INDEXED_BY_MODEL, Key, Store
from pillion.kube import resources
from pillion.kube.resources import Resource

__all__ = ["Watching", "concerned_by", "forget"]

logger = logging.getLogger(__name__)

Raw = dict[str, Any]

# Kubernetes' own counter of a Deployment's rollouts: each marker raises it a moment later.
ROLLOUT_ANNOTATION = "deployment.kubernetes.io/revision"


class Watching:
    """Keeps what the watches show, and queues the keys that it concerns."""

    def __init__(self, store: Store, queue: WorkQueue) -> None:
        self._store = store
        self._queue = queue
        store.on_late = self._late

    def listed(self, resource: Resource, objects: list[Raw], version: int) -> None:
        """All there is: what is older than the list and not in it ended while nobody was watching."""
        living = {obj["metadata"]["uid"] for obj in objects}
        for known in list(self._store.all(resource)):
            metadata = known["metadata"]
            if metadata["uid"] not in living and int(metadata["resourceVersion"]) <= version:
                where = metadata.get("namespace", CLUSTER)
                logger.info("%s %s/%s ended unseen", resource.kind, where, metadata["name"])
                # It went before the list: an answer to a write that is older than that brings it back no more.
                self.ended(resource, {**known, "metadata": {**metadata, "resourceVersion": str(version)}})
        for obj in objects:
            self.changed(resource, obj)

    def changed(self, resource: Resource, obj: Raw) -> None:
        """An object came or changed."""
        if self._store.hold(resource, obj):
            return
        metadata = obj["metadata"]
        # Of a pod or a workload it depends on what it was before whom a change concerns; of the others, on their name.
        known = None
        if resource in INDEXED_BY_MODEL:
            known = self._store.get(resource, metadata["namespace"], metadata["name"])
        before = concerned_by(self._store, resource, known if known is not None else obj)
        if not self._store.put(resource, obj):
            return
        if known is not None and resource in resources.WORKLOADS and not self._matters(resource, known, obj):
            return
        self._wake(before | concerned_by(self._store, resource, obj))

    def ended(self, resource: Resource, obj: Raw) -> None:
        """An object went. A workload whose label went leaves the selector: its target is looked at again."""
        self._wake(forget(self._store, resource, obj))

    def _late(self, resource: Resource, obj: Raw, overtaken: bool) -> None:
        """An event that waited for a write; somebody else's change may be in the write's answer already."""
        if overtaken:
            self._wake(concerned_by(self._store, resource, obj))
        self.changed(resource, obj)

    def _wake(self, keys: set[Key]) -> None:
        for key in keys:
            self._queue.add(key)

    def _matters(self, resource: Resource, before: Raw, after: Raw) -> bool:
        """Whether a workload changed in more than how far its own controller is with pods that nobody looks at."""
        if _asked_for(before) != _asked_for(after) or resource is resources.DAEMON_SETS:
            return True
        return any(self._store.pods_of(key) for key in concerned_by(self._store, resource, after))


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


def _asked_for(workload: Raw) -> tuple[Any, ...]:
    """What people and tools say about a workload; the API server counts each change of its spec."""
    metadata = workload["metadata"]
    annotations = {
        key: value for key, value in (metadata.get("annotations") or {}).items() if key != ROLLOUT_ANNOTATION
    }
    return (
        annotations,
        *(metadata.get(name) for name in ("uid", "generation", "labels", "deletionTimestamp")),
    )
