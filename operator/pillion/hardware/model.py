"""What do the cluster's nodes offer?

Raw Kubernetes objects are read once into these values; the planner sees nothing else of the cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pillion.hardware.drivers import Driver

Raw = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeRoom:
    """One node: what it is labelled with, who may go there, and what is left on it.

    "Free" is what is allocatable minus what the pods that have not finished there request.
    """

    name: str
    labels: Mapping[str, str]
    taints: tuple[Raw, ...]  # those with effect NoSchedule or NoExecute
    obstacle: str | None  # why nothing can go there now: "cordoned", "not ready"
    allocatable_cpu_millis: int
    allocatable_memory_bytes: int
    allocatable_ephemeral_bytes: int
    allocatable_pods: int
    free_cpu_millis: int
    free_memory_bytes: int
    free_ephemeral_bytes: int
    free_pods: int
    driver: Driver | None = None  # NVIDIA's, where labels tell


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeAccelerators:
    """The accelerators of one kind on one node."""

    room: NodeRoom
    total: int
    free: int

    @property
    def name(self) -> str:
        """The node's name."""
        return self.room.name


@dataclass(frozen=True, kw_only=True, slots=True)
class AcceleratorPool:
    """All accelerators of one product, and the nodes that have them."""

    product: str
    resource: str  # what a container requests: "nvidia.com/gpu"
    vendor: str  # "nvidia", "amd"
    memory_bytes: int  # what the framework sees of one accelerator: never the marketing number
    memory_source: str  # how that was known, in words
    compute_capability: tuple[int, int] | None
    nodes: tuple[NodeAccelerators, ...]
    node_requirements: tuple[Raw, ...]  # NodeSelectorRequirements that tell this pool from the others
    memory_verified: bool = True  # False: no log or device dump has shown this card's memory
    shared: bool = False  # by time-slicing or MPS: several pods take turns on it
    sliced: bool = False  # a hardware slice: its memory is its own
    replicas: int = 1  # pods that one accelerator is shared among; each may count on its part alone

    @property
    def partial(self) -> bool:
        """Whether it is less than a whole accelerator, and so used only where the user names the product."""
        return self.shared or self.sliced

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from every other pool."""
        asked = (f"{each['key']}={','.join(each.get('values', ()))}" for each in self.node_requirements)
        return (self.resource, self.product, *asked)

    @property
    def total(self) -> int:
        """Accelerators of this product in the cluster."""
        return sum(node.total for node in self.nodes)

    @property
    def free(self) -> int:
        """Those that no pod requests, on nodes that take pods now."""
        return sum(node.free for node in self.nodes if node.room.obstacle is None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """What the cluster's nodes offer."""

    accelerators: tuple[AcceleratorPool, ...]
    nodes: tuple[NodeRoom, ...]  # all of them, by name; a CPU plan looks at these
    any_accelerator: bool = False  # also one that cannot be planned with: it keeps `Auto` from taking the CPU
    notes: tuple[str, ...] = ()  # accelerators that were seen and cannot be planned with, in sentences
    # Resources of which some node has accelerators that nobody can name.
    unreadable: frozenset[str] = frozenset()
    remarks: tuple[str, ...] = ()  # labels that contradict each other, in sentences
