"""What shape has the model that a config.json describes?

Configurations of a dozen families use different names for the same thing; this is the one place that knows
them. Wrappers for several modalities keep the language model's part under a key of its own.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pillion.facts.documents import Json
from pillion.facts.model import AttentionKind, AttentionShape

_TEXT_PARTS = ("text_config", "llm_config", "language_config", "language_model_config")
_LENGTH_KEYS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "model_max_length",
    "max_target_positions",
    "max_sequence_length",
    "n_ctx",
)
# Scaled lengths that are already in max_position_embeddings (vLLM 0.33.0, config/model.py).
_ALREADY_SCALED = frozenset({"su", "longrope", "llama3", "mrope", "default", "deepseek_yarn", "proportional"})
# What transformers' configuration classes add where a published config.json is silent
# (transformers 5.16, models/gemma3/configuration_gemma3.py).
_CLASS_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "gemma3_text": {
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 262_208,
        "max_position_embeddings": 131_072,
        "sliding_window_pattern": 6,
        "tie_word_embeddings": True,
    },
    "gpt2": {"tie_word_embeddings": True},
    "gemma": {"tie_word_embeddings": True},
    "gemma2": {"tie_word_embeddings": True, "sliding_window_pattern": 2},
}
_ENCODER_TYPES = frozenset(
    {"bert", "roberta", "xlm-roberta", "nomic_bert", "modernbert", "new", "gte", "camembert", "distilbert"}
)
_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert"})  # the first two positions are padding
_LATENT_FOR_OTHERS = frozenset({"minicpm3"})  # engines expand its latent vectors and cache ordinary heads
_INDEX_GROUP = 128  # elements that share one 4-byte scale in a sparse-attention index


class ShapeUnknownError(ValueError):
    """The configuration lacks a number without which nothing can be sized. Caught where facts are made."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Dimensions of the language model."""

    attention: AttentionShape
    all_layers: int
    hidden_size: int
    intermediate_size: int
    vocab_size: int
    max_context_tokens: int | None
    experts: int
    experts_per_token: int
    tied_embeddings: bool
    multimodal: bool


def text_part(config: Json) -> Json:
    """The language model's own configuration: a part of the file in models of several modalities."""
    for key in _TEXT_PARTS:
        part = config.get(key)
        if isinstance(part, Mapping) and part:
            return {"tie_word_embeddings": config.get("tie_word_embeddings"), **part}
    thinker = config.get("thinker_config")
    return text_part(thinker) if isinstance(thinker, Mapping) else config


def shape(config: Json, *, sentence_config: Json | None = None) -> Shape:
    """The dimensions that a config.json describes.

    Raises:
        ShapeUnknownError: layers, hidden size, heads or vocabulary are nowhere in it.
    """
    text = text_part(config)
    model_type = str(text.get("model_type") or config.get("model_type") or "")
    text = {**_CLASS_DEFAULTS.get(model_type, {}), **{k: v for k, v in text.items() if v is not None}}
    layers = _listed_layers(text) or _needed(text, "num_hidden_layers", "n_layer", "n_layers", "num_layers")
    hidden = _needed(text, "hidden_size", "n_embd", "d_model", "model_dim", "dim")
    experts = _first(
        text, "num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts", "num_routed_experts"
    )
    return Shape(
        attention=_attention(text, model_type, layers=layers, hidden=hidden),
        all_layers=layers,
        hidden_size=hidden,
        intermediate_size=_first(text, "intermediate_size", "n_inner", "ffn_hidden_size", "ffn_dim", "d_ff")
        or 4 * hidden,
        vocab_size=_needed(text, "vocab_size", "padded_vocab_size"),
        max_context_tokens=_max_context(text, model_type, sentence_config or {}),
        experts=experts or 0,
        experts_per_token=_first(
            text, "num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_top_k", "moe_topk"
        )
        or 0,
        tied_embeddings=bool(text.get("tie_word_embeddings")),
        multimodal=text_part(config) is not config or "vision_config" in config or "audio_config" in config,
    )


