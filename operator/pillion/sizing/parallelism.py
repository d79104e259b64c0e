"""Does a model divide over a number of accelerators, with the form that its weights have?

Heads, inner dimensions and experts are cut into equal parts. Weights that are quantized in groups are cut between
groups alone: each accelerator's part of a row has to hold whole ones.

Source: vLLM 0.33.0, config/model.py (verify_with_parallel_config), model_executor/layers/linear.py, and of each method
create_weights in model_executor/layers/quantization.
"""

import math
from collections.abc import Iterator

from pillion.facts import ModelFacts

# Columns that share a scale, by the method's own definition; elsewhere the checkpoint's configuration says it.
_FIXED_GROUPS = {"MXFP4": 32, "MXFP8": 32, "NVFP4": 16}
# Methods whose group the checkpoint's configuration names; FP8 names one only where it is quantized in blocks.
_OWN_GROUPS = frozenset({"AWQ", "GPTQ", "W4A16", "W8A16", "W4A8", "FP8"})
# Architectures whose loader hands out whole groups of MXFP4 experts, and the last accelerator has what remains
# (vLLM 0.33.0, model_executor/models/gpt_oss.py).
_PADDED = "GptOss"


def obstacle(model: ModelFacts, *, ranks: int, quantization: str, on_the_fly: bool) -> str | None:
    """Why the model does not divide over `ranks` accelerators, in a sentence; None where it does.

    Args:
        model: the checkpoint.
        ranks: accelerators of one engine.
        quantization: the label of the form in memory.
        on_the_fly: made while loading, so that nobody has tried whether the whole divides into groups.
    """
    padded = not on_the_fly and quantization == "MXFP4" and (model.architecture or "").startswith(_PADDED)
    if ranks > 1:
        uneven = _uneven(model, ranks) or (_without_any(model, ranks) if padded else None)
        if uneven is not None:
            return uneven
    if padded:
        return None
    group = _group(model, quantization, on_the_fly=on_the_fly)
    if group is None or (ranks == 1 and not on_the_fly):
        return None
    for what, size in _cut(model, blocks=quantization == "FP8", ranks=ranks):
        if (size // ranks) % group:
            part = (
                f"{size:,}"
                if ranks == 1
                else f"{size // ranks:,} of {size:,} on each of {ranks} accelerators"
            )
            return (
                f"{quantization} weights of {model.repo} are in groups of {group}, and {what} ({part}) is not a "
                "multiple of that."
            )
    return None


def _uneven(model: ModelFacts, ranks: int) -> str | None:
    attention = model.attention
    if attention.heads % ranks:
        return f"{attention.heads} attention heads of {model.repo} do not divide over {ranks} accelerators."
    if attention.kv_heads % ranks and ranks % attention.kv_heads:
        return f"{attention.kv_heads} KV heads of {model.repo} divide neither over {ranks} accelerators nor into them."
    for what, size in _inner(model):
        if size % ranks:
            return f"{what[0].upper()}{what[1:]} of {model.repo}, {size:,}, does not divide by {ranks}."
    return None


def _without_any(model: ModelFacts, ranks: int) -> str | None:
    """Whole groups are handed out in equal shares, rounded up, until none are left."""
    size, group = model.expert_intermediate_size or model.intermediate_size, _FIXED_GROUPS["MXFP4"]
    share = math.ceil(size / group / ranks)
    if (ranks - 1) * share * group < size:
        return None
    return (
        f"MXFP4 weights of {model.repo} are in groups of {group}, and the {size // group:,} of an expert's inner "
        f"dimension, {share:,} on each, leave nothing for the last of {ranks} accelerators."
    )


def _inner(model: ModelFacts) -> Iterator[tuple[str, int]]:
    yield "the inner dimension", model.intermediate_size
    yield "the inner dimension of an expert", model.expert_intermediate_size or 0
    yield "the inner dimension of the shared experts", model.shared_expert_intermediate_size or 0


def _cut(model: ModelFacts, *, blocks: bool, ranks: int) -> Iterator[tuple[str, int]]:
    """Dimensions that are cut between accelerators, where groups lie along them."""
    attention = model.attention
    yield from _inner(model)
    yield "the width of attention", attention.heads * attention.value_head_dim
    if blocks and attention.kv_heads >= ranks:  # blocks lie along both dimensions
        yield (
            "the width of keys",
            attention.kv_heads * attention.key_head_dim if attention.value_head_dim else 0,
        )


def _group(model: ModelFacts, quantization: str, *, on_the_fly: bool) -> int | None:
    if quantization in _FIXED_GROUPS:
        return _FIXED_GROUPS[quantization]
    stored = model.quantization
    if on_the_fly or stored is None or quantization not in _OWN_GROUPS:
        return None
    return stored.group_size
