"""What of the cluster does a plan depend on, beside our own objects?

Nodes, the pods on them, autoscalers, a namespace's labels, the admission policies, and a Secret. They are read where a
plan is needed, and no watch follows them.
"""

import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pillion import hardware, injection
from pillion.api.reasons import Reason
from pillion.controller import pods as pod_facts
from pillion.controller.store import Key, Store, models_of
from pillion.controller.world import Finding
from pillion.facts import FactsError, tokens
from pillion.kube import resources
from pillion.kube.client import Cluster, Forbidden, NotFound
from pillion.kube.resources import Resource

__all__ = ["Snapshot", "Surroundings", "most_pods", "snapshot"]

Raw = dict[str, Any]

SECRETS = Resource(plural="secrets", kind="Secret")

# Nodes change slowly, and reservations cover what changes fast: a burst of plans reads them once.
FRESH_SECONDS = 1.0
AUTOSCALERS_SECONDS = 60.0


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """Nodes, and the pods on them, of one moment: what engines hold there is no more in what is free."""

    inventory: hardware.Inventory
    # By the model that they ask for; those that have a node and have not ended.
    pods: Mapping[Key, tuple[Raw, ...]]
    products: Mapping[tuple[str, str], str]  # by node and resource, where the node's labels tell
    # An autoscaler's maximum, by the namespace, kind and name of the workload that it scales.
    most_pods: Mapping[tuple[str, str, str], int] = dataclasses.field(default_factory=dict)


class Surroundings:
    """Reads them, and keeps what it read for a moment."""

    def __init__(self, cluster: Cluster, store: Store, clock: Callable[[], float]) -> None:
        self._cluster = cluster
        self._store = store
        self._clock = clock
        self._policy_seen = False
        self._one_reader = asyncio.Lock()
        self._snapshot: tuple[float, Snapshot] | None = None
        self._autoscalers: tuple[float, Mapping[tuple[str, str, str], int]] = (float("-inf"), {})

    async def snapshot(self) -> Snapshot:
        """The nodes and what is on them, at most a second old.

        Without any accelerator no pod is listed: a plan for the CPU goes by what nodes have, and what is free there
        decides a warning alone. For thousands of pods that is not worth a list.
        """
        async with self._one_reader:
            if self._snapshot is None or self._clock() - self._snapshot[0] >= FRESH_SECONDS:
                began = self._clock()
                self._snapshot = (began, await self._read())
            return self._snapshot[1]

    async def _read(self) -> Snapshot:
        nodes = await self._cluster.list(resources.NODES)
        read = await asyncio.to_thread(snapshot, nodes, ())
        if not read.inventory.accelerators:
            return read
        pods, autoscaled = await asyncio.gather(
            self._cluster.list(resources.PODS, fields="status.phase!=Succeeded,status.phase!=Failed"),
            self._autoscaled(),
        )
        read = await asyncio.to_thread(snapshot, nodes, pods)
        return dataclasses.replace(read, most_pods=autoscaled)

    async def _autoscaled(self) -> Mapping[tuple[str, str, str], int]:
        """What autoscalers may ask for, at most a minute old, in one list; nothing where the operator may not see them.

        It decides a warning alone, which is worth neither a failure nor a list for each plan.
        """
        if self._clock() - self._autoscalers[0] >= AUTOSCALERS_SECONDS:
            asked_at = self._clock()
            try:
                found = await self._cluster.list(resources.AUTOSCALERS)
            except (Forbidden, NotFound):
                found = []
            self._autoscalers = (asked_at, most_pods(found))
        return self._autoscalers[1]

    async def namespace_labels(self, namespace: str) -> dict[str, str]:
        """A namespace's labels, as its watch shows them; asked for where that has not come to the namespace yet."""
        labels = self._store.namespace_labels(namespace)
        if labels is None:
            found = await self._cluster.get(resources.NAMESPACES, None, namespace)
            labels = found["metadata"].get("labels") or {}
        return labels

    async def missing_policy(self) -> Finding | None:
        """Whether the admission policy is there; asked until it was seen once."""
        if self._policy_seen:
            return None
        for resource in (resources.MUTATING_POLICIES, resources.MUTATING_POLICY_BINDINGS):
            try:
                await self._cluster.get(resource, None, injection.POLICY_NAME)
            except Forbidden:
                break  # rights that somebody cut down: nobody can tell, and pods that are missed are reported
            except NotFound:
                return Finding(
                    reason=Reason.POLICY_MISSING,
                    message=f"The cluster has no {resource.kind} {injection.POLICY_NAME}, so no pod would get an "
                    "engine; install the chart's policies (helm upgrade, or kubectl apply -f manifests/pillion.yaml).",
                )
        self._policy_seen = True
        return None

    async def token(self, namespace: str, *, name: str, key: str) -> str:
        """The token in a Secret.

        Raises:
            FactsError: there is none that can be read and sent.
        """
        where = f"spec.model.tokenSecretRef: Secret {name}"
        try:
            secret = await self._cluster.get(SECRETS, namespace, name)
        except NotFound as error:
            raise FactsError(
                Reason.TOKEN_NOT_READABLE, f"{where} does not exist in namespace {namespace}"
            ) from error
        except Forbidden as error:
            raise FactsError(
                Reason.TOKEN_NOT_READABLE,
                f"{where} may not be read by the operator; grant it by a Role with verb get on this one Secret "
                "(docs/security.md has it)",
            ) from error
        data = secret.get("data") or {}
        if data.get(key) is None:
            held = ", ".join(sorted(data)) or "nothing"
            raise FactsError(Reason.TOKEN_NOT_READABLE, f"{where} has no key {key!r}; it has {held}")
        return tokens.token(data[key], where=f"{where}, key {key!r},")


def most_pods(autoscalers: Sequence[Raw], *, default_namespace: str = "") -> dict[tuple[str, str, str], int]:
    """The most pods that an autoscaler may ask for, by the namespace, kind and name of what it scales.

    Args:
        autoscalers: HorizontalPodAutoscalers.
        default_namespace: of those that name none, as in a file.
    """
    most: dict[tuple[str, str, str], int] = {}
    for autoscaler in autoscalers:
        spec = autoscaler["spec"]
        scaled = spec["scaleTargetRef"]
        namespace = autoscaler["metadata"].get("namespace") or default_namespace
        place = (str(namespace), str(scaled["kind"]), str(scaled["name"]))
        most[place] = max(most.get(place, 0), int(spec["maxReplicas"]))
    return most


def snapshot(nodes: Sequence[Raw], pods: Sequence[Raw]) -> Snapshot:
    """What these nodes have, and which of these pods engines hold something for."""
    by_model: defaultdict[Key, list[Raw]] = defaultdict(list)
    for pod in pods:
        if pod["spec"].get("nodeName") and not pod_facts.is_finished(pod):
            for model in models_of(pod):
                by_model[Key(pod["metadata"]["namespace"], model)].append(pod)
    inventory = hardware.inventory(nodes, pods)
    return Snapshot(
        inventory=inventory,
        pods={key: tuple(found) for key, found in by_model.items()},
        products={
            (there.name, pool.resource): pool.product
            for pool in inventory.accelerators
            for there in pool.nodes
        },
    )
