"""How many bytes does one layer keep of a token, and of a request's state, on one accelerator?"""

from pillion.facts.model import CachedLayers, RecurrentState, StateFamily
from pillion.sizing.kv_rules import Rules

SPARSE_FP8_BYTES = 656  # fp8_ds_mla: 512 of 8 bit, 16 of scales, 64 of 16 bit (vLLM, mla/flashmla_sparse.py)
_DTYPE_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}
_FLOAT32 = 4
_FP8 = 1


def token_bytes(
    layers: CachedLayers, *, tensor_parallel: int, element_bytes: int, sparse: bool = False
) -> int:
    """KV cache of one token in one layer on one rank.

    Shapes: keys and values are `[kv_heads_of_the_rank, head_dim]`; heads divide over the ranks, and are repeated once
    there are more ranks than heads. A latent vector is whole on each rank, and so is an index, which is of 8 bit
    whatever the cache is of.

    Args:
        layers: that keep the same.
        tensor_parallel: ranks, at least 1.
        element_bytes: of a cached element, which may differ from the weights'.
        sparse: latent attention with an index: its 8-bit cache has a form of its own.

    Source: vLLM 0.33.0, v1/kv_cache_interface.py (AttentionSpec, MLAAttentionSpec).
    """
    if tensor_parallel < 1:
        raise ValueError(f"tensor parallelism is {tensor_parallel}; it is at least 1")
    if layers.latent:
        if sparse and element_bytes == _FP8:
            return SPARSE_FP8_BYTES
        return layers.key_head_dim * element_bytes + layers.index_bytes
    if not layers.kv_heads:
        return layers.index_bytes
    heads = max(1, layers.kv_heads // tensor_parallel)
    return heads * (layers.key_head_dim + layers.value_head_dim) * element_bytes + layers.index_bytes


def state_bytes(state: RecurrentState, rules: Rules, *, tensor_parallel: int, model_bytes: int = 2) -> int:
    """State of one request in one recurrent layer on one rank.

    The convolution's inputs are in the model's dtype. The recurrent part is in the dtype that the configuration names,
    where the version heeds it; else in the model's, save Kimi's delta attention, which is always in 32 bit.

    Source: vLLM 0.33.0, model_executor/layers/mamba/mamba_utils.py.
    """
    groups = state.groups
    if groups and groups % tensor_parallel:
        groups = tensor_parallel  # repeated, so that each rank has those that its heads need
    inputs = state.channels + groups * state.group_channels
    named = _DTYPE_BYTES.get(state.dtype or "") if rules.heeds_state_dtype(state.family) else None
    usual = _FLOAT32 if state.family is StateFamily.KIMI_DELTA else model_bytes
    return _ceil_div(state.elements, tensor_parallel) * (named or usual) + (
        _ceil_div(inputs, tensor_parallel) * state.remembered * model_bytes
    )


def _ceil_div(value: int, divisor: int) -> int:
    return -(-value // divisor)
