"""How many parameters have models that see, hear or embed, going by their configuration alone?

Expected totals are safetensors' own counts of the published checkpoints on the Hub.
"""

from typing import Any

import pytest

from pillion.facts import understanding
from pillion.facts.documents import Documents

_CLIP_L = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
}
_SIGLIP_SO400M = {
    "model_type": "siglip_vision_model",
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "image_size": 896,
    "patch_size": 14,
    "vision_use_head": False,
}
_QWEN3_TOWER = {
    "depth": 27,
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_heads": 16,
    "out_hidden_size": 4096,
    "deepstack_visual_indexes": [8, 16, 24],
    "num_position_embeddings": 2304,
    "patch_size": 16,
}
_WHISPER_LARGE = {
    "model_type": "qwen2_audio_encoder",
    "d_model": 1280,
    "encoder_ffn_dim": 5120,
    "encoder_layers": 32,
    "encoder_attention_heads": 20,
    "num_mel_bins": 128,
}
_XLM_R_LARGE = {
    "model_type": "xlm-roberta",
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "vocab_size": 250_002,
    "type_vocab_size": 1,
    "max_position_embeddings": 8194,
}


def language(
    model_type: str, *, layers: int, hidden: int, inner: int, heads: int, kv: int, **more: Any
) -> Any:
    """A language model's part of a configuration."""
    return {
        "model_type": model_type,
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        **more,
    }


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        pytest.param(
            {
                "model_type": "qwen3_vl",
                "text_config": language(
                    "qwen3_vl_text", layers=36, hidden=4096, inner=12288, heads=32, kv=8, vocab_size=151_936
                ),
                "vision_config": _QWEN3_TOWER,
                "tie_word_embeddings": False,
            },
            8_767_123_696,
            id="Qwen3-VL-8B: mergers of several depths",
        ),
        pytest.param(
            {
                **language(
                    "qwen2_vl", layers=28, hidden=1536, inner=8960, heads=12, kv=2, vocab_size=151_936
                ),
                "tie_word_embeddings": True,
                "vision_config": {
                    "depth": 32,
                    "embed_dim": 1280,
                    "hidden_size": 1536,
                    "in_chans": 3,
                    "num_heads": 16,
                },
            },
            2_208_985_600,
            id="Qwen2-VL-2B: the language model's settings at the top",
        ),
        pytest.param(
            {
                **language(
                    "qwen2_5_vl", layers=28, hidden=3584, inner=18944, heads=28, kv=4, vocab_size=152_064
                ),
                "vision_config": {"hidden_size": 1280, "intermediate_size": 3420, "out_hidden_size": 3584},
            },
            8_292_166_656,
            id="Qwen2.5-VL-7B",
        ),
        pytest.param(
            {
                "model_type": "llava",
                "text_config": {"model_type": "llama", "vocab_size": 32_064},
                "vision_config": _CLIP_L,
            },
            7_063_427_072,
            id="LLaVA-1.5-7B: a language model by its class alone",
        ),
        pytest.param(
            {
                "model_type": "gemma3",
                "text_config": {
                    "model_type": "gemma3_text",
                    "hidden_size": 2560,
                    "intermediate_size": 10240,
                    "num_hidden_layers": 34,
                },
                "vision_config": _SIGLIP_SO400M,
            },
            4_300_079_472,
            id="Gemma-3-4b: heads and vocabulary by the class",
        ),
        pytest.param(
            {
                "model_type": "qwen2_audio",
                "text_config": language(
                    "qwen2", layers=32, hidden=4096, inner=11008, heads=32, kv=32, vocab_size=156_032
                ),
                "audio_config": _WHISPER_LARGE,
            },
            8_397_094_912,
            id="Qwen2-Audio-7B",
        ),
        pytest.param(
            language(
                "jamba",
                layers=32,
                hidden=4096,
                inner=14336,
                heads=32,
                kv=8,
                vocab_size=65_536,
                num_experts=16,
                attn_layer_period=8,
                attn_layer_offset=4,
                expert_layer_period=2,
                expert_layer_offset=1,
            ),
            51_570_323_328,
            id="Jamba-1.5-Mini: states, attention and experts in turn",
        ),
        pytest.param(
            language(
                "longcat_flash",
                layers=28,
                hidden=6144,
                inner=12288,
                heads=64,
                kv=64,
                vocab_size=131_072,
                ffn_hidden_size=12288,
                expert_ffn_hidden_size=2048,
                n_routed_experts=512,
                zero_expert_num=256,
                q_lora_rank=1536,
                kv_lora_rank=512,
                qk_rope_head_dim=64,
                qk_nope_head_dim=128,
                v_head_dim=128,
            ),
            560_664_980_480,
            id="LongCat-Flash (560B): two layers in one",
        ),
        pytest.param(
            {
                "model_type": "nomic_bert",
                "n_embd": 768,
                "n_layer": 12,
                "n_head": 12,
                "n_inner": 3072,
                "vocab_size": 30_528,
                "activation_function": "swiglu",
                "qkv_proj_bias": False,
            },
            136_731_648,
            id="nomic-embed-text-v1.5: GPT-2's names",
        ),
        pytest.param(
            language(
                "new",
                layers=12,
                hidden=768,
                inner=3072,
                heads=12,
                kv=12,
                vocab_size=250_048,
                type_vocab_size=1,
            ),
            305_368_320,
            id="gte-multilingual-base",
        ),
        pytest.param({**_XLM_R_LARGE, "architectures": ["XLMRobertaModel"]}, 567_754_752, id="bge-m3"),
        pytest.param(
            {
                **_XLM_R_LARGE,
                "architectures": ["XLMRobertaForSequenceClassification"],
                "id2label": {"0": "LABEL_0"},
            },
            567_755_777,
            id="bge-reranker-v2-m3: a classifier in place of the pooler",
        ),
        pytest.param(
            language("bert", layers=6, hidden=384, inner=1536, heads=12, kv=12, vocab_size=30_522),
            22_713_216,
            id="all-MiniLM-L6-v2",
        ),
    ],
)
def test_parameters_equal_the_published_total(config: dict[str, Any], parameters: int) -> None:
    facts = understanding.facts(
        Documents(repo="a/model", commit="", files=(), config=config, without_weights=True)
    )
    assert facts.parameters == parameters
    assert facts.known_architecture


