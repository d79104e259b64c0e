"""How many parameters has a model, going by its configuration alone?

Expected totals are those of the published checkpoints (safetensors' own counts on the Hub, or their papers), not of
this code; towers that see are in them.
"""

from typing import Any

import pytest

from pillion.api.reasons import Reason
from pillion.facts import FactsError, ModelFacts, understanding
from pillion.facts.documents import Documents

_PIXTRAL = {
    "model_type": "pixtral",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
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
_GEMMA4_E4B = {
    "model_type": "gemma4_text",
    "hidden_size": 2560,
    "intermediate_size": 10240,
    "num_hidden_layers": 42,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "num_kv_shared_layers": 18,
}


def of(config: dict[str, Any]) -> ModelFacts:
    """The facts of a configuration without weight files."""
    return understanding.facts(
        Documents(repo="a/model", commit="", files=(), config=config, without_weights=True)
    )


def dense(model_type: str, *, layers: int, hidden: int, inner: int, heads: int, kv: int, **more: Any) -> Any:
    """A configuration of the usual build."""
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
            dense("llama", layers=32, hidden=4096, inner=14336, heads=32, kv=8, vocab_size=128_256),
            8_030_261_248,
            id="Llama-3.1-8B",
        ),
        pytest.param(
            dense(
                "llama",
                layers=16,
                hidden=2048,
                inner=8192,
                heads=32,
                kv=8,
                vocab_size=128_256,
                tie_word_embeddings=True,
            ),
            1_235_814_400,
            id="Llama-3.2-1B: tied",
        ),
        pytest.param(
            dense("qwen2", layers=28, hidden=3584, inner=18944, heads=28, kv=4, vocab_size=152_064),
            7_615_616_512,
            id="Qwen2.5-7B: biases of queries, keys and values",
        ),
        pytest.param(
            dense("qwen3", layers=36, hidden=4096, inner=12288, heads=32, kv=8, vocab_size=151_936),
            8_190_735_360,
            id="Qwen3-8B: head dimension and norms by the class",
        ),
        pytest.param(
            dense(
                "phi3",
                layers=32,
                hidden=3072,
                inner=8192,
                heads=24,
                kv=8,
                vocab_size=200_064,
                tie_word_embeddings=True,
            ),
            3_836_021_760,
            id="Phi-4-mini: fused projections",
        ),
        pytest.param(
            {"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50_257},
            124_439_808,
            id="GPT-2: positions that are learned, tied by its class",
        ),
        pytest.param(
            {
                "model_type": "opt",
                "num_hidden_layers": 12,
                "hidden_size": 768,
                "ffn_dim": 3072,
                "num_attention_heads": 12,
                "vocab_size": 50_272,
                "word_embed_proj_dim": 768,
            },
            125_239_296,
            id="OPT-125m: two spare positions",
        ),
        pytest.param(
            {"model_type": "gptj", "n_layer": 28, "n_embd": 4096, "n_head": 16, "vocab_size": 50_400},
            6_050_882_784,
            id="GPT-J 6B: a bias in the head",
        ),
        pytest.param(
            {
                "model_type": "falcon",
                "num_hidden_layers": 32,
                "hidden_size": 4544,
                "num_attention_heads": 71,
                "vocab_size": 65_024,
            },
            6_921_720_704,
            id="Falcon-7B: one head of keys, one norm",
        ),
        pytest.param(
            dense("mixtral", layers=32, hidden=4096, inner=14336, heads=32, kv=8, vocab_size=32_000),
            46_702_792_704,
            id="Mixtral-8x7B",
        ),
        pytest.param(
            dense(
                "gpt_oss",
                layers=24,
                hidden=2880,
                inner=2880,
                heads=64,
                kv=8,
                head_dim=64,
                num_local_experts=32,
                vocab_size=201_088,
            ),
            20_914_757_184,
            id="gpt-oss-20b: sinks, and biases of experts",
        ),
        pytest.param(
            dense("deepseek_v3", layers=61, hidden=7168, inner=18432, heads=128, kv=128, vocab_size=129_280),
            671_026_419_200,
            id="DeepSeek-V3: without the extra prediction layer",
        ),
        pytest.param(
            {
                "model_type": "gemma3",
                "text_config": dense(
                    "gemma3_text", layers=62, hidden=5376, inner=21504, heads=32, kv=16, head_dim=128
                ),
                "vision_config": _SIGLIP_SO400M,
            },
            27_432_406_640,
            id="Gemma-3-27b: a tower that sees, defaults of the class",
        ),
        pytest.param(
            {
                "model_type": "gemma4",
                "text_config": {**_GEMMA4_E4B, "hidden_size_per_layer_input": 256},
                "vision_config": {"model_type": "gemma4_vision"},
                "audio_config": {"model_type": "gemma4_audio"},
            },
            7_996_156_490,
            id="Gemma-4-E4B: inputs for each layer, global heads, two towers",
        ),
        pytest.param(
            {
                "model_type": "gemma3n",
                "text_config": dense(
                    "gemma3n_text", layers=30, hidden=2048, inner=8192, heads=8, kv=2, head_dim=256
                ),
                "vision_config": {"model_type": "gemma3n_vision"},
                "audio_config": {"model_type": "gemma3n_audio"},
            },
            5_439_438_272,
            id="Gemma-3n-E2B: streams that correct each other",
        ),
        pytest.param(
            {
                "model_type": "mistral3",
                "text_config": dense(
                    "mistral",
                    layers=40,
                    hidden=5120,
                    inner=32768,
                    heads=32,
                    kv=8,
                    head_dim=128,
                    vocab_size=131_072,
                ),
                "vision_config": _PIXTRAL,
            },
            24_011_361_280,
            id="Mistral-Small-3.2-24B: Pixtral's tower",
        ),
        pytest.param(
            {
                "model_type": "llama4",
                "text_config": dense(
                    "llama4_text",
                    layers=48,
                    hidden=5120,
                    inner=8192,
                    heads=40,
                    kv=8,
                    intermediate_size_mlp=16384,
                    num_local_experts=16,
                ),
                "vision_config": {
                    "model_type": "llama4_vision_model",
                    "hidden_size": 1408,
                    "intermediate_size": 5632,
                    "num_hidden_layers": 34,
                    "num_attention_heads": 16,
                    "image_size": 336,
                    "patch_size": 14,
                    "projector_input_dim": 4096,
                    "projector_output_dim": 4096,
                    "vision_output_dim": 4096,
                },
            },
            108_641_793_536,
            id="Llama-4-Scout",
        ),
        pytest.param(
            {
                "model_type": "mllama",
                "text_config": dense(
                    "mllama_text_model",
                    layers=40,
                    hidden=4096,
                    inner=14336,
                    heads=32,
                    kv=8,
                    vocab_size=128_256,
                ),
                "vision_config": {
                    "model_type": "mllama_vision_model",
                    "image_size": 560,
                    "vision_output_dim": 7680,
                },
            },
            10_670_220_835,
            id="Llama-3.2-11B-Vision: layers that look at the picture",
        ),
        pytest.param(
            {
                **dense("bert", layers=12, hidden=768, inner=3072, heads=12, kv=12, vocab_size=30_522),
                "architectures": ["BertModel"],
            },
            109_482_240,
            id="BERT base, with its pooler",
        ),
        pytest.param(
            {
                "model_type": "distilbert",
                "n_layers": 6,
                "dim": 768,
                "n_heads": 12,
                "hidden_dim": 3072,
                "vocab_size": 30_522,
            },
            66_362_880,
            id="DistilBERT",
        ),
        pytest.param(
            dense("modernbert", layers=22, hidden=768, inner=1152, heads=12, kv=12, vocab_size=50_368),
            149_014_272,
            id="ModernBERT base",
        ),
        pytest.param(
            {
                "model_type": "mamba2",
                "num_hidden_layers": 64,
                "hidden_size": 4096,
                "num_heads": 128,
                "vocab_size": 32_768,
            },
            7_285_403_648,
            id="Mamba-Codestral-7B",
        ),
        pytest.param(
            {
                "model_type": "internvl_chat",
                "llm_config": dense(
                    "internlm2", layers=32, hidden=4096, inner=14336, heads=32, kv=8, vocab_size=92_553
                ),
                "vision_config": {
                    "model_type": "intern_vit_6b",
                    "hidden_size": 1024,
                    "intermediate_size": 4096,
                    "num_hidden_layers": 24,
                    "num_attention_heads": 16,
                    "image_size": 448,
                    "patch_size": 14,
                    "qkv_bias": True,
                },
                "downsample_ratio": 0.5,
            },
            8_075_365_376,
            id="InternVL2.5-8B",
        ),
        pytest.param(
            {
                "architectures": ["Qwen3ForSequenceClassification"],
                **dense("qwen3", layers=28, hidden=1024, inner=3072, heads=16, kv=8, vocab_size=151_669),
                "num_labels": 1,
            },
            595_777_536,
            id="Qwen3-Reranker-0.6B as a classifier: a score instead of a head",
        ),
        pytest.param(
            {
                "architectures": ["Qwen3ForCausalLM"],
                **dense("", layers=36, hidden=4096, inner=12288, heads=32, kv=8, vocab_size=151_936),
            },
            8_190_735_360,
            id="the architecture's name stands for a missing type",
        ),
    ],
)
def test_parameters_of_a_configuration(config: dict[str, Any], parameters: int) -> None:
    facts = of(config)
    assert facts.parameters == parameters
    assert facts.known_architecture
    assert not facts.weights.exact


