"""What does the status of a ModelDeployment say after a pass?

All of it is computed from the world and from what was done; what only planning knows (facts, rejected candidates) is
carried over from the status before, as long as the plan is kept.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pillion import injection, planner
from pillion.api import names
from pillion.api.reasons import Reason
from pillion.api.status import (
    AcceleratorsStatus,
    Condition,
    ModelStatus,
    PodsStatus,
    RejectedStatus,
    Status,
    TargetStatus,
    WarningStatus,
)
from pillion.controller import compiling, conditions, observing
from pillion.controller import pods as pod_facts
from pillion.controller.conditions import Verdict
from pillion.controller.decide import Actions
from pillion.controller.others import read_plan
from pillion.controller.world import Finding, Proposed, Refused, World
from pillion.facts import ModelFacts

__all__ = ["changed", "describe", "verdicts"]

Raw = dict[str, Any]

CANDIDATES_SHOWN = 8  # the schema takes 16; the nearest ones come first
GIGABYTE = 1000**3


def verdicts(world: World, actions: Actions, problem: Finding | None) -> tuple[Verdict, ...]:
    """The four conditions, Ready last."""
    if world.spec is None:
        return conditions.unreadable(world)
    plan = current_plan(world)
    parts = (
        conditions.planned(world, plan.sentence if plan is not None else None),
        conditions.injected(world, actions, problem),
        conditions.model_ready(world, actions),
    )
    return (*parts, conditions.ready(parts))


def describe(world: World, actions: Actions, found: Sequence[Verdict], *, now: str) -> Raw:
    """The whole status, as it is applied.

    Args:
        world: what was read.
        actions: what was done.
        found: the conditions.
        now: RFC 3339 time, for the conditions that change with this pass.
    """
    assert world.deployment is not None
    before: Raw = world.deployment.get("status") or {}
    generation = world.deployment["metadata"].get("generation")
    sidecar = actions.sidecar or world.sidecar
    plan = current_plan(world)
    seen = observing.observed(world, plan)
    status = Status(
        observed_generation=generation,
        conditions=tuple(_condition(verdict, before, generation=generation, now=now) for verdict in found),
        target=_target(world),
        endpoint=None if sidecar is None or world.suspended else _endpoint(sidecar),
        served_names=tuple(world.spec.model.served_names or (world.name,)) if world.spec is not None else (),
        revision=None if sidecar is None or world.suspended else injection.revision(sidecar) or None,
        accelerators=_accelerators(world),
        candidates=_candidates(world),
        observed=seen,
        pods=_pods(world, actions),
        warnings=_warnings(world),
        model=_model(world),
    ).to_raw()
    for section in ("accelerators", "candidates", "warnings", "model"):
        if section not in status and section in before and _carried_over(world):
            status[section] = before[section]
    shortage = observing.shortage(seen, plan)
    status["warnings"] = [
        *(each for each in status.get("warnings", ()) if each["reason"] != Reason.KV_CACHE_BELOW_PLAN.value),
        *([] if shortage is None else [shortage.to_raw()]),
    ]
    if not status["warnings"]:
        del status["warnings"]
    if plan is not None:
        status["plan"] = plan.to_status()
    return status


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a status has to be written: something beside the times differs."""
    return _without_times(before) != _without_times(after)


def current_plan(world: World) -> planner.Plan | None:
    """The plan that is proposed, or the one that the ModelSidecar was compiled from."""
    if isinstance(world.proposal, Proposed):
        return world.proposal.planned.plan
    return None if world.sidecar is None else read_plan(world.sidecar)


def _carried_over(world: World) -> bool:
    """Whether what planning found stands as it was: nothing was planned in this pass."""
    return world.proposal is None


