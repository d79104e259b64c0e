"""How large is a quantized checkpoint, going by its configuration alone?

Sizes of whole models are those of the published files or of engines' logs; sizes of single matrices are counted by hand
after the files that each quantizer writes.
"""

from typing import Any

import pytest

from pillion.facts import ModelFacts, names, packing, understanding
from pillion.facts.blueprint import Part
from pillion.facts.documents import Documents
from pillion.facts.tensors import stored_bytes
from tests.corpus import models

GIB = 2**30
_QWEN3_8B = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "num_hidden_layers": 36,
    "hidden_size": 4096,
    "intermediate_size": 12288,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151_936,
    "torch_dtype": "bfloat16",
}
_AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}
_FP8_BLOCKS = {"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic"}
_MATRIX = Part(name="model.layers.0.mlp.down_proj.weight", shape=(1024, 2048), linear=True)


def of(config: dict[str, Any], **quantized: Any) -> ModelFacts:
    """The facts of a configuration without weight files."""
    said = {**config, "quantization_config": quantized} if quantized else config
    return understanding.facts(
        Documents(repo="a/model", commit="", files=(), config=said, without_weights=True)
    )


def published(model: str) -> ModelFacts:
    """The facts of a line of the corpus."""
    line = next(line for line in models.lines() if line["model"] == model)
    return understanding.facts(
        Documents(
            repo=model,
            commit="",
            files=(),
            config=models.config(line),
            quantization_config=line.get("modelopt"),
            without_weights=True,
        )
    )


@pytest.mark.parametrize(
    ("facts", "gib", "tolerance"),
    [
        pytest.param(of(_QWEN3_8B, **_AWQ), 5.68, 0.001, id="Qwen3-8B-AWQ: the Hub's files"),
        pytest.param(of(_QWEN3_8B, **_FP8_BLOCKS), 8.80, 0.002, id="Qwen3-8B-FP8: vLLM's log"),
        pytest.param(
            published("nvidia/Llama-3.1-70B-Instruct-FP8"), 67.72, 0.001, id="Llama-3.1-70B-FP8: vLLM's log"
        ),
        pytest.param(
            published("openai/gpt-oss-20b"), 12.815, 0.001, id="gpt-oss-20b: half of its repository"
        ),
        pytest.param(
            published("openai/gpt-oss-120b"), 60.77, 0.001, id="gpt-oss-120b: half of its repository"
        ),
        pytest.param(
            published("moonshotai/Kimi-K2.5"),
            554.32 - 0.87,
            0.001,
            id="Kimi-K2.5: the Hub's files, less its tower",
        ),
    ],
)
def test_a_whole_checkpoint(facts: ModelFacts, gib: float, tolerance: float) -> None:
    assert facts.weights.stored_bytes / GIB == pytest.approx(gib, rel=tolerance)


def test_a_wrapper_may_say_it_in_the_language_models_part() -> None:
    inside = of({"model_type": "mistral3", "text_config": {**_QWEN3_8B, "quantization_config": _FP8_BLOCKS}})
    assert inside.quantization is not None
    assert inside.quantization.scheme == "FP8"
    assert inside.weights.stored_bytes == of(_QWEN3_8B, **_FP8_BLOCKS).weights.stored_bytes


def test_towers_beside_a_quantized_language_model_are_plain() -> None:
    line = next(line for line in models.lines() if line["model"] == "moonshotai/Kimi-K2.5")
    config = models.config(line)
    inside = {**config["text_config"], "quantization_config": config.pop("quantization_config")}
    config |= {"text_config": inside, "vision_config": {"model_type": "kimi_k25_vision"}}
    facts = of(config)
    assert facts.weights.stored_bytes / GIB == pytest.approx(554.32, rel=0.0001)  # the Hub's files
    assert facts.weights.vision_bytes / GIB == pytest.approx(0.87, abs=0.02)


def test_quantized_parameters_stay_those_of_the_model() -> None:
    assert of(_QWEN3_8B, **_AWQ).parameters == of(_QWEN3_8B).parameters == 8_190_735_360


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        pytest.param(_AWQ, 2**21 // 2 + 16 * 1024 // 2 + 16 * 1024 * 2, id="AWQ: weights, zeros, scales"),
        pytest.param(
            {"quant_method": "gptq", "bits": 4, "group_size": 128},
            2**21 // 2 + 16 * 1024 // 2 + 16 * 1024 * 2 + 2048 * 4,
            id="GPTQ: the order of inputs beside them",
        ),
        pytest.param(
            {"quant_method": "gptq", "bits": 8, "group_size": -1},
            2**21 + 1024 + 1024 * 2 + 2048 * 4,
            id="GPTQ of 8 bit",
        ),
        pytest.param(_FP8_BLOCKS, 2**21 + 8 * 16 * 4, id="FP8 in blocks"),
        pytest.param({"quant_method": "fp8"}, 2**21 + 4, id="FP8, one scale"),
        pytest.param({"quant_method": "fbgemm_fp8"}, 2**21 + 1024 * 4, id="FP8, a scale for each output"),
        pytest.param(
            {"quant_method": "modelopt", "quant_algo": "NVFP4"},
            2**20 + 1024 * 128 + 4,
            id="NVFP4: a scale for 16",
        ),
        pytest.param(
            {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_use_double_quant": True},
            2**20 + 2**21 // 64 + (2**21 // 64 // 256) * 4 + 256 * 4 + 16 * 4,
            id="bitsandbytes, scales quantized too",
        ),
        pytest.param(
            {"quant_method": "bitsandbytes", "load_in_8bit": True},
            2**21 + 1024 * 4,
            id="bitsandbytes of 8 bit",
        ),
        pytest.param(
            {
                "quant_method": "compressed-tensors",
                "config_groups": {
                    "group_0": {
                        "targets": ["Linear"],
                        "weights": {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32},
                    }
                },
            },
            2**20 + 1024 * 64 * 2 + 16,
            id="W4A16 in groups of 32",
        ),
        pytest.param(
            {
                "quant_method": "compressed-tensors",
                "config_groups": {
                    "group_0": {
                        "targets": ["Linear"],
                        "weights": {"num_bits": 8, "type": "int", "strategy": "channel"},
                    }
                },
            },
            2**21 + 1024 * 2,
            id="INT8, a scale for each output",
        ),
        pytest.param(
            {"quant_method": "torchao", "quant_type": "Int4WeightOnlyConfig(group_size=64)"},
            2**20 + 32 * 1024 * 2 + 32 * 1024 // 2 + 16,
            id="torchao names the size of its groups",
        ),
        pytest.param({"quant_method": "mxfp4"}, 2**21 * 2, id="MXFP4 leaves all but experts alone"),
    ],
)
def test_one_matrix(declared: dict[str, Any], expected: int) -> None:
    stored = packing.tensors([_MATRIX], {"quantization_config": declared}, modelopt=None, dtype="bfloat16")
    assert sum(stored_bytes(tensor) for tensor in stored) == expected


