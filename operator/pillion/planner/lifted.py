"""Which one rule keeps the pods from nodes that would do otherwise?

The same question is asked again with one rule lifted at a time. So a rule is told only where nothing else stands
against the nodes behind it: no other rule, and not their size.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from pillion.hardware import NodeRoom
from pillion.planner import obstacles
from pillion.planner.model import Plan, PlanRequest, TargetShape

Ask = Callable[[PlanRequest], Plan | None]

# What would make pods go to a node that takes none now.
_OPENED: Final = {
    "cordoned": "kubectl uncordon, for the nodes that are cordoned",
    "not ready": "the nodes that are not ready, once they are",
    "being deleted": "nodes like those that are being deleted",
}
_OF_KUBERNETES: Final = "node.kubernetes.io/"  # taints of a node's state, which nobody should put up with


def way_in(request: PlanRequest, ask: Ask) -> str | None:
    """A sentence on the rule that has to go, the least first; None: not one of them alone.

    Args:
        request: the question that had no answer, because no node takes the pods.
        ask: answers a changed question.
    """
    return next(
        (f"What would work: {way}." for changed, way in _lifted(request) if ask(changed) is not None), None
    )


def _lifted(request: PlanRequest) -> Iterator[tuple[PlanRequest, str]]:
    rooms = request.inventory.nodes
    if request.target is not None:
        yield from _rules_of_target(request, request.target)
    if any(room.taints for room in rooms):
        yield (
            _with_rooms(request, _without_own_taints),
            "entries in spec.hardware.tolerations for the nodes' taints",
        )
    for obstacle, way in _OPENED.items():
        if any(room.obstacle == obstacle for room in rooms):
            yield _with_rooms(request, _without(obstacle)), way
    if any(not obstacles.runs_linux(room) for room in rooms):
        yield _with_rooms(request, _with_linux), "nodes like these with Linux"


def _rules_of_target(request: PlanRequest, target: TargetShape) -> Iterator[tuple[PlanRequest, str]]:
    """What the application's own pods ask of nodes."""
    selector = target.node_selector
    for key in sorted(selector):
        others = {each: value for each, value in selector.items() if each != key}
        yield (
            replace(request, target=replace(target, node_selector=others)),
            f"a node with the label {key}={selector[key]}, or a target without it in its nodeSelector",
        )
    if len(selector) > 1:
        yield (
            replace(request, target=replace(target, node_selector={})),
            "a node with all labels of the target's nodeSelector, or a target without it",
        )
    if target.affinity is not None:
        yield (
            replace(request, target=replace(target, affinity=None)),
            "a node that the target's affinity matches, or another affinity",
        )


def _with_rooms(request: PlanRequest, changed: Callable[[NodeRoom], NodeRoom]) -> PlanRequest:
    """The same request, were each node another one."""
    inventory = request.inventory
    pools = tuple(
        replace(pool, nodes=tuple(replace(node, room=changed(node.room)) for node in pool.nodes))
        for pool in inventory.accelerators
    )
    nodes = tuple(changed(room) for room in inventory.nodes)
    return replace(request, inventory=replace(inventory, accelerators=pools, nodes=nodes))


def _without(obstacle: str) -> Callable[[NodeRoom], NodeRoom]:
    """Nodes without an obstacle, and without the taints that come and go with it."""

    def changed(room: NodeRoom) -> NodeRoom:
        if room.obstacle != obstacle:
            return room
        taints = tuple(each for each in room.taints if not _of_state(each.get("key")))
        return replace(room, obstacle=None, taints=taints)

    return changed


def _without_own_taints(room: NodeRoom) -> NodeRoom:
    return replace(room, taints=tuple(each for each in room.taints if _of_state(each.get("key"))))


def _with_linux(room: NodeRoom) -> NodeRoom:
    return replace(room, labels={**room.labels, obstacles.SYSTEM_LABEL: obstacles.LINUX})


def _of_state(taint_key: str | None) -> bool:
    return (taint_key or "").startswith(_OF_KUBERNETES)
