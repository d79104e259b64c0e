"""What is true of a ModelDeployment now: four conditions, each by a function of its own.

`Unknown` means that it has not been looked at, or cannot be told from here. A message is a sentence that is still
true when it is read alone tomorrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pillion import injection
from pillion.api import names
from pillion.api.modeldeployment import UpdateStrategyType
from pillion.api.reasons import ConditionType, Reason
from pillion.controller import pods as pod_facts
from pillion.controller import swap, workloads
from pillion.controller.decide import Actions, replacement
from pillion.controller.engine import EngineReport, EngineState
from pillion.controller.world import Finding, Proposed, Refused, World

__all__ = ["Verdict", "injected", "model_ready", "planned", "ready"]

Raw = dict[str, Any]

# What a supervisor says of a failure -> what the condition says.
FAILURE_REASONS = {
    "ModelNotFound": Reason.FETCH_FAILED,
    "ModelGated": Reason.FETCH_FAILED,
    "HubUnreachable": Reason.FETCH_FAILED,
    "DiskFull": Reason.DISK_FULL,
    "CacheNotWritable": Reason.CACHE_NOT_WRITABLE,
    "EngineOutOfMemory": Reason.ENGINE_OUT_OF_MEMORY,
    "StartupTimeout": Reason.STARTUP_TIMEOUT,
    "InstructionInvalid": Reason.INSTRUCTION_INVALID,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """A condition without its times: `holds` is True, False, or None for Unknown."""

    type: ConditionType
    holds: bool | None
    reason: Reason
    message: str

    @property
    def status(self) -> str:
        """As the API writes it."""
        return {True: "True", False: "False", None: "Unknown"}[self.holds]


def planned(world: World, plan_sentence: str | None) -> Verdict:
    """Whether there is a plan for the present spec."""

    def verdict(holds: bool | None, reason: Reason, message: str) -> Verdict:
        return Verdict(type=ConditionType.PLANNED, holds=holds, reason=reason, message=message)

    if isinstance(world.proposal, Refused):
        kept = "" if world.sidecar is None else " What was injected before stays as it is."
        return verdict(False, world.proposal.reason, world.proposal.message + kept)
    if plan_sentence is None:
        return verdict(None, Reason.PLANNING, "Nothing has been looked at yet.")
    return verdict(True, Reason.PLANNED, plan_sentence)


def injected(world: World, actions: Actions, problem: Finding | None) -> Verdict:
    """Whether every pod of the target has its engine."""

    def verdict(holds: bool | None, reason: Reason, message: str) -> Verdict:
        return Verdict(type=ConditionType.INJECTED, holds=holds, reason=reason, message=message)

    spec = world.spec
    assert spec is not None
    if world.suspended:
        return verdict(
            False,
            Reason.SUSPENDED,
            "spec.suspend is true: nothing is injected, and the marker is taken away.",
        )
    if isinstance(world.proposal, Refused) and world.sidecar is None:
        return verdict(False, Reason.NOT_INJECTED, "Nothing is injected, because there is no plan.")
    if spec.target_ref is not None and world.target is None:
        where = f"{spec.target_ref.kind} {spec.target_ref.name}"
        if world.sidecar is not None and world.sidecar["metadata"].get("uid"):
            return verdict(
                False,
                Reason.TARGET_DELETED,
                f"{where} was there and is gone; when it comes back its pods get the engine again.",
            )
        return verdict(
            False,
            Reason.TARGET_NOT_FOUND,
            f"There is no {where} in namespace {world.key.namespace}; it is looked for again.",
        )
    found = problem or world.obstacle
    if found is not None:
        return verdict(False, found.reason, found.message)
    return _pods_injected(world, actions)


def _pods_injected(world: World, actions: Actions) -> Verdict:
    def verdict(holds: bool | None, reason: Reason, message: str) -> Verdict:
        return Verdict(type=ConditionType.INJECTED, holds=holds, reason=reason, message=message)

    sidecar = actions.sidecar or world.sidecar
    assert sidecar is not None
    revision = injection.revision(sidecar)
    living = [
        pod for pod in world.pods if not pod_facts.is_terminating(pod) and not pod_facts.is_finished(pod)
    ]
    having = [pod for pod in living if injection.injected_revision(pod, world.name) == revision]
    desired = desired_pods(world)
    stuck = next((text for pod in living if (text := pod_facts.unschedulable(pod)) is not None), None)
    missed = injection.missed_pods(living, sidecar)
    if missed:
        listed = ", ".join(f"{found.name} ({found.reason.value})" for found in missed[:3])
        remedy = "they are replaced one at a time"
        kept = [found for found in missed if not found.replaceable]
        if kept:
            remedy = f"{kept[0].name} stays as it is: {kept[0].message}"
        elif any(replacement(world, found.pod) for found in missed):
            remedy = (
                "replacing them did not help, so it is not tried again; see whether the API server has the policy "
                f"{injection.POLICY_NAME} and what its audit annotations or log say of it"
            )
        return verdict(
            False,
            Reason.PODS_MISSED,
            f"{len(missed)} marked pods run without their engine: {listed}; {remedy}.",
        )
    if desired is None:
        return verdict(
            True,
            Reason.OPT_IN,
            f"There is no targetRef: {len(having)} pods carry the marker and have the engine. Pods opt in by the label "
            f"{names.INJECT_LABEL} and the annotation {names.model_annotation(world.name)}.",
        )
    if stuck is not None:
        return verdict(
            False,
            Reason.WAITING_FOR_PODS,
            f"{len(having)} of {desired} pods have the engine; a new pod finds no node: {stuck}",
        )
    if len(having) < desired or len(living) > len(having):
        by = "the rollout replaces the others"
        if world.strategy is UpdateStrategyType.ON_DELETE:
            by = "the others get it when you delete them (updateStrategy OnDelete)"
        return verdict(
            False, Reason.WAITING_FOR_PODS, f"{len(having)} of {desired} pods have the engine; {by}."
        )
    return verdict(True, Reason.INJECTED, f"{len(having)} of {desired} pods have the engine.")


def model_ready(world: World, actions: Actions) -> Verdict:
    """Whether the wanted model serves in every pod that has the engine."""

    def verdict(holds: bool | None, reason: Reason, message: str) -> Verdict:
        return Verdict(type=ConditionType.MODEL_READY, holds=holds, reason=reason, message=message)

    if world.swap_failure is not None:
        return verdict(
            False,
            Reason.SWAP_FAILED,
            f"{world.swap_failure} The pods were given the model back that they served before. Change the spec, or set "
            f"the annotation {names.REPLAN_ANNOTATION} to a new value to try the same again.",
        )
    if isinstance(actions.step, swap.GoBack):
        return verdict(
            False,
            Reason.SWAP_FAILED,
            f"Pod {actions.step.failed_pod}: {actions.step.message.rstrip('.')}. "
            "The pods are given the model back that they served before.",
        )
    having = [
        pod
        for pod in world.pods
        if pod_facts.is_running(pod) and pod_facts.instruction_of(pod, world.name) is not None
    ]
    if not having:
        return verdict(None, Reason.NO_PODS, "No running pod has the engine yet.")
    counts, found = _counts_and_trouble(world, having)
    if found is not None:
        return verdict(False, found.reason, f"{counts}; {found.message}")
    blocked = _blocked(world, having)
    if blocked is not None:
        return verdict(None, Reason.PROBE_BLOCKED, f"{counts}; {blocked}")
    if _swapping(world, actions):
        message = (
            actions.step.message
            if isinstance(actions.step, swap.Wait)
            else "running pods are changed one at a time"
        )
        return verdict(False, Reason.SWAP_IN_PROGRESS, f"The model is changed in running pods: {message}.")
    waiting = [pod for pod in having if not serves(world, pod)]
    if waiting:
        return _progress(world, waiting[0], counts)
    return verdict(True, Reason.SERVING, f"{counts}.")


def _counts_and_trouble(world: World, having: Sequence[Raw]) -> tuple[str, Finding | None]:
    serving = [pod for pod in having if serves(world, pod)]
    found = next((trouble for pod in having if (trouble := _trouble(world, pod)) is not None), None)
    return f"{len(serving)} of {len(having)} pods serve the model", found


def _blocked(world: World, having: Sequence[Raw]) -> str | None:
    silent = [pod for pod in having if pod["metadata"]["uid"] in world.unreachable]
    if not silent:
        return None
    port = pod_facts.supervisor_port(silent[0], world.name)
    return (
        f"pod {silent[0]['metadata']['name']} runs, and does not answer the operator on port {port}. Allow traffic "
        "from the operator's namespace to that port (NetworkPolicy, strict mTLS); the application is not affected, and "
        "a change of the model waits."
    )


def _progress(world: World, pod: Raw, counts: str) -> Verdict:
    report = world.engines.get(pod["metadata"]["uid"])
    name = pod["metadata"]["name"]
    if report is not None and report.state is EngineState.FETCHING:
        percent = report.percent_fetched
        progress = "" if percent is None else f" ({percent} %)"
        return Verdict(
            type=ConditionType.MODEL_READY,
            holds=False,
            reason=Reason.FETCHING,
            message=f"{counts}; pod {name} downloads the weights{progress}.",
        )
    if not pod_facts.engine_runs(pod, world.name):
        return Verdict(
            type=ConditionType.MODEL_READY,
            holds=False,
            reason=Reason.LOADING,
            message=f"{counts}; the engine's container of pod {name} does not run yet: its image is pulled, or its "
            "volumes are mounted.",
        )
    return Verdict(
        type=ConditionType.MODEL_READY,
        holds=False,
        reason=Reason.LOADING,
        message=f"{counts}; pod {name} loads the model.",
    )


def ready(verdicts: Sequence[Verdict]) -> Verdict:
    """All of the others together: the first that does not hold gives the reason."""
    for verdict in verdicts:
        if verdict.holds is not True:
            return Verdict(
                type=ConditionType.READY, holds=verdict.holds, reason=verdict.reason, message=verdict.message
            )
    return Verdict(
        type=ConditionType.READY,
        holds=True,
        reason=Reason.ALL_READY,
        message="The model serves in every pod of the target.",
    )


def unreadable(world: World) -> tuple[Verdict, ...]:
    """For an object that another version stored and this one cannot read."""
    assert isinstance(world.proposal, Refused)
    reason, message = world.proposal.reason, world.proposal.message
    verdicts = [
        Verdict(
            type=kind, holds=False if kind is ConditionType.PLANNED else None, reason=reason, message=message
        )
        for kind in (ConditionType.PLANNED, ConditionType.INJECTED, ConditionType.MODEL_READY)
    ]
    return (*verdicts, ready(verdicts))


def serves(world: World, pod: Raw) -> bool:
    """Whether the engine of a pod serves what the pod was told."""
    report = world.engines.get(pod["metadata"]["uid"])
    return (
        report is not None
        and report.serving is not None
        and report.serving == pod_facts.served_hash_of(pod, world.name)
    )


def desired_pods(world: World) -> int | None:
    """Pods that the target should have; None where pods opt in themselves."""
    return None if world.target is None else workloads.desired_pods(world.target)


def _swapping(world: World, actions: Actions) -> bool:
    if isinstance(actions.step, swap.Change | swap.Promote):
        return True
    if not isinstance(actions.step, swap.Wait) or world.sidecar is None:
        return False
    target = world.proposal.sidecar if isinstance(world.proposal, Proposed) else world.sidecar
    changed = target["spec"]["instruction"] != world.sidecar["spec"]["instruction"]
    return changed or swap.previous_instruction(world.sidecar) is not None


def _trouble(world: World, pod: Raw) -> Finding | None:
    """What is wrong with the engine of a pod, by the kubelet's word first, then by the supervisor's."""
    name = pod["metadata"]["name"]
    kubelet = pod_facts.engine_waits_for(pod, world.name)
    if kubelet is not None:
        reason = Reason.ENGINE_OUT_OF_MEMORY if kubelet[0] == "OOMKilled" else Reason.CONTAINER_NOT_RUNNING
        return Finding(
            reason=reason,
            message=f"pod {name}: the engine's container does not run: {kubelet[0]} {kubelet[1]}".rstrip(),
        )
    report: EngineReport | None = world.engines.get(pod["metadata"]["uid"])
    if report is None or report.failure is None or serves(world, pod):
        return None
    reason = FAILURE_REASONS.get(report.failure.reason, Reason.ENGINE_FAILED)
    return Finding(reason=reason, message=f"pod {name}: {report.failure.message}")
