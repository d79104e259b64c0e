"""Does the profile know what vLLM does, and refuse to be wrong?"""

from __future__ import annotations

import copy
import importlib.resources
from typing import Any

import pytest
import yaml

from pillion import engines
from pillion.engines import profiles

VLLM = engines.profile("vLLM")


def document() -> dict[str, Any]:
    text = (importlib.resources.files("pillion.engines") / "vllm" / "profile.yaml").read_text("utf-8")
    read: dict[str, Any] = yaml.safe_load(text)
    return copy.deepcopy(read)


def test_images_carry_the_version() -> None:
    assert VLLM.image(engines.GPU) == "vllm/vllm-openai:v0.33.0"
    assert VLLM.image(engines.CPU).endswith(f":v{VLLM.version}")


@pytest.mark.parametrize(
    ("label", "capability"),
    [
        # vLLM 0.33.0: docs, "compute capability 7.5 or higher"; get_min_capability of each format
        pytest.param("None", (7, 5), id="plain weights on Turing, and not on Volta"),
        pytest.param("AWQ", (7, 5), id="AWQ on Turing"),
        pytest.param("FP8", (7, 5), id="FP8 on Turing, as weights alone"),
        pytest.param("MXFP4", (8, 0), id="MXFP4 on Ampere"),
        pytest.param("W4A8", (9, 0), id="W4A8 on Hopper"),
    ],
)
def test_the_lowest_accelerator_for(label: str, capability: tuple[int, int]) -> None:
    assert VLLM.minimum_capability[label] == capability


def test_what_is_made_while_loading() -> None:
    # vLLM 0.33.0, config/quantization.py: both are names of checkpoints' methods too, and mean the conversion where a
    # checkpoint is plain. bitsandbytes left the engine's tree.
    assert VLLM.on_the_fly == {"FP8": "fp8", "MXFP8": "mxfp8", "MXFP4": "mxfp4"}


def test_what_a_cpu_computes() -> None:
    assert {"None", "AWQ", "GPTQ", "INT8"} <= VLLM.cpu_quantizations
    assert "FP8" not in VLLM.cpu_quantizations


@pytest.mark.parametrize(
    ("architecture", "repo", "tool", "reasoning"),
    [
        pytest.param("Qwen3ForCausalLM", "Qwen/Qwen3-8B-AWQ", "hermes", "qwen3", id="Qwen3 thinks"),
        pytest.param("Qwen3MoeForCausalLM", "Qwen/Qwen3-30B-A3B-Instruct-2507", "hermes", None, id="Instruct"),
        pytest.param("Qwen3MoeForCausalLM", "Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3_xml", None, id="Qwen3 Coder"),
        pytest.param("Qwen2ForCausalLM", "Qwen/Qwen2.5-7B-Instruct", "hermes", None, id="Qwen2.5"),
        pytest.param("Qwen2ForCausalLM", "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", None, "deepseek_r1", id="R1"),
        pytest.param("LlamaForCausalLM", "meta-llama/Llama-3.1-8B-Instruct", "llama3_json", None, id="Llama 3.1"),
        pytest.param("LlamaForCausalLM", "meta-llama/Llama-3.1-8B", None, None, id="a base model"),
        pytest.param("LlamaForCausalLM", "someone/any-llama", None, None, id="any model in the shape of Llama"),
        pytest.param("GptOssForCausalLM", "openai/gpt-oss-20b", "openai", "openai_gptoss", id="gpt-oss"),
        pytest.param("MistralForCausalLM", "mistralai/Mistral-7B-Instruct-v0.3", "mistral", None, id="Mistral"),
        pytest.param("NobodysForCausalLM", "a/b", None, None, id="what nobody knows"),
    ],
)  # fmt: skip
def test_parsers_for(architecture: str, repo: str, tool: str | None, reasoning: str | None) -> None:
    assert VLLM.tool_parser(architecture, repo) == tool
    assert VLLM.reasoning_parser(architecture, repo) == reasoning


@pytest.mark.parametrize(
    ("architecture", "known"),
    [
        pytest.param("LlamaForCausalLM", True, id="served"),
        pytest.param("Olmo3ForCausalLM", True, id="served by the Transformers backend, by name"),
        pytest.param("MptForCausalLM", False, id="served once, and no more"),
        pytest.param("NobodysForCausalLM", None, id="unknown, which is not no"),
    ],
)
def test_an_architecture_is(architecture: str, *, known: bool | None) -> None:
    assert VLLM.knows_architecture(architecture) is known


def test_a_rule_whose_parser_the_engine_lacks_is_refused() -> None:
    broken = document()
    broken["toolParsers"][0]["parser"] = "qwen9"

    with pytest.raises(ValueError, match="qwen9"):
        profiles.parse(broken)


def test_a_rule_for_an_architecture_that_is_not_served_is_refused() -> None:
    broken = document()
    broken["reasoningParsers"][0]["architectures"].append("MptForCausalLM")

    with pytest.raises(ValueError, match="MptForCausalLM"):
        profiles.parse(broken)


def test_a_rule_without_a_source_is_refused() -> None:
    broken = document()
    broken["toolParsers"][0]["source"] = " "

    with pytest.raises(ValueError, match="no source"):
        profiles.parse(broken)


def test_an_engine_that_runs_as_root_is_refused() -> None:
    broken = document()
    broken["user"]["uid"] = 0

    with pytest.raises(ValueError, match="must not be root"):
        profiles.parse(broken)


def test_every_quantization_has_a_source() -> None:
    assert all(entry["source"].strip() for entry in document()["quantizations"])
