"""What does a pod say about its engine? Small readings of a raw pod that say what absence means."""

from typing import TYPE_CHECKING, Any

from pillion import injection
from pillion.api import names

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "MODEL_READY",
    "address",
    "condition",
    "engine_runs",
    "engine_status",
    "engine_waits_for",
    "instruction_of",
    "is_finished",
    "is_gated",
    "is_ready",
    "is_running",
    "is_terminating",
    "served_hash_of",
    "supervisor_port",
    "unschedulable",
    "was_out_of_memory",
]

Raw = dict[str, Any]

MODEL_READY = names.MODEL_READY_CONDITION


def is_terminating(pod: Raw) -> bool:
    """Whether the pod was told to go."""
    return "deletionTimestamp" in pod["metadata"]


def is_finished(pod: Raw) -> bool:
    """Whether all of its containers ended for good (a completed Job's pod)."""
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def is_running(pod: Raw) -> bool:
    """Whether some container of it was started and the pod is to stay."""
    return not is_terminating(pod) and address(pod) is not None and not is_finished(pod)


def is_ready(pod: Raw) -> bool:
    """The pod's own Ready condition; absent means no."""
    return (condition(pod, "Ready") or {}).get("status") == "True"


def is_gated(pod: Raw) -> bool:
    """Whether the pod's readiness waits for its models."""
    gates = pod.get("spec", {}).get("readinessGates") or []
    return any(gate.get("conditionType") == MODEL_READY for gate in gates)


def condition(pod: Raw, kind: str) -> Raw | None:
    """One condition of a pod's status."""
    for entry in pod.get("status", {}).get("conditions") or []:
        if entry["type"] == kind:
            return dict(entry)
    return None


def address(pod: Raw) -> str | None:
    """The pod's address; None before the kubelet has set it up."""
    found: str | None = pod.get("status", {}).get("podIP")
    return found or None


def unschedulable(pod: Raw) -> str | None:
    """The scheduler's own sentence where it found no node for the pod."""
    scheduled = condition(pod, "PodScheduled")
    if (
        scheduled is not None
        and scheduled.get("status") == "False"
        and scheduled.get("reason") == "Unschedulable"
    ):
        return str(scheduled.get("message", "no node is suitable"))
    return None


def instruction_of(pod: Raw, model: str) -> str | None:
    """The instruction that the engine of a model follows; None where the pod has no such engine."""
    annotations: Mapping[str, str] = pod["metadata"].get("annotations") or {}
    return annotations.get(names.engine_annotation(model))


def served_hash_of(pod: Raw, model: str) -> str | None:
    """The hash of the instruction that a pod was given."""
    text = instruction_of(pod, model)
    return injection.instruction_hash(text) if text is not None else None


def supervisor_port(pod: Raw, model: str) -> int | None:
    """The port that the engine's container declares; None where there is no such container."""
    spec = pod.get("spec", {})
    for container in (spec.get("containers") or []) + (spec.get("initContainers") or []):
        if container["name"] == names.container_name(model):
            return max((int(port["containerPort"]) for port in container.get("ports") or []), default=None)
    return None


def engine_status(pod: Raw, model: str) -> Raw | None:
    """The kubelet's status of the engine's container, in either of its forms."""
    status = pod.get("status", {})
    name = names.container_name(model)
    for entry in (status.get("containerStatuses") or []) + (status.get("initContainerStatuses") or []):
        if entry["name"] == name:
            return dict(entry)
    return None


def was_out_of_memory(pod: Raw, model: str) -> bool:
    """Whether the kernel killed the engine's container for its memory limit, now or the time before."""
    entry = engine_status(pod, model) or {}
    ends = [(entry.get(state) or {}).get("terminated") or {} for state in ("state", "lastState")]
    return any(end.get("reason") == "OOMKilled" for end in ends)


def engine_runs(pod: Raw, model: str) -> bool:
    """Whether the engine's container runs, so that a supervisor can answer."""
    entry = engine_status(pod, model)
    return entry is not None and "running" in (entry.get("state") or {})


def engine_waits_for(pod: Raw, model: str) -> tuple[str, str] | None:
    """(reason, message) of the kubelet while the engine's container does not run and something is wrong with it."""
    entry = engine_status(pod, model)
    if entry is None:
        return None
    state = entry.get("state") or {}
    waiting = state.get("waiting")
    if waiting and waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
        return str(waiting["reason"]), str(waiting.get("message") or "")
    terminated = state.get("terminated")
    if terminated:
        return str(terminated.get("reason") or "Terminated"), f"exit code {terminated.get('exitCode')}"
    return None
