"""Is the list of architectures taken from the pinned engine's own registry?"""

import pytest
import yaml

from tools import architectures

_REGISTRY = """
_TEXT_GENERATION_MODELS = {
    # [Decoder-only]
    "LlamaForCausalLM": ("llama", "LlamaForCausalLM"),
    "MiniForCausalLM": ("vllm.models.mini", "MiniForCausalLM"),
}
_SPECULATIVE_DECODING_MODELS = {"EagleLlamaForCausalLM": ("llama_eagle", "EagleLlamaForCausalLM")}
_TRANSFORMERS_BACKEND_MODELS = {"TransformersForCausalLM": ("transformers", "TransformersForCausalLM")}
_VLLM_MODELS = {**_TEXT_GENERATION_MODELS, **_SPECULATIVE_DECODING_MODELS, **_TRANSFORMERS_BACKEND_MODELS}
_PREVIOUSLY_SUPPORTED_MODELS: dict[str, str] = {"QWenLMHeadModel": "0.14.0", "MiniForCausalLM": "0.2"}
_OOT_SUPPORTED_MODELS = {"BartModel": "https://example.org/plugin"}
"""


def test_drafts_are_left_out_and_plugins_are_not_in_the_image() -> None:
    served, gone = architectures.architectures(_REGISTRY)
    assert served == {"LlamaForCausalLM", "MiniForCausalLM"}
    assert gone == {"QWenLMHeadModel", "BartModel"}


def test_a_registry_of_another_form_is_named() -> None:
    with pytest.raises(architectures.RegistryError, match="_PREVIOUSLY_SUPPORTED_MODELS"):
        architectures.architectures(_REGISTRY.replace("_PREVIOUSLY_", "_FORMERLY_"))


def test_the_profile_keeps_all_that_is_not_about_architectures() -> None:
    profile = "name: vLLM\nversion: 0.33.0\narchitectures:\n  served: [Old]\n"
    new = architectures.replaced(profile, architectures.block("0.34.0", {"B", "A"}, {"C"}))
    assert new.startswith("name: vLLM\nversion: 0.33.0\narchitectures:\n")
    parsed = yaml.safe_load(new)
    assert parsed["architectures"]["served"] == ["A", "B"]
    assert parsed["architectures"]["gone"] == ["C"]


def test_the_list_is_that_of_the_pinned_version() -> None:
    profile = yaml.safe_load(architectures.PROFILE.read_text("utf-8"))
    assert f"vllm {profile['version']}," in profile["architectures"]["source"]
    assert {"LlamaForCausalLM", "Qwen3MoeForCausalLM", "BertModel"} <= set(profile["architectures"]["served"])
    assert "EagleLlamaForCausalLM" not in profile["architectures"]["served"]