@pytest.mark.parametrize(
    ("sizes", "gib"),
    [
        pytest.param(
            {
                "num_hidden_layers": 60,
                "hidden_size": 5376,
                "intermediate_size": 21504,
                "num_attention_heads": 32,
                "num_key_value_heads": 16,
                "num_global_key_value_heads": 4,
            },
            58.25,
            id="Gemma-4-31B: keys that are values where attention is global",
        ),
        pytest.param(
            {
                "num_hidden_layers": 30,
                "hidden_size": 2816,
                "intermediate_size": 2112,
                "num_attention_heads": 16,
                "num_key_value_heads": 8,
                "num_global_key_value_heads": 2,
                "enable_moe_block": True,
                "num_experts": 128,
                "top_k_experts": 8,
                "moe_intermediate_size": 704,
            },
            48.07,
            id="Gemma-4-26B-A4B: experts beside the feed-forward",
        ),
    ],
)
def test_the_files_of_a_checkpoint_are_as_large_as_computed(sizes: dict[str, int], gib: float) -> None:
    tower = {
        "model_type": "gemma4_vision",
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "head_dim": 72,
    }
    text = {"model_type": "gemma4_text", "head_dim": 256, "attention_k_eq_v": True, **sizes}
    config = {"model_type": "gemma4", "text_config": text, "vision_config": tower, "dtype": "bfloat16"}
    facts = understanding.facts(
        Documents(repo="a/model", commit="", files=(), config=config, without_weights=True)
    )
    assert facts.weights.stored_bytes / 2**30 == pytest.approx(gib, abs=0.01)
