"""What would a cluster look like that has accelerators of one product?

For planning without a cluster, and for what the cluster does not have yet. The nodes are made as labels would show
them and read like any others. Their CPU, memory and disk are larger than anything that is planned for, so that
the accelerators alone decide.
"""

from typing import Any, Final

from pillion.hardware import clouds, gpus, labels, others
from pillion.hardware.inventory import inventory
from pillion.hardware.model import AcceleratorPool, Inventory

# For each accelerator: more than a real node has, so that none of it is what a plan fails by.
_CORES: Final = 64
_MEMORY_GIB: Final = 1024
_DISK_GIB: Final = 4096


class UnknownProductError(ValueError):
    """A name that is no known accelerator's; caught by who asked the user for it, and worth showing as it is."""


def imagined(product: str, gpus_per_node: int, nodes: int = 1) -> Inventory:
    """The inventory of nodes with accelerators of one product, all free.

    Args:
        product: any name that `gpus.find` accepts; with `-MIG-` its slices, with `-SHARED` its shares.
        gpus_per_node: accelerators (or slices, or shares) of one node.
        nodes: how many such nodes.

    Raises:
        UnknownProductError: no such product is known, or it cannot be planned with; the nearest names are told.
        ValueError: a number is below 1.
    """
    if gpus_per_node < 1 or nodes < 1:
        raise ValueError(f"{gpus_per_node} accelerators on {nodes} nodes: both have to be 1 or more")
    found = gpus.find(product)
    if found is None:
        raise UnknownProductError(_unknown(product))
    if found.vendor not in _RESOURCES:
        raise UnknownProductError(f"{found.product}: accelerators of {found.vendor} cannot be planned with")
    return inventory([_node(found, gpus_per_node, number) for number in range(1, nodes + 1)], ())


def _node(gpu: gpus.GpuModel, count: int, number: int) -> dict[str, Any]:
    name = f"imagined-{number}"
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **_labels(gpu, count)}},
        "status": {
            "allocatable": {
                "cpu": str(_CORES * count),
                "memory": f"{_MEMORY_GIB * count}Gi",
                "ephemeral-storage": f"{_DISK_GIB * count}Gi",
                "pods": "250",
                _RESOURCES[gpu.vendor]: str(count),
            }
        },
    }


def _unknown(product: str) -> str:
    near = gpus.nearest(product)
    if not near:
        return f"{product!r} is no accelerator that Pillion knows"
    if len(near) > 1 and all(f"-{product}-".lower() in f"-{each}-".lower() for each in near):
        return f"{product!r} may be several accelerators; name one, such as {', '.join(near)}"
    return f"{product!r} is no accelerator that Pillion knows; near it are {', '.join(near)}"


def awaited(product: str, inventory: Inventory) -> AcceleratorPool | None:
    """Accelerators that no node has and an autoscaler may add; None where their name is not the table's.

    Their nodes are asked for by the cloud's own label where the other nodes are of a cloud whose label is known, since
    its autoscaler knows that of nodes to come; otherwise by the label that the maker's labeller would write.
    """
    gpu = gpus.find(product)
    if gpu is None or gpu.product != product or gpu.vendor not in _RESOURCES:
        return None
    of_cloud = (clouds.label_of(product, room.labels) for room in inventory.nodes)
    naming = next(
        (found for found in of_cloud if found is not None), ((_PRODUCT_LABELS[gpu.vendor], product),)
    )
    memory = gpus.usable_memory(product, label_mib=gpu.label_mib)
    return AcceleratorPool(
        product=product,
        resource=_RESOURCES[gpu.vendor],
        vendor=gpu.vendor,
        memory_bytes=memory.bytes,
        memory_source=memory.source,
        memory_verified=memory.verified,
        compute_capability=gpu.compute_capability,
        nodes=(),
        node_requirements=tuple({"key": key, "operator": "In", "values": [value]} for key, value in naming),
        shared=gpu.shared,
        sliced=gpu.sliced,
        replicas=2 if gpu.shared else 1,  # at least two; how many is not known before there is a node
    )


_RESOURCES: Final = {"nvidia": labels.NVIDIA, "amd": labels.AMD, "intel": "gpu.intel.com/xe"}
_PRODUCT_LABELS: Final = {"nvidia": labels.PRODUCT, "amd": others.AMD_PRODUCT, "intel": others.INTEL_PRODUCT}


def _labels(gpu: gpus.GpuModel, count: int) -> dict[str, str]:
    """The labels that the maker's own labeller would write."""
    if gpu.vendor == "amd":
        return {others.AMD_PRODUCT: gpu.product, others.AMD_VRAM: f"{gpu.label_mib // 1024}G"}
    if gpu.vendor == "intel":
        return {others.INTEL_PRODUCT: gpu.product}
    found = {
        labels.PRODUCT: gpu.product,
        "nvidia.com/gpu.memory": str(gpu.label_mib),
        "nvidia.com/gpu.count": str(count),
    }
    if gpu.compute_capability is not None:
        major, minor = gpu.compute_capability
        found |= {"nvidia.com/gpu.compute.major": str(major), "nvidia.com/gpu.compute.minor": str(minor)}
    return found
