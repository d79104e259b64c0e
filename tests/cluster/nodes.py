"""What does a simulated node look like to the scheduler and to the operator?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# KWOK plays the nodes that carry this annotation, and no others.
MANAGED = {"kwok.x-k8s.io/node": "fake"}

# A mid-sized cloud machine; `add_node` changes what a test is about.
DEFAULT_ALLOCATABLE = {"cpu": "16", "memory": "64Gi", "ephemeral-storage": "200Gi", "pods": "110"}


def node(
    name: str,
    *,
    labels: Mapping[str, str] | None = None,
    allocatable: Mapping[str, str] | None = None,
    taints: Sequence[Mapping[str, str]] = (),
    address: str,
    kubelet_version: str,
    managed: bool = True,
) -> dict[str, Any]:
    """A Node to create. `allocatable` is laid over the default, and capacity equals it.

    Args:
        name: the node's name, also its hostname label.
        labels: more labels, for example those of GPU feature discovery.
        allocatable: more or other quantities, for example `{"nvidia.com/gpu": "2"}`.
        taints: as in a Node's spec.
        address: the node's internal IP.
        kubelet_version: what the node says in its status.
        managed: False leaves it without KWOK, so that it never becomes ready.
    """
    resources = {**DEFAULT_ALLOCATABLE, **(allocatable or {})}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                **(labels or {}),
            },
            "annotations": dict(MANAGED) if managed else {},
        },
        "spec": {"taints": [dict(taint) for taint in taints]},
        "status": {
            # Said outright, because a node that says nothing is left untainted until the grace period is over.
            "conditions": [{"type": "Ready", "status": "False", "reason": "Starting"}],
            "capacity": resources,
            "allocatable": resources,
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "",
                "containerRuntimeVersion": "kwok://simulated",
                "kernelVersion": "",
                "kubeProxyVersion": "",
                "kubeletVersion": kubelet_version,
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": "simulated",
                "systemUUID": "",
            },
        },
    }


def is_ready(raw: Mapping[str, Any]) -> bool:
    """Whether the node says so and the taint of a new node, which keeps pods away, is gone."""
    ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in raw.get("status", {}).get("conditions") or []
    )
    tainted = any(t["key"] == "node.kubernetes.io/not-ready" for t in raw["spec"].get("taints") or [])
    return ready and not tainted
