"""Can the numbers of a configuration be those of a model at all?

What follows from them is counted layer by layer, so that a number that no model has would cost memory and time before
anybody saw that it is wrong. What is merely strange passes: families differ in more than is known here.
"""

import math
from collections.abc import Iterator, Mapping

from pillion.facts.documents import Json

_MOST_LAYERS = 10_000  # the deepest published models have a few hundred
_LARGEST = 2**40  # of any other number: the largest vocabularies and contexts are below 2**25
_LAYERS = (
    "num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers", "encoder_layers", "depth",
    "num_global_layers", "altup_num_inputs", "num_hidden_groups",
)  # fmt: skip
_LISTS = ("layer_types", "layers_block_type", "hybrid_override_pattern", "block_configs", "mlp_layer_types")
_DEEPEST = 8


def mistake(config: Json) -> str | None:
    """The first thing that no model has, in words; None where there is none."""
    return next(_mistakes(config, "", 0), None)


def _mistakes(config: Json, path: str, depth: int) -> Iterator[str]:
    for key, value in config.items():
        name = f"{path}{key}"
        if isinstance(value, Mapping):
            if depth < _DEEPEST:
                yield from _mistakes(value, f"{name}.", depth + 1)
        elif key in _LISTS and isinstance(value, list | str):
            if len(value) > _MOST_LAYERS:
                yield f"{name} lists {len(value):,} layers, where no model has more than {_MOST_LAYERS:,}"
        elif isinstance(value, float) and (math.isnan(value) or (math.isinf(value) and _counts(key))):
            # JSON has no such number, and Python reads it all the same. As an absent one it would get a default.
            yield f"{name} is {value}, where a number is expected"
        elif isinstance(value, int) and not isinstance(value, bool):
            most = _MOST_LAYERS if key in _LAYERS else _LARGEST
            if value > most:
                yield f"{name} is {value}, where no model has more than {most:,}"


def _counts(key: str) -> bool:
    """Whether a setting is a number of something; bounds of others are infinite where there is none."""
    return any(part in key for part in ("position", "length", "seq_len", "size", "layers", "heads"))
