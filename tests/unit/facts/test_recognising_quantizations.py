"""Each form of quantization_config, as its tools write it, and what it is called here."""

from typing import Any

import pytest

from pillion.facts import quantized


def group(**weights: Any) -> dict[str, Any]:
    return {"group_0": {"targets": ["Linear"], "weights": weights}}


@pytest.mark.parametrize(
    ("declared", "scheme", "bits"),
    [
        pytest.param({"quant_method": "awq", "bits": 4, "group_size": 128}, "AWQ", 4, id="AutoAWQ"),
        pytest.param({"quant_method": "awq", "w_bit": 4}, "AWQ", 4, id="AutoAWQ's older name for bits"),
        pytest.param({"quant_method": "gptq", "bits": 8}, "GPTQ", 8, id="GPTQ with 8 bits"),
        pytest.param({"quant_method": "fp8", "fmt": "e4m3"}, "FP8", 8, id="FP8 by block"),
        pytest.param({"quant_method": "mxfp4"}, "MXFP4", 4, id="gpt-oss"),
        pytest.param({"quant_method": "bitsandbytes", "load_in_4bit": True}, "BitsAndBytes", 4, id="NF4"),
        pytest.param(
            {"quant_method": "bitsandbytes", "load_in_8bit": True}, "BitsAndBytes", 8, id="LLM.int8"
        ),
        pytest.param(
            {"quant_method": "modelopt", "quant_algo": "NVFP4"}, "NVFP4", 4, id="ModelOpt in config.json"
        ),
        pytest.param({"quant_method": "hqq", "nbits": 3}, "hqq", 3, id="an unknown method keeps its name"),
        pytest.param({"quant_method": "from-tomorrow"}, "from-tomorrow", None, id="and says nothing of bits"),
    ],
)
def test_methods(declared: dict[str, Any], scheme: str, bits: int | None) -> None:
    found = quantized.quantization({"quantization_config": declared}, modelopt=None)
    assert found is not None
    assert (found.scheme, found.bits) == (scheme, bits)


@pytest.mark.parametrize(
    ("weights", "activations", "scheme"),
    [
        pytest.param(
            {"num_bits": 8, "type": "float"}, {"num_bits": 8, "type": "float"}, "FP8", id="FP8-dynamic"
        ),
        pytest.param({"num_bits": 8, "type": "int"}, {"num_bits": 8, "type": "int"}, "INT8", id="w8a8"),
        pytest.param({"num_bits": 8, "type": "int"}, None, "W8A16", id="w8a16"),
        pytest.param({"num_bits": 4, "type": "int", "group_size": 128}, None, "W4A16", id="w4a16"),
        pytest.param({"num_bits": 4, "type": "int"}, {"num_bits": 8, "type": "float"}, "W4A8", id="w4a8"),
        pytest.param(
            {"num_bits": 4, "type": "float", "group_size": 16}, {"num_bits": 4}, "NVFP4", id="NVFP4"
        ),
        pytest.param({"num_bits": 4, "type": "float", "group_size": 32}, None, "MXFP4", id="MXFP4"),
        pytest.param({"num_bits": 3, "type": "int"}, None, "compressed-tensors int3", id="unknown"),
    ],
)
def test_compressed_tensors(weights: dict[str, Any], activations: dict[str, Any] | None, scheme: str) -> None:
    declared = {
        "quant_method": "compressed-tensors",
        "config_groups": {"group_0": {"weights": weights, "input_activations": activations}},
    }
    found = quantized.quantization({"quantization_config": declared}, modelopt=None)
    assert found is not None
    assert found.scheme == scheme


@pytest.mark.parametrize(
    ("algorithm", "scheme", "bits"),
    [
        pytest.param("FP8", "FP8", 8, id="FP8"),
        pytest.param("NVFP4", "NVFP4", 4, id="NVFP4"),
        pytest.param("MIXED_PRECISION", "NVFP4", 4, id="mixed precision is taken for its smallest"),
        pytest.param("FP5", "modelopt FP5", None, id="an unknown algorithm keeps its name"),
    ],
)
def test_modelopts_own_file(algorithm: str, scheme: str, bits: int | None) -> None:
    found = quantized.quantization({}, modelopt={"quantization": {"quant_algo": algorithm}})
    assert found is not None
    assert (found.scheme, found.bits) == (scheme, bits)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        pytest.param(
            {"kv_cache_scheme": {"num_bits": 8, "type": "float"}}, True, id="asks for an FP8 KV cache"
        ),
        pytest.param({"kv_cache_scheme": None}, False, id="says nothing of it"),
    ],
)
def test_a_checkpoint_may_declare_an_fp8_kv_cache(declared: dict[str, Any], expected: bool) -> None:
    config = {
        "quant_method": "compressed-tensors",
        "config_groups": group(num_bits=8, type="float"),
        **declared,
    }
    found = quantized.quantization({"quantization_config": config}, modelopt=None)
    assert found is not None
    assert found.kv_cache_fp8 is expected


def test_a_name_is_no_evidence() -> None:
    assert quantized.quantization({"_name_or_path": "somebody/model-AWQ"}, modelopt=None) is None
