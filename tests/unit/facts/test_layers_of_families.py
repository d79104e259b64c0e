"""Which layers keep what, in the words of each family's configuration."""

from __future__ import annotations

from typing import Any

import pytest

from pillion.facts import AttentionKind, AttentionShape, shapes
from pillion.facts.model import CacheKind, StateFamily

LETTERS = {CacheKind.FULL: "F", CacheKind.SLIDING: "W", CacheKind.CHUNKED: "C", CacheKind.STATE: "S"}


def config(model_type: str, layers: int, **more: Any) -> dict[str, Any]:
    usual = {
        "model_type": model_type,
        "hidden_size": 1024,
        "num_hidden_layers": layers,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "head_dim": 64,
        "vocab_size": 1000,
    }
    return {**usual, **more}


def attention(model_type: str, layers: int, **more: Any) -> AttentionShape:
    return shapes.shape(config(model_type, layers, **more)).attention


def drawn(shape: AttentionShape) -> str:
    """One letter a layer, two where it keeps two things, a dot where it keeps nothing."""
    kept: dict[int, str] = {}
    for entry in shape.cached:
        for layer in entry.positions:
            kept[layer] = kept.get(layer, "") + LETTERS[entry.kind]
    return " ".join("".join(sorted(kept.get(layer, "."))) for layer in range(shape.all_layers))


@pytest.mark.parametrize(
    ("model_type", "layers", "more", "expected"),
    [
        pytest.param("llama", 3, {}, "F F F", id="full attention"),
        pytest.param("mistral", 3, {"sliding_window": 4096}, "W W W", id="a window in all layers"),
        pytest.param("mistral", 3, {}, "F F F", id="Mistral, whose class has a window that no file means"),
        pytest.param("gemma2", 4, {}, "W F W F", id="Gemma 2, by its class"),
        pytest.param("gemma3_text", 7, {}, "W W W W W F W", id="Gemma 3, by its class"),
        pytest.param(
            "gemma3n_text", 10, {"num_kv_shared_layers": 4}, "W W W W F W . . . .", id="Gemma 3n shares"
        ),
        pytest.param("cohere2", 5, {}, "W W W F W", id="Cohere 2, by its class"),
        pytest.param(
            "exaone4", 4, {"sliding_window": 512, "sliding_window_pattern": "LLG"}, "W W F F", id="letters"
        ),
        pytest.param("gpt_oss", 4, {"sliding_window": 128}, "W F W F", id="gpt-oss without a list"),
        pytest.param(
            "gpt_oss",
            2,
            {"sliding_window": 128, "layer_types": ["full_attention", "sliding_attention"]},
            "F W",
            id="a list goes first",
        ),
        pytest.param("llama4_text", 5, {}, "C C C F C", id="Llama 4 in chunks"),
        pytest.param(
            "llama4_text", 3, {"no_rope_layers": [1, 0, 1]}, "C F C", id="Llama 4 names its full layers"
        ),
        pytest.param("llama4_text", 3, {"attention_chunk_size": None}, "F F F", id="Llama 4 without chunks"),
        pytest.param(
            "qwen2",
            4,
            {"use_sliding_window": True, "sliding_window": 512, "max_window_layers": 2},
            "F F W W",
            id="Qwen2 with windows from a layer on",
        ),
        pytest.param(
            "qwen2",
            3,
            {"use_sliding_window": False, "sliding_window": 512, "max_window_layers": 1},
            "F F F",
            id="off",
        ),
        pytest.param(
            "qwen3_5_text",
            5,
            {"full_attention_interval": 4, "linear_num_value_heads": 8},
            "S S S F S",
            id="Qwen3.5",
        ),
        pytest.param("jamba", 5, {"attn_layer_period": 4, "attn_layer_offset": 2}, "S S F S S", id="Jamba"),
        pytest.param("bamba", 4, {"attn_layer_indices": [1]}, "S F S S", id="Bamba"),
        pytest.param(
            "nemotron_h", 6, {"hybrid_override_pattern": "M-M*-E"}, "S . S F . .", id="Nemotron-H by letters"
        ),
        pytest.param("falcon_h1", 2, {"mamba_n_heads": 8}, "FS FS", id="Falcon-H1 keeps both"),
        pytest.param(
            "zamba2",
            3,
            {"layers_block_type": ["mamba", "hybrid", "mamba"], "n_mamba_heads": 8},
            "S FS S",
            id="Zamba 2",
        ),
        pytest.param(
            "lfm2", 4, {"full_attn_idxs": [2], "conv_L_cache": 3, "layer_types": None}, "S S F S", id="LFM2"
        ),
        pytest.param("minimax_text_01", 4, {"attn_type_list": [0, 0, 0, 1]}, "S S S F", id="MiniMax-01"),
        pytest.param(
            "kimi_linear",
            4,
            {
                "linear_attn_config": {"full_attn_layers": [4], "num_heads": 4, "head_dim": 64},
                "kv_lora_rank": 64,
            },
            "S S S F",
            id="Kimi Linear counts from one",
        ),
        pytest.param(
            "mimo_v2_flash", 7, {"sliding_window": 128}, "F W W W W F W", id="MiMo V2, by its class"
        ),
        pytest.param(
            "mimo_v2_flash",
            3,
            {"sliding_window": 128, "hybrid_layer_pattern": [0, 1, 1]},
            "F W W",
            id="MiMo V2 lists",
        ),
        pytest.param(
            "deepseek_v4", 2, {"sliding_window": 128}, "FF FF", id="DeepSeek V4, in full, and its index"
        ),
        pytest.param("mamba2", 2, {"num_heads": 8}, "S S", id="states alone"),
        pytest.param(
            "nemotron-nas",
            3,
            {"block_configs": [{"attention": {"n_heads_in_group": 4}}, {"attention": {"no_op": True}}, {}]},
            "F . F",
            id="searched architectures leave layers out",
        ),
    ],
)
def test_layers(model_type: str, layers: int, more: dict[str, Any], expected: str) -> None:
    assert drawn(attention(model_type, layers, **more)) == expected


