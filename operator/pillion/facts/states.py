"""What does a recurrent layer keep of a request?

Source of all shapes: vLLM 0.33.0, model_executor/layers/mamba/mamba_utils.py (MambaStateShapeCalculator) and the
models' `get_mamba_state_shape_from_config`.
"""

from collections.abc import Mapping

from pillion.facts.documents import Json
from pillion.facts.model import RecurrentState, StateFamily
from pillion.facts.reading import first

_MAMBA1 = frozenset({"mamba", "falcon_mamba", "jamba", "zamba"})
_LINEAR = frozenset(
    {"minimax", "minimax_text_01", "minimax_m1", "MiniMaxText01", "bailing_moe_linear", "bailing_hybrid"}
)
_SHORT_CONVOLUTION = frozenset({"lfm2", "lfm2_moe", "lfm2_vl"})

# What engines take where a file of the family does not say (vLLM 0.33.0, models/config.py, NemotronHForCausalLMConfig).
_USUAL_DTYPE: Mapping[str, str] = {"nemotron_h": "float32"}


def state(text: Json, model_type: str) -> RecurrentState:
    """The state of one recurrent layer of this model."""
    dtype = text.get("mamba_ssm_dtype") or text.get("mamba_ssm_cache_dtype")
    named = dtype if isinstance(dtype, str) else _USUAL_DTYPE.get(model_type)
    if model_type in _SHORT_CONVOLUTION or first(text, "conv_L_cache"):
        return _short_convolution(text)
    if isinstance(text.get("linear_attn_config"), Mapping) or model_type == "kimi_linear":
        return _kimi_delta(text, named)
    if first(text, "linear_num_value_heads"):
        return _gated_delta(text, named)
    if model_type in _LINEAR or text.get("attn_type_list"):
        heads = first(text, "num_attention_heads") or 1
        head_dim = first(text, "head_dim") or (first(text, "hidden_size") or 0) // heads
        return RecurrentState(family=StateFamily.LINEAR, elements=heads * head_dim * head_dim, dtype=named)
    several = first(text, "mamba_num_heads", "mamba_n_heads", "n_mamba_heads", "num_heads")
    if model_type in _MAMBA1 or several is None:
        return _mamba(text, named)
    return _mamba2(text, several, named)


def _short_convolution(text: Json) -> RecurrentState:
    return RecurrentState(
        family=StateFamily.SHORT_CONVOLUTION,
        elements=0,
        channels=first(text, "conv_dim", "hidden_size") or 0,
        remembered=(first(text, "conv_L_cache") or 3) - 1,
    )


def _kimi_delta(text: Json, dtype: str | None) -> RecurrentState:
    linear = text.get("linear_attn_config")
    part = linear if isinstance(linear, Mapping) else {}
    heads = first(part, "num_heads") or first(text, "num_attention_heads") or 1
    head_dim = first(part, "head_dim") or first(text, "head_dim") or 128
    kernel = first(part, "short_conv_kernel_size") or first(text, "linear_conv_kernel_dim") or 4
    return RecurrentState(
        family=StateFamily.KIMI_DELTA,
        elements=heads * head_dim * head_dim,
        channels=3 * heads * head_dim,
        remembered=kernel - 1,
        dtype=dtype,
    )


def _gated_delta(text: Json, dtype: str | None) -> RecurrentState:
    value_heads = first(text, "linear_num_value_heads") or 0
    value_dim = first(text, "linear_value_head_dim") or 128
    key_heads = first(text, "linear_num_key_heads") or value_heads
    key_dim = first(text, "linear_key_head_dim") or value_dim
    return RecurrentState(
        family=StateFamily.GATED_DELTA,
        elements=value_heads * key_dim * value_dim,
        channels=2 * key_heads * key_dim + value_heads * value_dim,
        remembered=(first(text, "linear_conv_kernel_dim") or 4) - 1,
        dtype=dtype,
    )


def _mamba(text: Json, dtype: str | None) -> RecurrentState:
    hidden = first(text, "hidden_size") or 0
    inner = (first(text, "mamba_expand", "expand") or 2) * hidden
    if not first(text, "mamba_expand"):
        inner = first(text, "intermediate_size") or inner  # the pure models name their inner size
    return RecurrentState(
        family=StateFamily.MAMBA,
        elements=inner * (first(text, "mamba_d_state", "state_size") or 16),
        channels=inner,
        remembered=(first(text, "mamba_d_conv", "conv_kernel") or 4) - 1,
        dtype=dtype,
    )


def _mamba2(text: Json, heads: int, dtype: str | None) -> RecurrentState:
    hidden = first(text, "hidden_size") or 0
    expanded = (first(text, "mamba_expand", "expand") or 2) * hidden
    head_dim = first(text, "mamba_head_dim", "mamba_d_head", "mamba_headdim") or (
        first(text, "head_dim") if first(text, "num_heads") == heads else None
    )
    head_dim = head_dim or expanded // heads
    size = first(text, "ssm_state_size", "mamba_d_state", "state_size", "mamba_state_dim") or 128
    return RecurrentState(
        family=StateFamily.MAMBA2,
        elements=heads * head_dim * size,
        channels=heads * head_dim,
        group_channels=2 * size,
        groups=first(text, "n_groups", "mamba_n_groups", "mamba_ngroups") or 1,
        remembered=(first(text, "conv_kernel", "mamba_d_conv") or 4) - 1,
        dtype=dtype,
    )