def _condition(verdict: Verdict, before: Raw, *, generation: int | None, now: str) -> Condition:
    last = next(
        (entry for entry in before.get("conditions") or [] if entry["type"] == verdict.type.value), None
    )
    same = last is not None and last["status"] == verdict.status
    return Condition.model_validate(
        {
            "type": verdict.type.value,
            "status": verdict.status,
            "reason": verdict.reason.value,
            "message": verdict.message,
            "observedGeneration": generation,
            "lastTransitionTime": last["lastTransitionTime"] if same and last is not None else now,
        }
    )


def _without_times(status: Mapping[str, Any]) -> Raw:
    stripped = dict(status)
    stripped["conditions"] = {
        entry["type"]: {key: value for key, value in entry.items() if key != "lastTransitionTime"}
        for entry in status.get("conditions") or []
    }
    return stripped


def _target(world: World) -> TargetStatus | None:
    if world.target is None:
        return None
    metadata = world.target["metadata"]
    return TargetStatus(
        api_version=world.target["apiVersion"],
        kind=world.target["kind"],
        name=metadata["name"],
        uid=metadata["uid"],
        revision=injection.marker(world.target, world.name).value,
    )


def _endpoint(sidecar: Raw) -> str:
    return names.base_url(compiling.port_pair(sidecar)[0])


def _facts(world: World) -> ModelFacts | None:
    if isinstance(world.proposal, Proposed | Refused):
        return world.proposal.facts
    return None


def _model(world: World) -> ModelStatus | None:
    facts = _facts(world)
    if facts is None:
        return None
    return ModelStatus(
        commit=facts.commit,
        architecture=facts.architecture,
        parameters=facts.parameters,
        active_parameters=facts.active_parameters,
        download_gb=f"{facts.download_bytes / GIGABYTE:.2f}",
        dtype=facts.dtype,
        task=facts.task.value,
        chat_template=facts.chat_template,
        instruct=facts.instruct,
        distilled=facts.distilled,
        base_model=facts.base_model,
        license=facts.license,
    )


def _accelerators(world: World) -> AcceleratorsStatus | None:
    if not isinstance(world.proposal, Proposed) or world.proposal.planned.plan.product is None:
        return None
    outcome = world.proposal.planned
    return AcceleratorsStatus(
        per_pod=outcome.plan.count, total=outcome.accelerators_total, free=outcome.accelerators_free
    )


def _candidates(world: World) -> tuple[RejectedStatus, ...]:
    if isinstance(world.proposal, Proposed):
        rejected = world.proposal.planned.rejected
    elif isinstance(world.proposal, Refused):
        rejected = world.proposal.rejected
    else:
        return ()
    return tuple(
        RejectedStatus(
            checkpoint=candidate.checkpoint,
            quantization=candidate.quantization,
            product=candidate.product or "CPU",
            count=candidate.count or None,
            reason=candidate.reason,
            message=candidate.message,
        )
        for candidate in rejected[:CANDIDATES_SHOWN]
    )


def _pods(world: World, actions: Actions) -> PodsStatus | None:
    if world.suspended:
        return PodsStatus.counted(desired=conditions.desired_pods(world), injected=0, ready=0)
    sidecar = actions.sidecar or world.sidecar
    revision = None if sidecar is None else injection.revision(sidecar)
    living = [
        pod for pod in world.pods if not pod_facts.is_terminating(pod) and not pod_facts.is_finished(pod)
    ]
    having = [pod for pod in living if revision and injection.injected_revision(pod, world.name) == revision]
    serving = [pod for pod in having if conditions.serves(world, pod)]
    return PodsStatus.counted(
        desired=conditions.desired_pods(world), injected=len(having), ready=len(serving)
    )


def _warnings(world: World) -> tuple[WarningStatus, ...]:
    if not isinstance(world.proposal, Proposed | Refused):
        return ()
    by_reason: dict[Reason, list[str]] = {}
    for warning in world.proposal.warnings:
        by_reason.setdefault(warning.reason, []).append(warning.message)
    return tuple(
        WarningStatus(reason=reason.value, message=" ".join(messages))
        for reason, messages in sorted(by_reason.items())
    )
