"""What do other models have, and count on, that a new plan has to leave to them?

Accelerators whose pods do not exist yet, ports of the namespace, and the space in one pod that several models of one
target share. A model that is suspended, deleted or refused has none of it.
"""

import contextlib
import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pillion import injection, planner
from pillion.api import names
from pillion.api.modeldeployment import Accelerator, ModelDeployment, Task
from pillion.api.reasons import ConditionType, Reason
from pillion.api.shape import InvalidObjectError
from pillion.controller import compiling
from pillion.controller.briefs import SidecarBrief, controller_of
from pillion.controller.store import Key, Store
from pillion.controller.surroundings import Snapshot
from pillion.controller.world import Proposal, Proposed, Refused
from pillion.hardware import pods as pod_requests
from pillion.kube import resources

__all__ = ["Others", "planned_task", "read_plan"]

Raw = dict[str, Any]

_WANTS_ROOM = frozenset({Reason.NO_NODE_FITS, Reason.INSUFFICIENT_ACCELERATORS, Reason.NO_ACCELERATOR_FITS})


class Others:
    """Reads the store, and the proposals that are not in it yet."""

    def __init__(
        self, store: Store, remembered: Mapping[Key, Proposal], planned_pods: Mapping[Key, int]
    ) -> None:
        """Both mappings are looked at anew each time.

        Args:
            store: what the watches show.
            remembered: proposals, of which some are not written yet.
            planned_pods: the pods that each was made for: the store has no target before it is marked.
        """
        self._store = store
        self._remembered = remembered
        self._planned_pods = planned_pods

    def beside(self, key: Key) -> Iterator[tuple[Key, Raw, ModelDeployment]]:
        """The other ModelDeployments of the same target that can be read and are to be injected."""
        for other in sorted(self._store.beside(key)):
            raw = self._living(other)
            if raw is not None:
                with contextlib.suppress(InvalidObjectError):
                    yield other, raw, ModelDeployment.from_raw(raw)

    def sidecar(self, key: Key) -> Raw | None:
        """The ModelSidecar that a model has, or will have as soon as it is written; None: none of its pods get one."""
        raw = self._living(key)
        if raw is None:
            return None
        proposal = self._remembered.get(key)
        if isinstance(proposal, Proposed) and proposal.obstacle is None:
            return proposal.sidecar
        stored = self._store.get(resources.MODEL_SIDECARS, *key)
        owner = controller_of(stored) if stored is not None else None
        return stored if owner is not None and owner["uid"] == raw["metadata"]["uid"] else None

    def sidecars_beside(self, key: Key) -> list[Raw]:
        """The ModelSidecars that the target's pods have beside this model's, or will have."""
        found = (self.sidecar(other) for other, _, _ in self.beside(key))
        return [sidecar for sidecar in found if sidecar is not None]

    def awaited(self, key: Key) -> int:
        """Accelerators that models of the same target will want which have no plan yet, or had no room."""
        return sum(
            self.sidecar(other) is None
            and deployment.spec.hardware.accelerator is not Accelerator.CPU
            and _may_be_planned(self._remembered.get(other), raw)
            for other, raw, deployment in self.beside(key)
        )

    def sharing_plain_variables(self, key: Key) -> list[tuple[ModelDeployment, Task | None]]:
        """The models of the same target that may get the plain variables, and what they do, where that is known.

        | ModelSidecar, or about to be written | looked at before | may get them                             |
        |--------------------------------------|------------------|------------------------------------------|
        | yes                                  |                  | yes                                      |
        | no                                   | yes              | no: it was refused, or something forbids |
        | no                                   | no               | yes: it will be looked at in a moment    |
        """
        found = []
        for other, raw, deployment in self.beside(key):
            proposal = self._remembered.get(other)
            looked_at = proposal is not None or bool((raw.get("status") or {}).get("conditions"))
            if self.sidecar(other) is None and looked_at:
                continue
            task = (
                compiling.task_of(deployment.spec, proposal.facts)
                if isinstance(proposal, Proposed)
                else planned_task(raw)
            )
            found.append((deployment, task))
        return found

    def ports(self, key: Key) -> dict[int, Key]:
        """The ports that other models of the namespace have, or were just given, and who has each."""
        pairs = {other: noted.ports for other, noted in self._store.sidecars(key.namespace)}
        for other in self._remembered:
            if other.namespace == key.namespace and (sidecar := self.sidecar(other)) is not None:
                pairs[other] = compiling.port_pair(sidecar)
        return {port: other for other, pair in pairs.items() if other != key for port in pair}

    def reserved(self, key: Key, snapshot: Snapshot) -> dict[str, int]:
        """Accelerators by product that plans of other targets count on and that their pods do not hold yet.

        Models of the same target are left out: what they take is part of the pod that is planned.
        """
        same_pod = {key, *self._store.beside(key)}
        noted = dict(self._store.sidecars())
        reserved: Counter[str] = Counter()
        for other in sorted({*noted, *self._remembered} - same_pod):
            plan = self._plan(other, noted.get(other))
            if plan is None or plan.product is None or plan.resource is None:
                continue
            wanted = plan.count * self._pods(other)
            reserved[plan.product] += max(0, wanted - self._has(other, plan, snapshot))
        return dict(reserved)

    def own(self, key: Key, snapshot: Snapshot) -> dict[str, dict[str, int]]:
        """Accelerators, by node and resource, that come free when the pods of this model are replaced.

        A target's pods are counted whole, with the engines of other models in them; of pods that opt in by themselves
        only this model's own engines are, because nobody replaces those pods.
        """
        opts_in = (
            not (self._store.get(resources.MODEL_DEPLOYMENTS, *key) or {}).get("spec", {}).get("targetRef")
        )
        pods = {
            pod["metadata"]["uid"]: pod
            for each in (key, *sorted(self._store.beside(key)))
            for pod in snapshot.pods.get(each, ())
        }
        return _accelerators(pods.values(), snapshot, only=key.name if opts_in else None)

    def _has(self, key: Key, plan: planner.Plan, snapshot: Snapshot) -> int:
        """Accelerators of a plan's product that its engines hold."""
        held = _accelerators(snapshot.pods.get(key, ()), snapshot, only=key.name)
        return sum(
            number
            for node, amounts in held.items()
            for resource, number in amounts.items()
            if snapshot.products.get((node, resource)) == plan.product
        )

    def _plan(self, key: Key, noted: SidecarBrief | None) -> planner.Plan | None:
        """The plan of the ModelSidecar that a model has, or will have."""
        deployment = self._store.deployment(key)
        if deployment is None or not deployment[1].living:
            return None
        proposal = self._remembered.get(key)
        if isinstance(proposal, Proposed) and proposal.obstacle is None:
            return proposal.planned.plan
        mine = noted is not None and noted.owner_uid == deployment[0]
        return _plan(noted.plan_json) if mine and noted is not None and noted.plan_json is not None else None

    def _living(self, key: Key) -> Raw | None:
        """A ModelDeployment that is to be injected: neither gone, nor about to go, nor suspended."""
        raw = self._store.get(resources.MODEL_DEPLOYMENTS, *key)
        if raw is None or "deletionTimestamp" in raw["metadata"] or raw["spec"].get("suspend"):
            return None
        return raw

    def _pods(self, key: Key) -> int:
        """Pods that a model's target should have; one where pods opt in by themselves."""
        deployment = self._store.deployment(key)
        if deployment is None or deployment[1].target is None:
            return 1
        target = self._store.workload(key.namespace, *deployment[1].target)
        return target.desired_pods if target is not None else self._planned_pods.get(key, 1)


