"""To which nodes can the target's pods go with an engine, and for how many pods is there room?

A node that never could is left out with its reason. Room counts accelerators that are free now, and those that
the target's own engines hold: they come free when the pods are replaced.
"""

import itertools
from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from pillion import engines
from pillion.api.modeldeployment import ModelDeploymentSpec
from pillion.hardware import AcceleratorPool, NodeAccelerators, NodeRoom, clouds
from pillion.planner import obstacles
from pillion.planner.model import PlanRequest, TargetShape
from pillion.planner.obstacles import Obstacle
from pillion.planner.resources import Needs

_PoolKey = tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Open:
    """Nodes that let the pods in, whatever the pods' size."""

    rooms: tuple[NodeRoom, ...]
    accelerators: tuple[NodeAccelerators, ...]  # of the pool, on those nodes; none on CPU
    closed: tuple[Obstacle, ...]  # one for each other node
    # Would be open, with a driver that the engine's image cannot use.
    outdated: tuple[NodeAccelerators, ...] = ()

    @property
    def largest(self) -> NodeRoom | None:
        """The one with the most memory."""
        return max(self.rooms, key=lambda room: (room.allocatable_memory_bytes, room.name), default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """Where pods can go."""

    nodes: int  # that could take a pod, were they empty
    accelerators_total: int  # on those
    accelerators_free: int  # less what other plans count on, with what the target's own engines hold
    # For which there is room; on CPU were the nodes empty, because engines there hold what they free.
    pods: int
    pods_now: int  # the same with what every pod requests now
    obstacles: str  # why other nodes cannot, in words; "" where there are none


class Places:
    """Where the pods of one request can go. Candidates that differ in their weights alone share the answers."""

    def __init__(self, request: PlanRequest, profile: engines.Profile) -> None:
        self._request = request
        self.cuda = cuda_needed(request, profile)  # of a node's driver
        self._open: dict[_PoolKey, Open] = {}
        self._placements: dict[tuple[_PoolKey, int, Needs], Placement] = {}

    def open_to(self, pool: AcceleratorPool | None) -> Open:
        """Nodes that let the pods in."""
        key = _key(pool)
        if key not in self._open:
            self._open[key] = open_to(self._request, pool, self.cuda)
        return self._open[key]

    def placement(self, pool: AcceleratorPool | None, *, count: int, needs: Needs) -> Placement:
        """The pods that those nodes have room for."""
        key = (_key(pool), count, needs)
        if key not in self._placements:
            there = self.open_to(pool)
            self._placements[key] = (
                on_cpu(self._request, there, needs=needs)
                if pool is None
                else on_accelerators(self._request, pool, there, count=count, needs=needs)
            )
        return self._placements[key]


def cuda_needed(request: PlanRequest, profile: engines.Profile) -> engines.Cuda | None:
    """What the engine's image needs of a node's driver; None where nobody knows it, or it brings its own.

    Of another image than the pinned one nothing is known, and an engine that is told to takes the libraries for older
    drivers that its image has.
    """
    if request.spec.engine.image is not None or engines.GPU in request.images:
        return None
    told = {each.name: each.value or "" for each in request.spec.engine.env}
    variable = profile.cuda.compatibility_variable if profile.cuda is not None else None
    return None if told.get(variable or "", "").lower() in {"1", "true"} else profile.cuda


def open_to(request: PlanRequest, pool: AcceleratorPool | None, cuda: engines.Cuda | None) -> Open:
    """Nodes of a pool, or all nodes for the CPU, that the pods' and the spec's rules let them go to."""
    target = request.target or TargetShape(pods=1)
    there: list[tuple[NodeRoom, NodeAccelerators | None]] = (
        [(room, None) for room in request.inventory.nodes]
        if pool is None
        else [(node.room, node) for node in pool.nodes]
    )
    tolerations = obstacles.tolerations(request.spec, target, pool)
    engines_resource = pool.resource if pool is not None else None
    kind = _kinds(request.spec, target, resource=engines_resource)
    known: dict[Hashable, Obstacle | None] = {}
    rooms: list[NodeRoom] = []
    accelerators: list[NodeAccelerators] = []
    outdated: list[NodeAccelerators] = []
    closed: list[Obstacle] = []
    for room, node in there:
        of_kind = kind(room)
        if of_kind not in known:
            known[of_kind] = next(
                itertools.chain(
                    obstacles.of_rules(room, request.spec, target, tolerations),
                    obstacles.of_other_accelerators(
                        room, target, request.inventory, engines=engines_resource
                    ),
                ),
                None,
            )
        obstacle = known[of_kind]
        if obstacle is not None:
            closed.append(obstacle)
            continue
        rooms.append(room)
        if node is not None:
            too_old = next(obstacles.of_driver(room, cuda), None)
            if too_old is None:
                accelerators.append(node)
            else:
                outdated.append(node)
                closed.append(too_old)
    return Open(
        rooms=tuple(rooms), accelerators=tuple(accelerators), closed=tuple(closed), outdated=tuple(outdated)
    )


def _kinds(
    spec: ModelDeploymentSpec, target: TargetShape, *, resource: str | None
) -> Callable[[NodeRoom], Hashable]:
    """What of a node decides whether the rules let pods in: a large cluster has few kinds of nodes.

    A node is a kind of its own where a rule names nodes, or looks at what else they have.
    """
    keys = sorted({*obstacles.labels_of_rules(spec, target)})
    each_its_own = obstacles.rules_name_nodes(target) or set(target.accelerators) - {resource}

    def kind(room: NodeRoom) -> Hashable:
        taints = tuple(tuple(sorted(taint.items())) for taint in room.taints)
        name = room.name if each_its_own else ""
        return (room.obstacle, taints, name, *(room.labels.get(key) for key in keys))

    return kind


def asked_of_nodes(
    request: PlanRequest, pool: AcceleratorPool | None, there: Open
) -> tuple[dict[str, Any], ...]:
    """Labels that the pods ask of their nodes, as NodeSelectorRequirements.

    The product's, where nodes with the same resource have other products; otherwise the resource is enough. A product
    that no node has yet is named too, unless the user's own selector does so by a cloud's label. And drivers that the
    engine cannot use, where other nodes have newer ones.
    """
    if pool is None:
        return ()
    inventory = request.inventory
    others = any(
        other.resource == pool.resource and other.key != pool.key for other in inventory.accelerators
    )
    only_named = not pool.nodes and not clouds.selects(request.spec.hardware.node_selector, pool.product)
    named = others or pool.resource in inventory.unreadable or only_named
    too_old: defaultdict[str, set[str]] = defaultdict(set)
    for node in there.outdated if there.accelerators else ():
        if node.room.driver is not None:
            key, value = node.room.driver.label
            too_old[key].add(value)
    return (
        *(dict(each) for each in pool.node_requirements if named),
        *({"key": key, "operator": "NotIn", "values": sorted(too_old[key])} for key in sorted(too_old)),
    )


def on_accelerators(
    request: PlanRequest, pool: AcceleratorPool, there: Open, *, count: int, needs: Needs
) -> Placement:
    """The pods that a pool's open nodes have room for."""
    target = request.target or TargetShape(pods=1)
    own_requests = target.accelerators.get(pool.resource, 0)
    per_pod = count + own_requests + target.awaited
    closed = list(there.closed)
    eligible: list[NodeAccelerators] = []
    known: dict[Hashable, Obstacle | None] = {}
    for each in there.accelerators:
        size = (*_size(each.room), each.total)
        if size not in known:
            known[size] = next(
                itertools.chain(
                    obstacles.of_size(each.room, target, needs),
                    obstacles.of_accelerators(each, per_pod=per_pod),
                ),
                None,
            )
        obstacle = known[size]
        if obstacle is None:
            eligible.append(each)
        else:
            closed.append(obstacle)
    reserved = request.reserved.get(pool.product, 0)
    own = {each.name: request.own.get(each.name, {}).get(pool.resource, 0) for each in eligible}
    # Counted node by node: what two nodes have free makes no room for one pod.
    # Beside what runs now a pod needs CPU and memory too; later the target's own pods have made room.
    now = sum(
        _slots(min(each.free // per_pod, _pods_that_fit(each.room, target, needs, empty=False)), target)
        for each in eligible
    )
    later = sum(_slots(min(each.total, each.free + own[each.name]) // per_pod, target) for each in eligible)
    free = sum(min(each.total, each.free + own[each.name]) for each in eligible)
    return Placement(
        nodes=len(eligible),
        accelerators_total=sum(each.total for each in eligible),
        accelerators_free=max(0, free - reserved),
        pods=max(0, later - -(-reserved // per_pod)),
        pods_now=max(0, now - -(-reserved // per_pod)),
        obstacles=obstacles.told(closed),
    )


def on_cpu(request: PlanRequest, there: Open, *, needs: Needs) -> Placement:
    """Open nodes that have the memory and CPU for one pod with its engine, and the pods that fit now."""
    target = request.target or TargetShape(pods=1)
    closed = list(there.closed)
    eligible: list[NodeRoom] = []
    known: dict[Hashable, Obstacle | None] = {}
    for room in there.rooms:
        size = _size(room)
        if size not in known:
            known[size] = next(obstacles.of_size(room, target, needs), None)
        obstacle = known[size]
        if obstacle is None:
            eligible.append(room)
        else:
            closed.append(obstacle)
    return Placement(
        nodes=len(eligible),
        accelerators_total=0,
        accelerators_free=0,
        pods=sum(_slots(_pods_that_fit(room, target, needs, empty=True), target) for room in eligible),
        pods_now=sum(_slots(_pods_that_fit(room, target, needs, empty=False), target) for room in eligible),
        obstacles=obstacles.told(closed),
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


def _size(room: NodeRoom) -> tuple[int, int, int]:
    return (room.allocatable_cpu_millis, room.allocatable_memory_bytes, room.allocatable_ephemeral_bytes)


def _slots(pods: int, target: TargetShape) -> int:
    return min(1, pods) if target.one_pod_per_node else pods


def _key(pool: AcceleratorPool | None) -> _PoolKey:
    return () if pool is None else pool.key
