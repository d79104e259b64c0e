"""What accelerators and nodes the cluster has, from the nodes' labels and the pods' requests."""

from pillion.hardware.imagining import UnknownProductError, awaited, imagined
from pillion.hardware.inventory import inventory
from pillion.hardware.model import AcceleratorPool, Inventory, NodeAccelerators, NodeRoom, Raw

__all__ = [
    "AcceleratorPool",
    "Inventory",
    "NodeAccelerators",
    "NodeRoom",
    "Raw",
    "UnknownProductError",
    "awaited",
    "imagined",
    "inventory",
]
