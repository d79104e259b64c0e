"""Which tensors do Gemma 3n and Gemma 4 have, whose layers differ from each other?

Late layers borrow keys and values of earlier ones. Checkpoints hold projections for them all the same, and only
newer engines leave these out, so that they are counted.

Source: transformers 5.16, models/{gemma3n,gemma4}/modeling_*.py; totals of the published checkpoints.
"""

from collections.abc import Iterator
from dataclasses import replace

from pillion.facts.blueprint import attention, decoder, feed_forward
from pillion.facts.blueprint.attention import Heads, hidden_size
from pillion.facts.blueprint.families import FAMILIES, QueryNorm
from pillion.facts.blueprint.parts import Part, Settings, bare, linear, plain

_GEMMA4 = replace(FAMILIES["gemma2"], query_norm=QueryNorm.PER_HEAD)


def gemma4(settings: Settings) -> Iterator[Part]:
    """Other heads where attention is global; late layers that borrow keys and values; inputs for each layer."""
    hidden, count = hidden_size(settings), decoder.layers(settings)
    usual = attention.heads(settings)
    far = settings.number("global_head_dim") or usual.key_dim
    same = settings.flag("attention_k_eq_v")  # global layers use their keys as values
    far_keys = settings.number("num_global_key_value_heads") if same else None
    borrowed = count - settings.count("num_kv_shared_layers")
    wide = 2 if settings.flag("use_double_wide_mlp") else 1
    yield from decoder.embeddings(settings, _GEMMA4)
    yield from _inputs_for_each_layer(settings, count)
    for layer in range(count):
        prefix = _GEMMA4.layer.format(layer)
        is_far = _is_global(settings, layer, count)
        heads = (
            Heads(queries=usual.queries, keys=far_keys or usual.keys, key_dim=far, value_dim=far)
            if is_far
            else usual
        )
        yield from _gemma_attention(settings, f"{prefix}.self_attn", heads, values=not (same and is_far))
        width = feed_forward.intermediate_size(settings) * (wide if layer >= borrowed else 1)
        yield from feed_forward.dense(_GEMMA4, f"{prefix}.mlp", hidden, width)
        yield from decoder.norms(settings, _GEMMA4, prefix)
        yield from bare(f"{prefix}.layer_scalar", 1)
        yield from _layer_input(settings, prefix)
        if settings.flag("enable_moe_block"):
            yield from _gemma_experts(settings, prefix)
    yield from decoder.head(settings, _GEMMA4)


def gemma3n(settings: Settings) -> Iterator[Part]:
    """Gemma 3n: four streams that predict and correct each other, and inputs for each layer."""
    hidden, count = hidden_size(settings), decoder.layers(settings)
    heads, widths = attention.heads(settings), settings.raw("intermediate_size")
    streams, narrow = settings.number("altup_num_inputs") or 4, settings.number("laurel_rank") or 64
    yield from decoder.embeddings(settings, _GEMMA4)
    yield from _inputs_for_each_layer(settings, count)
    for stream in range(streams - 1):
        yield from linear(f"model.altup_projections.{stream}", hidden, hidden)
        yield from linear(f"model.altup_unembed_projections.{stream}", hidden, hidden)
    for layer in range(count):
        prefix = _GEMMA4.layer.format(layer)
        width = widths[layer] if isinstance(widths, list) else feed_forward.intermediate_size(settings)
        yield from _gemma_attention(settings, f"{prefix}.self_attn", heads, values=True)
        yield from feed_forward.dense(_GEMMA4, f"{prefix}.mlp", hidden, width)
        yield from decoder.norms(settings, _GEMMA4, prefix)
        yield from _layer_input(settings, prefix)
        yield from plain(f"{prefix}.altup.correction_coefs", streams, streams)
        yield from plain(f"{prefix}.altup.prediction_coefs", streams**2, streams)
        yield from plain(f"{prefix}.altup.modality_router", streams, hidden)
        yield from plain(f"{prefix}.altup.router_norm", hidden)
        yield from bare(f"{prefix}.altup.correct_output_scale", hidden)
        yield from linear(f"{prefix}.laurel.linear_left", narrow, hidden)
        yield from linear(f"{prefix}.laurel.linear_right", hidden, narrow)
        yield from plain(f"{prefix}.laurel.post_laurel_norm", hidden)
    yield from decoder.head(settings, _GEMMA4)


def _is_global(settings: Settings, layer: int, count: int) -> bool:
    kinds = settings.each("layer_types")
    if layer < len(kinds):
        return bool(kinds[layer] == "full_attention")
    return (layer + 1) % (settings.number("sliding_window_pattern") or 6) == 0 or layer == count - 1


def _gemma_attention(settings: Settings, prefix: str, heads: Heads, *, values: bool) -> Iterator[Part]:
    hidden = hidden_size(settings)
    yield from linear(f"{prefix}.q_proj", heads.queries * heads.key_dim, hidden)
    yield from plain(f"{prefix}.q_norm", heads.key_dim)
    yield from linear(f"{prefix}.o_proj", hidden, heads.queries * heads.key_dim)
    yield from linear(f"{prefix}.k_proj", heads.keys * heads.key_dim, hidden)
    yield from plain(f"{prefix}.k_norm", heads.key_dim)
    if values:
        yield from linear(f"{prefix}.v_proj", heads.keys * heads.key_dim, hidden)


def _inputs_for_each_layer(settings: Settings, count: int) -> Iterator[Part]:
    narrow = settings.count("hidden_size_per_layer_input")
    if narrow:
        rows = settings.number("vocab_size_per_layer_input") or decoder.vocabulary(settings)
        yield from plain("model.embed_tokens_per_layer", rows, count * narrow)
        yield from linear("model.per_layer_model_projection", count * narrow, hidden_size(settings))
        yield from plain("model.per_layer_projection_norm", narrow)


def _layer_input(settings: Settings, prefix: str) -> Iterator[Part]:
    narrow, hidden = settings.count("hidden_size_per_layer_input"), hidden_size(settings)
    if narrow:
        yield from linear(f"{prefix}.per_layer_input_gate", narrow, hidden)
        yield from linear(f"{prefix}.per_layer_projection", hidden, narrow)
        yield from plain(f"{prefix}.post_per_layer_input_norm", hidden)


def _gemma_experts(settings: Settings, prefix: str) -> Iterator[Part]:
    hidden, count = hidden_size(settings), settings.needed("num_experts")
    yield from plain(f"{prefix}.router.proj", count, hidden)
    yield from bare(f"{prefix}.router.scale", hidden)
    yield from bare(f"{prefix}.router.per_expert_scale", count)
    width = feed_forward.expert_width(settings)
    yield from feed_forward.stacked(_GEMMA4, f"{prefix}.experts", count, hidden, width)
    for name in (
        "post_feedforward_layernorm_1",
        "post_feedforward_layernorm_2",
        "pre_feedforward_layernorm_2",
    ):
        yield from plain(f"{prefix}.{name}", hidden)
