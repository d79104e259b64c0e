"""Which NVIDIA driver does a node have, and is it new enough for an image?

GPU Feature Discovery writes the driver's version and the newest CUDA that it runs. Nodes that say nothing are let
through: their pods would tell.
"""

from dataclasses import dataclass
from typing import Final

from pillion.hardware.described import Labels, number

# The second is the older name.
_MAJOR: Final = ("nvidia.com/cuda.driver-version.major", "nvidia.com/cuda.driver.major")
_CUDA: Final = ("nvidia.com/cuda.runtime-version", "nvidia.com/cuda.runtime")


@dataclass(frozen=True, kw_only=True, slots=True)
class Driver:
    """A node's driver, as far as its labels tell."""

    major: int | None  # 580
    version: str  # "580.95.05", for people
    cuda: tuple[int, int] | None  # the newest that it runs
    label: tuple[str, str]  # the label that was read, and its value

    def runs(self, *, minimum_major: int, cuda: tuple[int, int]) -> bool:
        """Whether an image that needs this driver, or was made with this CUDA, starts on it.

        Within one major version of CUDA an older driver runs a newer minor one, so that only the major counts.
        Source: NVIDIA, CUDA Compatibility, "Minor Version Compatibility".
        """
        if self.major is not None:
            return self.major >= minimum_major
        return self.cuda is None or self.cuda[0] >= cuda[0]


def driver(labels: Labels) -> Driver | None:
    """The driver of a node, or None where no label says any."""
    major_key = next((key for key in _MAJOR if key in labels), None)
    cuda_key = next((f"{key}.major" for key in _CUDA if f"{key}.major" in labels), None)
    key = major_key or cuda_key
    if key is None:
        return None
    cuda_major = number(labels.get(cuda_key)) if cuda_key is not None else None
    cuda_minor = (
        number(labels.get(cuda_key.removesuffix("major") + "minor")) if cuda_key is not None else None
    )
    major = number(labels.get(major_key)) if major_key is not None else None
    return Driver(
        major=major,
        version=labels.get("nvidia.com/cuda.driver-version.full") or _named(major, cuda_major, cuda_minor),
        cuda=(cuda_major, cuda_minor or 0) if cuda_major is not None else None,
        label=(key, labels[key]),
    )


def _named(major: int | None, cuda_major: int | None, cuda_minor: int | None) -> str:
    return str(major) if major is not None else f"for CUDA {cuda_major}.{cuda_minor or 0}"
