"""Is a params.json understood as the config.json that it stands for?"""

import json
from pathlib import Path
from typing import Any

import pytest

from pillion.facts import AttentionKind, local

_SMALL_3 = {
    "dim": 5120,
    "n_layers": 40,
    "head_dim": 128,
    "hidden_dim": 32768,
    "n_heads": 32,
    "n_kv_heads": 8,
    "norm_eps": 1e-05,
    "vocab_size": 131_072,
    "max_seq_len": 131_072,
}
_VISION = {
    "hidden_size": 1024,
    "num_channels": 3,
    "max_image_size": 1540,
    "patch_size": 14,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "mm_projector_id": "patch_merge",
    "spatial_merge_size": 2,
}
_LARGE_3 = {
    "dim": 7168,
    "n_layers": 61,
    "hidden_dim": 16384,
    "n_heads": 128,
    "n_kv_heads": 128,
    "vocab_size": 131_072,
    "q_lora_rank": 1536,
    "kv_lora_rank": 512,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 128,
    "v_head_dim": 128,
    "moe": {
        "num_experts": 128,
        "num_experts_per_tok": 4,
        "num_shared_experts": 1,
        "expert_hidden_dim": 4096,
        "first_k_dense_replace": 3,
        "route_every_n": 1,
    },
    "quantization": {"qformat_weight": "fp8_e4m3", "qscheme_act": "TENSOR"},
}


@pytest.mark.parametrize(
    ("params", "architecture", "parameters"),
    [
        pytest.param(
            _SMALL_3, "MistralForCausalLM", 23_572_403_200, id="Mistral-Small-24B-2501: its published total"
        ),
        pytest.param(
            {**_SMALL_3, "vision_encoder": _VISION},
            "PixtralForConditionalGeneration",
            24_011_361_280,
            id="Mistral-Small-3.2: with its tower",
        ),
    ],
)
def test_parameters(params: dict[str, Any], architecture: str, parameters: int, tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text(json.dumps(params), encoding="utf-8")
    facts = local.read(tmp_path)
    assert facts.architecture == architecture
    assert facts.parameters == parameters
    assert facts.max_context_tokens == 131_072
    assert facts.known_architecture


def test_latent_attention_experts_and_eight_bits(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text(json.dumps(_LARGE_3), encoding="utf-8")
    facts = local.read(tmp_path)
    assert facts.architecture == "MistralLarge3ForCausalLM"
    assert facts.attention.kind is AttentionKind.LATENT
    assert facts.experts == 128
    assert facts.quantization is not None
    assert facts.quantization.scheme == "FP8"
    assert facts.parameters == pytest.approx(673e9, rel=0.005)  # "675B" with its tower


def test_a_configuration_beside_it_counts(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text(json.dumps(_SMALL_3), encoding="utf-8")
    config = {
        "model_type": "llama",
        "num_hidden_layers": 1,
        "hidden_size": 64,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "vocab_size": 100,
    }
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert (local.read(tmp_path).parameters or 0) < 1_000_000
