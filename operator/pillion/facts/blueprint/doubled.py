"""Which tensors do decoders have whose layers share a block, or are two layers in one?

Source: transformers 5.16, models/{zamba2,longcat_flash}/modeling_*.py.
"""

from collections.abc import Iterator

from pillion.facts.blueprint import attention, decoder, feed_forward, recurrent
from pillion.facts.blueprint.attention import hidden_size
from pillion.facts.blueprint.families import Family
from pillion.facts.blueprint.parts import Part, Settings, bare, linear, plain

_FAMILY = Family()
_ZAMBA = Family(final_norm="model.final_layernorm")
_EVERY_SIXTH = 6


def zamba2(settings: Settings) -> Iterator[Part]:
    """Mamba layers, and a few transformer blocks that many places share, each place with an adapter of its own."""
    hidden, kinds = hidden_size(settings), settings.each("layers_block_type", "layer_types")
    shared = settings.number("num_mem_blocks") or 1
    width, rank = feed_forward.intermediate_size(settings), settings.number("adapter_rank") or 128
    yield from decoder.embeddings(settings, _ZAMBA)
    places = 0
    for layer in range(decoder.layers(settings)):
        prefix = f"model.layers.{layer}"
        is_place = (
            kinds[layer] == "hybrid" if layer < len(kinds) else layer % _EVERY_SIXTH == _EVERY_SIXTH - 1
        )
        if is_place:
            if places < shared:
                yield from _zamba_block(settings, f"{prefix}.shared_transformer", hidden, width)
            yield from linear(f"{prefix}.linear", hidden, hidden)
            yield from linear(f"{prefix}.shared_transformer.adapter_{places}.0", rank, hidden)
            yield from linear(f"{prefix}.shared_transformer.adapter_{places}.1", 2 * width, rank)
            places += 1
        inner = f"{prefix}.mamba_decoder" if is_place else prefix
        yield from recurrent.mamba2(settings, f"{inner}.mamba")
        yield from plain(f"{inner}.input_layernorm", hidden)
    yield from decoder.head(settings, _ZAMBA)


def _zamba_block(settings: Settings, prefix: str, hidden: int, width: int) -> Iterator[Part]:
    # The words come along beside what was made of them.
    inputs = settings.number("attention_hidden_size") or 2 * hidden
    for name in ("q_proj", "k_proj", "v_proj"):
        yield from linear(f"{prefix}.self_attn.{name}", inputs, inputs)
    yield from linear(f"{prefix}.self_attn.o_proj", hidden, inputs)
    yield from linear(f"{prefix}.feed_forward.gate_up_proj", 2 * width, hidden)
    yield from linear(f"{prefix}.feed_forward.down_proj", hidden, width)
    yield from plain(f"{prefix}.input_layernorm", inputs)
    yield from plain(f"{prefix}.pre_ff_layernorm", hidden)


def longcat(settings: Settings) -> Iterator[Part]:
    """Two attentions and two feed-forwards in each layer, and experts beside them, some of which do nothing."""
    hidden, heads = hidden_size(settings), attention.heads(settings)
    count, width = feed_forward.experts(settings), feed_forward.expert_width(settings)
    routed = count + settings.count("zero_expert_num")
    yield from decoder.embeddings(settings, _FAMILY)
    for layer in range(decoder.layers(settings)):
        prefix = f"model.layers.{layer}"
        for half in range(2):
            yield from attention.attention(settings, _FAMILY, f"{prefix}.self_attn.{half}", heads)
            inner = settings.needed("ffn_hidden_size", "intermediate_size")
            yield from feed_forward.dense(_FAMILY, f"{prefix}.mlps.{half}", hidden, inner)
            yield from plain(f"{prefix}.input_layernorm.{half}", hidden)
            yield from plain(f"{prefix}.post_attention_layernorm.{half}", hidden)
        yield from plain(f"{prefix}.mlp.router.classifier", routed, hidden)
        yield from bare(f"{prefix}.mlp.router.e_score_correction_bias", routed, dtype="F32")
        yield from feed_forward.stacked(_FAMILY, f"{prefix}.mlp.experts", count, hidden, width)
    yield from decoder.head(settings, _FAMILY)
