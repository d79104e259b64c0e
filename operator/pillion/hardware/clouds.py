"""What do a cloud's own labels say of a node's accelerators?

They name a product that our table knows, are there before any driver is, and are what the cloud's autoscaler knows of
nodes that it has not made yet. AKS labels nodes with the maker alone, and AWS's managed node groups with nothing; the
type of the machine, which every cloud's nodes have, tells there.

Sources: GKE: cloud.google.com/kubernetes-engine/docs, "GPU time-sharing" and "Multi-instance GPUs"; EKS:
aws/karpenter-provider-aws at 1d927085, instance-types.md, and docs.aws.amazon.com/eks, "Auto Mode", for the same
labels below eks.amazonaws.com; AKS: learn.microsoft.com/azure/aks/use-labels and node auto-provisioning.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from pillion.hardware import gpus, products, tables
from pillion.hardware.described import Described, Labels, Naming, Unreadable, number

GKE_ACCELERATOR: Final = "cloud.google.com/gke-accelerator"
GKE_PARTITION: Final = "cloud.google.com/gke-gpu-partition-size"
GKE_CLIENTS: Final = "cloud.google.com/gke-max-shared-clients-per-gpu"
GKE_SHARING: Final = "cloud.google.com/gke-gpu-sharing-strategy"
INSTANCE_TYPE: Final = "node.kubernetes.io/instance-type"


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudLabel:
    """A label that names a product."""

    key: str
    alias: str  # what the table calls this way of naming
    memory_key: str | None = None  # a label whose memory tells two products of one name apart
    known_by: str = ""  # a label that nodes of such clusters have, with or without accelerators


LABELS: Final = (
    CloudLabel(key=GKE_ACCELERATOR, alias="gke", known_by="cloud.google.com/gke-nodepool"),
    CloudLabel(
        key="eks.amazonaws.com/instance-gpu-name",
        alias="karpenter",
        memory_key="eks.amazonaws.com/instance-gpu-memory",
        known_by="eks.amazonaws.com/compute-type",
    ),
    CloudLabel(
        key="karpenter.k8s.aws/instance-gpu-name",
        alias="karpenter",
        memory_key="karpenter.k8s.aws/instance-gpu-memory",
        known_by="karpenter.k8s.aws/instance-family",
    ),
    CloudLabel(
        key="karpenter.azure.com/sku-gpu-name", alias="azure", known_by="karpenter.azure.com/sku-family"
    ),
    # The autoscaler's examples for AWS spell it as GKE does; users write it themselves, also as Karpenter does.
    CloudLabel(key="k8s.amazonaws.com/accelerator", alias="gke"),
    CloudLabel(key="k8s.amazonaws.com/accelerator", alias="karpenter"),
)


def described(labels: Labels) -> Described | Unreadable | None:
    """What they say of `nvidia.com/gpu`, or of `amd.com/gpu`; None where no such label is there."""
    for row, naming in _named(labels):
        return _made(row, naming, labels)
    by_type = _by_type(labels)
    if by_type is not None:
        return _made(by_type, ((INSTANCE_TYPE, labels[INSTANCE_TYPE]),), labels)
    unknown = next((label for label in LABELS if label.key in labels), None)
    if unknown is None:
        return None
    return Unreadable(why=f"{unknown.key}={labels[unknown.key]} is no product that Pillion knows")


def namings(labels: Labels) -> Iterator[tuple[str, Naming]]:
    """Each way in which the cloud's labels name a product; what the machine's type says is not one of them."""
    for row, naming in _named(labels):
        described = _made(row, naming, labels)
        yield described.product, described.naming


def label_of(product: str, labels: Labels) -> tuple[tuple[str, str], ...] | None:
    """By which labels a cluster with such nodes would name a product that none of them has."""
    named = products.parsed(product)
    row = gpus.by_product(named.card)
    for label in LABELS:
        if label.known_by and label.known_by in labels:
            for name in sorted(row.cloud_labels) if row is not None else ():
                alias, _, value = name.partition("=")
                if alias == label.alias:
                    value, _, memory = value.partition("/")
                    naming: list[tuple[str, str]] = [(label.key, value)]
                    if memory and label.memory_key is not None:
                        naming.append((label.memory_key, memory))
                    if label.key == GKE_ACCELERATOR and named.profile is not None:
                        naming.append((GKE_PARTITION, named.profile))
                    return tuple(naming)
    return None


def selects(node_selector: Labels, product: str) -> bool:
    """Whether a node selector names a product in a way that an autoscaler knows."""
    by_type = _by_type(node_selector)
    return any(row.product == product for row, _ in _named(node_selector)) or (
        by_type is not None and by_type.product == product
    )


def _named(labels: Labels) -> Iterator[tuple[gpus.GpuModel, Naming]]:
    for label in LABELS:
        value = labels.get(label.key)
        if value is None:
            continue
        row = gpus.by_cloud_label(f"{label.alias}={value}")
        if row is not None:
            yield row, ((label.key, value),)
            continue
        memory = labels.get(label.memory_key) if label.memory_key is not None else None
        row = gpus.by_cloud_label(f"{label.alias}={value}/{memory}")
        if row is not None and label.memory_key is not None:
            yield row, ((label.key, value), (label.memory_key, memory))


def _made(row: gpus.GpuModel, naming: Naming, labels: Labels) -> Described:
    """With what GKE says of slices and of sharing."""
    profile = labels.get(GKE_PARTITION)
    strategy = labels.get(GKE_SHARING)
    told = number(labels.get(GKE_CLIENTS)) or 1
    replicas = max(2, told) if strategy in {"time-sharing", "mps"} else told
    product = products.Product(
        card=row.product, profile=profile.replace("+", ".") if profile else None, shared=replicas > 1
    )
    found = gpus.find(product.name) or row
    if naming[0][0] == GKE_ACCELERATOR:
        # Whole cards, slices and shares have the same product there, and other labels beside it.
        naming = (*naming, (GKE_PARTITION, profile), (GKE_CLIENTS, labels.get(GKE_CLIENTS)))
    return Described(
        product=product.name,
        vendor=row.vendor,
        memory=gpus.usable_memory(
            products.Product(card=row.product, profile=product.profile).name, label_mib=found.label_mib
        ),
        compute_capability=row.compute_capability,
        naming=naming,
        replicas=replicas,
        sliced=profile is not None,
    )


def _by_type(labels: Labels) -> gpus.GpuModel | None:
    machine = labels.get(INSTANCE_TYPE)
    return _product_of_type(machine) if machine is not None else None


@functools.lru_cache(maxsize=1024)
def _product_of_type(machine: str) -> gpus.GpuModel | None:
    rows = tables.rows("instance_types.csv")
    product = next((row["product"] for row in rows if fnmatchcase(machine, row["pattern"])), None)
    return gpus.by_product(product) if product is not None else None
