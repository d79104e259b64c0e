"""Which accelerators does a node's labels say it has?

Three ways to know, tried in this order, because each says less than the one before:
1. GPU Feature Discovery (`nvidia.com/gpu.product`, memory, compute capability, sharing);
2. the cloud's own labels (GKE, Karpenter on AWS and Azure), which name a product that our table knows;
3. AMD's node labeller (`amd.com/gpu.product-name`, vram).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pillion.hardware import gpus

NVIDIA = "nvidia.com/gpu"
AMD = "amd.com/gpu"
PRODUCT = "nvidia.com/gpu.product"
_SHARED_SUFFIX = "-SHARED"
_SLICE_MARK = "-MIG-"
_GKE = "cloud.google.com/gke-accelerator"
# (label that names the product, its alias in the table, label whose memory tells two of one name apart)
_CLOUD_LABELS = (
    (_GKE, "gke", None),
    ("karpenter.k8s.aws/instance-gpu-name", "karpenter", "karpenter.k8s.aws/instance-gpu-memory"),
    ("karpenter.azure.com/sku-gpu-name", "karpenter", None),
    ("k8s.amazonaws.com/accelerator", "gke", None),  # the autoscaler's examples spell it as GKE does
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """What a node's labels say of one accelerator resource."""

    product: str
    vendor: str
    memory: gpus.UsableMemory
    compute_capability: tuple[int, int] | None
    replicas: int  # into how many parts in time each accelerator is divided; 1 is whole
    sliced: bool  # a hardware slice (MIG)
    label: tuple[str, str]  # the label, and its value, that tells this product from others

    @property
    def shared(self) -> bool:
        """Whether one piece of the resource is less than one whole accelerator."""
        return self.replicas > 1 or self.sliced


def describe(resource: str, labels: Mapping[str, str]) -> Described | str:
    """What the labels say of a resource, or a sentence that says what is missing."""
    if resource == AMD:
        return _from_amd(labels)
    if PRODUCT in labels:
        return _from_feature_discovery(labels)
    return _from_cloud(labels)


def select(node_selector: Mapping[str, str], product: str) -> bool:
    """Whether a node selector names a product by a cloud's label, which its autoscaler knows."""
    rows = [gpus.by_cloud_label(f"{alias}={node_selector.get(label)}") for label, alias, _ in _CLOUD_LABELS]
    return any(row is not None and row.product == product for row in rows)


def _from_feature_discovery(labels: Mapping[str, str]) -> Described | str:
    product = labels[PRODUCT]
    whole_product = product.removesuffix(_SHARED_SUFFIX)
    row = gpus.by_product(whole_product.partition(_SLICE_MARK)[0])
    label_mib = _number(labels.get("nvidia.com/gpu.memory"))
    if label_mib is None:
        if row is None:
            return f"{product} has no label nvidia.com/gpu.memory and is no product that Pillion knows"
        label_mib = row.label_mib
    major = _number(labels.get("nvidia.com/gpu.compute.major"))
    if major is not None:
        capability: tuple[int, int] | None = (major, _number(labels.get("nvidia.com/gpu.compute.minor")) or 0)
    else:
        capability = row.compute_capability if row is not None else None
    replicas = _number(labels.get("nvidia.com/gpu.replicas")) or 1
    time_shared = labels.get("nvidia.com/gpu.sharing-strategy") in {"time-slicing", "mps"}
    if (time_shared or product.endswith(_SHARED_SUFFIX)) and replicas == 1:
        replicas = 2  # shared without saying among how many: at least two, and the user has named it
    return Described(
        product=product,
        vendor="nvidia",
        memory=gpus.usable_memory(whole_product, label_mib=label_mib),
        compute_capability=capability,
        replicas=replicas if time_shared or product.endswith(_SHARED_SUFFIX) else 1,
        sliced=_SLICE_MARK in product,
        label=(PRODUCT, product),
    )


def _from_cloud(labels: Mapping[str, str]) -> Described | str:
    for label, alias, memory_label in _CLOUD_LABELS:
        name = labels.get(label)
        if name is None:
            continue
        row = gpus.by_cloud_label(f"{alias}={name}")
        if row is None and memory_label is not None:
            row = gpus.by_cloud_label(f"{alias}={name}/{labels.get(memory_label)}")
        if row is None:
            return f"{label}={name} is no product that Pillion knows; {PRODUCT} would tell"
        replicas = _number(labels.get("cloud.google.com/gke-max-shared-clients-per-gpu")) or 1
        return Described(
            product=row.product,
            vendor=row.vendor,
            memory=gpus.usable_memory(row.product, label_mib=row.label_mib),
            compute_capability=row.compute_capability,
            replicas=replicas,
            sliced="cloud.google.com/gke-gpu-partition-size" in labels,
            label=(label, name),
        )
    return f"no label says which product it is; GPU Feature Discovery would write {PRODUCT}"


def _from_amd(labels: Mapping[str, str]) -> Described | str:
    key = "amd.com/gpu.product-name"
    product = labels.get(key)
    if product is None:
        return f"no label {key}; AMD's node labeller writes it"
    row = gpus.by_product(product)
    gibibytes = _number((labels.get("amd.com/gpu.vram") or "").removesuffix("G"))
    if gibibytes is not None:
        label_mib = gibibytes * 1024
    elif row is not None:
        label_mib = row.label_mib
    else:
        return f"{product} has no label amd.com/gpu.vram and is no product that Pillion knows"
    return Described(
        product=product,
        vendor="amd",
        memory=gpus.usable_memory(product, label_mib=label_mib),
        compute_capability=None,
        replicas=1,
        sliced=False,
        label=(key, product),
    )


def _number(text: str | None) -> int | None:
    """A label's whole number above zero or of zero; None where it is absent or no number."""
    return int(text) if text is not None and text.isdigit() else None
