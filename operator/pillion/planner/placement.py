"""To which nodes can the target's pods go with an engine, and for how many pods is there room?

A node that never could is left out with its reason. Room counts accelerators that are free now, and those that
the target's own engines hold: they come free when the pods are replaced.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pillion.api.modeldeployment import ModelDeploymentSpec
from pillion.hardware import AcceleratorPool, NodeAccelerators, NodeRoom, Raw, scheduling
from pillion.planner import wording
from pillion.planner.model import PlanRequest, TargetShape
from pillion.planner.resources import Needs

ACCELERATOR_TOLERATION: Raw = {
    "key": scheduling.NVIDIA_TAINT_KEY,
    "operator": "Exists",
    "effect": "NoSchedule",
}
_SYSTEM_LABEL = "kubernetes.io/os"


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where pods can go."""

    nodes: int  # that could take a pod, were they empty
    accelerators_total: int  # on those
    accelerators_free: (
        int  # of those; less what other plans count on, with what the target's own engines hold
    )
    pods: (
        int  # for which there is room; on CPU were the nodes empty, because engines there hold what they free
    )
    pods_now: int  # the same with what every pod requests now
    obstacles: str  # why other nodes cannot, in words; "" where there are none


def plan_tolerations(pool: AcceleratorPool | None) -> tuple[Raw, ...]:
    """What a pod has to put up with on nodes that keep everybody else away."""
    return (ACCELERATOR_TOLERATION,) if pool is not None and pool.vendor == "nvidia" else ()


def on_accelerators(request: PlanRequest, pool: AcceleratorPool, *, count: int, needs: Needs) -> Placement:
    """Nodes of a pool, and the pods that they have room for."""
    target = request.target or TargetShape(pods=1)
    own_requests = target.accelerators.get(pool.resource, 0)
    per_pod = count + own_requests
    obstacles: Counter[str] = Counter()
    eligible: list[NodeAccelerators] = []
    for there in pool.nodes:
        why = _obstacle(there.room, request.spec, target, plan_tolerations(pool), needs)
        if why is None and there.total < per_pod:
            why = f"has {there.total} of the {per_pod} that a pod takes"
        if why is None:
            eligible.append(there)
        else:
            obstacles[why] += 1
    held, reserved = request.own.get(pool.product, 0), request.reserved.get(pool.product, 0)
    slots = [_slots(there.free // per_pod, target) for there in eligible]
    free = sum(there.free for there in eligible)
    return Placement(
        nodes=len(eligible),
        accelerators_total=sum(there.total for there in eligible),
        accelerators_free=max(0, free + held - reserved),
        pods=max(0, sum(slots) + held // per_pod - -(-reserved // per_pod)),
        pods_now=max(0, sum(slots) - -(-reserved // per_pod)),
        obstacles=_told(obstacles),
    )


def on_cpu(request: PlanRequest, *, needs: Needs) -> Placement:
    """Nodes that have the memory and CPU for one pod with its engine, and the pods that fit now."""
    target = request.target or TargetShape(pods=1)
    obstacles: Counter[str] = Counter()
    eligible: list[NodeRoom] = []
    for room in request.inventory.nodes:
        why = _obstacle(room, request.spec, target, (), needs)
        if why is None:
            eligible.append(room)
        else:
            obstacles[why] += 1
    return Placement(
        nodes=len(eligible),
        accelerators_total=0,
        accelerators_free=0,
        pods=sum(_slots(_pods_that_fit(room, target, needs, empty=True), target) for room in eligible),
        pods_now=sum(_slots(_pods_that_fit(room, target, needs, empty=False), target) for room in eligible),
        obstacles=_told(obstacles),
    )


def largest_cpu_node(request: PlanRequest) -> NodeRoom | None:
    """The node with the most memory among those that the pods may go to."""
    target = request.target or TargetShape(pods=1)
    nothing = Needs(cpu_millis=0, memory_bytes=0, ephemeral_bytes=0)
    fitting = [
        room for room in request.inventory.nodes if _obstacle(room, request.spec, target, (), nothing) is None
    ]
    return max(fitting, key=lambda room: (room.allocatable_memory_bytes, room.name), default=None)


def _obstacle(
    room: NodeRoom,
    spec: ModelDeploymentSpec,
    target: TargetShape,
    tolerations: Sequence[Raw],
    needs: Needs,
) -> str | None:
    """Why a node can never take the pod, the cheapest and plainest first."""
    return next(_obstacles(room, spec, target, tolerations, needs), None)


def _obstacles(
    room: NodeRoom,
    spec: ModelDeploymentSpec,
    target: TargetShape,
    tolerations: Sequence[Raw],
    needs: Needs,
) -> Iterator[str]:
    if room.obstacle is not None:
        yield f"is {room.obstacle}"
    system = room.labels.get(_SYSTEM_LABEL, "linux")
    if system != "linux":
        yield f"runs {system}, and the engines' images are for Linux"
    if not scheduling.selects(room.labels, spec.hardware.node_selector):
        yield "is not selected by spec.hardware.nodeSelector"
    if not scheduling.selects(room.labels, target.node_selector):
        yield "is not selected by the pods' nodeSelector"
    if not scheduling.affinity_allows(target.affinity, labels=room.labels, node_name=room.name):
        yield "does not match the pods' node affinity"
    tolerated = (
        *target.tolerations,
        *tolerations,
        *(entry.model_dump(by_alias=True, exclude_none=True) for entry in spec.hardware.tolerations),
    )
    taint = scheduling.untolerated(room.taints, tolerated)
    if taint is not None:
        yield f"has the taint {scheduling.described(taint)}, which a spec.hardware.tolerations entry would allow"
    cpu = target.cpu_millis + needs.cpu_millis
    if room.allocatable_cpu_millis < cpu:
        yield f"has {room.allocatable_cpu_millis} m CPU where a pod with its engine requests {cpu} m"
    memory = target.memory_bytes + needs.memory_bytes
    if room.allocatable_memory_bytes < memory:
        yield (
            f"has {wording.gib(room.allocatable_memory_bytes)} of memory where a pod with its engine "
            f"requests {wording.gib(memory)}"
        )
    ephemeral = target.ephemeral_bytes + needs.ephemeral_bytes
    # A node that does not report its disk is not held against it: the kubelet always does.
    if 0 < room.allocatable_ephemeral_bytes < ephemeral:
        yield (
            f"has {wording.gib(room.allocatable_ephemeral_bytes)} of disk where a pod with its engine "
            f"requests {wording.gib(ephemeral)}"
        )


def _pods_that_fit(room: NodeRoom, target: TargetShape, needs: Needs, *, empty: bool) -> int:
    cpu = target.cpu_millis + needs.cpu_millis
    memory = target.memory_bytes + needs.memory_bytes
    bounds = [room.allocatable_pods if empty else room.free_pods]
    if cpu:
        bounds.append((room.allocatable_cpu_millis if empty else room.free_cpu_millis) // cpu)
    if memory:
        bounds.append((room.allocatable_memory_bytes if empty else room.free_memory_bytes) // memory)
    return min(bounds)


def _slots(pods: int, target: TargetShape) -> int:
    return min(1, pods) if target.one_pod_per_node else pods


def _told(obstacles: Counter[str]) -> str:
    return "; ".join(f"{wording.count(number, 'node')} {why}" for why, number in sorted(obstacles.items()))
