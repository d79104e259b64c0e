"""In which forms do quantized matrices lie in a file, and who says which module has which?

Source: the files that AutoAWQ, GPTQModel, llm-compressor, ModelOpt and bitsandbytes write.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from pillion.facts import names
from pillion.facts.blueprint import Part
from pillion.facts.documents import Json


class Storage(Enum):
    """How the numbers of a converted matrix lie in the file."""

    INTEGER_ROWS = auto()  # several in 32 bit along the outputs: AWQ
    INTEGER_COLUMNS = auto()  # several in 32 bit along the inputs: GPTQ
    INTEGER_PACKED = auto()  # as compressed-tensors packs them
    INTEGER_8 = auto()
    FLOAT_8 = auto()
    FLOAT_4 = auto()  # two in a byte, a scale for each group
    BLOCKWISE_4 = auto()  # bitsandbytes: two in a byte, flat, a scale for 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Scheme:
    """The form of converted matrices."""

    storage: Storage
    bits: int
    group_size: int | None = None  # inputs that share a scale; None: a whole output channel
    block: tuple[int, int] | None = None  # outputs and inputs that share a scale
    per_tensor: bool = False  # one scale for all
    zero_points: bool = False
    group_index: bool = False
    scale_dtype: str = "BF16"
    double_quantized: bool = False


Choice = Callable[[str, Part], Scheme | None]  # a module's name and its matrix -> how it is stored


def within_layers(scheme: Scheme, left_out: object) -> Choice:
    """All matrices of the language model's layers, but for those that a list names."""
    given = left_out if isinstance(left_out, list) else []
    return lambda name, _part: (
        scheme if names.in_language_layers(name) and not names.matches(name, given) else None
    )


def listed(value: object) -> list[Any]:
    """A list of somebody's JSON, empty where it is none."""
    return list(value) if isinstance(value, list | tuple) else []


def number(source: Json, *keys: str) -> int | None:
    """The first of the keys that holds a whole number above zero."""
    for key in keys:
        value = source.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None
