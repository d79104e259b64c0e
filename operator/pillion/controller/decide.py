"""What is to be done now about one ModelDeployment?

A function of the world: no await, no clock, no log line. Each pass looks at everything and does what is due, so that a
pass that was lost (a restart, an error between two writes) is made up for by the next one.

    the object is gone             take its marker from every workload; garbage collection takes the ModelSidecar
    suspended                      the same, and delete the ModelSidecar
    no plan, or something forbids  what runs stays as it is; nothing new is injected
    a plan of another shape        try it (dry run), write the ModelSidecar, then the marker: Kubernetes rolls the pods
    a plan of the same shape       swap the instruction of the running pods, one at a time
    pods without their engine      have one replaced, where nothing else is being replaced
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pillion import injection
from pillion.api.modeldeployment import UpdateStrategyType
from pillion.controller import pods as pod_facts
from pillion.controller import swap
from pillion.controller.briefs import mounted_config_maps
from pillion.controller.world import (
    FAILED_HASH_ANNOTATION,
    FAILED_MESSAGE_ANNOTATION,
    Proposed,
    World,
)
from pillion.kube import resources
from pillion.kube.resources import Resource

__all__ = ["Actions", "Instruct", "Mark", "decide", "wanted_sidecar"]

Raw = dict[str, Any]

# On a ModelSidecar while a swap is under way or after it went back; gone when all is settled.
PASSING_ANNOTATIONS = frozenset(
    {*swap.PREVIOUS_ANNOTATIONS, FAILED_HASH_ANNOTATION, FAILED_MESSAGE_ANNOTATION}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """Write the marker with a revision onto a workload's pod template."""

    resource: Resource
    workload: Raw
    revision: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruct:
    """Give one running pod an instruction."""

    pod: Raw
    instruction: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Actions:
    """What is to be written, in the order of the fields; the status follows at the end."""

    config_map: bool = False  # whether the supervisor's source has to be put into the namespace
    sidecar: Raw | None = None  # the ModelSidecar to apply
    dry_run: bool = False  # whether its pod template is tried before
    delete_sidecar: bool = False
    mark: Mark | None = None
    unmark: tuple[tuple[Resource, Raw], ...] = ()
    instruct: tuple[Instruct, ...] = ()
    evict: injection.Missed | None = None
    pod_ready: tuple[tuple[Raw, bool], ...] = ()  # pods whose condition ModelReady has to change
    step: swap.Step | None = None
    wait: bool = False  # something is missing that raises no event
    again_seconds: float | None = None


def decide(world: World, *, eviction_allowed_in: float) -> Actions:
    """The actions that are due.

    Args:
        world: all that was read.
        eviction_allowed_in: seconds until this model's next eviction may happen; 0 or less is now.
    """
    if world.deployment is None:
        return Actions(unmark=world.marked, pod_ready=_pod_conditions(world))
    if world.spec is None:
        return Actions()  # what cannot be read is left as it is, until it changes
    if world.suspended:
        return Actions(unmark=world.marked, delete_sidecar=world.sidecar is not None and world.own_sidecar())
    wanted = wanted_sidecar(world)
    strays = tuple(
        (resource, workload) for resource, workload in world.marked if not _is_target(world, workload)
    )
    step, sidecar, dry_run, instruct = _converge(world, wanted)
    applied = sidecar if sidecar is not None else world.sidecar
    mark = _mark(world, applied) if wanted is not None else None
    source = injection.config_map_name()
    needed = applied is not None and source in mounted_config_maps(applied)
    evict, again = _replace_missed(world, eviction_allowed_in, busy=sidecar is not None or mark is not None)
    return Actions(
        config_map=needed and source not in world.config_maps,
        sidecar=sidecar,
        dry_run=dry_run,
        mark=mark,
        unmark=strays,
        instruct=instruct,
        evict=evict,
        pod_ready=_pod_conditions(world),
        step=step,
        wait=_waits(world),
        again_seconds=again,
    )


def wanted_sidecar(world: World) -> Raw | None:
    """The ModelSidecar that there should be: of the proposal, or the one that is there; None where there is none."""
    if (
        isinstance(world.proposal, Proposed)
        and world.obstacle is None
        and (world.target is not None or world.opts_in)
    ):
        return world.proposal.sidecar
    return world.sidecar


def _converge(
    world: World, wanted: Raw | None
) -> tuple[swap.Step | None, Raw | None, bool, tuple[Instruct, ...]]:
    """The ModelSidecar to write, whether to try it first, and the pods to instruct."""
    current = world.sidecar
    if wanted is None:
        return None, None, False, ()
    if current is None or injection.shape_differs(current, wanted):
        return None, wanted, True, ()
    instruction: str = wanted["spec"]["instruction"]
    hashed = injection.instruction_hash(instruction)
    back = swap.way_back(current, hashed)
    revision = injection.revision(current)
    step = swap.next_step(
        model=world.name,
        wanted=hashed,
        kept=injection.instruction_hash(current["spec"]["instruction"]),
        way_back=back is not None,
        pods=[
            pod
            for pod in world.pods
            if pod_facts.is_running(pod) and injection.injected_revision(pod, world.name) == revision
        ],
        engines=world.engines,
    )
    match step:
        case swap.Change(pods=pods):
            sidecar = None
            instruct = tuple(Instruct(pod=pod, instruction=instruction) for pod in pods)
        case swap.Promote(pods=pods, last=last):
            sidecar = wanted if last else _with_annotations(wanted, _way_back_annotations(current))
            instruct = tuple(Instruct(pod=pod, instruction=instruction) for pod in pods)
        case swap.GoBack(pods=pods, message=message, failed_pod=failed):
            assert back is not None
            sidecar = _gone_back(world, current, back, f"Pod {failed}: {message.rstrip('.')}.")
            instruct = tuple(Instruct(pod=pod, instruction=back) for pod in pods)
        case _:
            sidecar, instruct = None, ()
    old_failure = world.failed_hash is not None and world.failed_hash != world.hash
    if sidecar is None and isinstance(step, swap.Done) and (old_failure or _differs(current, wanted)):
        sidecar = _with_annotations(wanted, {}, without=PASSING_ANNOTATIONS)
    return step, sidecar, False, instruct


