"""How is a safetensors file written, with its weights or with their places only?

The format (safetensors README, "Format"): eight bytes with the header's length, little endian; the header,
JSON with a dtype, a shape and two offsets a tensor; then the tensors' bytes. Planners read the header alone.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ELEMENT_BYTES = {"BF16": 2, "F16": 2, "F32": 4, "F8_E4M3": 1, "I32": 4, "I64": 8, "U8": 1}

ONE_BF16 = b"\x80\x3f"  # 1.0: sign 0, exponent 127, mantissa 0; little endian
_SMALL = bytes(
    0x3C | (byte & 0x80) for byte in range(256)
)  # exponents 120 and 121: 0.008 to 0.031, either sign
_LARGE = bytes(
    0x3E | (byte & 0x80) for byte in range(256)
)  # exponents 124 and 125: 0.125 to 0.5, either sign


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """Dtype by the format's name, and shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """How many bytes it takes in the file."""
        return self.elements * ELEMENT_BYTES[self.dtype]


def header(tensors: Mapping[str, Tensor]) -> tuple[bytes, int]:
    """The file's first bytes, and the bytes of the weights that follow, in the mapping's order."""
    described: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, tensor in tensors.items():
        end = offset + tensor.size_bytes
        described[name] = {"dtype": tensor.dtype, "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(described, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format asks for weights that start at a multiple of eight
    return len(text).to_bytes(8, "little") + text, offset


def random_bf16(elements: int, *, seed: str, large: bool = False) -> bytes:
    """Small random numbers in BF16 without a library; one seed gives the same bytes on every machine."""
    source = random.Random(seed)  # noqa: S311 (weights, not secrets)
    both = bytearray(source.randbytes(2 * elements))
    both[1::2] = bytes(both[1::2]).translate(_LARGE if large else _SMALL)
    return bytes(both)
