"""What do a model's layers keep of each token, kind by kind?

Layers that keep the same are one entry. Sources: vLLM 0.33.0, model_executor/models (gemma4, mimo_v2, step3p5,
nemotron_nas, whisper) and model_executor/models/deepseek_v2.py for latent attention with an index.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pillion.facts import layers, states
from pillion.facts.documents import Json
from pillion.facts.model import CachedLayers, CacheKind
from pillion.facts.reading import first, listed

_INDEX_GROUP = 128  # elements that share one 4-byte scale in a sparse-attention index
# Families that transformers and engines read as latent attention; others with the same keys keep ordinary heads.
_LATENT_FOR_OTHERS = frozenset({"minicpm3"})
_ENCODED_TOKENS = 1500  # of 30 seconds of sound, Whisper's max_source_positions


@dataclass(frozen=True, kw_only=True, slots=True)
class Heads:
    """Keys and values of one layer; a latent vector stands as one key."""

    kv_heads: int
    key_dim: int
    value_dim: int
    latent: bool = False


def is_latent(text: Json, model_type: str) -> bool:
    """Whether one compressed vector a token is kept for all heads."""
    if model_type.startswith("deepseek_v4"):
        return True
    return bool(first(text, "kv_lora_rank")) and model_type not in _LATENT_FOR_OTHERS


def latent_heads(text: Json) -> Heads:
    """The vector of latent attention: the compressed part, and the one that carries positions."""
    rank = first(text, "kv_lora_rank")
    if rank is None:  # DeepSeek V4: one key of this length stands for keys and values
        return Heads(kv_heads=1, key_dim=first(text, "head_dim") or 512, value_dim=0, latent=True)
    size = rank + (first(text, "qk_rope_head_dim") or 0)
    return Heads(kv_heads=1, key_dim=size, value_dim=0, latent=True)


def index_bytes(text: Json) -> int:
    """Bytes per token and layer of a sparse-attention index: 8-bit keys, and a scale for each group."""
    dim = first(text, "index_head_dim")
    return dim + math.ceil(dim / _INDEX_GROUP) * 4 if dim and first(text, "index_topk") else 0


def cached(text: Json, model_type: str, *, all_layers: int, heads: Heads) -> tuple[CachedLayers, ...]:
    """Everything that the decoder keeps.

    Args:
        text: the language model's configuration, completed with its class's defaults.
        model_type: of the language model.
        all_layers: of the decoder.
        heads: of a layer about which nothing special is said.
    """
    kinds = layers.kinds(text, model_type, all_layers)
    found: dict[CachedLayers, list[int]] = {}
    for layer, kept in enumerate(kinds):
        for kind in kept:
            found.setdefault(_one(text, model_type, kind, layer, heads), []).append(layer)
        if model_type == "whisper" and kept:
            found.setdefault(_crossing(text, heads), []).append(layer)
    if heads.latent and index_bytes(text):
        indexed = [layer for layer, kept in enumerate(kinds) if kept and _has_index(text, layer)]
        found[CachedLayers(kind=CacheKind.FULL, positions=(), index_bytes=index_bytes(text))] = indexed
    return tuple(_at(entry, positions) for entry, positions in found.items() if positions)


def _at(entry: CachedLayers, positions: Sequence[int]) -> CachedLayers:
    return CachedLayers(
        kind=entry.kind,
        positions=tuple(positions),
        kv_heads=entry.kv_heads,
        key_head_dim=entry.key_head_dim,
        value_head_dim=entry.value_head_dim,
        latent=entry.latent,
        index_bytes=entry.index_bytes,
        window=entry.window,
        state=entry.state,
    )


def _one(text: Json, model_type: str, kind: CacheKind, layer: int, usual: Heads) -> CachedLayers:
    if kind is CacheKind.STATE:
        return CachedLayers(kind=kind, positions=(), state=states.state(text, model_type))
    heads = _special(text, model_type, kind, layer, usual)
    return CachedLayers(
        kind=kind,
        positions=(),
        kv_heads=heads.kv_heads,
        key_head_dim=heads.key_dim,
        value_head_dim=heads.value_dim,
        latent=heads.latent,
        index_bytes=0 if heads.latent else index_bytes(text),
        window=layers.window(text, kind),
    )


def _crossing(text: Json, heads: Heads) -> CachedLayers:
    return CachedLayers(
        kind=CacheKind.CROSS,
        positions=(),
        kv_heads=heads.kv_heads,
        key_head_dim=heads.key_dim,
        value_head_dim=heads.value_dim,
        window=first(text, "max_source_positions") or _ENCODED_TOKENS,
    )


def _special(text: Json, model_type: str, kind: CacheKind, layer: int, usual: Heads) -> Heads:
    """Heads of one layer, in the families whose layers differ."""
    if model_type.startswith(("gemma4", "diffusion_gemma")) and kind is CacheKind.FULL:
        dim = first(text, "global_head_dim") or usual.key_dim
        several = first(text, "num_global_key_value_heads") if text.get("attention_k_eq_v") else None
        return Heads(kv_heads=several or usual.kv_heads, key_dim=dim, value_dim=dim)
    if model_type.startswith("mimo") and kind is CacheKind.SLIDING:
        dim = first(text, "swa_head_dim") or usual.key_dim
        value = first(text, "swa_v_head_dim") or usual.value_dim
        return Heads(
            kv_heads=first(text, "swa_num_key_value_heads") or usual.kv_heads, key_dim=dim, value_dim=value
        )
    other = text.get("attention_other_setting")
    if isinstance(other, Mapping) and kind is CacheKind.SLIDING:  # Step 3.5
        dim = first(other, "head_dim") or usual.key_dim
        return Heads(
            kv_heads=first(other, "num_attention_groups") or usual.kv_heads, key_dim=dim, value_dim=dim
        )
    blocks = listed(text, "block_configs")
    if layer < len(blocks):
        group = first(((blocks[layer] or {}).get("attention") or {}), "n_heads_in_group")
        queries = first(text, "num_attention_heads") or 0
        if group and queries:
            return Heads(kv_heads=queries // group, key_dim=usual.key_dim, value_dim=usual.value_dim)
    return usual


def _has_index(text: Json, layer: int) -> bool:
    """Whether a layer has an index of its own; some reuse what an earlier layer chose."""
    pattern = text.get("index_topk_pattern")
    if isinstance(pattern, str | list) and layer < len(pattern):
        return pattern[layer] != "S"
    every = first(text, "index_topk_freq") or 1
    offset = text.get("index_skip_topk_offset", 2)
    return max(layer - int(offset) + 1, 0) % every == 0
