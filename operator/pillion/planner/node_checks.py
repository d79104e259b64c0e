"""Is there a node for the pods, and room on it for all of them?"""

from pillion.api.modeldeployment import Capacity
from pillion.api.reasons import Reason
from pillion.planner import memory, obstacles, wording
from pillion.planner.model import TargetShape
from pillion.planner.rejection import Rejection
from pillion.planner.trial import Trial
from pillion.sizing.constants import GIB

_QUARTER = GIB // 4
_TIB = 1024 * GIB


def a_node_is_open(trial: Trial) -> Rejection | None:
    """At least one node lets the pods in: an own rule against all of them is told before any size."""
    pool = trial.candidate.pool
    there = trial.places.open_to(pool)
    if there.rooms or (pool is not None and counts_on_autoscaler(trial)):
        return None
    why = obstacles.told(there.closed) or "the cluster has none"
    return Rejection(
        reason=Reason.NO_NODE_FITS,
        message=f"The target's pods can go to no node{_with_product(trial)}: {why}.",
    )


def a_node_can_take_it(trial: Trial) -> Rejection | None:
    """At least one node could take a pod with its engine, were it empty."""
    pool = trial.candidate.pool
    if trial.placement.nodes > 0 or (pool is not None and counts_on_autoscaler(trial)):
        return None
    return Rejection(
        reason=Reason.NO_NODE_FITS,
        message=f"No node{_with_product(trial)} can take a pod with its engine: {trial.placement.obstacles}."
        f"{_own_requests(trial)}",
    )


def node_that_would_do(trial: Trial) -> str:
    """The least node that a pod with its engine could go to, where no change of the spec or of one rule helps."""
    pool = trial.candidate.pool
    there = trial.places.open_to(pool)
    target = trial.request.target or TargetShape(pods=1)
    needs = trial.sizes.needs
    own_memory = target.memory_bytes
    memory_bytes = needs.memory_bytes
    if pool is None:
        memory_bytes = max(memory_bytes, memory.least_on_cpu(trial.cpu_container[0]))
    room = [
        f"{wording.cores(target.cpu_millis + needs.cpu_millis)} of CPU",
        f"{wording.gib(_rounded_up(own_memory + memory_bytes))} of memory",
        f"{wording.gib(_rounded_up(target.ephemeral_bytes + needs.ephemeral_bytes))} of disk",
    ]
    own = [
        *([wording.cores(target.cpu_millis)] if target.cpu_millis else []),
        *([wording.gib(own_memory)] if own_memory else []),
    ]
    others = f", {wording.listed(own)} of it for the pod's own containers" if own else ""
    device = "" if pool is None else f" {wording.device(trial.candidate.count, pool.product)} and"
    rules = "" if there.rooms or not there.closed else ", against which none of this stands"
    return f"What would work: a node with{device} at least {wording.listed(room)} for a pod{others}{rules}."


def _rounded_up(amount: int) -> int:
    """To a quarter of a GiB, or what a TiB is told to, so that what is told is never less than what it takes."""
    if amount <= _TIB:
        return -(-amount // _QUARTER) * _QUARTER
    hundredths = -(-amount * 100 // _TIB)
    return -(-hundredths * _TIB // 100)


def enough_for_all_pods(trial: Trial) -> Rejection | None:
    """There is room for as many pods as the target has today."""
    target, there = trial.request.target, trial.placement
    if target is None or there.pods >= target.pods or counts_on_autoscaler(trial):
        return None
    if trial.candidate.pool is None:
        return Rejection(
            reason=Reason.NO_NODE_FITS,
            message=f"{wording.count(target.pods, 'pod')} with an engine on CPU request "
            f"{wording.gib(trial.sizes.memory_request_bytes)} of memory and "
            f"{wording.cores(trial.sizes.cpu_request_millis)} each for it; the nodes, were they empty, have room "
            f"for {wording.count(there.pods, 'pod')}.{_own_requests(trial)}",
        )
    count, product = trial.candidate.count, trial.candidate.product
    each = f" ({count} each)" if target.pods > 1 else ""
    free = f"{there.accelerators_free} of {there.accelerators_total} are free for them"
    promised = trial.request.reserved.get(product or "", 0)
    if promised:
        free += f" ({promised} more are promised to other ModelDeployments)"
    enough = f", enough for {wording.count(there.pods, 'pod')}" if there.pods else ""
    others = f" Beside these, {there.obstacles}." if there.obstacles else ""
    return Rejection(
        reason=Reason.INSUFFICIENT_ACCELERATORS,
        message=f"{wording.doing(target.pods, 'pod', 'needs')} {count * target.pods} x {product}{each}; "
        f"{free}{enough}.{others}",
    )


def counts_on_autoscaler(trial: Trial) -> bool:
    """Whether nodes that are not there yet may have what those of today lack."""
    return trial.request.spec.hardware.capacity is Capacity.AUTOSCALED


def _with_product(trial: Trial) -> str:
    product = trial.candidate.product
    return f" with {product}" if product is not None else ""


def _own_requests(trial: Trial) -> str:
    """Says whose numbers the requests are, where they are not the plan's own."""
    if trial.sizes.needs == trial.computed_sizes.needs:
        return ""
    asked, computed = trial.sizes, trial.computed_sizes
    return (
        f" Of that, spec.engine.resources requests {wording.gib(asked.memory_request_bytes)} of memory and "
        f"{wording.cores(asked.cpu_request_millis)}; without it, {wording.gib(computed.memory_request_bytes)} and "
        f"{wording.cores(computed.cpu_request_millis)} would be requested."
    )
