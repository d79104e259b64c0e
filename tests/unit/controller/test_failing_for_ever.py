"""What do ModelDeployments ask for that can never be served, in the hours after they were made?

Time is a number here: the work queue's own dates say when each is looked at again, and a cluster that remembers counts
what is asked of it.
"""

import heapq
from collections import Counter
from typing import Any

import pytest

from pillion.api.reasons import Reason
from pillion.controller.metrics import Metrics
from pillion.controller.planning import Planning
from pillion.controller.queue import WorkQueue
from pillion.controller.reconcile import Reconciler
from pillion.controller.settings import Settings
from pillion.controller.store import Key, Store
from pillion.facts import FactsError, ModelFacts
from pillion.kube import resources
from pillion.kube.client import NotFound
from pillion.kube.resources import Resource
from tests.unit.controller import plans, worlds
from tests.unit.hardware import nodes

Raw = dict[str, Any]

FAILING = 10
BACKED_OFF_SECONDS = 600.0  # far more than it takes a back-off to reach its longest
COUNTED_SECONDS = 1800.0
UNKNOWN = "pillion-test/there-is-no-such-model"
NO_ROOM: Raw = {"engine": {"resources": {"requests": {"memory": "900Ti"}, "limits": {"memory": "900Ti"}}}}


class CountingCluster:
    """Two nodes, a target for everyone that is asked for unless it is missing, and a count of all that is asked."""

    def __init__(self, *, targets: bool) -> None:
        self.asked: Counter[str] = Counter()
        self.statuses: dict[str, Raw] = {}
        self._targets = targets
        self._version = 100

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Raw:
        self.asked[f"get {resource.plural}"] += 1
        if resource is resources.DEPLOYMENTS:
            if not self._targets:
                raise NotFound(404, f"no deployment {name}")
            target = worlds.workload()
            target["metadata"] |= {"name": name, "uid": f"uid-of-target-{name}"}
            return target
        return {"metadata": {"name": name, "namespace": namespace, "labels": {}}}

    async def list(self, resource: Resource, *_: Any, **__: Any) -> list[Raw]:
        self.asked[f"list {resource.plural}"] += 1
        return [nodes.node("a"), nodes.node("b")] if resource is resources.NODES else []

    async def apply(self, resource: Resource, body: Raw, **_: Any) -> Raw:
        self.asked[f"apply {resource.plural}"] += 1
        self._version += 1
        self.statuses[body["metadata"]["name"]] = body["status"]
        metadata = {"generation": 1, "creationTimestamp": "2026-11-01T00:00:00Z", **body["metadata"]}
        spec = SPECS[body["metadata"]["name"]]
        return {**body, "spec": spec, "metadata": {**metadata, "resourceVersion": str(self._version)}}


class Silent:
    """Events are counted apart."""

    def emit(self, *_: Any, **__: Any) -> None:
        """Tell nobody."""


SPECS: dict[str, Raw] = {}


def read(repo: str, **_: Any) -> ModelFacts:
    if repo == UNKNOWN:
        raise FactsError(Reason.MODEL_NOT_FOUND, f"the Hub has no {repo}")
    return plans.tiny_facts(repo)


class Hours:
    """An operator whose time runs from one date of its queue to the next."""

    def __init__(self, cluster: CountingCluster) -> None:
        self.now = 1000.0
        self.looks = 0
        store = Store()
        space = {"name": worlds.KEY.namespace, "uid": "uid-of-namespace", "resourceVersion": "1"}
        store.put(resources.NAMESPACES, {"metadata": space})
        self._queue = WorkQueue(lambda: self.now)
        self._reconciler = Reconciler(
            cluster=cluster,  # type: ignore[arg-type]  # a fake
            store=store,
            queue=self._queue,
            recorder=Silent(),  # type: ignore[arg-type]  # a fake
            metrics=Metrics(),
            settings=Settings(),
            clock=lambda: self.now,
        )
        planning = Planning(
            cluster,  # type: ignore[arg-type]  # a fake
            store,
            Settings(),
            lambda: self.now,
            read=read,
            trusted=lambda *_, **__: (),
        )
        self._reconciler._planning = planning
        for number in range(FAILING):
            made = worlds.deployment(UNKNOWN) if number % 2 else worlds.deployment(**NO_ROOM)
            name = f"bad-{number}"
            made["metadata"] |= {"name": name, "uid": f"uid-{name}"}
            made["spec"]["targetRef"] = {"name": name}
            SPECS[name] = made["spec"]
            store.put(resources.MODEL_DEPLOYMENTS, made)
        self._keys = [Key(worlds.KEY.namespace, f"bad-{number}") for number in range(FAILING)]

    async def begin(self) -> None:
        """Everyone is new."""
        for key in self._keys:
            await self._look(key)

    async def until(self, end: float) -> None:
        """Do all that is due before then."""
        while self._queue._heap and self._queue._heap[0][0] <= end:
            due, key = heapq.heappop(self._queue._heap)
            waiting = self._queue._waiting.get(key)
            if waiting is not None and waiting.due == due:
                waiting.due = 0.0
                self.now = due
                await self._look(key)
        self.now = end

    async def _look(self, key: Key) -> None:
        self.looks += 1
        await self._reconciler.reconcile(key)
        # What a pass put into the queue itself is looked at once more, as a worker would.
        while not self._queue._ready.empty():
            again = self._queue._ready.get_nowait()
            self._queue._queued.discard(again)
            self.looks += 1
            await self._reconciler.reconcile(again)


@pytest.mark.parametrize("targets", [True, False], ids=["beside their targets", "with their targets missing"])
async def test_they_cost_less_than_one_request_a_minute_each(targets: bool) -> None:
    cluster = CountingCluster(targets=targets)
    hours = Hours(cluster)
    await hours.begin()
    assert len(cluster.statuses) == FAILING
    for status in cluster.statuses.values():
        assert [entry["status"] for entry in status["conditions"] if entry["type"] == "Planned"] == ["False"]
    await hours.until(hours.now + BACKED_OFF_SECONDS)
    cluster.asked.clear()
    hours.looks = 0

    await hours.until(hours.now + COUNTED_SECONDS)

    assert hours.looks >= 15 * FAILING, "they are asked again and again"
    each_minute = cluster.asked.total() / FAILING / (COUNTED_SECONDS / 60)
    assert each_minute < 1, cluster.asked
    assert not [kind for kind in cluster.asked if kind.startswith("apply")], "nothing new is to be told"