def _may_be_planned(proposal: Proposal | None, raw: Raw) -> bool:
    """Whether a model without a ModelSidecar may get one as soon as there is room."""
    if proposal is not None:
        return isinstance(proposal, Refused) and proposal.reason in _WANTS_ROOM
    conditions = (raw.get("status") or {}).get("conditions") or []
    reason = next((each["reason"] for each in conditions if each["type"] == ConditionType.PLANNED), None)
    return reason is None or reason in _WANTS_ROOM


def planned_task(raw: Raw) -> Task | None:
    """What a model was found to be used for; None before it was looked at."""
    text = ((raw.get("status") or {}).get("model") or {}).get("task")
    return Task(text) if text in set(Task) else None


def read_plan(sidecar: Raw) -> planner.Plan | None:
    """The plan of a ModelSidecar; None where there is none, or where another version wrote it in another form."""
    text = injection.plan_json(sidecar)
    return None if text is None else _plan(text)


@functools.lru_cache(maxsize=2048)
def _plan(text: str) -> planner.Plan | None:
    try:
        return planner.plan_from_json(text)
    except ValueError:
        return None


def _accelerators(pods: Iterable[Raw], snapshot: Snapshot, *, only: str | None) -> dict[str, dict[str, int]]:
    """Accelerators by node and resource that pods, or of each pod one model's engine, request."""
    known = {pool.resource for pool in snapshot.inventory.accelerators}
    container = names.container_name(only) if only is not None else None
    held: dict[str, dict[str, int]] = {}
    for pod in pods:
        requested = pod_requests.requests(
            pod["spec"], leave_out=lambda name: container is not None and name != container
        )
        amounts = held.setdefault(pod["spec"]["nodeName"], {})
        for resource in known & set(requested):
            amounts[resource] = amounts.get(resource, 0) + requested[resource]
    return held
