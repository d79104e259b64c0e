"""How many tokens fit in a KV cache, and how many bytes do some requests need?

An engine divides the cache into blocks. A request takes whole blocks, in each group of layers of its own: groups
that attend to everything grow with the request, sliding windows stop growing, recurrent states are of one size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pillion.facts import AttentionKind, AttentionShape
from pillion.facts.model import CachedLayers, CacheKind, RecurrentState, StateFamily
from pillion.sizing import kv_groups, kv_pages, kv_rules, stages

GPU_BLOCK_TOKENS = 16  # vLLM 0.33.0, config/cache.py, CacheConfig.DEFAULT_BLOCK_SIZE
CPU_BLOCK_TOKENS = 128  # vLLM 0.33.0, platforms/cpu.py
LATENT_BLOCK_TOKENS = 64  # FlashMLA's (v1/attention/backends/mla/flashmla.py)
CPU_LATENT_BLOCK_TOKENS = 16  # where the CPU has no AMX (platforms/cpu.py)
VLLM = "vllm"


@dataclass(frozen=True, kw_only=True, slots=True)
class TableGroup:
    """What one table of blocks holds of a request."""

    kind: CacheKind
    block_tokens: int
    window: int | None = None
    states: int = 0

    def blocks(self, context_tokens: int, in_flight: int) -> int:
        """Blocks that a request of this length takes at most."""
        if self.kind is CacheKind.STATE:
            return self.states
        if self.kind is CacheKind.CROSS:
            return _ceil_div(self.window or 0, self.block_tokens)
        if self.kind is CacheKind.SLIDING and self.window:
            # One more block: a window may begin in the middle of one.
            return _ceil_div(min(self.window - 1 + in_flight, context_tokens), self.block_tokens) + 1
        if self.kind is CacheKind.CHUNKED and self.window:
            return _ceil_div(min(self.window + in_flight, context_tokens), self.block_tokens)
        return _ceil_div(context_tokens, self.block_tokens)


@dataclass(frozen=True, kw_only=True, slots=True)
class KvLayout:
    """How one rank's cache is divided."""

    block_tokens: int  # of the smallest block
    block_bytes: int  # of one block in all layers of a group, on the fullest stage of a pipeline
    groups: tuple[TableGroup, ...]
    in_flight_tokens: int = 0  # that may be under way in a window beside what it remembers
    reports_requests: bool = True  # how the engine counts the tokens of several groups

    @property
    def recurrent_groups(self) -> int:
        """Groups of layers that keep a state for each request."""
        return sum(group.kind is CacheKind.STATE for group in self.groups)

    def blocks(self, context_tokens: int) -> int:
        """Blocks that one request of this length takes."""
        return sum(group.blocks(context_tokens, self.in_flight_tokens) for group in self.groups)

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
        """Tokens that fit, exactly as the engine's log says: from 0.21 on what full-length requests hold together.

        Before, the blocks were shared out evenly among the groups, which understates what windows and states save.
        """
        blocks = max(0, room_bytes // self.block_bytes)
        if self.reports_requests:
            return int(blocks / max(1, self.blocks(context_tokens)) * context_tokens)
        return blocks // len(self.groups) * self._reported_block(context_tokens)

    def bytes_per_token(self, *, context_tokens: int) -> float:
        """What a log shows: the room, divided by the tokens that it is said to hold."""
        if self.reports_requests:
            return self.blocks(context_tokens) * self.block_bytes / context_tokens
        return len(self.groups) * self.block_bytes / self._reported_block(context_tokens)

    def reported_concurrency(self, *, context_tokens: int, room_bytes: int) -> float:
        """Requests of this length that the engine's log says to fit."""
        return max(0, room_bytes // self.block_bytes) / max(1, self.blocks(context_tokens))

    def _reported_block(self, context_tokens: int) -> int:
        if not self.recurrent_groups:
            return self.block_tokens
        if self.recurrent_groups == len(self.groups):
            return context_tokens
        # Without prefix caching, a state's block is a whole request.
        return min(self.block_tokens, context_tokens)


def bytes_per_token(attention: AttentionShape, *, tensor_parallel: int, element_bytes: int) -> int:
    """KV cache that one token occupies on one accelerator, in all attention layers together.

    Args:
        attention: layers that keep a cache.
        tensor_parallel: ranks, at least 1.
        element_bytes: of a cached element, which may differ from the weights'.

    Returns:
        Bytes, before rounding to whole blocks, as if no layer had a window.
    """
    sparse = bool(attention.index_bytes)
    return sum(
        len(entry.positions)
        * kv_pages.token_bytes(
            entry, tensor_parallel=tensor_parallel, element_bytes=element_bytes, sparse=sparse
        )
        for entry in _entries(attention)
        if entry.state is None
    )


def layout(
    attention: AttentionShape,
    *,
    tensor_parallel: int,
    element_bytes: int,
    batched_tokens: int,
    block_tokens: int = GPU_BLOCK_TOKENS,
    pipeline_parallel: int = 1,
    engine: str = VLLM,
    engine_version: str | None = None,
    capability: tuple[int, int] | None = None,
    model_element_bytes: int = 2,
) -> KvLayout | None:
    """How the cache of a model is divided; None for a model that keeps none.

    Args:
        attention: what the model's layers keep.
        tensor_parallel: ranks that share each layer.
        element_bytes: of a cached element.
        batched_tokens: the engine's max_num_batched_tokens.
        block_tokens: the engine's block before models have their say; CPU_BLOCK_TOKENS stands for an engine on CPU.
        pipeline_parallel: stages that share the layers; the fullest one decides.
        engine: "vllm", or "tgi", for which all layers keep all tokens.
        engine_version: of vLLM; None is the pinned one.
        capability: of the accelerator; None where it is not known.
        model_element_bytes: of the dtype that the model runs in.

    Accuracy: exact for what vLLM 0.32.0 on CPU says of the tiny models in tests/engine.
    """
    entries = _entries(attention)
    if attention.kind is AttentionKind.ENCODER or not entries:
        return None
    rules = kv_rules.of(engine_version, on_cpu=block_tokens == CPU_BLOCK_TOKENS, capability=capability)
    if engine != VLLM or not rules.windows_save or (_has_chunks(entries) and not rules.chunks_save):
        entries = [_remembering_all(entry) for entry in entries]
    pages = _Pages(
        rules=rules,
        tensor_parallel=tensor_parallel,
        element_bytes=element_bytes,
        model_bytes=model_element_bytes,
        sparse=bool(attention.index_bytes) and attention.kind is AttentionKind.LATENT,
    ).of(entries, _usual_block(attention, block_tokens))
    found = kv_groups.groups(pages, rules)
    return KvLayout(
        block_tokens=min(group.pages.block_tokens for group in found),
        block_bytes=_fullest(found, attention, pipeline_parallel),
        groups=tuple(
            TableGroup(
                kind=group.pages.kind,
                block_tokens=group.pages.block_tokens,
                window=group.pages.window,
                states=group.pages.states,
            )
            for group in found
        ),
        in_flight_tokens=batched_tokens * rules.batches_in_flight,
        reports_requests=rules.reports_requests and engine == VLLM,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pages:
    """Pages of layers, as far as one layer decides them."""

    rules: kv_rules.Rules
    tensor_parallel: int
    element_bytes: int
    model_bytes: int
    sparse: bool

    def of(self, entries: Sequence[CachedLayers], block: int) -> list[kv_groups.Pages]:
        """All pages; beside states, blocks are widened until a page of attention holds a state."""
        tokens = {
            entry: kv_pages.token_bytes(
                entry,
                tensor_parallel=self.tensor_parallel,
                element_bytes=self.element_bytes,
                sparse=self.sparse,
            )
            for entry in entries
            if entry.state is None
        }
        states = [entry.state for entry in entries if entry.state]
        largest = max((self._state(state) for state in states), default=0)
        if states and tokens:
            block = self._widened(block, states, largest, tokens)
            largest = max(largest, block * max(tokens.values()))
        return [
            kv_groups.Pages(
                kind=entry.kind,
                positions=entry.positions,
                block_tokens=block,
                page_bytes=largest if entry.state else block * tokens[entry],
                window=entry.window,
                states=self.rules.states_per_request(entry.state.family, beside_attention=bool(tokens))
                if entry.state
                else 0,
            )
            for entry in entries
        ]

    def _state(self, state: RecurrentState) -> int:
        return kv_pages.state_bytes(
            state, self.rules, tensor_parallel=self.tensor_parallel, model_bytes=self.model_bytes
        )

    def _widened(
        self, block: int, states: Sequence[RecurrentState], largest: int, tokens: dict[CachedLayers, int]
    ) -> int:
        """Source: vLLM 0.33.0, platforms/interface.py, _align_hybrid_block_size."""
        multiple = math.lcm(block, *(self.rules.state_block_multiple(state.family) for state in states))
        if any(entry.latent for entry in tokens) and self.rules.version >= kv_rules.LATENT_BLOCKS_OF_128:
            multiple = max(multiple, 128)
        widened = multiple * _ceil_div(largest, multiple * max(tokens.values()))
        return max(block, widened)


def _usual_block(attention: AttentionShape, block_tokens: int) -> int:
    if attention.kind is not AttentionKind.LATENT:
        return block_tokens
    if block_tokens == GPU_BLOCK_TOKENS:
        return LATENT_BLOCK_TOKENS
    return CPU_LATENT_BLOCK_TOKENS if block_tokens == CPU_BLOCK_TOKENS else block_tokens


def _entries(attention: AttentionShape) -> list[CachedLayers]:
    """What layers keep, made of the summary where a shape says no more."""
    if attention.cached:
        return list(attention.cached)
    full = attention.layers - attention.sliding_layers
    sizes = (full, attention.sliding_layers, attention.recurrent_layers)
    usual = CachedLayers(
        kind=CacheKind.FULL,
        positions=tuple(range(full)),
        kv_heads=attention.kv_heads,
        key_head_dim=attention.key_head_dim,
        value_head_dim=attention.value_head_dim,
        latent=attention.kind is AttentionKind.LATENT,
        index_bytes=attention.index_bytes,
    )
    sliding = replace(
        usual,
        kind=CacheKind.SLIDING,
        positions=tuple(range(full, attention.layers)),
        window=attention.sliding_window,
    )
    recurrent = CachedLayers(
        kind=CacheKind.STATE,
        positions=tuple(range(attention.layers, sum(sizes))),
        state=RecurrentState(
            family=StateFamily.GATED_DELTA,
            elements=_ceil_div(attention.recurrent_state_bytes, 4),
            dtype="float32",
        ),
    )
    return [entry for entry in (usual, sliding, recurrent) if entry.positions]


def _has_chunks(entries: Sequence[CachedLayers]) -> bool:
    return any(entry.kind is CacheKind.CHUNKED for entry in entries)


def _remembering_all(entry: CachedLayers) -> CachedLayers:
    if entry.kind in {CacheKind.SLIDING, CacheKind.CHUNKED}:
        return replace(entry, kind=CacheKind.FULL, window=None)
    return entry


def _fullest(groups: Sequence[kv_groups.Group], attention: AttentionShape, number: int) -> int:
    """Bytes of one block on the stage whose layers need most of it."""
    known = 1 + max(layer for group in groups for layer, _ in group.members)
    first, most = 0, 0
    for stage in stages.stages(max(attention.all_layers, known), number):
        mine = range(first, first + stage.layers)
        most = max(most, *(sum(page for layer, page in group.members if layer in mine) for group in groups))
        first += stage.layers
    return most


def _ceil_div(value: int, divisor: int) -> int:
    return -(-value // divisor)
