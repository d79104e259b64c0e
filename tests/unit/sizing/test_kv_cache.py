"""Bytes a token, blocks a request, and how many fit, against logs and by hand."""

import pytest

from pillion.facts import AttentionKind, AttentionShape
from pillion.facts.model import CacheKind
from pillion.sizing import kv_cache

GIB = 2**30


def attention(
    layers: int, kv_heads: int, head_dim: int, *, heads: int = 32, sliding: int = 0, window: int | None = None
) -> AttentionShape:
    return AttentionShape(
        kind=AttentionKind.GROUPED,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        key_head_dim=head_dim,
        value_head_dim=head_dim,
        sliding_layers=sliding,
        sliding_window=window,
    )


LLAMA_8B = attention(32, 8, 128)
LATENT = AttentionShape(
    kind=AttentionKind.LATENT, layers=61, heads=128, kv_heads=1, key_head_dim=576, value_head_dim=0
)


@pytest.mark.parametrize(
    ("shape", "ranks", "element_bytes", "expected"),
    [
        pytest.param(LLAMA_8B, 1, 2, 131_072, id="one GPU holds all eight KV heads"),
        pytest.param(LLAMA_8B, 8, 2, 16_384, id="one KV head on each of eight"),
        pytest.param(LLAMA_8B, 16, 2, 16_384, id="more GPUs than heads: heads are repeated"),
        pytest.param(LLAMA_8B, 1, 1, 65_536, id="FP8 halves it"),
        pytest.param(LATENT, 1, 2, 70_272, id="a latent vector"),
        pytest.param(LATENT, 8, 2, 70_272, id="a latent vector is whole on each GPU"),
    ],
)
def test_bytes_of_one_token(shape: AttentionShape, ranks: int, element_bytes: int, expected: int) -> None:
    assert kv_cache.bytes_per_token(shape, tensor_parallel=ranks, element_bytes=element_bytes) == expected


def layout(shape: AttentionShape, *, batched_tokens: int = 2048, block_tokens: int = 16) -> kv_cache.KvLayout:
    found = kv_cache.layout(
        shape, tensor_parallel=1, element_bytes=2, batched_tokens=batched_tokens, block_tokens=block_tokens
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("shape", "room_gib", "logged_tokens"),
    [
        pytest.param(attention(28, 4, 128), 5.46, 102_288, id="Qwen2.5 7B, log vllm-114"),
        pytest.param(attention(28, 4, 128), 11.40, 213_424, id="Qwen2.5 7B in FP8, log vllm-115"),
        pytest.param(attention(40, 8, 128), 28.20, 184_832, id="Mistral Small 3.2, log vllm-032"),
        pytest.param(attention(24, 2, 64), 64.71, 5_654_128, id="Qwen2.5 0.5B, log vllm-175"),
        pytest.param(attention(36, 8, 128), 8.98, 65_376, id="Qwen3 8B, log vllm-171"),
    ],
)
def test_tokens_of_a_cache_within_the_logs_rounding(
    shape: AttentionShape, room_gib: float, logged_tokens: int
) -> None:
    found = layout(shape).tokens(context_tokens=8192, room_bytes=int(room_gib * GIB))
    rounding = 0.005 * GIB / kv_cache.bytes_per_token(shape, tensor_parallel=1, element_bytes=2)
    assert found == pytest.approx(logged_tokens, abs=rounding + 32)  # a block is never usable, another is cut


def test_requests_take_whole_blocks_and_one_block_is_never_usable() -> None:
    found = layout(LLAMA_8B)
    assert found.block_bytes == 16 * 131_072
    assert [found.blocks(tokens) for tokens in (1, 16, 17, 8192)] == [1, 1, 2, 512]
    assert found.bytes_for(context_tokens=8192, concurrency=8) == (8 * 512 + 1) * found.block_bytes


def test_as_many_fit_as_their_bytes_allow() -> None:
    found = layout(LLAMA_8B)
    room = found.bytes_for(context_tokens=8192, concurrency=3)
    assert found.concurrency(context_tokens=8192, room_bytes=room) == 3
    assert found.concurrency(context_tokens=8192, room_bytes=room - 1) == 2
    assert found.concurrency(context_tokens=8192, room_bytes=-1) == 0


def test_the_longest_requests_that_fit() -> None:
    found = layout(LLAMA_8B)
    room = found.bytes_for(context_tokens=5000, concurrency=2)
    assert found.longest(concurrency=2, room_bytes=room, at_most=100_000) == 5008  # to the end of the block
    assert found.longest(concurrency=2, room_bytes=room, at_most=4096) == 4096
    assert found.longest(concurrency=2, room_bytes=0, at_most=4096) == 0


GEMMA_27B = attention(62, 16, 128, sliding=52, window=1024)


def kinds(found: kv_cache.KvLayout) -> list[CacheKind]:
    return [group.kind for group in found.groups]


def test_windows_stop_growing_and_share_their_groups_blocks() -> None:
    # Gemma 3 27B: 10 full and 52 sliding layers make groups of 10, one full and six sliding.
    found = layout(GEMMA_27B)
    page = 16 * 16 * (128 + 128) * 2
    assert found.block_bytes == 10 * page
    assert kinds(found) == [CacheKind.FULL, *[CacheKind.SLIDING] * 6]
    seen = 1024 - 1 + 2 * 2048  # the window, and two batches under way
    assert found.blocks(32_768) == 2048 + 6 * (-(-seen // 16) + 1)
    assert found.blocks(65_536) - found.blocks(32_768) == 2048


def test_kinds_of_nearly_equal_number_are_one_group_each() -> None:
    found = layout(attention(24, 8, 64, sliding=12, window=128))  # gpt-oss 20B
    assert kinds(found) == [CacheKind.FULL, CacheKind.SLIDING]
    assert found.block_bytes == 12 * 16 * 8 * (64 + 64) * 2


def test_a_window_in_every_layer_never_keeps_more_than_the_window() -> None:
    found = layout(attention(32, 8, 128, sliding=32, window=4096))
    assert found.block_bytes == layout(LLAMA_8B).block_bytes
    assert found.blocks(100_000) == found.blocks(50_000) == -(-(4095 + 4096) // 16) + 1


def test_blocks_beside_recurrent_states_are_widened_until_one_holds_a_state() -> None:
    # Qwen3-Next 80B on two GPUs: 12 attention layers with one KV head of 256 each, 36 layers of states
    state = 16 * 128 * 128 * 4
    shape = AttentionShape(
        kind=AttentionKind.GROUPED,
        layers=12,
        heads=16,
        kv_heads=1,
        key_head_dim=256,
        value_head_dim=256,
        recurrent_layers=36,
        recurrent_state_bytes=state,
    )
    found = layout(shape)
    assert found.block_tokens == 1024  # 1024 tokens of 1 KiB are just as large as the state
    assert found.recurrent_groups == 3
    assert (
        found.blocks(1024) == 1 + 3 * 3
    )  # three states each: now, at the last block's start, and a checkpoint


def test_an_encoder_has_no_cache() -> None:
    encoder = AttentionShape(
        kind=AttentionKind.ENCODER, layers=0, heads=12, kv_heads=12, key_head_dim=64, value_head_dim=64
    )
    assert kv_cache.layout(encoder, tensor_parallel=1, element_bytes=2, batched_tokens=2048) is None
