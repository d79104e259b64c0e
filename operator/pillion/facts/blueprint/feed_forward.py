"""Which tensors does a feed-forward layer have, dense or with experts?

Source: the modeling files of transformers 5.16 that the table of families names.
"""

from collections.abc import Iterator

from pillion.facts.blueprint.attention import hidden_size
from pillion.facts.blueprint.families import Family
from pillion.facts.blueprint.parts import Part, Settings, bare, linear, plain

_FIRST_DENSE = ("first_k_dense_replace", "num_dense_layers")


def intermediate_size(settings: Settings) -> int:
    """The width of a dense feed-forward layer; four times the model's where nothing is said."""
    named = settings.number(
        "intermediate_size",
        "n_inner",
        "ffn_hidden_size",
        "ffn_dim",
        "d_ff",
        "d_inner",
        "ff_intermediate_size",
    )
    if settings.model_type == "qwen":
        return settings.needed("intermediate_size") // 2  # the first Qwen counts gate and up together
    nested = settings.part("ffn_config")
    return (
        named
        or (nested.number("ffn_hidden_size") if nested else None)
        or (settings.number("expansion_ratio") or 4) * hidden_size(settings)
    )


def experts(settings: Settings) -> int:
    """Routed experts in a layer that has some."""
    nested = settings.part("ffn_config")
    count = settings.count(
        "num_experts",
        "n_routed_experts",
        "num_local_experts",
        "moe_num_experts",
        "num_routed_experts",
    ) or (nested.count("moe_num_experts") if nested else 0)
    return count if count > 1 else 0  # Jamba's one expert is a plain layer


def has_experts(settings: Settings, layer: int) -> bool:
    """Whether a layer's feed-forward is made of experts.

    | the configuration says                    | layers with experts                          |
    | mlp_layer_types, mlp_only_layers          | as listed                                    |
    | moe_layers (or a text of their numbers)   | as listed                                    |
    | first_k_dense_replace, moe_layer_freq     | from there on, each so many                  |
    | decoder_sparse_step, expert_layer_period  | each so many                                 |
    | nothing                                   | all                                          |
    """
    if not experts(settings):
        return False
    kinds = settings.each("mlp_layer_types")
    if kinds:
        return layer < len(kinds) and kinds[layer] == "sparse"
    listed = settings.raw("moe_layers", "moe_layers_enum")
    if isinstance(listed, str):
        return str(layer) in listed.replace(" ", "").split(",")
    if isinstance(listed, list) and listed:
        return layer in listed
    frequency = settings.raw("moe_layer_freq")
    if isinstance(frequency, list):
        return layer < len(frequency) and bool(frequency[layer])
    if any(layer < settings.count(key) for key in _FIRST_DENSE) or layer in settings.each("mlp_only_layers"):
        return False
    return _periodic(settings, layer, frequency)


def _periodic(settings: Settings, layer: int, frequency: object) -> bool:
    if isinstance(frequency, int) and frequency > 1:
        return layer % frequency == 0
    period = settings.number("expert_layer_period")
    if period:
        return layer % period == settings.count("expert_layer_offset")
    step = settings.number("decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_interval")
    first, last = settings.count("moe_layer_start_index"), settings.raw("moe_layer_end_index")
    if layer < first or (isinstance(last, int) and 0 <= last < layer):
        return False
    return (layer + 1) % step == 0 if step else True


def feed_forward(settings: Settings, family: Family, prefix: str, *, layer: int) -> Iterator[Part]:
    """The tensors of one layer's feed-forward part."""
    inner = f"{prefix}.{family.feed_forward}" if family.feed_forward else prefix
    if has_experts(settings, layer):
        yield from mixture(settings, family, prefix, inner, layer=layer)
        return
    width = settings.number("intermediate_size_mlp", "dense_intermediate_size") or intermediate_size(settings)
    if settings.model_type.startswith("granitemoe"):  # a dense layer is a shared expert without others
        yield from dense(
            family, f"{prefix}.{family.shared}", hidden_size(settings), shared_width(settings) or width
        )
        return
    bias = settings.chosen(family.feed_forward_bias)
    yield from dense(family, inner, hidden_size(settings), width, bias=bias)