def test_experts_and_what_one_token_passes_are_told_apart() -> None:
    facts = of(
        dense(
            "qwen3_moe", layers=48, hidden=2048, inner=6144, heads=32, kv=4, head_dim=128, vocab_size=151_936
        )
    )
    assert facts.parameters == 30_532_122_624  # Qwen3-30B-A3B
    assert facts.active_parameters == pytest.approx(3.35e9, rel=0.01)  # "3.3B activated", its page says
    assert facts.weights.expert_bytes == 48 * 128 * 3 * 2048 * 768 * 2
    assert facts.expert_intermediate_size == 768


def test_a_tower_is_told_from_the_language_model() -> None:
    language = dense(
        "mistral", layers=40, hidden=5120, inner=32768, heads=32, kv=8, head_dim=128, vocab_size=131_072
    )
    alone, seeing = (
        of(language),
        of({"model_type": "mistral3", "text_config": language, "vision_config": _PIXTRAL}),
    )
    difference = seeing.weights.stored_bytes - alone.weights.stored_bytes
    assert (
        seeing.weights.vision_bytes == difference == 2 * 438_958_080
    )  # the tower's and the projector's parameters
    assert seeing.weights.head_bytes == alone.weights.head_bytes == 2 * 131_072 * 5120


def test_a_tower_that_is_not_known_is_counted_as_a_large_one() -> None:
    language = dense("llama", layers=32, hidden=4096, inner=14336, heads=32, kv=8, vocab_size=128_256)
    facts = of(
        {"model_type": "someones_vl", "llm_config": language, "vision_config": {"model_type": "radio"}}
    )
    assert not facts.known_architecture
    assert facts.parameters == 8_030_261_248 + 700_000_000
    assert facts.weights.vision_bytes == 2 * 700_000_000


