"""What do the nodes offer now, and how much of it is free?

Nodes and pods come as the API server gave them; nothing of them is changed. The order of nodes does not
matter.
"""

from collections.abc import Iterable, Sequence

from pillion.hardware import labels as node_labels
from pillion.hardware import pods as pod_requests
from pillion.hardware import pools, quantities, rooms
from pillion.hardware.described import Unreadable
from pillion.hardware.model import Inventory, NodeAccelerators, NodeRoom, Raw


def inventory(nodes: Sequence[Raw], pods: Iterable[Raw]) -> Inventory:
    """Accelerators by product, and the room on every node.

    Args:
        nodes: Node objects.
        pods: Pod objects of these nodes. Finished pods, and pods that have no node yet, take nothing.
    """
    taken = pod_requests.taken_by_node(pods)
    found: list[NodeRoom] = []
    members: list[pools.Member] = []
    notes: list[str] = []
    remarks: list[str] = []
    unreadable: set[str] = set()
    for node in sorted(nodes, key=_name):
        name = _name(node)
        used = taken.get(name, {})
        room = rooms.room(node, used)
        found.append(room)
        allocatable = rooms.allocatable(node)
        for resource in sorted(allocatable):
            if "/" not in resource:
                continue
            other_kind = node_labels.is_other_kind(resource)
            if not other_kind and not node_labels.is_accelerator(resource):
                continue
            total = quantities.whole(allocatable[resource])
            if total == 0:
                continue
            if other_kind:
                notes.append(f"node {name} has {total} x {resource}, which this version cannot plan with")
                continue
            said = node_labels.relevant(room.labels)
            described = node_labels.describe(resource, said, total=total)
            if isinstance(described, Unreadable):
                notes.append(f"node {name} has {total} x {resource}: {described.why}")
                unreadable.add(resource)
                continue
            there = NodeAccelerators(room=room, total=total, free=max(0, total - used.get(resource, 0)))
            ways = node_labels.namings(described, said)
            members.append(pools.Member(described=described, there=there, resource=resource, namings=ways))
            differing = node_labels.disagreement(described, said)
            if differing is not None:
                remarks.append(f"node {name}: {differing}")
    return Inventory(
        accelerators=pools.pools(members),
        nodes=tuple(found),
        any_accelerator=bool(members or notes),
        notes=tuple(notes),
        unreadable=frozenset(unreadable),
        remarks=tuple(remarks),
    )


def _name(node: Raw) -> str:
    name: str = node["metadata"]["name"]
    return name
