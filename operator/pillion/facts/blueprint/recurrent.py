"""Which tensors does a layer have that keeps a state instead of a cache?

Source: transformers 5.16, models/{mamba,mamba2,jamba,qwen3_next,qwen3_5,lfm2}/modeling_*.py, and for Kimi's
delta attention vLLM 0.33.0, model_executor/models/kimi_linear.py.
"""

from collections.abc import Iterator

from pillion.facts.blueprint.attention import hidden_size
from pillion.facts.blueprint.parts import MissingSettingError, Part, Settings, bare, linear, plain


def mamba1(settings: Settings, prefix: str) -> Iterator[Part]:
    """The first Mamba; Jamba norms what selects the state, too."""
    hidden = hidden_size(settings)
    inner = settings.number("intermediate_size") if settings.model_type == "mamba" else None
    inner = inner or (settings.number("mamba_expand", "expand") or 2) * hidden
    state = settings.number("mamba_d_state", "state_size") or 16
    kernel = settings.number("mamba_d_conv", "conv_kernel") or 4
    rank = settings.number("mamba_dt_rank", "time_step_rank") or -(-hidden // 16)
    bias = settings.flag("mamba_proj_bias") or settings.flag("use_bias")
    yield from bare(f"{prefix}.A_log", inner, state, dtype="F32")
    yield from bare(f"{prefix}.D", inner, dtype="F32")
    yield from plain(f"{prefix}.conv1d", inner, 1, kernel, bias=True)
    yield from linear(f"{prefix}.in_proj", 2 * inner, hidden, bias=bias)
    yield from linear(f"{prefix}.x_proj", rank + 2 * state, inner)
    yield from linear(f"{prefix}.dt_proj", inner, rank, bias=True)
    yield from linear(f"{prefix}.out_proj", hidden, inner, bias=bias)
    if settings.model_type == "jamba":
        for name, size in (("dt", rank), ("b", state), ("c", state)):
            yield from plain(f"{prefix}.{name}_layernorm", size)


def mamba2(settings: Settings, prefix: str, *, norm: bool = True) -> Iterator[Part]:
    """The second Mamba, as Bamba, Granite 4, Falcon-H1 and Nemotron-H use it."""
    hidden = hidden_size(settings)
    heads = settings.needed("mamba_num_heads", "mamba_n_heads", "n_mamba_heads", "num_heads")
    expanded = int((settings.raw("mamba_expand", "expand") or 2) * hidden)
    head_dim = settings.number("mamba_head_dim", "mamba_d_head", "mamba_headdim", "head_dim")
    inner = settings.number("mamba_d_ssm") or (heads * head_dim if head_dim else expanded)
    state = settings.needed("ssm_state_size", "mamba_d_state", "state_size")
    groups = settings.number("n_groups", "mamba_n_groups", "mamba_ngroups") or 1
    kernel = settings.number("conv_kernel", "mamba_d_conv") or 4
    channels = inner + 2 * groups * state
    bias = settings.flag("mamba_proj_bias") or settings.flag("use_bias")
    for name in ("dt_bias", "A_log", "D"):
        yield from bare(f"{prefix}.{name}", heads, dtype="F32")
    yield from plain(f"{prefix}.conv1d", channels, 1, kernel, bias=True)
    yield from linear(f"{prefix}.in_proj", inner + channels + heads, hidden, bias=bias)
    yield from linear(f"{prefix}.out_proj", hidden, inner, bias=bias)
    if norm:
        yield from plain(f"{prefix}.norm", inner)


def delta_net(settings: Settings, prefix: str, *, fused: bool) -> Iterator[Part]:
    """The gated delta net of Qwen3-Next, whose projections Qwen3.5 and later keep apart."""
    hidden = hidden_size(settings)
    value_heads, value_dim = (
        settings.needed("linear_num_value_heads"),
        settings.needed("linear_value_head_dim"),
    )
    key = settings.needed("linear_num_key_heads") * settings.needed("linear_key_head_dim")
    value = value_heads * value_dim
    yield from bare(f"{prefix}.dt_bias", value_heads)
    yield from bare(f"{prefix}.A_log", value_heads, dtype="F32")
    yield from plain(f"{prefix}.conv1d", 2 * key + value, 1, settings.number("linear_conv_kernel_dim") or 4)
    if fused:
        yield from linear(f"{prefix}.in_proj_qkvz", 2 * key + 2 * value, hidden)
        yield from linear(f"{prefix}.in_proj_ba", 2 * value_heads, hidden)
    else:
        yield from linear(f"{prefix}.in_proj_qkv", 2 * key + value, hidden)
        yield from linear(f"{prefix}.in_proj_z", value, hidden)
        yield from linear(f"{prefix}.in_proj_b", value_heads, hidden)
        yield from linear(f"{prefix}.in_proj_a", value_heads, hidden)
    yield from plain(f"{prefix}.norm", value_dim, dtype="F32")
    yield from linear(f"{prefix}.out_proj", hidden, value)


def short_convolution(settings: Settings, prefix: str) -> Iterator[Part]:
    """The gated short convolution of LFM2."""
    hidden, bias = hidden_size(settings), settings.flag("conv_bias")
    yield from plain(f"{prefix}.conv", hidden, 1, settings.number("conv_L_cache") or 3, bias=bias)
    yield from linear(f"{prefix}.in_proj", 3 * hidden, hidden, bias=bias)
    yield from linear(f"{prefix}.out_proj", hidden, hidden, bias=bias)


def kimi_delta(settings: Settings, prefix: str) -> Iterator[Part]:
    """Kimi's delta attention, whose gates go through a narrow middle as wide as one head."""
    hidden, shape = hidden_size(settings), settings.part("linear_attn_config")
    if shape is None:
        raise MissingSettingError("linear_attn_config")
    heads, head_dim = shape.needed("num_heads"), shape.needed("head_dim")
    inner = heads * head_dim
    for name in ("q", "k", "v"):
        yield from linear(f"{prefix}.{name}_proj", inner, hidden)
        yield from plain(f"{prefix}.{name}_conv1d", inner, 1, shape.number("short_conv_kernel_size") or 4)
    for name in ("f", "g"):
        yield from linear(f"{prefix}.{name}_a_proj", head_dim, hidden)
        yield from linear(f"{prefix}.{name}_b_proj", inner, head_dim)
    yield from linear(f"{prefix}.b_proj", heads, hidden)
    yield from bare(f"{prefix}.A_log", heads, dtype="F32")
    yield from bare(f"{prefix}.dt_bias", inner, dtype="F32")
    yield from plain(f"{prefix}.o_norm", head_dim)
    yield from linear(f"{prefix}.o_proj", hidden, inner)
