"""What holds for every shape."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pillion import sizing
from pillion.facts import AttentionKind, AttentionShape, ModelFacts, local
from pillion.sizing import kv_cache, weights
from tests.corpus import models
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
def test_more_gpus_never_raise_a_ranks_weights(model: ModelFacts, ranks: int, online: bool) -> None:
    loading = weights.Loading(online="FP8" if online else None)
    one, two = (
        weights.weights_bytes(model, tensor_parallel=number, loading=loading) for number in (ranks, 2 * ranks)
    )
    assert two <= one


VERSIONS = st.sampled_from(["0.9.2", "0.11.0", "0.19.0", "0.22.0", "0.28.0", "0.33.0"])
MEMORY_GIB = st.integers(1, 200)


def ask(model: ModelFacts, gib: int, **settings_: Any) -> sizing.Estimate:
    """An estimate with a batch of its own, because the engine's default grows with the device."""
    return sizing.estimate(
        sizing.EstimateRequest(
            model=model,
            gpu_memory_bytes=gib * 2**30,
            max_num_batched_tokens=2048,
            max_num_seqs=64,
            **settings_,
        )
    )


@settings(max_examples=60, deadline=None)
@given(MODELS, VERSIONS, MEMORY_GIB, MEMORY_GIB, st.integers(1, 40_000))
def test_more_memory_never_loses(model: ModelFacts, version: str, one: int, other: int, length: int) -> None:
    less, more = (
        ask(model, gib, engine_version=version, max_model_len=length) for gib in sorted((one, other))
    )
    assert not less.fits or more.fits
    for figure in ("kv_cache_tokens", "kv_cache_tokens_promised", "max_fitting_model_len", "max_concurrency"):
        assert getattr(less, figure) <= getattr(more, figure)


@settings(max_examples=60, deadline=None)
@given(MODELS, VERSIONS, MEMORY_GIB)
def test_a_promise_is_never_above_what_is_expected(model: ModelFacts, version: str, gib: int) -> None:
    found = ask(model, gib, engine_version=version)
    assert found.kv_cache_tokens_promised is not None
    assert found.kv_cache_tokens is not None
    assert 0 <= found.kv_cache_tokens_promised <= found.kv_cache_tokens


@settings(max_examples=60, deadline=None)
@given(MODELS, VERSIONS, MEMORY_GIB)
def test_a_cache_in_fewer_bits_never_holds_less(model: ModelFacts, version: str, gib: int) -> None:
    wide, narrow = (
        ask(model, gib, engine_version=version, kv_cache_dtype=dtype) for dtype in ("bfloat16", "fp8")
    )
    assert narrow.kv_bytes_per_token is not None
    assert wide.kv_bytes_per_token is not None
    assert narrow.kv_bytes_per_token <= wide.kv_bytes_per_token
    assert (narrow.kv_cache_tokens or 0) >= (wide.kv_cache_tokens or 0)


@settings(max_examples=60, deadline=None)
@given(MODELS, VERSIONS, MEMORY_GIB, COUNTS, COUNTS)
def test_more_sequences_at_once_never_leave_more_room(
    model: ModelFacts, version: str, gib: int, one: int, other: int
) -> None:
    few, many = (
        sizing.estimate(
            sizing.EstimateRequest(
                model=model,
                gpu_memory_bytes=gib * 2**30,
                engine_version=version,
                max_num_seqs=sequences,
                max_num_batched_tokens=2048,
            )
        )
        for sequences in sorted((one, other))
    )
    assert few.kv_cache_bytes is not None
    assert many.kv_cache_bytes is not None
    assert many.kv_cache_bytes <= few.kv_cache_bytes


@settings(max_examples=60, deadline=None)
@given(MODELS, VERSIONS, st.sampled_from([1, 2, 4]))
def test_more_stages_never_raise_a_ranks_weights(model: ModelFacts, version: str, number: int) -> None:
    one, two = (
        sizing.estimate(
            sizing.EstimateRequest(model=model, engine_version=version, pipeline_parallel=stages)
        ).weights_bytes
        for stages in (number, 2 * number)
    )
    assert one is not None
    assert two is not None
    assert two <= one


@settings(max_examples=60, deadline=None)
@given(MODELS, VERSIONS, MEMORY_GIB)
def test_the_longest_request_that_fits_starts_and_one_longer_does_not(
    model: ModelFacts, version: str, gib: int
) -> None:
    longest = ask(model, gib, engine_version=version).max_fitting_model_len
    assert longest is not None
    if longest > 0:
        assert ask(model, gib, engine_version=version, max_model_len=longest).fits
    if longest < (model.max_context_tokens or 0):
        assert not ask(model, gib, engine_version=version, max_model_len=longest + 1).fits


PUBLISHED = models.lines()[::9]  # dense, latent, hybrid, quantized: twenty of the corpus


@pytest.mark.parametrize("line", PUBLISHED, ids=[line["model"] for line in PUBLISHED])
def test_published_models_keep_the_laws(line: Mapping[str, Any], tmp_path: Path) -> None:
    model = local.read(models.write(line, tmp_path))
    for capability in (None, (8, 0), (9, 0), (10, 0)):
        loading = weights.Loading(capability=capability)
        by_ranks = [
            weights.weights_bytes(model, tensor_parallel=ranks, loading=loading) for ranks in (1, 2, 4, 8, 16)
        ]
        assert by_ranks == sorted(by_ranks, reverse=True)
    wide, narrow = (
        sizing.estimate(sizing.EstimateRequest(model=model, kv_cache_dtype=dtype)).kv_bytes_per_token or 0
        for dtype in ("bfloat16", "fp8")
    )
    assert narrow <= wide
