"""Which tensors does a language model's decoder have?

The usual decoder is a row of layers, each with a mixer (attention, or what keeps a state) and a feed-forward
part. Families that are built otherwise have generators of their own beside this one.
"""

from collections.abc import Callable, Iterator

from pillion.facts.blueprint import attention, feed_forward, recurrent
from pillion.facts.blueprint.families import Family
from pillion.facts.blueprint.parts import Part, Settings, linear, plain

Mixer = Callable[[Settings, Family, str, int], Iterator[Part]]

_LAYER_KEYS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
_MIXERS = {"mamba": "mamba", "linear_attention": "linear_attn", "conv": "conv"}


def decoder(settings: Settings, family: Family) -> Iterator[Part]:
    """All tensors of a decoder of the usual build."""
    yield from embeddings(settings, family)
    for layer in range(layers(settings)):
        prefix = family.layer.format(layer)
        yield from mixer(settings, family, prefix, layer)
        yield from feed_forward.feed_forward(settings, family, prefix, layer=layer)
        yield from norms(settings, family, prefix)
    yield from head(settings, family)


def layers(settings: Settings) -> int:
    """Layers of the model; some configurations only list what kinds they are."""
    listed = settings.each("layers_block_type", "layer_types", "hybrid_override_pattern")
    return settings.number(*_LAYER_KEYS) or len(listed) or settings.needed(*_LAYER_KEYS)


def vocabulary(settings: Settings) -> int:
    """Rows of the embedding."""
    return settings.needed("padded_vocab_size", "vocab_size")


def embeddings(settings: Settings, family: Family) -> Iterator[Part]:
    """Words, and positions where they are learned."""
    hidden = attention.hidden_size(settings)
    narrow = settings.number("word_embed_proj_dim") or hidden  # OPT-350m embeds words in half the width
    yield from plain(family.embedding, vocabulary(settings), narrow)
    if narrow != hidden:
        yield from linear("model.decoder.project_in", hidden, narrow)
        yield from linear("model.decoder.project_out", narrow, hidden)
    if family.positions:
        rows = settings.needed("n_positions", "max_position_embeddings", "n_ctx")
        yield from plain(family.positions, rows + family.spare_positions, hidden)
    if family.embedding_norm:
        yield from plain(f"{family.embedding}_layernorm", hidden, bias=True)


def head(settings: Settings, family: Family) -> Iterator[Part]:
    """The last norm, and the output head where it is not the embedding."""
    hidden = attention.hidden_size(settings)
    # OPT-350m norms after each layer, and not last.
    before = settings.raw("do_layer_norm_before") is not False
    if family.norm_weight and before:
        yield from plain(family.final_norm, hidden, bias=settings.chosen(family.norm_bias))
    if not settings.flag("tie_word_embeddings"):
        rows = vocabulary(settings)
        yield Part(name=f"{family.head}.weight", shape=(rows, hidden), linear=True)
    if family.head_bias and settings.raw("lm_head_bias") is not False:
        yield Part(name=f"{family.head}.bias", shape=(vocabulary(settings),))


def norms(settings: Settings, family: Family, prefix: str) -> Iterator[Part]:
    """The norms of one layer."""
    if not family.norm_weight:
        return
    hidden = attention.hidden_size(settings)
    bias = settings.chosen(family.norm_bias) and settings.raw("no_bias") is not True
    for name in _norm_names(settings, family):
        yield from plain(f"{prefix}.{name}", hidden, bias=bias)


def mixer(settings: Settings, family: Family, prefix: str, layer: int) -> Iterator[Part]:
    """What mixes tokens in one layer."""
    kind = mixer_kind(settings, layer)
    name = f"{prefix}.{_MIXERS.get(kind, family.attention)}"
    if settings.model_type == "falcon_h1":  # both side by side in each layer
        yield from recurrent.mamba2(settings, f"{prefix}.mamba", norm=settings.flag("mamba_rms_norm"))
    match kind:
        case "mamba":
            jamba = settings.model_type == "jamba"
            yield from recurrent.mamba1(settings, name) if jamba else recurrent.mamba2(settings, name)
        case "linear_attention":
            fused = settings.model_type == "qwen3_next"
            yield from recurrent.delta_net(settings, name, fused=fused)
        case "conv":
            yield from recurrent.short_convolution(settings, name)
        case _:
            yield from attention.attention(settings, family, name, attention.heads(settings))


def mixer_kind(settings: Settings, layer: int) -> str:
    """What kind of mixer a layer has, in transformers' words."""
    kinds = settings.each("layer_types", "layers_block_type")
    if layer < len(kinds):
        kind = str(kinds[layer])
        # transformers 5 saves Mamba's layers under the name of what it counts them among.
        return "mamba" if kind == "linear_attention" and _is_mamba(settings) else kind
    if settings.model_type in {"bamba", "granitemoehybrid"} and settings.raw("attn_layer_indices") is None:
        return "mamba"
    listed = settings.raw("attn_layer_indices")
    if isinstance(listed, list):
        return "attention" if layer in listed else "mamba"
    period = settings.number("attn_layer_period")
    if period:
        return "attention" if layer % period == settings.count("attn_layer_offset") else "mamba"
    interval = settings.number("full_attention_interval")
    if settings.number("linear_num_value_heads"):
        return "full_attention" if (layer + 1) % (interval or 4) == 0 else "linear_attention"
    full = settings.raw("full_attn_idxs")
    if isinstance(full, list):
        return "full_attention" if layer in full else "conv"
    return "full_attention"


def _is_mamba(settings: Settings) -> bool:
    return not settings.number("linear_num_value_heads")


def _norm_names(settings: Settings, family: Family) -> tuple[str, ...]:
    """The norms of a layer, where a setting of the family changes them."""
    if settings.model_type in {"falcon", "RefinedWeb", "RefinedWebModel"}:
        if settings.flag("new_decoder_architecture") and settings.raw("num_ln_in_parallel_attn") != 1:
            return ("ln_attn", "ln_mlp")
        return family.norms[:1] if settings.flag("parallel_attn", default=True) else family.norms
    if settings.flag("use_parallel_residual") and settings.model_type == "stablelm":
        return family.norms[:1]
    return family.norms
