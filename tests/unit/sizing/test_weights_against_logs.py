"""Weights per GPU against what engines printed when they started."""

from typing import Any

import pytest

from pillion.facts import ModelFacts
from pillion.sizing import weights
from tests.unit.facts import checkpoints

GIB = 2**30
PLAIN = weights.Loading()
ONLINE_FP8 = weights.Loading(online_fp8=True)


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
        pytest.param(QWEN3_32B, 1, PLAIN, 61.03, 0.05, id="Qwen3 32B, log vllm-030"),
        pytest.param(
            QWEN3_32B, 2, PLAIN, 30.59, 0.1, id="Qwen3 32B on two GPUs, log vllm-031: the reserve is apart"
        ),
        pytest.param(
            LLAMA_3_2_3B, 1, PLAIN, 6.016, 0.02, id="Llama 3.2 3B with tied embeddings, log vllm-176"
        ),
        pytest.param(QWEN2_5_7B, 1, PLAIN, 14.2488, 0.07, id="Qwen2.5 7B, log vllm-137"),
        pytest.param(
            checkpoints.qwen3_8b_fp8(), 1, PLAIN, 8.80, 0.01, id="Qwen3 8B in FP8, logs vllm-120 and 147"
        ),
        pytest.param(checkpoints.qwen3_8b(), 1, ONLINE_FP8, 9.06, 0.01, id="Qwen3 8B made FP8 while loading"),
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
    assert eight == divided // 8 + shape.kv_projection_bytes // 8 + whole
    assert sixteen == divided // 16 + shape.kv_projection_bytes // 8 + whole


def test_what_16_bit_would_have_taken() -> None:
    awq, plain = checkpoints.qwen3_8b_awq(), checkpoints.qwen3_8b()
    assert weights.sixteen_bit_bytes(awq, tensor_parallel=1) == weights.weights_bytes(
        plain, tensor_parallel=1, loading=PLAIN
    )


def test_parallelism_below_one_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        weights.weights_bytes(checkpoints.tiny(), tensor_parallel=0, loading=PLAIN)
