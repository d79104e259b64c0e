"""Which tensors do decoders have that are not built as usual?

Source: transformers 5.16, models/{nemotron_h,mamba,mamba2,lfm2,mimo_v2_flash,mllama,zamba2}, and
vLLM 0.33.0, model_executor/models/{nemotron_nas,kimi_linear}.py.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from pillion.facts.blueprint import attention, decoder, deepseek, doubled, feed_forward, gemma, recurrent
from pillion.facts.blueprint.attention import Heads, hidden_size
from pillion.facts.blueprint.families import FAMILIES, Family, QueryNorm
from pillion.facts.blueprint.parts import MissingSettingError, Part, Settings, bare, linear, plain

_LFM2 = Family(
    output="out_proj",
    feed_forward="feed_forward",
    norms=("operator_norm", "ffn_norm"),
    query_norm=QueryNorm.PER_HEAD,
    correction_bias=True,
    final_norm="model.embedding_norm",
)
_NEMOTRON_H = Family(
    gated=False, correction_bias=True, shared="shared_experts", norms=("norm",), final_norm="model.norm_f"
)
_MAMBA = Family(layer="backbone.layers.{}", embedding="backbone.embeddings", final_norm="backbone.norm_f")


def nemotron_h(settings: Settings) -> Iterator[Part]:
    """One mixer a layer: Mamba, attention, a feed-forward or experts."""
    letters = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
    kinds = settings.each("layers_block_type") or [
        letters.get(each, each) for each in settings.each("hybrid_override_pattern")
    ]
    hidden = hidden_size(settings)
    yield from decoder.embeddings(settings, _NEMOTRON_H)
    for layer, kind in enumerate(kinds):
        prefix = f"backbone.layers.{layer}"
        yield from plain(f"{prefix}.norm", hidden)
        match kind:
            case "mamba" | "linear_attention":
                yield from recurrent.mamba2(settings, f"{prefix}.mixer")
            case "moe":
                yield from feed_forward.mixture(settings, _NEMOTRON_H, prefix, f"{prefix}.mixer", layer=layer)
            case "mlp":
                width = feed_forward.intermediate_size(settings)
                yield from feed_forward.dense(
                    _NEMOTRON_H, f"{prefix}.mixer", hidden, width, bias=settings.flag("mlp_bias")
                )
            case _:
                heads = attention.heads(settings)
                yield from attention.grouped(settings, _NEMOTRON_H, f"{prefix}.mixer", heads, inputs=hidden)
    yield from decoder.head(settings, _NEMOTRON_H)


def mamba(settings: Settings) -> Iterator[Part]:
    """A row of Mamba layers without attention."""
    yield from decoder.embeddings(settings, _MAMBA)
    for layer in range(decoder.layers(settings)):
        prefix = _MAMBA.layer.format(layer)
        yield from plain(f"{prefix}.norm", hidden_size(settings))
        second = settings.model_type == "mamba2"
        mixer = recurrent.mamba2 if second else recurrent.mamba1
        yield from mixer(settings, f"{prefix}.mixer")
    yield from decoder.head(settings, _MAMBA)


def lfm2(settings: Settings) -> Iterator[Part]:
    """Short convolutions and attention; the feed-forward's width is rounded as its settings say."""
    hidden = hidden_size(settings)
    width = settings.number("block_ff_dim") or feed_forward.intermediate_size(settings)
    if settings.flag("block_auto_adjust_ff_dim", default=settings.model_type == "lfm2"):
        width = int(2 * width / 3)
        if isinstance(factor := settings.raw("block_ffn_dim_multiplier"), int | float):
            width = int(factor * width)
        unit = settings.number("block_multiple_of") or 256
        width = -(-width // unit) * unit
    heads = attention.heads(settings)
    yield from decoder.embeddings(settings, _LFM2)
    for layer in range(decoder.layers(settings)):
        prefix = _LFM2.layer.format(layer)
        if decoder.mixer_kind(settings, layer) == "conv":
            yield from recurrent.short_convolution(settings, f"{prefix}.conv")
        else:
            yield from attention.attention(settings, _LFM2, f"{prefix}.self_attn", heads)
        if feed_forward.has_experts(settings, layer):
            yield from feed_forward.feed_forward(settings, _LFM2, prefix, layer=layer)
        else:
            yield from feed_forward.dense(_LFM2, f"{prefix}.feed_forward", hidden, width)
        yield from decoder.norms(settings, _LFM2, prefix)
    yield from decoder.head(settings, _LFM2)


def mimo_v2(settings: Settings) -> Iterator[Part]:
    """MiMo V2: other heads where attention slides, which alone has sinks."""
    family = Family(correction_bias=True)
    usual = attention.heads(settings)
    near = Heads(
        queries=settings.number("swa_num_attention_heads") or usual.queries,
        keys=settings.number("swa_num_key_value_heads") or 2 * usual.keys,
        key_dim=settings.number("swa_head_dim") or usual.key_dim,
        value_dim=settings.number("swa_v_head_dim") or usual.value_dim,
    )
    pattern, kinds = settings.each("hybrid_layer_pattern"), settings.each("layer_types")
    yield from decoder.embeddings(settings, family)
    for layer in range(decoder.layers(settings)):
        prefix = family.layer.format(layer)
        listed = pattern[layer] == 1 if pattern else kinds[layer] == "sliding_attention" if kinds else None
        slides = layer % 6 != 5 and layer != 0 if listed is None else listed
        sinks = replace(family, sinks=bool(slides))
        yield from attention.attention(settings, sinks, f"{prefix}.self_attn", near if slides else usual)
        yield from feed_forward.feed_forward(settings, family, prefix, layer=layer)
        yield from decoder.norms(settings, family, prefix)
    yield from decoder.head(settings, family)


def mllama(settings: Settings) -> Iterator[Part]:
    """Llama 3.2 Vision: some layers look at the picture instead, and eight words more are embedded."""
    family = FAMILIES["mllama_text_model"]
    hidden, heads = hidden_size(settings), attention.heads(settings)
    crossing = settings.each("cross_attention_layers") or [3, 8, 13, 18, 23, 28, 33, 38]
    yield from plain(family.embedding, decoder.vocabulary(settings) + 8, hidden)
    for layer in range(decoder.layers(settings)):
        prefix = family.layer.format(layer)
        crosses = layer in crossing
        kind = replace(family, query_norm=QueryNorm.PER_HEAD) if crosses else family
        name = "cross_attn" if crosses else "self_attn"
        yield from attention.attention(settings, kind, f"{prefix}.{name}", heads)
        if crosses:
            yield from bare(f"{prefix}.cross_attn_attn_gate", 1)
            yield from bare(f"{prefix}.cross_attn_mlp_gate", 1)
        yield from feed_forward.feed_forward(settings, family, prefix, layer=layer)
        yield from decoder.norms(settings, family, prefix)
    yield from decoder.head(settings, family)


def nemotron_nas(settings: Settings) -> Iterator[Part]:
    """Layers found by a search: each with its own heads and width, or without attention or feed-forward."""
    family = FAMILIES["llama"]
    hidden, usual = hidden_size(settings), attention.heads(settings)
    blocks = settings.each("block_configs")
    if not blocks:
        raise MissingSettingError("block_configs")
    yield from decoder.embeddings(settings, family)
    for layer, block in enumerate(blocks):
        prefix, parts = family.layer.format(layer), Settings(block)
        attends, feeds = parts.part("attention"), parts.part("ffn")
        if attends and not attends.flag("no_op"):
            keys = usual.queries // (attends.number("n_heads_in_group") or 1)
            if attends.flag("replace_with_linear"):
                yield from linear(f"{prefix}.self_attn.linear_attn", hidden, hidden)
            else:
                heads = replace(usual, keys=keys)
                yield from attention.attention(settings, family, f"{prefix}.self_attn", heads)
            yield from plain(f"{prefix}.input_layernorm", hidden)
        if feeds and not feeds.flag("no_op"):
            factor = feeds.raw("ffn_mult")
            width = feeds.number("intermediate_size") or _rounded_up(2 * float(factor or 0) * hidden / 3, 256)
            yield from feed_forward.dense(family, f"{prefix}.mlp", hidden, width)
            yield from plain(f"{prefix}.post_attention_layernorm", hidden)
    yield from decoder.head(settings, family)


def kimi_linear(settings: Settings) -> Iterator[Part]:
    """Delta attention, with latent attention in between, and experts."""
    family = replace(FAMILIES["deepseek_v3"], feed_forward="block_sparse_moe")
    shape = settings.part("linear_attn_config")
    full = shape.each("full_attn_layers") if shape else []
    yield from decoder.embeddings(settings, family)
    for layer in range(decoder.layers(settings)):
        prefix = family.layer.format(layer)
        if shape is not None and layer + 1 not in full:
            yield from recurrent.kimi_delta(settings, f"{prefix}.self_attn")
        else:
            yield from attention.attention(settings, family, f"{prefix}.self_attn", attention.heads(settings))
        yield from feed_forward.feed_forward(settings, family, prefix, layer=layer)
        yield from decoder.norms(settings, family, prefix)
    yield from decoder.head(settings, family)


def _rounded_up(value: float, unit: int) -> int:
    return -(-int(value) // unit) * unit


UNUSUAL: dict[str, Callable[[Settings], Iterator[Part]]] = {
    "deepseek_ref": deepseek.deepseek_v4,
    "deepseek_v4": deepseek.deepseek_v4,
    "falcon_mamba": mamba,
    "gemma3n_text": gemma.gemma3n,
    "gemma4_text": gemma.gemma4,
    "gemma4_unified_text": gemma.gemma4,
    "kimi_linear": kimi_linear,
    "lfm2": lfm2,
    "longcat_flash": doubled.longcat,
    "lfm2_moe": lfm2,
    "mamba": mamba,
    "mamba2": mamba,
    "mimo_v2_flash": mimo_v2,
    "mllama_text_model": mllama,
    "nemotron-nas": nemotron_nas,
    "nemotron_h": nemotron_h,
    "zamba2": doubled.zamba2,
}