def _attention(text: Json, model_type: str, *, layers: int, hidden: int) -> AttentionShape:
    heads = _needed(text, "num_attention_heads", "n_head", "n_heads", "num_heads")
    head_dim = _first(text, "head_dim", "attention_head_dim", "kv_channels") or hidden // heads
    kv_heads = _kv_heads(text, heads)
    caching, recurrent = _layer_kinds(text, layers)
    if model_type in _ENCODER_TYPES and not text.get("is_decoder"):
        return AttentionShape(
            kind=AttentionKind.ENCODER,
            layers=0,
            heads=heads,
            kv_heads=kv_heads,
            key_head_dim=head_dim,
            value_head_dim=head_dim,
        )
    rope_dim, latent = _first(text, "qk_rope_head_dim"), _first(text, "kv_lora_rank")
    if latent and rope_dim and model_type not in _LATENT_FOR_OTHERS:
        return AttentionShape(
            kind=AttentionKind.LATENT,
            layers=caching,
            heads=heads,
            kv_heads=1,
            key_head_dim=latent + rope_dim,
            value_head_dim=0,
            index_bytes=_index_bytes(text),
            recurrent_layers=recurrent,
            recurrent_state_bytes=_state_bytes(text) if recurrent else 0,
        )
    if latent and rope_dim:
        kv_heads, head_dim = heads, (_first(text, "qk_nope_head_dim") or 0) + rope_dim
    sliding, window = _sliding(text, caching)
    return AttentionShape(
        kind=AttentionKind.GROUPED,
        layers=caching,
        heads=heads,
        kv_heads=kv_heads,
        key_head_dim=head_dim,
        # Some models keep shorter values than keys; where the key exists beside ordinary heads, it counts.
        value_head_dim=_first(text, "v_head_dim") or head_dim if not latent else head_dim,
        index_bytes=_index_bytes(text),
        sliding_window=window,
        sliding_layers=sliding,
        recurrent_layers=recurrent,
        recurrent_state_bytes=_state_bytes(text) if recurrent else 0,
    )


def _listed_layers(text: Json) -> int | None:
    """Layers where a configuration lists their kinds and gives no number."""
    if _first(text, "num_hidden_layers", "n_layer", "n_layers", "num_layers"):
        return None
    kinds = text.get("layer_types") or text.get("layers_block_type") or text.get("hybrid_override_pattern")
    return len(kinds) if isinstance(kinds, list | str) and kinds else None


def _kv_heads(text: Json, heads: int) -> int:
    nested = text.get("attn_config")
    named = _first(
        text, "num_key_value_heads", "n_head_kv", "num_kv_heads", "multi_query_group_num", "n_kv_heads"
    ) or (_first(nested, "kv_n_heads") if isinstance(nested, Mapping) else None)
    if text.get("multi_query") is True and not text.get("new_decoder_architecture"):
        return 1  # Falcon and GPT-BigCode say it in a word, and leave the number at its default
    # Per-layer counts (searched architectures) are charged at their largest.
    per_layer = [
        heads // group
        for block in text.get("block_configs") or ()
        if (group := ((block or {}).get("attention") or {}).get("n_heads_in_group"))
    ]
    return named or max(per_layer, default=heads)


def _layer_kinds(text: Json, layers: int) -> tuple[int, int]:
    """How many layers keep a KV cache, and how many a recurrent state."""
    kinds = text.get("layer_types") or text.get("layers_block_type")
    if isinstance(kinds, list | tuple) and kinds:
        recurrent = sum(kind in {"linear_attention", "mamba", "recurrent", "conv"} for kind in kinds)
        without = sum(kind in {"mlp", "moe"} for kind in kinds)
        return len(kinds) - recurrent - without, recurrent
    pattern = text.get("hybrid_override_pattern")
    if isinstance(pattern, str) and pattern:
        return pattern.count("*"), pattern.count("M")
    linear = text.get("linear_attn_config")
    if isinstance(linear, Mapping) and isinstance(full := linear.get("full_attn_layers"), list):
        return len(full), layers - len(full)
    period = _first(text, "attn_layer_period")
    if period:
        offset = text.get("attn_layer_offset") or 0
        caching = sum(layer % period == offset for layer in range(layers))
        return caching, layers - caching
    interval = _first(text, "full_attention_interval")
    if interval and _first(text, "linear_num_value_heads"):
        return layers // interval, layers - layers // interval
    blocks = text.get("block_configs") or ()
    skipped = sum(bool(((block or {}).get("attention") or {}).get("no_op")) for block in blocks)
    return layers - skipped, 0