def test_gemma_4_has_other_heads_where_it_sees_everything() -> None:
    shape = attention(
        "gemma4_text",
        6,
        head_dim=256,
        global_head_dim=512,
        num_key_value_heads=8,
        num_global_key_value_heads=2,
        attention_k_eq_v=True,
    )
    kept = {entry.kind: (len(entry.positions), entry.kv_heads, entry.key_head_dim) for entry in shape.cached}
    assert kept == {CacheKind.SLIDING: (5, 8, 256), CacheKind.FULL: (1, 2, 512)}


def test_heads_of_searched_architectures_are_those_of_each_layer() -> None:
    blocks = [{"attention": {"n_heads_in_group": group}} for group in (2, 8)]
    shape = attention("nemotron-nas", 2, block_configs=blocks)
    assert [(entry.positions, entry.kv_heads) for entry in shape.cached] == [((0,), 8), ((1,), 2)]


def test_an_index_is_a_cache_of_its_own_and_some_layers_have_none() -> None:
    latent = {"kv_lora_rank": 512, "qk_rope_head_dim": 64}
    index = {"index_topk": 2048, "index_head_dim": 128, "index_topk_freq": 2}
    shape = attention("glm_moe_dsa", 6, **latent, **index)
    assert shape.kind is AttentionKind.LATENT
    sizes = [(entry.key_head_dim, entry.index_bytes, entry.positions) for entry in shape.cached]
    # vLLM 0.33.0, deepseek_v2.py: with a frequency of 2 and the usual offset of 2, layers 0, 1, 3, 5 choose anew
    assert sizes == [(576, 0, (0, 1, 2, 3, 4, 5)), (0, 132, (0, 1, 3, 5))]


