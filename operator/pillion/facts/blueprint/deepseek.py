"""Which tensors does DeepSeek V4 have?

Keys and values are one vector for all heads. Most layers keep it compressed, some of them with an index that picks
what is looked at, and the residual stream is four streams wide.

Source: transformers 5.19, models/deepseek_v4/modeling_deepseek_v4.py.
"""

from collections.abc import Iterator

from pillion.facts.blueprint import decoder, feed_forward
from pillion.facts.blueprint.attention import hidden_size
from pillion.facts.blueprint.families import Family
from pillion.facts.blueprint.parts import Part, Settings, bare, linear, plain

_FAMILY = Family(shared="shared_experts", correction_bias=True)
_SPARSE, _HEAVY = "compressed_sparse_attention", "heavily_compressed_attention"
_BY_RATIO = {0: "sliding_attention", 4: _SPARSE, 128: _HEAVY}


def deepseek_v4(settings: Settings) -> Iterator[Part]:
    """All tensors of the decoder."""
    hidden, streams = hidden_size(settings), settings.number("hc_mult") or 4
    kinds = [str(kind) for kind in settings.each("layer_types")] or [
        _BY_RATIO.get(ratio, _HEAVY) for ratio in settings.each("compress_ratios")
    ]
    yield from decoder.embeddings(settings, _FAMILY)
    for layer in range(decoder.layers(settings)):
        prefix = _FAMILY.layer.format(layer)
        usual = _HEAVY if layer < 2 or layer % 2 == 0 else _SPARSE
        yield from _attention(settings, f"{prefix}.self_attn", kinds[layer] if layer < len(kinds) else usual)
        yield from feed_forward.feed_forward(settings, _FAMILY, prefix, layer=layer)
        yield from decoder.norms(settings, _FAMILY, prefix)
        for side in ("attn_hc", "ffn_hc"):
            yield from bare(f"{prefix}.{side}.fn", (2 + streams) * streams, streams * hidden, dtype="F32")
            yield from bare(f"{prefix}.{side}.base", (2 + streams) * streams, dtype="F32")
            yield from bare(f"{prefix}.{side}.scale", 3, dtype="F32")
    yield from bare("model.hc_head.hc_fn", streams, streams * hidden, dtype="F32")
    yield from bare("model.hc_head.hc_base", streams, dtype="F32")
    yield from bare("model.hc_head.hc_scale", 1, dtype="F32")
    yield from decoder.head(settings, _FAMILY)


def _attention(settings: Settings, prefix: str, kind: str) -> Iterator[Part]:
    hidden, down = hidden_size(settings), settings.needed("q_lora_rank")
    heads, head_dim = settings.needed("num_attention_heads"), settings.number("head_dim") or 512
    groups, middle = settings.number("o_groups") or heads // 8, settings.number("o_lora_rank") or 1024
    yield from bare(f"{prefix}.sinks", heads, dtype="F32")
    yield from linear(f"{prefix}.q_a_proj", down, hidden)
    yield from plain(f"{prefix}.q_a_norm", down)
    yield from linear(f"{prefix}.q_b_proj", heads * head_dim, down)
    yield from linear(f"{prefix}.kv_proj", head_dim, hidden)
    yield from plain(f"{prefix}.kv_norm", head_dim)
    yield from linear(f"{prefix}.o_a_proj", groups * middle, heads * head_dim // groups)
    yield from linear(f"{prefix}.o_b_proj", hidden, groups * middle)
    if kind in {_SPARSE, _HEAVY}:
        wide = 2 if kind == _SPARSE else 1
        yield from _compressor(
            f"{prefix}.compressor", hidden, head_dim, rate=4 if wide == 2 else 128, wide=wide
        )
    if kind == _SPARSE:
        index, index_heads = settings.needed("index_head_dim"), settings.needed("index_n_heads")
        yield from _compressor(f"{prefix}.indexer.compressor", hidden, index, rate=4, wide=2)
        yield from linear(f"{prefix}.indexer.q_b_proj", index_heads * index, down)
        yield from plain(f"{prefix}.indexer.weights_proj", index_heads, hidden)


def _compressor(prefix: str, hidden: int, width: int, *, rate: int, wide: int) -> Iterator[Part]:
    yield from bare(f"{prefix}.position_bias", rate, wide * width, dtype="F32")
    yield from plain(f"{prefix}.kv_proj", wide * width, hidden)
    yield from plain(f"{prefix}.gate_proj", wide * width, hidden)
    yield from plain(f"{prefix}.kv_norm", width)
