"""What each version of vLLM makes of the same model, against logs and against its own rules."""

import pytest

from pillion.facts import AttentionShape, shapes
from pillion.facts.model import CacheKind
from pillion.sizing import kv_cache

GIB = 2**30
GEMMA_4 = {
    "model_type": "gemma4_text",
    "num_attention_heads": 8,
    "head_dim": 256,
    "global_head_dim": 512,
    "sliding_window": 512,
    "vocab_size": 262_144,
}
GEMMA_4_E2B = {
    **GEMMA_4,
    "hidden_size": 1536,
    "num_hidden_layers": 35,
    "num_key_value_heads": 1,
    "num_kv_shared_layers": 20,
    "layer_types": [
        "sliding_attention",
        "sliding_attention",
        "sliding_attention",
        "sliding_attention",
        "full_attention",
    ]
    * 7,
}
GEMMA_4_E4B = {
    **GEMMA_4,
    "hidden_size": 2560,
    "num_hidden_layers": 42,
    "num_key_value_heads": 2,
    "num_kv_shared_layers": 18,
}
QWEN_3_5_122B = {
    "model_type": "qwen3_5_moe_text",
    "hidden_size": 3072,
    "num_hidden_layers": 48,
    "num_attention_heads": 32,
    "num_key_value_heads": 2,
    "head_dim": 256,
    "vocab_size": 248_320,
    "full_attention_interval": 4,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 64,
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
    "linear_conv_kernel_dim": 4,
    "mamba_ssm_dtype": "float32",
}
LLAMA_4 = {
    "model_type": "llama4_text",
    "hidden_size": 5120,
    "num_hidden_layers": 48,
    "num_attention_heads": 40,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 202_048,
    "attention_chunk_size": 8192,
}


def attention(config: dict[str, object]) -> AttentionShape:
    return shapes.shape(config).attention


def layout(config: dict[str, object], version: str, **more: int) -> kv_cache.KvLayout:
    given = {"tensor_parallel": 1, "element_bytes": 2, "batched_tokens": 2048, **more}
    found = kv_cache.layout(attention(config), engine_version=version, capability=(8, 9), **given)  # type: ignore[arg-type]
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("config", "version", "more", "context", "room_gib", "logged"),
    [
        # Two kinds of pages in the days of "blocks // groups x block"; the log names no version.
        pytest.param(GEMMA_4_E4B, "0.20.0", {}, 8192, 2.74, 29_968, id="Gemma 4 E4B, log vllm-128"),
        # Two batches of 2048 in flight, which no version before 0.26 has.
        pytest.param(GEMMA_4_E2B, "0.27.0", {}, 16_384, 4.66, 519_681, id="Gemma 4 E2B, log vllm-144"),
        # A build of what became 0.17: states in the 32 bit that its config.json names, blocks of 4176 tokens.
        pytest.param(
            QWEN_3_5_122B,
            "0.17.0",
            {"tensor_parallel": 2, "element_bytes": 1, "batched_tokens": 8192},
            131_072,
            1.73,
            75_168,
            id="Qwen3.5 122B on two GPUs with an FP8 cache, log vllm-045",
        ),
    ],
)
def test_tokens_of_hybrid_models_are_those_of_the_log(  # noqa: PLR0917 (what a log tells)
    config: dict[str, object], version: str, more: dict[str, int], context: int, room_gib: float, logged: int
) -> None:
    found = layout(config, version, **more)
    low, high = (
        found.tokens(context_tokens=context, room_bytes=int((room_gib + rounding) * GIB))
        for rounding in (-0.005, 0.005)
    )
    assert low <= logged <= high


def test_blocks_of_a_hybrid_model_are_those_of_the_log() -> None:
    found = layout(QWEN_3_5_122B, "0.17.0", tensor_parallel=2, element_bytes=1)
    assert found.block_tokens == 4176  # "Setting attention block size to 4176 tokens", log vllm-045


@pytest.mark.parametrize(
    ("version", "groups"),
    [
        pytest.param("0.8.5", 1, id="before windows saved anything"),
        pytest.param("0.11.0", 3, id="13 and 12 layers are cut into groups of 12"),
        pytest.param("0.12.0", 2, id="from then on nearly equal numbers are one group each"),
    ],
)
def test_groups_of_nearly_equal_kinds(version: str, groups: int) -> None:
    config = {
        **GEMMA_4,
        "model_type": "gpt_oss",
        "hidden_size": 2880,
        "num_hidden_layers": 25,
        "num_key_value_heads": 8,
        "layer_types": [*["full_attention", "sliding_attention"] * 12, "sliding_attention"],
    }
    assert len(layout(config, version).groups) == groups


def test_chunks_saved_nothing_before_0_14() -> None:
    before, after = layout(LLAMA_4, "0.13.0"), layout(LLAMA_4, "0.14.0")
    assert [group.kind for group in before.groups] == [CacheKind.FULL]
    assert sorted(group.kind for group in after.groups) == [*[CacheKind.CHUNKED] * 3, CacheKind.FULL]
    assert after.blocks(100_000) < 4 * before.blocks(100_000)


@pytest.mark.parametrize(
    ("version", "states"),
    [
        pytest.param("0.25.1", 1, id="without prefix caching"),
        pytest.param("0.26.0", 2, id="with the state at the last block's start"),
    ],
)
def test_states_of_a_request_by_version(version: str, states: int) -> None:
    found = layout(QWEN_3_5_122B, version)
    held = [group.blocks(1000, 0) for group in found.groups if group.kind is CacheKind.STATE]
    assert held == [states] * 3


def test_hopper_keeps_checkpoints_of_gated_delta_nets() -> None:
    arguments = {"tensor_parallel": 1, "element_bytes": 2, "batched_tokens": 8192}
    hopper = kv_cache.layout(attention(QWEN_3_5_122B), capability=(9, 0), **arguments)  # type: ignore[arg-type]
    ada = kv_cache.layout(attention(QWEN_3_5_122B), capability=(8, 9), **arguments)  # type: ignore[arg-type]
    assert hopper is not None
    assert ada is not None
    assert hopper.blocks(1) == 1 + 3 * 3
    assert ada.blocks(1) == 1 + 3 * 2
    assert hopper.block_tokens % 64 == 0


def test_the_fullest_stage_of_a_pipeline_decides() -> None:
    # 48 layers, each fourth full: four stages of 12 layers, with three full and nine chunked ones.
    whole, staged = layout(LLAMA_4, "0.33.0"), layout(LLAMA_4, "0.33.0", pipeline_parallel=4)
    assert staged.block_bytes * 4 == whole.block_bytes
    assert staged.blocks(10_000) == whole.blocks(10_000)


def test_every_layer_keeps_everything_in_tgi() -> None:
    found = kv_cache.layout(
        attention(LLAMA_4),
        tensor_parallel=1,
        element_bytes=2,
        batched_tokens=2048,
        block_tokens=1,
        engine="tgi",
    )
    assert found is not None
    assert found.bytes_per_token(context_tokens=4096) == 48 * 8 * 256 * 2


def test_before_0_21_a_cache_is_counted_in_the_smallest_block_of_any_group() -> None:
    found = layout(QWEN_3_5_122B, "0.19.1")
    groups, room = len(found.groups), 100 * found.block_bytes
    assert found.tokens(context_tokens=100_000, room_bytes=room) == 100 // groups * found.block_tokens
    # Without prefix caching a state's block is one whole request, which may be the smaller one.
    assert found.block_tokens > 500
    assert found.tokens(context_tokens=500, room_bytes=room) == 100 // groups * 500
