"""Weights per GPU against what engines printed when they started."""

from typing import Any

import pytest

from pillion.facts import ModelFacts
from pillion.sizing import allocation, stages, weights
from pillion.sizing.versions import Version
from tests.unit.facts import checkpoints

GIB = 2**30
PLAIN = weights.Loading()
ONLINE_FP8 = weights.Loading(online="FP8")
OLDER = weights.Loading(version=Version(0, 11))


def shaped(**dimensions: Any) -> ModelFacts:
    return checkpoints.model("a/model", checkpoints.decoder_config(**dimensions))


QWEN3_32B = shaped(
    layers=64,
    hidden=5120,
    intermediate=25600,
    heads=64,
    kv_heads=8,
    vocabulary=151_936,
    context=40_960,
    head_dim=128,
)
LLAMA_3_2_3B = shaped(
    layers=28,
    hidden=3072,
    intermediate=8192,
    heads=24,
    kv_heads=8,
    vocabulary=128_256,
    context=131_072,
    tie_word_embeddings=True,
)
QWEN2_5_7B = shaped(
    layers=28, hidden=3584, intermediate=18944, heads=28, kv_heads=4, vocabulary=152_064, context=32_768
)


@pytest.mark.parametrize(
    ("model", "tensor_parallel", "loading", "logged_gib", "tolerance_gib"),
    [
        pytest.param(checkpoints.llama_8b(), 1, PLAIN, 14.99, 0.01, id="Llama 3.1 8B, log vllm-028"),
        pytest.param(QWEN3_32B, 1, OLDER, 61.03, 0.01, id="Qwen3 32B, log vllm-030"),
        pytest.param(QWEN3_32B, 2, OLDER, 30.59, 0.01, id="Qwen3 32B on two GPUs, log vllm-031"),
        pytest.param(
            LLAMA_3_2_3B, 1, OLDER, 6.016, 0.001, id="Llama 3.2 3B with tied embeddings, log vllm-176"
        ),
        pytest.param(QWEN2_5_7B, 1, OLDER, 14.2488, 0.001, id="Qwen2.5 7B, log vllm-137"),
        pytest.param(
            QWEN2_5_7B, 1, PLAIN, 14.29, 0.01, id="Qwen2.5 7B where blocks stay whole, log vllm-114"
        ),
        pytest.param(
            checkpoints.qwen3_8b_fp8(), 1, PLAIN, 8.80, 0.01, id="Qwen3 8B in FP8, logs vllm-120 and 147"
        ),
        pytest.param(checkpoints.qwen3_8b(), 1, ONLINE_FP8, 9.06, 0.08, id="Qwen3 8B made FP8 while loading"),
    ],
)
def test_weights(
    model: ModelFacts, tensor_parallel: int, loading: weights.Loading, logged_gib: float, tolerance_gib: float
) -> None:
    found = weights.weights_bytes(model, tensor_parallel=tensor_parallel, loading=loading) / GIB
    assert found == pytest.approx(logged_gib, abs=tolerance_gib)


def test_a_checkpoint_in_32_bit_is_held_in_16() -> None:
    wide = checkpoints.model("a/model", checkpoints.LLAMA_8B, dtype="F32")
    narrow = checkpoints.llama_8b()
    for ranks in (1, 2):
        assert weights.weights_bytes(wide, tensor_parallel=ranks, loading=PLAIN) == weights.weights_bytes(
            narrow, tensor_parallel=ranks, loading=PLAIN
        )


def test_key_and_value_projections_divide_by_kv_heads_and_no_further() -> None:
    model = checkpoints.llama_8b()  # eight KV heads
    eight, sixteen = (weights.weights_bytes(model, tensor_parallel=ranks, loading=PLAIN) for ranks in (8, 16))
    shape = model.weights
    rotary = 131_072 * 128 * 2
    divided = shape.stored_bytes - shape.replicated_bytes - shape.kv_projection_bytes
    whole = shape.replicated_bytes + rotary
    # What the allocator holds beyond the tensors is below half a percent.
    assert eight == pytest.approx(divided // 8 + shape.kv_projection_bytes // 8 + whole, rel=0.005)
    assert sixteen == pytest.approx(divided // 16 + shape.kv_projection_bytes // 8 + whole, rel=0.005)


def test_what_16_bit_would_have_taken() -> None:
    awq, plain = checkpoints.qwen3_8b_awq(), checkpoints.qwen3_8b()
    assert weights.sixteen_bit_bytes(awq, tensor_parallel=1) == pytest.approx(
        weights.weights_bytes(plain, tensor_parallel=1, loading=PLAIN), rel=0.002
    )


def test_parallelism_below_one_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        weights.weights_bytes(checkpoints.tiny(), tensor_parallel=0, loading=PLAIN)


def test_the_first_stage_has_the_embedding_and_the_last_the_head() -> None:
    model = checkpoints.llama_8b()
    whole = weights.weights_bytes(model, tensor_parallel=1, loading=PLAIN)
    half = weights.weights_bytes(model, tensor_parallel=1, pipeline_parallel=2, loading=PLAIN)
    table = 128_256 * 4096 * 2  # as large as the head
    rotary = 131_072 * 128 * 2
    assert half == pytest.approx((whole - 2 * table - rotary) / 2 + table + rotary, rel=0.001)


def test_stages_before_the_last_take_what_is_left_over() -> None:
    assert [stage.layers for stage in stages.stages(34, 4)] == [8, 9, 9, 8]
    assert [stage.layers for stage in stages.stages(3, 4)] == [1, 1, 1, 0]


@pytest.mark.parametrize(
    ("tensor_mib", "whole_blocks", "beyond_mib"),
    [
        pytest.param(9.5, True, 0, id="below 10 MiB tensors share blocks"),
        pytest.param(48, True, 0, id="a multiple of 2 MiB"),
        pytest.param(31.5, False, 0.5, id="half a MiB is not split off"),
        pytest.param(24.5, False, 0, id="a MiB and a half is"),
        pytest.param(24.5, True, 1.5, id="but not where blocks stay whole"),
    ],
)
def test_what_the_allocator_holds_beyond_a_tensor(
    tensor_mib: float, whole_blocks: bool, beyond_mib: float
) -> None:
    found = allocation.beyond_bytes(int(tensor_mib * 2**20), whole_blocks=whole_blocks)
    assert found == beyond_mib * 2**20
