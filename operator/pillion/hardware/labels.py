"""Which accelerators does a node's labels say it has?

Asked in this order, because each says less than the one before:
1. the maker's own labeller (GPU Feature Discovery, AMD's, Intel's), which has looked at the card;
2. the cloud's labels (GKE, EKS, AKS), which say what was ordered;
3. the type of the machine.
Where the first two name different cards, the one that has looked is believed, and the difference is told.
"""

import functools
from typing import Final

from pillion.hardware import clouds, gpus, nvidia, others, products
from pillion.hardware.described import Described, Labels, Naming, Unreadable

NVIDIA: Final = nvidia.RESOURCE
AMD: Final = others.AMD
PRODUCT: Final = nvidia.PRODUCT

# Accelerators, and parts of them, that are seen, said, and not planned with.
_OTHER_KINDS: Final = ("habana.ai/", "google.com/tpu", "aws.amazon.com/neuron", "amd.com/")
# Only labels that begin so are looked at, so that what is found can be kept for all nodes that are alike in them.
_PREFIXES: Final = (
    "nvidia.com/",
    "amd.com/",
    "beta.amd.com/",
    "gpu.intel.com/",
    "cloud.google.com/gke-",
    "karpenter.",
    "eks.amazonaws.com/",
    "k8s.amazonaws.com/",
    clouds.INSTANCE_TYPE,
)
_OWN_OF_A_NODE: Final = frozenset({"nvidia.com/gfd.timestamp", "eks.amazonaws.com/nodegroup"})
_NOT_ACCELERATORS: Final = frozenset({"karpenter.sh/nodepool", "karpenter.k8s.aws/ec2nodeclass"})

Relevant = frozenset[tuple[str, str]]


def is_accelerator(resource: str) -> bool:
    """Whether a node's resource is accelerators that can be planned with."""
    return nvidia.is_nvidia(resource) or resource == AMD or resource in others.INTEL


def is_other_kind(resource: str) -> bool:
    """Whether it is accelerators that cannot."""
    return resource.startswith(_OTHER_KINDS) and not is_accelerator(resource)


def relevant(labels: Labels) -> Relevant:
    """The labels that say something of accelerators; nodes of one kind have the same."""
    return frozenset(
        (key, value)
        for key, value in labels.items()
        if key.startswith(_PREFIXES) and key not in _OWN_OF_A_NODE and key not in _NOT_ACCELERATORS
    )


@functools.lru_cache(maxsize=4096)
def describe(resource: str, found: Relevant, *, total: int = 1) -> Described | Unreadable:
    """What the labels say of a resource of which the node offers `total`, or what is missing."""
    labels = dict(found)
    looked: Described | Unreadable | None
    if resource == AMD:
        looked = others.amd(labels)
        missing = f"no label {others.AMD_PRODUCT}; AMD's node labeller writes it"
    elif resource in others.INTEL:
        looked = others.intel(labels, total)
        missing = f"no label {others.INTEL_PRODUCT}; Intel's rules for node feature discovery write it"
    else:
        has_product = nvidia.PRODUCT in labels or f"{resource.removesuffix('.shared')}.product" in labels
        looked = nvidia.described(resource, labels, total) if has_product else None
        missing = f"no label says which product it is; GPU Feature Discovery would write {nvidia.PRODUCT}"
    if looked is not None:
        return looked
    ordered = clouds.described(labels) if resource in {NVIDIA, AMD} else None
    if isinstance(ordered, Described) and f"{ordered.vendor}.com/gpu" == resource:
        return ordered
    if isinstance(ordered, Unreadable):
        return Unreadable(why=f"{ordered.why}; {nvidia.PRODUCT} would tell")
    return Unreadable(why=missing)


@functools.lru_cache(maxsize=4096)
def namings(described: Described, found: Relevant) -> tuple[Naming, ...]:
    """All ways in which a node's labels name the product, the cloud's first: its autoscaler knows those."""
    own = _canonical(described.product)
    by_cloud = [naming for product, naming in clouds.namings(dict(found)) if _canonical(product) == own]
    return tuple(dict.fromkeys((*by_cloud, described.naming)))


@functools.lru_cache(maxsize=4096)
def disagreement(described: Described, found: Relevant) -> str | None:
    """What the cloud calls the card, where it is another one than the one that was found there."""
    if not described.naming[0][0].startswith(nvidia.RESOURCE):
        return None
    for product, naming in clouds.namings(dict(found)):
        if _canonical(products.parsed(product).card) != _canonical(products.parsed(described.product).card):
            key, value = naming[0]
            own_key, own_value = described.naming[0]
            return f"{own_key}={own_value} and {key}={value} name different cards; the first is believed"
    return None


def _canonical(product: str) -> str:
    """Older drivers leave the maker out of a card's name."""
    known = gpus.find(product)
    return known.product if known is not None else product