def _sliding(text: Json, layers: int) -> tuple[int, int | None]:
    """Layers that look back no further than a window, and the window in tokens."""
    window = _first(text, "sliding_window", "sliding_window_size", "attention_chunk_size")
    if window is None or text.get("use_sliding_window") is False:
        return 0, None
    kinds = text.get("layer_types")
    if isinstance(kinds, list | tuple) and kinds:
        sliding = sum(kind in {"sliding_attention", "chunked_attention"} for kind in kinds)
        return sliding, window if sliding else None
    pattern = _first(text, "sliding_window_pattern", "_sliding_window_pattern")
    # A window without a word on which layers have it is not counted on: full layers are never too little.
    return (layers - layers // pattern, window) if pattern else (0, None)


def _state_bytes(text: Json) -> int:
    """State of one recurrent layer for one request: the state in 32 bit, its convolution in 16.

    Source: vLLM 0.33.0, model_executor/layers/mamba (Mamba2 and gated delta net).
    """
    value_heads, value_dim = _first(text, "linear_num_value_heads"), _first(text, "linear_value_head_dim")
    if value_heads and value_dim:
        key_heads = _first(text, "linear_num_key_heads") or value_heads
        key_dim = _first(text, "linear_key_head_dim") or value_dim
        convolution = (_first(text, "linear_conv_kernel_dim") or 4) - 1
        return (
            value_heads * key_dim * value_dim * 4
            + (2 * key_heads * key_dim + value_heads * value_dim) * convolution * 2
        )
    heads = _first(text, "mamba_num_heads", "mamba_n_heads", "n_mamba_heads")
    head_dim = _first(text, "mamba_head_dim", "mamba_d_head")
    state = _first(text, "ssm_state_size", "mamba_d_state", "state_size", "mamba_state_dim")
    convolution = (_first(text, "conv_kernel", "mamba_d_conv", "conv_L_cache") or 4) - 1
    hidden = _first(text, "hidden_size") or 0
    if heads and head_dim and state:
        groups = _first(text, "n_groups", "mamba_n_groups") or 1
        inner = heads * head_dim
        return inner * state * 4 + (inner + 2 * groups * state) * convolution * 2
    inner = (_first(text, "mamba_expand", "expand") or 2) * hidden  # the first Mamba, and others alike
    return inner * (state or 16) * 4 + inner * convolution * 2


def _index_bytes(text: Json) -> int:
    """Bytes per token and layer of a sparse-attention index: 8-bit keys, and a scale for each group."""
    dim = _first(text, "index_head_dim")
    return dim + math.ceil(dim / _INDEX_GROUP) * 4 if dim and _first(text, "index_topk") else 0


def _max_context(text: Json, model_type: str, sentence_config: Json) -> int | None:
    """The longest request the model was made for.

    Source: vLLM 0.33.0, config/model.py, _get_and_verify_max_len.
    """
    limit = _first(sentence_config, "max_seq_length")
    if limit:
        return limit
    lengths = [length for key in _LENGTH_KEYS if (length := _first(text, key))]
    if not lengths:
        return None
    derived = min(lengths)
    if model_type in _OFFSET_POSITIONS:
        return derived - 2
    scaling = text.get("rope_scaling") or text.get("rope_parameters")
    if not isinstance(scaling, Mapping) or model_type.startswith("gemma3"):
        return derived
    kind = scaling.get("rope_type") or scaling.get("type")
    factor = scaling.get("factor")
    if kind is None or kind in _ALREADY_SCALED or not isinstance(factor, int | float):
        return derived
    original = _first(scaling, "original_max_position_embeddings")
    if kind == "yarn" and original:
        derived = original
    return int(derived * factor)


def _first(source: Any, *keys: str) -> int | None:  # noqa: ANN401 (a part of somebody's JSON)
    """The first of several keys that holds a whole number above zero."""
    for key in keys:
        value = source.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def _needed(source: Json, *keys: str) -> int:
    value = _first(source, *keys)
    if value is None:
        raise ShapeUnknownError(keys[0])
    return value
