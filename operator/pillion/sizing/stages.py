"""Which layers has each stage of a pipeline?"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage, and its share of a model's layers."""

    layers: int
    of: int
    first: bool
    last: bool

    @property
    def share(self) -> float:
        """Its part of all layers."""
        return self.layers / self.of


def stages(layers: int, number: int) -> tuple[Stage, ...]:
    """Divide layers over stages as vLLM does: what is left over goes to the stages before the last, from behind.

    Args:
        layers: of the model, at least 1.
        number: stages; more of them than layers leave some empty.

    Source: vLLM 0.33.0, distributed/utils.py, get_pp_indices.
    """
    if number < 1:
        raise ValueError(f"pipeline parallelism is {number}; it is at least 1")
    each, left = divmod(layers, number)
    sizes = [each] * number
    for back in range(2, left + 2):
        sizes[-back] += 1
    return tuple(
        Stage(layers=size, of=layers, first=index == 0, last=index == number - 1)
        for index, size in enumerate(sizes)
    )
