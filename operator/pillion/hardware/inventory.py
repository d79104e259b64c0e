"""What do the nodes offer now, and how much of it is free?

Nodes and pods come as the API server gave them; nothing of them is changed. The order of nodes does not
matter.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pillion.hardware import labels as node_labels
from pillion.hardware import pods as pod_requests
from pillion.hardware import quantities
from pillion.hardware.model import AcceleratorPool, Inventory, NodeAccelerators, NodeRoom, Raw

_RESOURCES = (node_labels.NVIDIA, node_labels.AMD)
_UNPLANNED = ("nvidia.com/mig-", "nvidia.com/gpu.shared", "gpu.intel.com/", "habana.ai/", "google.com/tpu")
_KEEPING_AWAY = frozenset({"NoSchedule", "NoExecute"})
_CORDON_TAINT = "node.kubernetes.io/unschedulable"

_PoolKey = tuple[str, str, str]  # product, resource, the label that names it
_Member = tuple[node_labels.Described, NodeAccelerators]


def inventory(nodes: Sequence[Raw], pods: Iterable[Raw]) -> Inventory:
    """Accelerators by product, and the room on every node.

    Args:
        nodes: Node objects.
        pods: Pod objects of these nodes. Finished pods, and pods that have no node yet, take nothing.
    """
    taken = _taken_by_node(pods)
    rooms: dict[str, NodeRoom] = {}
    members: defaultdict[_PoolKey, list[_Member]] = defaultdict(list)
    notes: list[str] = []
    for node in sorted(nodes, key=_name):
        name, used = _name(node), taken.get(_name(node), {})
        room = _room(node, used)
        rooms[name] = room
        allocatable = _allocatable(node)
        notes += _unplanned_resources(name, allocatable)
        for resource in _RESOURCES:
            total = quantities.whole(allocatable.get(resource))
            if total == 0:
                continue
            described = node_labels.describe(resource, room.labels)
            if isinstance(described, str):
                notes.append(f"node {name} has {total} x {resource}: {described}")
                continue
            there = NodeAccelerators(room=room, total=total, free=max(0, total - used.get(resource, 0)))
            members[described.product, resource, described.label[0]].append((described, there))
    return Inventory(
        accelerators=tuple(_pool(key, members[key]) for key in sorted(members)),
        nodes=tuple(rooms[name] for name in sorted(rooms)),
        any_accelerator=bool(members or notes),
        notes=tuple(notes),
    )


def _pool(key: _PoolKey, members: Sequence[_Member]) -> AcceleratorPool:
    product, resource, label = key
    # Drivers show slightly different totals of one product; a plan has to hold on each node.
    smallest = min((described for described, _ in members), key=lambda each: each.memory.bytes)
    capabilities = [each.compute_capability for each, _ in members if each.compute_capability is not None]
    values = sorted({described.label[1] for described, _ in members})
    return AcceleratorPool(
        product=product,
        resource=resource,
        vendor=smallest.vendor,
        memory_bytes=smallest.memory.bytes,
        memory_source=smallest.memory.source,
        memory_verified=smallest.memory.verified,
        compute_capability=min(capabilities) if len(capabilities) == len(members) else None,
        nodes=tuple(there for _, there in members),
        node_requirements=({"key": label, "operator": "In", "values": values},),
        shared=any(described.shared for described, _ in members),
        replicas=max(described.replicas for described, _ in members),
    )


def _room(node: Raw, used: Mapping[str, int]) -> NodeRoom:
    allocatable = _allocatable(node)
    cpu = quantities.millis(allocatable.get(pod_requests.CPU))
    memory = quantities.whole(allocatable.get(pod_requests.MEMORY))
    ephemeral = quantities.whole(allocatable.get(pod_requests.EPHEMERAL))
    pods = quantities.whole(allocatable.get("pods", "110"))  # the kubelet's default
    taints = (node.get("spec") or {}).get("taints") or ()
    return NodeRoom(
        name=_name(node),
        labels=dict(node.get("metadata", {}).get("labels") or {}),
        taints=tuple(
            dict(taint)
            for taint in taints
            if taint.get("effect") in _KEEPING_AWAY and taint.get("key") != _CORDON_TAINT
        ),
        obstacle=_obstacle(node),
        allocatable_cpu_millis=cpu,
        allocatable_memory_bytes=memory,
        allocatable_ephemeral_bytes=ephemeral,
        allocatable_pods=pods,
        free_cpu_millis=max(0, cpu - used.get(pod_requests.CPU, 0)),
        free_memory_bytes=max(0, memory - used.get(pod_requests.MEMORY, 0)),
        free_ephemeral_bytes=max(0, ephemeral - used.get(pod_requests.EPHEMERAL, 0)),
        free_pods=max(0, pods - used.get("pods", 0)),
    )


def _obstacle(node: Raw) -> str | None:
    """Why no pod can go to the node now. A node without a Ready condition has no kubelet to doubt."""
    if node.get("metadata", {}).get("deletionTimestamp"):
        return "being deleted"
    if (node.get("spec") or {}).get("unschedulable"):
        return "cordoned"
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = next((each.get("status") for each in conditions if each.get("type") == "Ready"), "True")
    return None if ready == "True" else "not ready"


def _taken_by_node(pods: Iterable[Raw]) -> dict[str, dict[str, int]]:
    taken: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for pod in pods:
        spec = pod.get("spec") or {}
        node = spec.get("nodeName")
        if not node or pod_requests.finished(pod):
            continue
        for name, amount in pod_requests.requests(spec).items():
            taken[node][name] += amount
        taken[node]["pods"] += 1
    return {node: dict(amounts) for node, amounts in taken.items()}


def _unplanned_resources(name: str, allocatable: Raw) -> list[str]:
    """Slices with a resource of their own, and other vendors' accelerators: seen, said, not planned with."""
    return [
        f"node {name} has {allocatable[resource]} x {resource}, which this version cannot plan with"
        for resource in sorted(allocatable)
        if resource.startswith(_UNPLANNED) and quantities.whole(allocatable[resource]) > 0
    ]


def _allocatable(node: Raw) -> Raw:
    status = node.get("status") or {}
    allocatable: Raw = status.get("allocatable") or status.get("capacity") or {}
    return allocatable


def _name(node: Raw) -> str:
    name: str = node["metadata"]["name"]
    return name
