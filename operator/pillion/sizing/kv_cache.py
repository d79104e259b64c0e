"""How many tokens fit in a KV cache, and how many bytes do some requests need?

An engine divides the cache into blocks. A request takes whole blocks, in each group of layers of its own: groups
that attend to everything grow with the request, sliding windows stop growing, recurrent states are of one size.
"""

from dataclasses import dataclass

from pillion.facts import AttentionKind, AttentionShape

GPU_BLOCK_TOKENS = 16  # vLLM 0.33.0, config/cache.py, CacheConfig.DEFAULT_BLOCK_SIZE
CPU_BLOCK_TOKENS = 128  # vLLM 0.33.0, platforms/cpu.py
_RECURRENT_BLOCKS = 2  # per request and group with prefix caching, which is on by default
_ONE_GROUP_WITHIN = 1.5  # groups of nearly equal size become one


@dataclass(frozen=True, kw_only=True, slots=True)
class KvLayout:
    """How one rank's cache is divided."""

    block_tokens: int
    block_bytes: int  # of one block in all layers of a group
    full_groups: int
    sliding_groups: int
    sliding_window: int | None
    recurrent_groups: int
    batched_tokens: int  # that may be under way in a window beside what it remembers

    def blocks(self, context_tokens: int) -> int:
        """Blocks that one request of this length takes."""
        full = self.full_groups * _ceil_div(context_tokens, self.block_tokens)
        sliding = 0
        if self.sliding_groups and self.sliding_window:
            seen = min(self.sliding_window - 1 + 2 * self.batched_tokens, context_tokens)
            sliding = self.sliding_groups * (_ceil_div(seen, self.block_tokens) + 1)
        return full + sliding + self.recurrent_groups * _RECURRENT_BLOCKS

    def bytes_for(self, *, context_tokens: int, concurrency: int) -> int:
        """Bytes that `concurrency` requests of this length need; one block is never usable."""
        return (concurrency * self.blocks(context_tokens) + 1) * self.block_bytes

    def concurrency(self, *, context_tokens: int, room_bytes: int) -> int:
        """Requests of this length that fit at once, rounded down."""
        if room_bytes < self.block_bytes:
            return 0
        return max(0, room_bytes // self.block_bytes - 1) // max(1, self.blocks(context_tokens))

    def longest(self, *, concurrency: int, room_bytes: int, at_most: int) -> int:
        """The longest requests of which `concurrency` fit at once, up to `at_most` tokens; 0 where none do."""
        low, high = 0, at_most
        while low < high:
            middle = (low + high + 1) // 2
            if self.bytes_for(context_tokens=middle, concurrency=concurrency) <= room_bytes:
                low = middle
            else:
                high = middle - 1
        return low

    def tokens(self, *, context_tokens: int, room_bytes: int) -> int:
        """Tokens that fit, as engines report them: the share of full-length requests times their length."""
        blocks = max(0, room_bytes // self.block_bytes - 1)
        return blocks * context_tokens // max(1, self.blocks(context_tokens))


def bytes_per_token(attention: AttentionShape, *, tensor_parallel: int, element_bytes: int) -> int:
    """KV cache that one token occupies on one accelerator, in all attention layers together.

    Shapes: keys and values are `[kv_heads_of_the_rank, head_dim]` a layer; heads divide over the ranks, and are
    repeated once there are more ranks than heads. A latent vector is whole on each rank.

    Args:
        attention: layers that keep a cache.
        tensor_parallel: ranks, at least 1.
        element_bytes: of a cached element, which may differ from the weights'.

    Returns:
        Bytes, before rounding to whole blocks, as if no layer had a window.

    Accuracy: within the rounding of 31 of 37 logs. Source: vLLM 0.33.0, v1/kv_cache_interface.py.
    """
    return attention.layers * _layer_bytes(attention, tensor_parallel, element_bytes)


def layout(
    attention: AttentionShape,
    *,
    tensor_parallel: int,
    element_bytes: int,
    batched_tokens: int,
    block_tokens: int = GPU_BLOCK_TOKENS,
) -> KvLayout | None:
    """How the cache of a model is divided; None for a model that keeps none.

    Source: vLLM 0.33.0, v1/core/kv_cache_planning.py. Exact for the one log of a hybrid model that shows all its
    settings (gemma-3-27b); windows may be a little larger here than in logs that do not.
    """
    if attention.kind is AttentionKind.ENCODER or attention.layers + attention.recurrent_layers == 0:
        return None
    page = _layer_bytes(attention, tensor_parallel, element_bytes) * block_tokens
    if attention.recurrent_layers:
        return _with_states(attention, tensor_parallel, page, block_tokens, batched_tokens)
    sliding = attention.sliding_layers
    full = attention.layers - sliding
    if not sliding or not full:
        # A window in every layer is charged as none: never too little.
        return KvLayout(
            block_tokens=block_tokens,
            block_bytes=attention.layers * page,
            full_groups=1,
            sliding_groups=0,
            sliding_window=None,
            recurrent_groups=0,
            batched_tokens=batched_tokens,
        )
    smaller, larger = min(full, sliding), max(full, sliding)
    group = larger if larger < _ONE_GROUP_WITHIN * smaller else smaller
    return KvLayout(
        block_tokens=block_tokens,
        block_bytes=group * page,
        full_groups=_ceil_div(full, group),
        sliding_groups=_ceil_div(sliding, group),
        sliding_window=attention.sliding_window,
        recurrent_groups=0,
        batched_tokens=batched_tokens,
    )


def _with_states(
    attention: AttentionShape, tensor_parallel: int, page: int, block_tokens: int, batched_tokens: int
) -> KvLayout:
    """Attention beside recurrent layers: pages of attention are widened until one holds a state."""
    state = _ceil_div(attention.recurrent_state_bytes, tensor_parallel)
    if attention.layers == 0:
        return KvLayout(
            block_tokens=block_tokens,
            block_bytes=attention.recurrent_layers * state,
            full_groups=0,
            sliding_groups=0,
            sliding_window=None,
            recurrent_groups=1,
            batched_tokens=batched_tokens,
        )
    widening = max(1, _ceil_div(state, page))
    group = attention.layers
    return KvLayout(
        block_tokens=block_tokens * widening,
        block_bytes=group * page * widening,
        full_groups=1,
        sliding_groups=0,
        sliding_window=None,
        recurrent_groups=_ceil_div(attention.recurrent_layers, group),
        batched_tokens=batched_tokens,
    )


def _layer_bytes(attention: AttentionShape, tensor_parallel: int, element_bytes: int) -> int:
    if tensor_parallel < 1:
        raise ValueError(f"tensor parallelism is {tensor_parallel}; it is at least 1")
    heads = max(1, attention.kv_heads // tensor_parallel)
    elements = heads * (attention.key_head_dim + attention.value_head_dim)
    return elements * element_bytes + attention.index_bytes


def _ceil_div(value: int, divisor: int) -> int:
    return -(-value // divisor)
