"""What does a node with accelerators look like, as GPU Feature Discovery describes it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pillion.hardware import gpus
from tests.cluster import nodes
from tests.cluster.components import HOST

if TYPE_CHECKING:
    from benchmarks.api import Raw


def gpu_node(name: str, product: str, count: int, *, kubelet_version: str = "v1.36.3") -> Raw:
    """A node that KWOK plays, with so many accelerators of a product of Pillion's own table."""
    found = gpus.find(product)
    assert found is not None, f"{product} is not in the table of accelerators"
    assert found.compute_capability is not None, f"{product} has no compute capability"
    major, minor = found.compute_capability
    labels = {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.memory": str(found.label_mib),
        "nvidia.com/gpu.compute.major": str(major),
        "nvidia.com/gpu.compute.minor": str(minor),
        "nvidia.com/gpu.count": str(count),
        "nvidia.com/cuda.driver-version.major": "580",
        "nvidia.com/cuda.runtime-version.major": "13",
        "nvidia.com/cuda.runtime-version.minor": "0",
    }
    return nodes.node(
        name,
        labels=labels,
        allocatable={"nvidia.com/gpu": str(count), "cpu": "64", "memory": "512Gi"},
        address=HOST,
        kubelet_version=kubelet_version,
    )