def dense(family: Family, prefix: str, hidden: int, width: int, *, bias: bool = False) -> Iterator[Part]:
    """One feed-forward block."""
    up, down = family.plain_names
    if family.gated and family.fused_gate:
        yield from linear(f"{prefix}.gate_up_proj", 2 * width, hidden, bias=bias)
        yield from linear(f"{prefix}.down_proj", hidden, width, bias=bias)
        return
    if family.gated:
        yield from linear(f"{prefix}.gate_proj", width, hidden, bias=bias)
    yield from linear(f"{prefix}.{up}", width, hidden, bias=bias)
    yield from linear(f"{prefix}.{down}", hidden, width, bias=bias)


def mixture(settings: Settings, family: Family, prefix: str, inner: str, *, layer: int) -> Iterator[Part]:
    """Router, routed and shared experts of one layer."""
    hidden, count, width = hidden_size(settings), experts(settings), expert_width(settings, layer)
    latent = settings.number("moe_latent_size", "routed_expert_hidden_size") or hidden
    yield from plain(f"{inner}.{family.router}", count, hidden, bias=family.router_bias)
    if family.correction_bias:
        yield from bare(f"{inner}.{family.router}.e_score_correction_bias", count, dtype="F32")
    if latent != hidden:
        yield from linear(f"{inner}.fc1_latent_proj", latent, hidden)
        yield from linear(f"{inner}.fc2_latent_proj", hidden, latent)
    yield from stacked(family, f"{inner}.experts", count, latent, width)
    shared = shared_width(settings, layer)
    if shared and family.shared:
        beside = prefix if family.shared == "shared_mlp" else inner
        yield from dense(family, f"{beside}.{family.shared}", hidden, shared)
        if family.shared_gate:
            yield from plain(f"{inner}.shared_expert_gate", 1, hidden)


def stacked(family: Family, prefix: str, count: int, hidden: int, width: int) -> Iterator[Part]:
    """Routed experts, all of them in one part for each matrix."""
    names = ("gate_proj", "up_proj") if family.gated else ("up_proj",)
    for name in names:
        yield Part(name=f"{prefix}.{name}.weight", shape=(count, width, hidden), linear=True)
    yield Part(name=f"{prefix}.down_proj.weight", shape=(count, hidden, width), linear=True)
    if family.expert_bias:
        for name in names:
            yield from bare(f"{prefix}.{name}.bias", count, width)
        yield from bare(f"{prefix}.down_proj.bias", count, hidden)


def expert_width(settings: Settings, layer: int = 0) -> int:
    """The width of one routed expert; some configurations list it for each layer."""
    listed = settings.raw("moe_intermediate_size")
    if isinstance(listed, list) and listed:
        return int(listed[min(layer, len(listed) - 1)])
    return settings.number(
        "moe_intermediate_size", "expert_ffn_hidden_size", "moe_ffn_hidden_size"
    ) or intermediate_size(settings)


def shared_width(settings: Settings, layer: int = 0) -> int:
    """The width of a layer's shared experts together; zero where there are none."""
    named = settings.number(
        "shared_expert_intermediate_size",
        "moe_shared_expert_intermediate_size",
        "share_expert_dim",
        "shared_intermediate_size",
    )
    if settings.model_type == "llama4_text":
        return intermediate_size(settings)
    count = settings.raw(
        "n_shared_experts", "num_shared_experts", "moe_num_shared_experts", "num_shared_expert"
    )
    if isinstance(count, list) and count:
        count = count[min(layer, len(count) - 1)]
    if named is not None:
        return named * (count if settings.model_type.startswith("minimax_m3") and count else 1)
    return count * expert_width(settings, layer) if isinstance(count, int) else 0
