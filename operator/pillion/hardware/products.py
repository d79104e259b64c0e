"""What does a product's name say: which card, which slice of it, and whether it is shared?

GPU Feature Discovery writes `NVIDIA-A100-SXM4-40GB-MIG-1g.5gb-SHARED`: the card, with `-MIG-` a hardware slice by
its profile, with `-SHARED` a card or slice that several pods take turns on. Users name accelerators the same way,
whether or not a label has the name (a slice that is a resource of its own, `nvidia.com/mig-1g.5gb`, has it in
`nvidia.com/mig-1g.5gb.product` alone).

Source: NVIDIA/k8s-device-plugin at 1b826acc, docs/gpu-feature-discovery/README.md.
"""

from dataclasses import dataclass
from typing import Final

SHARED_SUFFIX: Final = "-SHARED"
SLICE_MARK: Final = "-MIG-"
INVALID_SLICE: Final = "INVALID"  # what is written for a set of slices that the strategy cannot offer


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """A product's name in its parts."""

    card: str  # "NVIDIA-A100-SXM4-40GB"
    profile: str | None = None  # "1g.5gb", where it is a slice; "+me" is written ".me", as in resources
    shared: bool = False

    @property
    def name(self) -> str:
        """The whole name again."""
        sliced = f"{SLICE_MARK}{self.profile}" if self.profile else ""
        return f"{self.card}{sliced}{SHARED_SUFFIX if self.shared else ''}"


def parsed(name: str) -> Product:
    """The parts of a name."""
    whole = name.removesuffix(SHARED_SUFFIX)
    card, _, profile = whole.partition(SLICE_MARK)
    return Product(card=card, profile=profile.replace("+", ".") or None, shared=whole != name)