def test_a_decoder_that_hears_is_asked_for_the_other_side_too() -> None:
    # Whisper large v3 turbo: 32 layers hear, 4 speak
    config = {
        "model_type": "whisper",
        "d_model": 1280,
        "encoder_layers": 32,
        "num_hidden_layers": 32,
        "decoder_layers": 4,
        "decoder_attention_heads": 20,
        "max_source_positions": 1500,
        "vocab_size": 51_866,
    }
    shape = shapes.shape(config).attention
    assert [(entry.kind, entry.window, len(entry.positions), entry.kv_heads) for entry in shape.cached] == [
        (CacheKind.FULL, None, 4, 20),
        (CacheKind.CROSS, 1500, 4, 20),
    ]


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"model_type": "bert"}, id="an encoder"),
        pytest.param({"model_type": "qwen2", "is_causal": False}, id="a decoder made one"),
        pytest.param({"model_type": "gemma3_text", "use_bidirectional_attention": True}, id="EmbeddingGemma"),
    ],
)
def test_what_sees_everything_at_once_keeps_nothing(more: dict[str, Any]) -> None:
    found = shapes.shape({**config("bert", 2), **more}).attention
    assert (found.kind, found.cached) == (AttentionKind.ENCODER, ())


@pytest.mark.parametrize(
    ("model_type", "more", "family", "elements", "inputs", "dtype"),
    [
        pytest.param(
            "mamba",
            {"intermediate_size": 2048, "state_size": 16, "conv_kernel": 4},
            StateFamily.MAMBA,
            2048 * 16,
            2048 * 3,
            None,
            id="Mamba",
        ),
        pytest.param(
            "nemotron_h",
            {
                "hybrid_override_pattern": "M*",
                "mamba_num_heads": 8,
                "mamba_head_dim": 64,
                "ssm_state_size": 128,
            }
            | {"n_groups": 2, "conv_kernel": 4},
            StateFamily.MAMBA2,
            8 * 64 * 128,
            (8 * 64 + 2 * 2 * 128) * 3,
            "float32",
            id="Mamba-2 in 32 bit where the file does not say",
        ),
        pytest.param(
            "qwen3_5_text",
            {"linear_num_value_heads": 8, "linear_num_key_heads": 4, "linear_key_head_dim": 64}
            | {"linear_value_head_dim": 32, "linear_conv_kernel_dim": 4, "mamba_ssm_dtype": "float32"},
            StateFamily.GATED_DELTA,
            8 * 64 * 32,
            (2 * 4 * 64 + 8 * 32) * 3,
            "float32",
            id="a gated delta net",
        ),
        pytest.param(
            "kimi_linear",
            {
                "linear_attn_config": {"full_attn_layers": [2], "num_heads": 4, "head_dim": 64},
                "kv_lora_rank": 64,
            },
            StateFamily.KIMI_DELTA,
            4 * 64 * 64,
            3 * 4 * 64 * 3,
            None,
            id="Kimi's delta attention",
        ),
        pytest.param(
            "lfm2",
            {"full_attn_idxs": [1], "conv_L_cache": 3, "layer_types": None},
            StateFamily.SHORT_CONVOLUTION,
            0,
            1024 * 2,
            None,
            id="a short convolution",
        ),
        pytest.param(
            "minimax_text_01",
            {"attn_type_list": [0, 1]},
            StateFamily.LINEAR,
            16 * 64 * 64,
            0,
            None,
            id="lightning",
        ),
    ],
)
def test_states(  # noqa: PLR0917 (a state has that many numbers)
    model_type: str, more: dict[str, Any], family: StateFamily, elements: int, inputs: int, dtype: str | None
) -> None:
    state = next(entry.state for entry in attention(model_type, 2, **more).cached if entry.state)
    remembered = (state.channels + state.groups * state.group_channels) * state.remembered
    assert (state.family, state.elements, remembered, state.dtype) == (family, elements, inputs, dtype)
