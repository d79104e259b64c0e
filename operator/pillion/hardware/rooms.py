"""What room has a node, who may go there, and why can nothing go there now?"""

from collections.abc import Mapping
from typing import Final

from pillion.hardware import drivers, quantities
from pillion.hardware import pods as pod_requests
from pillion.hardware.model import NodeRoom, Raw

_KEEPING_AWAY: Final = frozenset({"NoSchedule", "NoExecute"})
_CORDON_TAINT: Final = "node.kubernetes.io/unschedulable"
_USUAL_PODS: Final = 110  # the kubelet's default


def room(node: Raw, used: Mapping[str, int]) -> NodeRoom:
    """A node's room, of which its pods take `used`."""
    metadata, spec = node["metadata"], node.get("spec") or {}
    labels = metadata.get("labels") or {}
    there = allocatable(node)
    cpu = quantities.millis(there.get(pod_requests.CPU))
    memory = quantities.whole(there.get(pod_requests.MEMORY))
    ephemeral = quantities.whole(there.get(pod_requests.EPHEMERAL))
    pods = quantities.whole(there.get("pods", _USUAL_PODS))
    return NodeRoom(
        name=metadata["name"],
        labels=labels,
        taints=tuple(
            taint
            for taint in spec.get("taints") or ()
            if taint.get("effect") in _KEEPING_AWAY and taint.get("key") != _CORDON_TAINT
        ),
        obstacle=_obstacle(node),
        driver=drivers.driver(labels),
        allocatable_cpu_millis=cpu,
        allocatable_memory_bytes=memory,
        allocatable_ephemeral_bytes=ephemeral,
        allocatable_pods=pods,
        free_cpu_millis=max(0, cpu - used.get(pod_requests.CPU, 0)),
        free_memory_bytes=max(0, memory - used.get(pod_requests.MEMORY, 0)),
        free_ephemeral_bytes=max(0, ephemeral - used.get(pod_requests.EPHEMERAL, 0)),
        free_pods=max(0, pods - used.get(pod_requests.PODS, 0)),
    )


def allocatable(node: Raw) -> Raw:
    """What a node offers to pods; a node without a kubelet has its capacity alone."""
    status = node.get("status") or {}
    found: Raw = status.get("allocatable") or status.get("capacity") or {}
    return found


def _obstacle(node: Raw) -> str | None:
    """Why no pod can go to the node now. A node without a Ready condition has no kubelet to doubt."""
    if node["metadata"].get("deletionTimestamp"):
        return "being deleted"
    if (node.get("spec") or {}).get("unschedulable"):
        return "cordoned"
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = next((each.get("status") for each in conditions if each.get("type") == "Ready"), "True")
    return None if ready == "True" else "not ready"