def test_an_unknown_family_is_estimated_as_llamas_and_says_so() -> None:
    facts = of(dense("nobody_knows", layers=32, hidden=4096, inner=14336, heads=32, kv=8, vocab_size=128_256))
    assert not facts.known_architecture
    assert facts.parameters == pytest.approx(8_030_261_248, rel=0.001)
    assert (facts.parameters or 0) >= 8_030_261_248  # never too little
    assert "'nobody_knows' is not known" in facts.notes[0]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"num_key_value_heads": "8"}, id="a number in quotes"),
        pytest.param({"text_config": []}, id="a list where a part should be"),
        pytest.param({"vision_config": {"model_type": "clip_vision_model"}}, id="a tower without dimensions"),
        pytest.param({"moe_intermediate_size": [], "num_experts": 8}, id="an empty list of widths"),
        pytest.param({"layer_types": ["full_attention"]}, id="too few kinds of layers"),
        pytest.param(
            {"quantization_config": {"quant_method": "never heard of"}}, id="a method that is not known"
        ),
        pytest.param({"quantization_config": {"quant_method": "gptq", "bits": "four"}}, id="bits in words"),
    ],
)
def test_strange_settings_make_no_traceback(broken: dict[str, Any]) -> None:
    config = dense("llama", layers=2, hidden=256, inner=512, heads=4, kv=2, vocab_size=1000) | broken
    assert of(config).weights.stored_bytes > 0


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        pytest.param(
            {"num_hidden_layers": 10**18}, "no model has more than 10,000", id="a quintillion layers"
        ),
        pytest.param(
            {"layer_types": ["full_attention"] * 20_000}, "lists 20,000 layers", id="a list without end"
        ),
        pytest.param(
            {"vocab_size": 10**15}, "vocab_size is 1000000000000000", id="more words than there are"
        ),
        pytest.param({"vision_config": {"depth": 10**7}}, "vision_config.depth", id="a tower without end"),
        pytest.param(
            {"rope_scaling": {"rope_type": "yarn", "factor": float("nan")}}, "config.json", id="not a number"
        ),
    ],
)
def test_what_no_model_has_is_refused_before_it_is_counted(wrong: dict[str, Any], words: str) -> None:
    config = dense("llama", layers=2, hidden=256, inner=512, heads=4, kv=2, vocab_size=1000) | wrong
    with pytest.raises(FactsError, match=words) as caught:
        of(config)
    assert caught.value.reason == Reason.CONFIG_INVALID


def test_a_type_that_is_no_text_is_none() -> None:
    config = dense("llama", layers=2, hidden=256, inner=512, heads=4, kv=2, vocab_size=1000) | {
        "model_type": ["llama"]
    }
    assert of(config).model_type is None


def test_learned_positions_are_whole_on_each_gpu() -> None:
    config = {
        "model_type": "opt",
        "num_hidden_layers": 12,
        "hidden_size": 768,
        "ffn_dim": 3072,
        "num_attention_heads": 12,
        "vocab_size": 50_272,
    }
    norms_and_biases = 12 * (4 * 768 + 4 * 768 + 3072 + 768) + 2 * 768
    assert of(config).weights.replicated_bytes == 2 * (2050 * 768 + norms_and_biases)
