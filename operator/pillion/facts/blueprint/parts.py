"""What are the tensors of an architecture, before anybody quantized them?

A part is one tensor of the checkpoint. Experts of a layer, which checkpoints keep one by one or stacked, are
one part with the experts as its first dimension: the bytes are the same, and there are thousands of them.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pillion.facts.documents import Json


class MissingSettingError(ValueError):
    """The configuration lacks a number that the tensors follow from. Caught where a blueprint is asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One tensor: its name, its shape `[outputs, inputs]`, and whether quantization applies to it."""

    name: str
    shape: tuple[int, ...]
    linear: bool = False  # the matrix of a linear layer: what quantizers convert
    dtype: str | None = None  # safetensors' name, where it is not the checkpoint's own dtype

    @property
    def elements(self) -> int:
        """Numbers in the tensor."""
        return math.prod(self.shape)


class Settings:
    """A configuration, or a part of one, read by its keys; several keys are names of the same setting."""

    def __init__(self, values: Json) -> None:
        self._values = values

    @property
    def model_type(self) -> str:
        """The family's name."""
        return str(self._values.get("model_type") or "")

    def raw(self, *keys: str) -> Any:  # noqa: ANN401 (somebody's JSON)
        """The first of the keys that is there, as it is."""
        return next((self._values[key] for key in keys if self._values.get(key) is not None), None)

    def number(self, *keys: str) -> int | None:
        """The first of the keys that holds a whole number, zero included."""
        for key in keys:
            value = self._values.get(key)
            if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
                return value
        return None

    def count(self, *keys: str) -> int:
        """As `number`; zero where there is none."""
        return self.number(*keys) or 0

    def needed(self, *keys: str) -> int:
        """As `number`, for what nothing can be said without.

        Raises:
            MissingSettingError: none of the keys holds a number above zero.
        """
        value = self.number(*keys)
        if not value:
            raise MissingSettingError(keys[0])
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Whether a setting is switched on."""
        value = self._values.get(key)
        return value if isinstance(value, bool) else default

    def chosen(self, switch: bool | str) -> bool:
        """A family's own answer, or that of the setting which it names."""
        return self.flag(switch) if isinstance(switch, str) else switch

    def each(self, *keys: str) -> list[Any]:
        """A list, empty where there is none."""
        value = self.raw(*keys)
        return list(value) if isinstance(value, list | tuple | str) else []

    def part(self, *keys: str) -> "Settings | None":
        """A nested configuration."""
        value = self.raw(*keys)
        return Settings(value) if isinstance(value, Mapping) else None


def linear(name: str, outputs: int, inputs: int, *, bias: bool = False) -> Iterator[Part]:
    """A linear layer: its matrix, and its bias."""
    yield Part(name=f"{name}.weight", shape=(outputs, inputs), linear=True)
    if bias:
        yield Part(name=f"{name}.bias", shape=(outputs,))


def plain(name: str, *shape: int, bias: bool = False, dtype: str | None = None) -> Iterator[Part]:
    """A layer that no quantizer touches: a norm, an embedding, a convolution, a router."""
    yield Part(name=f"{name}.weight", shape=shape, dtype=dtype)
    if bias:
        yield Part(name=f"{name}.bias", shape=shape[:1])


def bare(name: str, *shape: int, dtype: str | None = None) -> Iterator[Part]:
    """A tensor that belongs to no layer of its own."""
    yield Part(name=name, shape=shape, dtype=dtype)
