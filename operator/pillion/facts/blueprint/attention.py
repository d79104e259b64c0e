"""Which tensors does an attention layer have?

Source: the modeling files of transformers 5.16 that the table of families names.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pillion.facts.blueprint.families import Family, QueryNorm
from pillion.facts.blueprint.parts import Part, Settings, bare, linear, plain


@dataclass(frozen=True, kw_only=True, slots=True)
class Heads:
    """The heads of one layer."""

    queries: int
    keys: int
    key_dim: int
    value_dim: int


def heads(settings: Settings) -> Heads:
    """The heads that a configuration describes for its usual layers."""
    queries = settings.needed("num_attention_heads", "n_head", "n_heads", "num_heads")
    hidden = hidden_size(settings)
    key_dim = settings.number("head_dim", "attention_head_dim", "kv_channels") or hidden // queries
    return Heads(
        queries=queries,
        keys=_key_heads(settings, queries),
        key_dim=key_dim,
        value_dim=settings.number("v_head_dim") or key_dim,
    )


def hidden_size(settings: Settings) -> int:
    """The width of the model."""
    return settings.needed("hidden_size", "n_embd", "d_model", "model_dim", "dim")


def attention(settings: Settings, family: Family, prefix: str, shape: Heads) -> Iterator[Part]:
    """The tensors of one attention layer, latent or ordinary."""
    if settings.number("kv_lora_rank"):
        yield from _latent(settings, prefix, shape)
        return
    hidden = hidden_size(settings)
    yield from grouped(settings, family, prefix, shape, inputs=hidden)
    if family.output_gate:
        gates = shape.queries * (1 if family.gate_per_head else shape.value_dim)
        yield from linear(f"{prefix}.{family.output_gate}", gates, hidden)


def grouped(settings: Settings, family: Family, prefix: str, shape: Heads, *, inputs: int) -> Iterator[Part]:
    """Queries, keys and values of ordinary attention, and the projection back to `hidden_size`."""
    queries, keys = shape.queries * shape.key_dim, shape.keys * shape.key_dim
    values, bias = shape.keys * shape.value_dim, settings.chosen(family.query_bias)
    if family.fused_qkv:
        yield from linear(f"{prefix}.{family.fused_qkv}", queries + keys + values, inputs, bias=bias)
    else:
        gate = 2 if family.gated_query else 1
        yield from linear(f"{prefix}.q_proj", queries * gate, inputs, bias=bias)
        yield from linear(f"{prefix}.k_proj", keys, inputs, bias=bias)
        yield from linear(f"{prefix}.v_proj", values, inputs, bias=bias)
    yield from linear(
        f"{prefix}.{family.output}",
        hidden_size(settings),
        shape.queries * shape.value_dim,
        bias=settings.chosen(family.output_bias),
    )
    if not family.query_norm_if or settings.flag(family.query_norm_if):
        yield from query_norms(family.query_norm, prefix, shape)
    if family.sinks:
        yield from bare(f"{prefix}.sinks", shape.queries)


def query_norms(kind: QueryNorm, prefix: str, shape: Heads) -> Iterator[Part]:
    """The norms of queries and keys."""
    match kind:
        case QueryNorm.PER_HEAD:
            sizes = (shape.key_dim, shape.key_dim)
        case QueryNorm.WHOLE:
            sizes = (shape.queries * shape.key_dim, shape.keys * shape.key_dim)
        case QueryNorm.NONE:
            return
    yield from plain(f"{prefix}.q_norm", sizes[0])
    yield from plain(f"{prefix}.k_norm", sizes[1])


def _latent(settings: Settings, prefix: str, shape: Heads) -> Iterator[Part]:
    """Multi-head latent attention, with its sparse index where there is one."""
    hidden, rank = hidden_size(settings), settings.needed("kv_lora_rank")
    rope, straight = settings.count("qk_rope_head_dim"), settings.needed("qk_nope_head_dim")
    value = settings.number("v_head_dim") or hidden // shape.queries
    down = settings.number("q_lora_rank")
    bias = settings.flag("attention_bias")
    queries = shape.queries * (straight + rope)
    if down:
        yield from linear(f"{prefix}.q_a_proj", down, hidden, bias=bias)
        yield from plain(f"{prefix}.q_a_layernorm", down)
        yield from linear(f"{prefix}.q_b_proj", queries, down)
    else:
        yield from linear(f"{prefix}.q_proj", queries, hidden)
    yield from linear(f"{prefix}.kv_a_proj_with_mqa", rank + rope, hidden, bias=bias)
    yield from plain(f"{prefix}.kv_a_layernorm", rank)
    yield from linear(f"{prefix}.kv_b_proj", shape.queries * (straight + value), rank)
    yield from linear(f"{prefix}.o_proj", hidden, shape.queries * value, bias=bias)
    index_heads, index_dim = settings.number("index_n_heads"), settings.number("index_head_dim")
    if index_heads and index_dim and down:
        yield from linear(f"{prefix}.indexer.wq_b", index_heads * index_dim, down)
        yield from linear(f"{prefix}.indexer.wk", index_dim, hidden)
        yield from plain(f"{prefix}.indexer.k_norm", index_dim, bias=True)
        yield from plain(f"{prefix}.indexer.weights_proj", index_heads, hidden)


def _key_heads(settings: Settings, queries: int) -> int:
    nested = settings.part("attn_config")
    if settings.flag("multi_query") and not settings.flag("new_decoder_architecture"):
        return 1  # Falcon and GPT-BigCode say it in a word
    if settings.raw("multi_query_attention") is False:
        return queries
    named = settings.number(
        "num_key_value_heads", "n_head_kv", "num_kv_heads", "multi_query_group_num", "n_kv_heads"
    )
    return named or (nested.number("kv_n_heads") if nested else None) or queries
