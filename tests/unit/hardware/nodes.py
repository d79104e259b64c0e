"""Nodes and pods as the API server shows them, built to read as sentences."""

from typing import Any

Raw = dict[str, Any]

CARDS = {
    # product: (label in MiB, compute capability)
    "Tesla-T4": (15_360, (7, 5)),
    "NVIDIA-L4": (23_034, (8, 9)),
    "NVIDIA-A10G": (23_028, (8, 6)),
    "NVIDIA-L40S": (46_068, (8, 9)),
    "NVIDIA-A100-SXM4-40GB": (40_960, (8, 0)),
    "NVIDIA-H100-80GB-HBM3": (81_559, (9, 0)),
    "Tesla-V100-SXM2-16GB": (16_384, (7, 0)),
}


def node(
    name: str,
    *,
    labels: dict[str, str] | None = None,
    allocatable: dict[str, str] | None = None,
    taints: list[Raw] | None = None,
    ready: str = "True",
    cpu: str = "8",
    memory: str = "32Gi",
    **spec: Any,
) -> Raw:
    """A node with 8 cores, 32 GiB and 200 GiB of disk, unless it is said otherwise."""
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": {**({"taints": taints} if taints else {}), **spec},
        "status": {
            "allocatable": {
                "cpu": cpu,
                "memory": memory,
                "ephemeral-storage": "200Gi",
                "pods": "110",
                **(allocatable or {}),
            },
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


def gpu_node(name: str, product: str, count: int = 1, *, label_mib: int | None = None, **more: Any) -> Raw:
    """A node whose accelerators GPU Feature Discovery has described."""
    mib, (major, minor) = CARDS[product.removesuffix("-SHARED")]
    labels = {
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.memory": str(label_mib or mib),
        "nvidia.com/gpu.count": str(count),
        "nvidia.com/gpu.compute.major": str(major),
        "nvidia.com/gpu.compute.minor": str(minor),
        **more.pop("labels", {}),
    }
    allocatable = {"nvidia.com/gpu": str(count), **more.pop("allocatable", {})}
    return node(name, labels=labels, allocatable=allocatable, **more)


def pod(on: str | None, *, phase: str = "Running", **requests: str) -> Raw:
    """A pod with one container; `gpu` stands for nvidia.com/gpu."""
    wanted = {("nvidia.com/gpu" if key == "gpu" else key): value for key, value in requests.items()}
    return {
        "metadata": {"name": "pod"},
        "spec": {"nodeName": on, "containers": [{"name": "app", "resources": {"requests": wanted}}]},
        "status": {"phase": phase},
    }
