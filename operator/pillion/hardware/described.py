"""What can be said of the accelerators that one node offers as one resource?"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pillion.hardware.gpus import UsableMemory

Labels = Mapping[str, str]

_NUMBER: Final = re.compile("[0-9]{1,12}")

# Labels with their values, or None where a label's absence is what tells these nodes from others.
Naming = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Described:
    """What a node's labels say of one accelerator resource."""

    product: str
    vendor: str
    memory: UsableMemory
    compute_capability: tuple[int, int] | None
    naming: Naming  # the labels that say so
    replicas: int = 1  # among how many pods each accelerator is shared; 1: it is nobody else's
    sliced: bool = False  # a hardware slice (MIG)

    @property
    def shared(self) -> bool:
        """Whether several pods take turns on it."""
        return self.replicas > 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """Accelerators that are there and of which too little is said; why, as the rest of a sentence."""

    why: str


def number(text: str | None) -> int | None:
    """A label's whole number; None where it is absent, no number, or none that anything here could have."""
    return int(text) if text is not None and _NUMBER.fullmatch(text) else None
