"""Dimensions of families whose configurations use different names, and what one token of each costs."""

from typing import Any

import pytest

from pillion.facts import AttentionKind, shapes
from pillion.sizing import kv_cache
from tests.unit.facts import checkpoints

DEEPSEEK_V3: dict[str, Any] = {
    "model_type": "deepseek_v3",
    "num_hidden_layers": 61,
    "hidden_size": 7168,
    "intermediate_size": 18432,
    "num_attention_heads": 128,
    "num_key_value_heads": 128,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128,
    "v_head_dim": 128,
    "vocab_size": 129_280,
    "max_position_embeddings": 163_840,
    "n_routed_experts": 256,
    "num_experts_per_tok": 8,
}
GEMMA_3_27B: dict[str, Any] = {
    "model_type": "gemma3",
    "text_config": {
        "model_type": "gemma3_text",
        "num_hidden_layers": 62,
        "hidden_size": 5376,
        "intermediate_size": 21504,
        "num_attention_heads": 32,
        "num_key_value_heads": 16,
        "head_dim": 128,
        "sliding_window": 1024,
        "rope_scaling": {"factor": 8.0, "rope_type": "linear"},
    },
    "vision_config": {"hidden_size": 1152},
}
GPT2: dict[str, Any] = {
    "model_type": "gpt2",
    "n_layer": 12,
    "n_embd": 768,
    "n_head": 12,
    "vocab_size": 50_257,
    "n_positions": 1024,
}
BERT: dict[str, Any] = {
    "model_type": "bert",
    "num_hidden_layers": 12,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "vocab_size": 30_522,
    "max_position_embeddings": 512,
}
MINICPM3: dict[str, Any] = {
    "model_type": "minicpm3",
    "num_hidden_layers": 62,
    "hidden_size": 2560,
    "num_attention_heads": 40,
    "num_key_value_heads": 40,
    "kv_lora_rank": 256,
    "qk_rope_head_dim": 32,
    "qk_nope_head_dim": 64,
    "vocab_size": 73_448,
}
FALCON_7B: dict[str, Any] = {
    "model_type": "falcon",
    "num_hidden_layers": 32,
    "hidden_size": 4544,
    "num_attention_heads": 71,
    "multi_query": True,
    "vocab_size": 65_024,
}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param(checkpoints.LLAMA_8B, 131_072, id="grouped queries: Llama 3.1 8B"),
        pytest.param(checkpoints.QWEN3_8B, 147_456, id="heads longer than hidden size over heads: Qwen3 8B"),
        pytest.param(DEEPSEEK_V3, 70_272, id="latent attention: DeepSeek V3"),
        pytest.param(GPT2, 36_864, id="names of GPT-2"),
        pytest.param(
            GEMMA_3_27B, 507_904, id="a language model inside another: Gemma 3 27B, all layers full"
        ),
        pytest.param(BERT, 0, id="an encoder keeps nothing: BERT"),
        pytest.param(MINICPM3, 62 * 2 * 40 * 96 * 2, id="latent vectors that engines expand: MiniCPM3"),
        pytest.param(FALCON_7B, 32 * 2 * 64 * 2, id="one KV head said in a word: Falcon 7B"),
    ],
)
def test_16_bit_kv_cache_of_one_token(config: dict[str, Any], expected: int) -> None:
    attention = shapes.shape(config).attention
    assert kv_cache.bytes_per_token(attention, tensor_parallel=1, element_bytes=2) == expected


def test_sliding_layers_follow_the_pattern_of_the_family() -> None:
    attention = shapes.shape(GEMMA_3_27B).attention
    assert (attention.layers, attention.sliding_layers, attention.sliding_window) == (62, 52, 1024)


def test_a_window_without_a_word_on_which_layers_have_it_is_in_all_of_them() -> None:
    attention = shapes.shape({**checkpoints.LLAMA_8B, "sliding_window": 4096}).attention
    assert (attention.sliding_layers, attention.sliding_window) == (32, 4096)


def test_a_listed_kind_for_each_layer_tells_states_from_caches() -> None:
    kinds = ["linear_attention", "linear_attention", "linear_attention", "full_attention"] * 12
    config = {
        **checkpoints.QWEN3_8B,
        "num_hidden_layers": 48,
        "layer_types": kinds,
        "linear_num_value_heads": 32,
        "linear_value_head_dim": 128,
        "linear_num_key_heads": 16,
        "linear_key_head_dim": 128,
        "linear_conv_kernel_dim": 4,
    }
    attention = shapes.shape(config).attention
    assert (attention.layers, attention.recurrent_layers) == (12, 36)
    # 32 heads of 128 x 128 in 32 bit, and three positions of (2 x 16 x 128 + 32 x 128) channels in 16 bit
    assert attention.recurrent_state_bytes == 32 * 128 * 128 * 4 + (2 * 16 * 128 + 32 * 128) * 3 * 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({}, 40_960, id="as it says"),
        pytest.param(
            {
                "rope_scaling": {
                    "rope_type": "yarn",
                    "factor": 4.0,
                    "original_max_position_embeddings": 32_768,
                }
            },
            131_072,
            id="YaRN: original times factor",
        ),
        pytest.param(
            {"rope_scaling": {"rope_type": "linear", "factor": 2.0}}, 81_920, id="linear: times factor"
        ),
        pytest.param(
            {"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 40_960, id="llama3: scaled already"
        ),
        pytest.param({"max_position_embeddings": None}, None, id="nothing says so"),
    ],
)
def test_longest_request(change: dict[str, Any], expected: int | None) -> None:
    assert shapes.shape({**checkpoints.QWEN3_8B, **change}).max_context_tokens == expected


def test_two_positions_of_a_roberta_are_padding() -> None:
    config = {**BERT, "model_type": "xlm-roberta", "max_position_embeddings": 514}
    assert shapes.shape(config).max_context_tokens == 512


def test_an_encoders_own_limit_comes_first() -> None:
    assert shapes.shape(BERT, sentence_config={"max_seq_length": 256}).max_context_tokens == 256


def test_experts_are_counted_with_those_that_a_token_passes() -> None:
    shape = shapes.shape(DEEPSEEK_V3)
    assert (shape.experts, shape.experts_per_token) == (256, 8)
    assert shape.attention.kind is AttentionKind.LATENT


@pytest.mark.parametrize("missing", ["num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size"])
def test_a_missing_dimension_is_named(missing: str) -> None:
    config = {key: value for key, value in checkpoints.LLAMA_8B.items() if key != missing}
    with pytest.raises(shapes.ShapeUnknownError, match=missing):
        shapes.shape(config)
