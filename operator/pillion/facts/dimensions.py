"""Which dimensions beside the KV cache's does a configuration give: rotated elements, sizes of experts?

Source of the keys: transformers 5.16, models/*/configuration_*.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pillion.facts.blueprint import feed_forward
from pillion.facts.blueprint.parts import Settings
from pillion.facts.documents import Json

# Positions are learned, sinusoidal, or a slope in the attention scores (ALiBi): nothing is rotated.
_NOT_ROTATED = frozenset(
    {"gpt2", "gpt_bigcode", "gpt_neo", "opt", "bloom", "mpt", "bert", "roberta", "xlm-roberta", "camembert"}
    | {"distilbert", "nemotron_h", "mamba", "mamba2", "falcon_mamba", "jamba", "whisper", "biogpt"}
)
# Families that rotate a part of each head where the configuration does not say which.
_USUAL_PART = {
    "phi": 0.5,
    "stablelm": 0.25,
    "persimmon": 0.5,
    "gpt_neox": 0.25,
    "chatglm": 0.5,
    "glm": 0.5,
    "glm4": 0.5,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Dimensions:
    """Sizes of a language model beside those of its KV cache."""

    rotary_dim: int | None
    expert_intermediate_size: int | None
    shared_expert_intermediate_size: int | None


def dimensions(text: Json, *, head_dim: int) -> Dimensions:
    """The dimensions that the language model's configuration describes.

    Args:
        text: the language model's own configuration, with its class defaults.
        head_dim: elements of one head's key.
    """
    settings = Settings(text)
    has_experts = feed_forward.experts(settings) > 0
    return Dimensions(
        rotary_dim=_rotary_dim(text, head_dim),
        expert_intermediate_size=feed_forward.expert_width(settings) if has_experts else None,
        shared_expert_intermediate_size=(feed_forward.shared_width(settings) or None)
        if has_experts
        else None,
    )


def _rotary_dim(text: Json, head_dim: int) -> int | None:
    model_type = str(text.get("model_type") or "")
    if (
        model_type in _NOT_ROTATED
        or text.get("alibi") is True
        or text.get("position_embedding_type") == "nope"
    ):
        return None
    named = _number(text, "qk_rope_head_dim", "rotary_dim")
    if named:
        return named
    rope: Any = text.get("rope_parameters") or text.get("rope_scaling") or {}
    part = text.get("partial_rotary_factor") or text.get("rotary_pct") or text.get("rope_pct")
    if part is None and isinstance(rope, Mapping):
        part = rope.get("partial_rotary_factor")
    if not isinstance(part, int | float):
        part = _USUAL_PART.get(model_type, 1.0)
    return int(head_dim * part)


def _number(source: Json, *keys: str) -> int | None:
    for key in keys:
        value = source.get(key)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None
