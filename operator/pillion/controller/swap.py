"""Which running pod is told to serve another model next, and when does a swap stop or go back?

A swap changes the instruction of running pods, one at a time, and goes on when the pod before says that it *serves* the
new one. New pods are made from the ModelSidecar, which takes the new instruction only when a first pod serves it, or
when none serves the old one, so that pods made in the middle of a swap get what is known to work.

    pods on the new instruction      pods on the old one    step
    one cannot serve it              any                    GoBack: old instruction for all of them, stop
    one does not serve it yet        any                    Wait
    all serve it, ModelSidecar old   any                    Promote
    none, and nobody serves the old  any                    Promote, and change all of them at once
    all serve it                     some                   Change the next of them
    all serve it                     none                   Done

Once a swap is done there is no way back any more: an engine that fails later is the supervisor's business.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pillion import injection
from pillion.api import names
from pillion.controller import pods as pod_facts
from pillion.controller.engine import EngineReport

__all__ = ["Change", "Done", "GoBack", "Promote", "Step", "Wait", "next_step"]

Raw = dict[str, Any]

# On a ModelSidecar while a swap is under way that it took already: what to go back to.
PREVIOUS_ANNOTATION = f"{names.GROUP}/previous"
PREVIOUS_PLAN_ANNOTATION = f"{names.GROUP}/previous-plan"
PREVIOUS_HASH_ANNOTATION = f"{names.GROUP}/previous-spec-hash"
PREVIOUS_ANNOTATIONS = frozenset({PREVIOUS_ANNOTATION, PREVIOUS_PLAN_ANNOTATION, PREVIOUS_HASH_ANNOTATION})

# A failure that says nothing about the new model: the old one serves on, and the supervisor tries again by itself.
PASSING_FAILURES = frozenset({"HubUnreachable"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Give these pods the new instruction."""

    pods: tuple[Raw, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Promote:
    """Have new pods made with the new instruction; `pods` are changed together with it.

    `last` says that no pod is left with the old one, so that no way back need be kept.
    """

    pods: tuple[Raw, ...] = ()
    last: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """A pod was told and does not serve yet."""

    pod: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GoBack:
    """A pod cannot serve the new instruction: these get the old one again."""

    pods: tuple[Raw, ...]
    failed_pod: str
    reason: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """Every running pod serves what new pods are made with."""


Step = Change | Promote | Wait | GoBack | Done


def next_step(
    *,
    model: str,
    wanted: str,
    kept: str,
    way_back: bool,
    pods: Sequence[Raw],
    engines: Mapping[str, EngineReport],
) -> Step:
    """The one step that is due now.

    Args:
        model: name of the ModelDeployment.
        wanted: hash of the instruction that the spec asks for.
        kept: hash of the one that the ModelSidecar gives to new pods.
        way_back: whether an instruction is known to which a failed pod can return.
        pods: running pods of the ModelSidecar's own revision that have the engine.
        engines: what the supervisors said, by pod uid; a pod without an entry has not answered.
    """
    ordered = sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))
    told = [pod for pod in ordered if pod_facts.served_hash_of(pod, model) == wanted]
    untold = [pod for pod in ordered if pod_facts.served_hash_of(pod, model) != wanted]

    def report(pod: Raw) -> EngineReport | None:
        return engines.get(pod["metadata"]["uid"])

    def serves(pod: Raw, hashed: str) -> bool:
        found = report(pod)
        return found is not None and found.serving == hashed

    if way_back:
        for pod in told:
            found = None if serves(pod, wanted) else _why_not(pod, model, report(pod), wanted)
            if found is not None:
                name = str(pod["metadata"]["name"])
                return GoBack(pods=tuple(told), failed_pod=name, reason=found[0], message=found[1])
    if kept != wanted:
        if any(serves(pod, wanted) for pod in told):
            return Promote(last=not untold)
        unknown = [pod for pod in untold if report(pod) is None]
        if not told and not unknown and not any(serves(pod, kept) for pod in untold):
            return Promote(pods=tuple(untold), last=True)
        if unknown and not told:
            name = unknown[0]["metadata"]["name"]
            return Wait(pod=name, message=f"pod {name} does not say what it serves, so it is not changed")
    waiting = [pod for pod in told if not serves(pod, wanted)]
    if waiting:
        name = waiting[0]["metadata"]["name"]
        served = sum(1 for pod in told if serves(pod, wanted))
        return Wait(pod=name, message=f"{served} of {len(ordered)} pods serve it; waiting for {name}")
    if untold:
        return Change(pods=(untold[0],))
    return Done()


def _why_not(pod: Raw, model: str, report: EngineReport | None, wanted: str) -> tuple[str, str] | None:
    """Why a pod cannot serve what it was told (reason, message); None where it may still come to that.

    A container that passed its memory limit takes the supervisor with it: then only the kubelet can tell.
    """
    if report is not None and report.failure is not None:
        failure = report.failure
        return (
            (failure.reason, failure.message) if failure.hash == wanted and _lasts(failure.reason) else None
        )
    kubelet = pod_facts.engine_waits_for(pod, model) if report is None else None
    if kubelet is None:
        return None
    killed = pod_facts.was_out_of_memory(pod, model)
    reason = "EngineOutOfMemory" if killed else "EngineExited"
    why = "it passed its memory limit" if killed else kubelet[1] or kubelet[0]
    return reason, f"The engine's container does not stay up with it: {why}."


def _lasts(reason: str) -> bool:
    return reason not in PASSING_FAILURES


def way_back(sidecar: Raw, wanted: str) -> str | None:
    """The instruction to return to: the one that new pods get, or the one before it once it took the new one."""
    kept: str = sidecar["spec"]["instruction"]
    if injection.instruction_hash(kept) != wanted:
        return kept
    return previous_instruction(sidecar)


def previous_instruction(sidecar: Raw) -> str | None:
    """The instruction that a ModelSidecar had before the one it has, while the swap is under way."""
    annotations = sidecar["metadata"].get("annotations") or {}
    found: str | None = annotations.get(PREVIOUS_ANNOTATION)
    return found


def previous_plan(annotations: Mapping[str, str]) -> dict[str, str]:
    """The annotations that a ModelSidecar has again when it goes back."""
    return {
        names.PLAN_ANNOTATION: annotations.get(PREVIOUS_PLAN_ANNOTATION, ""),
        names.SPEC_HASH_ANNOTATION: annotations.get(PREVIOUS_HASH_ANNOTATION, ""),
    }
