"""What would two well-known estimators say of the same cases?

Their formulas, written from their descriptions and not from their code: hf-mem 0.5.6 sums weights by dtype and charges
every layer keys and values of all KV heads; KAITO (kaito-project/kaito@056b8280b, nodesestimator) adds margins for what
an engine needs beside.
"""

import math
from dataclasses import dataclass

from pillion.facts import AttentionKind
from pillion.sizing import EstimateRequest, defaults

GIB = 2**30


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """The figures that a formula gives; None where it gives none."""

    weights_bytes: int
    kv_bytes_per_token: int | None
    kv_cache_bytes: int | None
    kv_cache_tokens: int | None
    fits: bool | None


def hf_mem(request: EstimateRequest) -> Said:
    """Weights as stored, whole on each accelerator; a cache of every layer and KV head; nothing beside."""
    model, attention = request.model, request.model.attention
    head = (
        attention.key_head_dim
        if attention.kind is AttentionKind.GROUPED
        else model.hidden_size // attention.heads
    )
    heads = attention.kv_heads if attention.kind is AttentionKind.GROUPED else attention.heads
    layers = model.layers or attention.layers
    element = 1 if str(request.kv_cache_dtype or "").startswith("fp8") else 2
    return _said(
        request,
        weights=model.weights.stored_bytes,
        token=2 * layers * heads * head * element,
        usable=request.gpu_memory_bytes,
    )


def kaito(request: EstimateRequest) -> Said:
    """84 % of the memory is usable, weights take 2 % more, 2.3 GiB go to the engine, and 5 % are kept."""
    model, attention = request.model, request.model.attention
    ranks = request.tensor_parallel
    element = 2
    width = attention.kv_heads * (attention.key_head_dim + attention.value_head_dim)
    weights = math.ceil(model.weights.stored_bytes * 1.02 / ranks)
    usable = None
    if request.gpu_memory_bytes is not None:
        usable = math.floor((request.gpu_memory_bytes * 0.84 - 2.3 * GIB) / 1.05)
    return _said(
        request,
        weights=weights,
        token=max(1, attention.layers * width * element // ranks),
        usable=usable,
    )


def _said(request: EstimateRequest, *, weights: int, token: int, usable: int | None) -> Said:
    room = None if usable is None else usable - weights
    if request.kv_cache_memory_bytes is not None:
        room = request.kv_cache_memory_bytes
    length = request.max_model_len or defaults.context_tokens(request.model)
    tokens = None if room is None or not token else max(0, room) // token
    return Said(
        weights_bytes=weights,
        kv_bytes_per_token=token or None,
        kv_cache_bytes=room,
        kv_cache_tokens=tokens,
        fits=None if tokens is None else tokens >= length,
    )
