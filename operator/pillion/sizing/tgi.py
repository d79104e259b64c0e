"""How does Text Generation Inference divide an accelerator's memory?

It gives what is free after loading and one warm-up pass to the KV cache, and charges every layer in full: neither
windows nor latent vectors save anything.

Source: text-generation-inference 3.3.7, server/text_generation_server/models/{flash_causal_lm,globals}.py (warmup).
No log of ours covers it but one of gemma-3-27b.
"""

import math
from dataclasses import dataclass
from typing import Final

from pillion.facts import Basis, Fact, ModelFacts
from pillion.sizing import overheads, weights

WIGGLE_ROOM: Final = Fact(
    value=0.9,
    unit="x memory of the accelerator",
    basis=Basis.PUBLISHED,
    source="TGI_WIGGLE_ROOM, server/text_generation_server/models/globals.py; times --cuda-memory-fraction, 1.0",
)
PREFILL_TOKENS: Final = Fact(
    value=4096,
    unit="tokens in the warm-up pass",
    basis=Basis.PUBLISHED,
    source="launcher/src/main.rs: --max-batch-prefill-tokens from the input length, 4096 where memory is short",
)
SURE_SHARE: Final = Fact(
    value=0.85,
    unit="x estimated tokens",
    basis=Basis.ASSUMED,
    source="what warm-up takes beyond one pass is not modelled, and one log is no spread",
)
LAST_VERSION: Final = "3.3.7"
# Source: Dockerfile of that version, TORCH_CUDA_ARCH_LIST; its torch, for CUDA 12.4, knows no later accelerators.
LOWEST_CAPABILITY: Final = (8, 0)
HIGHEST_CAPABILITY: Final = (9, 0)
# Formats of checkpoints. Source: server/text_generation_server/layers, the loaders of each.
LOADED: Final = frozenset({"AWQ", "GPTQ", "FP8", "INT8", "W4A16", "W8A16"})
_FLASHINFER_BLOCK_TOKENS: Final = 1
_FLASHINFER_FROM: Final = (8, 0)  # compute capability
_PAGED_BLOCK_TOKENS: Final = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Division:
    """Bytes on one accelerator, and the tokens that its cache holds."""

    weights: int
    activation: int
    room: int | None
    token_bytes: int
    tokens: int | None


def block_tokens(capability: tuple[int, int] | None) -> int:
    """Tokens in a block of the KV cache: one with FlashInfer, which an unknown accelerator is taken to have."""
    paged = capability is not None and capability < _FLASHINFER_FROM
    return _PAGED_BLOCK_TOKENS if paged else _FLASHINFER_BLOCK_TOKENS


def divide(
    model: ModelFacts,
    *,
    tensor_parallel: int,
    loading: weights.Loading,
    element_bytes: int,
    total_bytes: int | None,
    memory_fraction: float | None,
    capability: tuple[int, int] | None,
) -> Division:
    """Weights, the warm-up pass, and what is left."""
    held = weights.weights_bytes(model, tensor_parallel=tensor_parallel, loading=loading)
    activation = overheads.forward_peak_bytes(
        model, batched_tokens=int(PREFILL_TOKENS.value), tensor_parallel=tensor_parallel
    )
    attention = model.attention
    heads = max(1, attention.kv_heads // tensor_parallel)
    token = attention.layers * heads * 2 * attention.key_head_dim * element_bytes
    if total_bytes is None or token == 0:
        return Division(weights=held, activation=activation, room=None, token_bytes=token, tokens=None)
    usable = math.floor(total_bytes * WIGGLE_ROOM.value * (memory_fraction or 1.0))
    room = usable - held - activation
    block = block_tokens(capability)
    blocks = max(0, room) // (token * block)
    return Division(weights=held, activation=activation, room=room, token_bytes=token, tokens=blocks * block)
