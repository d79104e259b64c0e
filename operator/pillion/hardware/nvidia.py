"""What does GPU Feature Discovery say of a node's NVIDIA accelerators?

Whole cards, and slices where the MIG strategy is `single`, are `nvidia.com/gpu`; with the strategy `mixed` each kind
of slice is a resource (`nvidia.com/mig-1g.5gb`) with labels of its own. Time-slicing and MPS multiply a resource and
say so by the product's suffix `-SHARED`, or by the resource's, `.shared`, where it is renamed.

Source: NVIDIA/k8s-device-plugin at 1b826acc, docs/gpu-feature-discovery/README.md; labels of nodes in public
repositories.
"""

from typing import Final

from pillion.hardware import clouds, gpus, mig, products
from pillion.hardware.described import Described, Labels, Unreadable, number

RESOURCE: Final = "nvidia.com/gpu"
PRODUCT: Final = "nvidia.com/gpu.product"
MEMORY: Final = "nvidia.com/gpu.memory"
_SHARED_RESOURCE: Final = ".shared"
_SHARING_STRATEGIES: Final = frozenset({"time-slicing", "mps"})


def is_nvidia(resource: str) -> bool:
    """Whether a resource is accelerators that feature discovery describes."""
    return resource in {RESOURCE, RESOURCE + _SHARED_RESOURCE} or resource.startswith(mig.RESOURCE_PREFIX)


def described(resource: str, labels: Labels, total: int) -> Described | Unreadable:
    """What its labels say; `total` is how many of the resource the node offers."""
    key = resource.removesuffix(_SHARED_RESOURCE)
    if key.startswith(mig.RESOURCE_PREFIX):
        return _own_slices(resource, key, labels)
    return _node_wide(resource, labels, total)


def _node_wide(resource: str, labels: Labels, total: int) -> Described | Unreadable:
    named = products.parsed(labels[PRODUCT])
    if named.profile == products.INVALID_SLICE:
        return Unreadable(
            why=f"{PRODUCT} is {labels[PRODUCT]}: its slices are not all alike, as the MIG strategy single needs them"
        )
    replicas = _replicas(resource, labels, prefix=RESOURCE, named_shared=named.shared)
    told = number(labels.get("nvidia.com/gpu.count"))
    if told and total > told * replicas:
        return Unreadable(
            why=f"its labels tell of {told * replicas} ({labels[PRODUCT]}): it has different products, of which labels "
            "name one, or shares that no label tells of"
        )
    row = gpus.find(named.card)
    label_mib = number(labels.get(MEMORY))
    if label_mib is None and named.profile is not None and row is not None:
        label_mib = _table_mib(row.product, named.profile)
    elif label_mib is None and row is not None:
        label_mib = row.label_mib
    if label_mib is None:
        return Unreadable(why=f"{labels[PRODUCT]} has no label {MEMORY} and is no product that Pillion knows")
    return _made(
        products.Product(card=named.card, profile=named.profile, shared=replicas > 1),
        labels,
        label_mib=label_mib,
        replicas=replicas,
        naming_key=PRODUCT,
        prefix=RESOURCE,
    )


def _own_slices(resource: str, key: str, labels: Labels) -> Described | Unreadable:
    """Slices that are a resource of their own."""
    profile = key.removeprefix(mig.RESOURCE_PREFIX)
    own = labels.get(f"{key}.product")
    on_card = labels.get(PRODUCT)
    if own is None and on_card is None:
        return Unreadable(why=f"no label says which card they are slices of; {PRODUCT} would")
    named = products.parsed(own or on_card or "")
    label_mib = number(labels.get(f"{key}.memory")) or _table_mib(named.card, profile)
    if label_mib is None:
        return Unreadable(
            why=f"no label {key}.memory says how large they are, and {named.card} is not known to have such slices"
        )
    replicas = _replicas(resource, labels, prefix=key, named_shared=named.shared and own is not None)
    return _made(
        products.Product(card=named.card, profile=profile, shared=replicas > 1),
        labels,
        label_mib=label_mib,
        replicas=replicas,
        naming_key=f"{key}.product" if own is not None else PRODUCT,
        prefix=key,
    )


def _made(
    product: products.Product, labels: Labels, *, label_mib: int, replicas: int, naming_key: str, prefix: str
) -> Described:
    row = gpus.find(product.card)
    major = number(labels.get("nvidia.com/gpu.compute.major"))
    minor = number(labels.get("nvidia.com/gpu.compute.minor"))
    table = row.compute_capability if row is not None else None
    card = (
        product.card if product.profile is None else f"{product.card}{products.SLICE_MARK}{product.profile}"
    )
    naming: list[tuple[str, str | None]] = [(naming_key, labels[naming_key])]
    if clouds.GKE_ACCELERATOR in labels:
        # GKE's own plugin shares cards without the labeller's knowledge: its label alone tells them from whole ones.
        naming.append((clouds.GKE_CLIENTS, labels.get(clouds.GKE_CLIENTS)))
    elif replicas > 1 and f"{prefix}.replicas" in labels:
        # Shares of one name on nodes that divide a card differently are different accelerators.
        naming.append((f"{prefix}.replicas", labels[f"{prefix}.replicas"]))
    return Described(
        product=product.name,
        vendor="nvidia",
        memory=gpus.usable_memory(card, label_mib=label_mib),
        compute_capability=(major, minor or 0) if major is not None else table,
        replicas=replicas,
        sliced=product.profile is not None,
        naming=tuple(naming),
    )


def _replicas(resource: str, labels: Labels, *, prefix: str, named_shared: bool) -> int:
    """Among how many pods one piece is shared: at least two where something says that it is shared at all."""
    told = max(number(labels.get(f"{prefix}.replicas")) or 1, number(labels.get(clouds.GKE_CLIENTS)) or 1)
    strategy = labels.get(f"{prefix}.sharing-strategy", labels.get("nvidia.com/gpu.sharing-strategy"))
    if named_shared or resource.endswith(_SHARED_RESOURCE) or strategy in _SHARING_STRATEGIES:
        return max(2, told)
    return told


def _table_mib(card: str, profile: str) -> int | None:
    row = gpus.find(card)
    cut = mig.profile(row.product if row is not None else card, profile)
    return cut.label_mib if cut is not None else None
