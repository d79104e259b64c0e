"""What do AMD's and Intel's own labellers say of a node's accelerators?

Both are used only where the user names the product and the engine's image. AMD's labeller cannot always tell a card's
name (a virtual function has none); its PCI device then does. Older versions of it write labels below `beta.amd.com/`,
with the value in the key and the count as value.

Sources: ROCm/k8s-device-plugin at ed764684, docs/user-guide; github.com/intel/intel-device-plugins-for-kubernetes,
cmd/gpu_plugin, labels.md; ROCm/gpu-operator, gpu-nfd-default-rule.yaml, for devices.
"""

import functools
from typing import Final

from pillion.hardware import gpus, tables
from pillion.hardware.described import Described, Labels, Unreadable, number

AMD: Final = "amd.com/gpu"
INTEL: Final = frozenset({"gpu.intel.com/i915", "gpu.intel.com/xe"})
AMD_PRODUCT: Final = "amd.com/gpu.product-name"
AMD_VRAM: Final = "amd.com/gpu.vram"
INTEL_PRODUCT: Final = "gpu.intel.com/product"
_INTEL_DEVICE: Final = "gpu.intel.com/device-id."


def amd(labels: Labels) -> Described | Unreadable | None:
    """What AMD's labeller says; None where it is silent."""
    if any(key.startswith("beta.amd.com/gpu.device-id.") for key in labels):
        devices = [key for key in labels if key.startswith("beta.amd.com/gpu.device-id.")]
        of = {gpu.product for key in devices if (gpu := _device(key.rpartition(".")[2])) is not None}
        if len(devices) > 1 and len(of) > 1:
            return Unreadable(
                why=f"it has different products ({', '.join(sorted(of))}), and pods get any of them"
            )
    for key in (AMD_PRODUCT, f"beta.{AMD_PRODUCT}"):
        if key in labels:
            return _amd_made(labels[key], labels, naming=(key, labels[key]))
    for key in ("amd.com/gpu.device-id", "beta.amd.com/gpu.device-id"):
        row = _device(labels.get(key, ""))
        if row is not None:
            return _amd_made(row.product, labels, naming=(key, labels[key]))
    for key in sorted(labels):
        row = _device(key.rpartition(".")[2]) if key.startswith("beta.amd.com/gpu.device-id.") else None
        if row is not None:
            return _amd_made(row.product, labels, naming=(key, labels[key]))
    known = labels.get("amd.com/gpu.device-id")
    if known is not None:
        return Unreadable(
            why=f"amd.com/gpu.device-id={known} is no device that Pillion knows, and {AMD_PRODUCT} is absent"
        )
    return None


def _amd_made(product: str, labels: Labels, *, naming: tuple[str, str]) -> Described | Unreadable:
    row = gpus.find(product)
    label_mib = _vram_mib(labels) or (row.label_mib if row is not None else None)
    if label_mib is None:
        return Unreadable(why=f"{product} has no label {AMD_VRAM} and is no product that Pillion knows")
    name = row.product if row is not None else product
    return Described(
        product=product,
        vendor="amd",
        memory=gpus.usable_memory(name, label_mib=label_mib),
        compute_capability=None,
        naming=(naming,),
    )


def _vram_mib(labels: Labels) -> int | None:
    """Memory as the labeller says it: 192G (older: 191G, and the value in the key); newer ones in MiB."""
    told = labels.get(AMD_VRAM, labels.get(f"beta.{AMD_VRAM}"))
    if told is None:
        prefix = f"beta.{AMD_VRAM}."
        told = next((key.removeprefix(prefix) for key in sorted(labels) if key.startswith(prefix)), None)
    if told is None:
        return None
    gibibytes = number(told.removesuffix("G")) if told.endswith("G") else None
    return gibibytes * 1024 if gibibytes is not None else number(told)


def intel(labels: Labels, total: int) -> Described | Unreadable | None:
    """What Intel's rules of node feature discovery say; None where they are silent."""
    product = labels.get(INTEL_PRODUCT)
    naming: tuple[str, str] | None = (INTEL_PRODUCT, product) if product is not None else None
    if product is None:
        for key in sorted(labels):
            if key.startswith(_INTEL_DEVICE) and key.endswith(".present"):
                row = _device(key.removesuffix(".present").rpartition("-")[2])
                if row is not None:
                    product, naming = row.product, (key, labels[key])
    if product is None or naming is None:
        device = next((key for key in sorted(labels) if key.startswith(_INTEL_DEVICE)), None)
        return None if device is None else Unreadable(why=f"{device} names no product that Pillion knows")
    row = gpus.find(product)
    if row is None:
        return Unreadable(why=f"{INTEL_PRODUCT}={product} is no product that Pillion knows")
    told = number(labels.get("gpu.intel.com/device.count"))
    replicas = -(-total // told) if told and total > told else 1
    return Described(
        product=product if replicas == 1 else f"{product}-SHARED",
        vendor="intel",
        memory=gpus.usable_memory(row.product, label_mib=row.label_mib),
        compute_capability=None,
        naming=(naming,),
        replicas=replicas,
    )


def _device(device_id: str) -> gpus.GpuModel | None:
    product = _devices().get(device_id.lower().removeprefix("0x"))
    return gpus.by_product(product) if product is not None else None


@functools.cache
def _devices() -> dict[str, str]:
    return {row["device_id"]: row["product"] for row in tables.rows("pci_devices.csv")}