@pytest.mark.parametrize(
    ("name", "listed", "expected"),
    [
        pytest.param("lm_head", ["lm_head"], True, id="as it is"),
        pytest.param("model.layers.0.mlp.gate", ["model.layers.0.mlp.gate"], True, id="with its path"),
        pytest.param("model.layers.10.mlp.gate", ["model.layers.1"], False, id="layer 10 is not layer 1"),
        pytest.param(
            "model.layers.0.mlp.gate_proj", ["gate"], False, id="a part of a word is none of a name"
        ),
        pytest.param("model.layers.3.mlp.up_proj", ["re:.*mlp.*"], True, id="an expression"),
        pytest.param("model.layers.3.mlp.up_proj", ["re:.*(unclosed"], False, id="a broken expression"),
        pytest.param(
            "model.layers.0.self_attn.q_proj", ["model.layers.*.self_attn"], True, id="a wildcard inside"
        ),
        pytest.param(
            "model.layers.1.self_attn.q_proj", ["model.layers.1*"], True, id="a wildcard at the end"
        ),
        pytest.param(
            "model.language_model.layers.0.linear_attn.in_proj_qkv",
            ["language_model.model.layers.0.linear_attn*"],
            True,
            id="wrappers put the words in another order",
        ),
        pytest.param("visual.blocks.3.attn.qkv", ["visual"], True, id="a whole tower"),
        pytest.param(
            "model.layers.1.mlp.experts.up_proj",
            ["model.layers.1.mlp.experts.0.up_proj"],
            True,
            id="experts are listed one by one",
        ),
    ],
)
def test_a_list_names_a_module(name: str, listed: list[str], expected: bool) -> None:
    assert names.matches(name, listed) is expected


def test_what_a_list_leaves_out_stays_plain() -> None:
    all_of_it = of(_QWEN3_8B, **_FP8_BLOCKS)
    without = of(_QWEN3_8B, **_FP8_BLOCKS, modules_to_not_convert=["model.layers.0.mlp", "lm_head"])
    matrices = 3 * 4096 * 12288  # one layer's feed-forward, at 2 bytes instead of 1 and 4 for each block
    assert without.weights.stored_bytes - all_of_it.weights.stored_bytes == matrices - 4 * matrices // 128**2


@pytest.mark.parametrize(
    ("declared", "kept_bytes"),
    [
        pytest.param({"sym": True}, 0, id="symmetric, in the usual order: neither"),
        pytest.param(
            {"sym": False},
            36 * (4096 * (4096 + 2 * 1024 + 4096) + 3 * 4096 * 12288) // 256,
            id="asymmetric: half a byte for each group of 128",
        ),
        pytest.param(
            {"sym": True, "desc_act": True},
            36 * (6 * 4096 + 12288) * 4,
            id="in another order: a place for each input",
        ),
    ],
)
def test_engines_let_go_of_what_gptq_does_not_need(declared: dict[str, Any], kept_bytes: int) -> None:
    least = of(_QWEN3_8B, quant_method="gptq", bits=4, group_size=128)
    found = of(_QWEN3_8B, quant_method="gptq", bits=4, group_size=128, **declared)
    assert found.weights.stored_bytes - least.weights.stored_bytes == kept_bytes


def test_gptq_may_treat_some_modules_otherwise() -> None:
    usual = of(_QWEN3_8B, quant_method="gptq", bits=4, group_size=128)
    mixed = of(
        _QWEN3_8B,
        quant_method="gptq",
        bits=4,
        group_size=128,
        dynamic={r"-:.*\.layers\.0\..*": {}, r"+:.*\.layers\.1\.mlp\..*": {"bits": 8}},
    )
    layer = 4096 * (4096 + 2 * 1024 + 4096 + 3 * 12288)
    gained = mixed.weights.stored_bytes - usual.weights.stored_bytes
    assert gained == pytest.approx(layer * (2 - 0.5156) + 3 * 4096 * 12288 * 0.5, rel=0.01)