def _differs(current: Raw, wanted: Raw) -> bool:
    """Whether what is written of a ModelSidecar, apart from its shape, is another (its plan, the hash it answers)."""
    return (
        current["spec"]["instruction"] != wanted["spec"]["instruction"]
        or injection.plan_json(current) != injection.plan_json(wanted)
        or injection.spec_hash(current) != injection.spec_hash(wanted)
        or swap.previous_instruction(current) is not None
    )


def _way_back_annotations(current: Raw) -> dict[str, str]:
    return {
        swap.PREVIOUS_ANNOTATION: current["spec"]["instruction"],
        swap.PREVIOUS_PLAN_ANNOTATION: injection.plan_json(current) or "",
        swap.PREVIOUS_HASH_ANNOTATION: injection.spec_hash(current) or "",
    }


def _gone_back(world: World, current: Raw, instruction: str, message: str) -> Raw:
    """The ModelSidecar that worked, with the hash of the spec that did not, so that it is not tried again."""
    annotations: Mapping[str, str] = current["metadata"].get("annotations") or {}
    restored = injection.with_instruction(current, instruction)
    failed = {FAILED_HASH_ANNOTATION: world.hash, FAILED_MESSAGE_ANNOTATION: message}
    if current["spec"]["instruction"] != instruction:
        failed |= swap.previous_plan(annotations)
    return _with_annotations(restored, failed, without=swap.PREVIOUS_ANNOTATIONS)


def _with_annotations(
    sidecar: Raw, annotations: Mapping[str, str], *, without: frozenset[str] = frozenset()
) -> Raw:
    kept = {
        key: value
        for key, value in (sidecar["metadata"].get("annotations") or {}).items()
        if key not in without
    }
    return {**sidecar, "metadata": {**sidecar["metadata"], "annotations": kept | dict(annotations)}}


def _mark(world: World, sidecar: Raw | None) -> Mark | None:
    if world.target is None or world.target_resource is None or sidecar is None or world.obstacle is not None:
        return None
    revision = injection.revision(sidecar)
    marker = injection.marker(world.target, world.name)
    if not marker.is_stale(revision):
        return None
    if marker.value is not None and world.strategy is UpdateStrategyType.ON_DELETE:
        return None
    return Mark(resource=world.target_resource, workload=world.target, revision=revision)


def _is_target(world: World, workload: Raw) -> bool:
    return world.target is not None and workload["metadata"].get("uid") == world.target["metadata"].get("uid")


def _replace_missed(
    world: World, eviction_allowed_in: float, *, busy: bool
) -> tuple[injection.Missed | None, float | None]:
    """The one pod to evict now, or the seconds after which to look again."""
    if busy or world.sidecar is None or world.strategy is UpdateStrategyType.ON_DELETE:
        return None, None
    if world.asking:
        # First what the engines say, so that the status tells of the pod before it goes; the answer comes here.
        return None, None
    found = injection.missed_pods(world.pods, world.sidecar)
    missed = [one for one in found if one.replaceable]
    if not missed or not _at_rest(world) or any(replacement(world, one.pod) for one in found):
        return None, None
    chosen = min(missed, key=lambda found: (pod_facts.is_ready(found.pod), found.name))
    others = [
        pod for pod in world.pods if pod["metadata"]["uid"] != chosen.uid and not pod_facts.is_finished(pod)
    ]
    if any(pod_facts.is_terminating(pod) or not pod_facts.is_ready(pod) for pod in others):
        return None, None
    if eviction_allowed_in > 0:
        return None, eviction_allowed_in
    return chosen, None


def replacement(world: World, pod: Raw) -> bool:
    """Whether a pod was made after another one of this model was evicted.

    Where even such a pod lacks its engine, admission has a reason of its own, and one more eviction would help as
    little: a healthy application is not restarted over and over.
    """
    return world.evicted_beside is not None and pod["metadata"]["uid"] not in world.evicted_beside


def _at_rest(world: World) -> bool:
    """Whether the target's own rollout is finished; while it runs, Kubernetes replaces the pods by itself."""
    if world.target is None:
        return True
    metadata, status = world.target["metadata"], world.target.get("status") or {}
    if status.get("observedGeneration", 0) < metadata.get("generation", 0):
        return False
    if world.target_resource is resources.DAEMON_SETS:
        return bool(status.get("updatedNumberScheduled", 0) == status.get("desiredNumberScheduled", 0))
    return bool(status.get("updatedReplicas", 0) == status.get("replicas", 0))


def _pod_conditions(world: World) -> tuple[tuple[Raw, bool], ...]:
    due = []
    for pod in world.pods:
        if world.deployment is None and not pod_facts.is_gated(pod):
            continue  # nobody waits for what it says
        ready = world.models_serve.get(pod["metadata"]["uid"])
        if ready is None or not pod_facts.is_running(pod):
            continue
        shown = pod_facts.condition(pod, pod_facts.MODEL_READY)
        if shown is None or (shown.get("status") == "True") is not ready:
            due.append((pod, ready))
    return tuple(due)


def _waits(world: World) -> bool:
    """Whether something is missing whose coming raises no event."""
    if world.spec is not None and world.spec.target_ref is not None and world.target is None:
        return True
    if world.proposal is None or isinstance(world.proposal, Proposed):
        return world.obstacle is not None
    return True
