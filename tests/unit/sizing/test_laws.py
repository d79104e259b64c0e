"""What holds for every shape."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pillion.facts import AttentionKind, AttentionShape
from pillion.sizing import kv_cache, weights
from tests.unit.facts import checkpoints

MODELS = st.sampled_from([checkpoints.llama_8b(), checkpoints.qwen3_8b_awq(), checkpoints.tiny()])
POWERS = st.sampled_from([1, 2, 4, 8, 16])


@st.composite
def shapes(draw: st.DrawFn) -> AttentionShape:
    layers = draw(st.integers(1, 80))
    sliding = draw(st.integers(0, layers))
    return AttentionShape(
        kind=AttentionKind.GROUPED,
        layers=layers,
        heads=32,
        kv_heads=draw(POWERS),
        key_head_dim=draw(st.sampled_from([64, 128, 256])),
        value_head_dim=draw(st.sampled_from([64, 128])),
        sliding_layers=sliding,
        sliding_window=draw(st.integers(16, 8192)) if sliding else None,
        recurrent_layers=draw(st.sampled_from([0, 0, 3, 36])),
        recurrent_state_bytes=draw(st.integers(1, 4_000_000)),
    )


def layout(shape: AttentionShape, *, element_bytes: int = 2, ranks: int = 1) -> kv_cache.KvLayout:
    found = kv_cache.layout(shape, tensor_parallel=ranks, element_bytes=element_bytes, batched_tokens=2048)
    assert found is not None
    return found


LENGTHS = st.integers(1, 200_000)
COUNTS = st.integers(1, 64)


@settings(max_examples=60, deadline=None)
@given(shapes(), LENGTHS, LENGTHS, COUNTS)
def test_a_longer_context_never_needs_less(shape: AttentionShape, one: int, other: int, count: int) -> None:
    found, shorter, longer = layout(shape), min(one, other), max(one, other)
    assert found.bytes_for(context_tokens=shorter, concurrency=count) <= found.bytes_for(
        context_tokens=longer, concurrency=count
    )


@settings(max_examples=60, deadline=None)
@given(shapes(), LENGTHS, COUNTS)
def test_more_requests_never_need_less(shape: AttentionShape, length: int, count: int) -> None:
    found = layout(shape)
    assert found.bytes_for(context_tokens=length, concurrency=count) < found.bytes_for(
        context_tokens=length, concurrency=count + 1
    )


@settings(max_examples=60, deadline=None)
@given(shapes(), LENGTHS, st.integers(0, 10**12))
def test_what_is_said_to_fit_does(shape: AttentionShape, length: int, room: int) -> None:
    found = layout(shape)
    fitting = found.concurrency(context_tokens=length, room_bytes=room)
    assert not fitting or found.bytes_for(context_tokens=length, concurrency=fitting) <= room
    assert found.bytes_for(context_tokens=length, concurrency=fitting + 1) > room


@settings(max_examples=60, deadline=None)
@given(shapes(), COUNTS, st.integers(0, 10**12), LENGTHS)
def test_the_longest_that_fits_is_the_longest(
    shape: AttentionShape, count: int, room: int, limit: int
) -> None:
    found = layout(shape)
    longest = found.longest(concurrency=count, room_bytes=room, at_most=limit)
    assert longest <= limit
    assert longest == 0 or found.bytes_for(context_tokens=longest, concurrency=count) <= room
    assert longest == limit or found.bytes_for(context_tokens=longest + 1, concurrency=count) > room


@settings(max_examples=40, deadline=None)
@given(shapes(), POWERS)
def test_fewer_bits_never_make_a_token_larger(shape: AttentionShape, ranks: int) -> None:
    half, whole = (
        kv_cache.bytes_per_token(shape, tensor_parallel=ranks, element_bytes=element) for element in (1, 2)
    )
    assert half <= whole


@settings(max_examples=40, deadline=None)
@given(MODELS, POWERS, st.booleans())
def test_more_gpus_never_raise_a_ranks_weights(model: object, ranks: int, online: bool) -> None:
    loading = weights.Loading(online="FP8" if online else None)
    one, two = (
        weights.weights_bytes(model, tensor_parallel=number, loading=loading)  # type: ignore[arg-type]
        for number in (ranks, 2 * ranks)
    )
    assert two <= one
