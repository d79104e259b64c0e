"""Models that are not a plain decoder: states beside attention, latent attention, windows, experts, towers."""

import dataclasses
from typing import Any

import pytest

from pillion import planner
from pillion.api.reasons import Reason
from pillion.facts import ModelFacts, understanding
from pillion.facts.documents import Documents
from tests.unit.hardware import nodes
from tests.unit.planner import worlds
from tools import choices

MODELS = {model.name: model.checkpoints[0] for model in choices.models()}
H100 = nodes.gpu_node("h100", "NVIDIA-H100-80GB-HBM3", 8, cpu="128", memory="2Ti")
H200 = nodes.gpu_node("h200", "NVIDIA-H100-80GB-HBM3", 8, cpu="128", memory="2Ti", label_mib=143_771)
GIB = 2**30

# Dimensions of Qwen3-Next-80B-A3B as its makers publish them: every fourth layer attends, the others keep a state.
HYBRID = {
    "architectures": ["Qwen3NextForCausalLM"],
    "model_type": "qwen3_next",
    "num_hidden_layers": 48,
    "full_attention_interval": 4,
    "hidden_size": 2048,
    "intermediate_size": 5120,
    "moe_intermediate_size": 512,
    "shared_expert_intermediate_size": 512,
    "num_experts": 512,
    "num_experts_per_tok": 10,
    "num_attention_heads": 16,
    "num_key_value_heads": 2,
    "head_dim": 256,
    "linear_num_key_heads": 16,
    "linear_num_value_heads": 32,
    "linear_key_head_dim": 128,
    "linear_value_head_dim": 128,
    "linear_conv_kernel_dim": 4,
    "max_position_embeddings": 262_144,
    "tie_word_embeddings": False,
    "vocab_size": 151_936,
    "torch_dtype": "bfloat16",
}


def facts(config: dict[str, Any], repo: str) -> ModelFacts:
    return understanding.facts(
        Documents(
            repo=repo,
            commit="0" * 40,
            config=config,
            files=(),
            tokenizer_config={"chat_template": "{{ messages }}"},
            without_weights=True,
        )
    )


def plan(model: ModelFacts, **more: Any) -> planner.Plan:
    return worlds.planned(model, on=[H100], hardware={"maxPerPod": 8}, **more).plan


def test_sequences_of_a_hybrid_are_no_more_than_there_are_states_for() -> None:
    hybrid = facts(HYBRID, "Qwen/Qwen3-Next-80B-A3B-Instruct")
    tight = plan(hybrid, quantization={"method": "FP8"}, serving={"concurrency": 1})
    # 36 layers with states of 32 x 128 x 128 numbers and a convolution, on each of the accelerators.
    room = tight.memory.kv_cache + tight.memory.headroom
    states = 36 * 32 * 128 * 128 * 2 // tight.tensor_parallel
    assert tight.concurrency <= tight.max_num_seqs <= room // states


def test_latent_attention_takes_one_vector_a_token_whatever_the_accelerators() -> None:
    answer = choices.answer(
        next(model for model in choices.models() if model.name == "DeepSeek-V3"),
        next(node for node in choices.nodes() if node.name == "H200"),
        choices.Policy.BALANCED,
    )
    assert isinstance(answer, planner.Planned)
    blocks = 8 * 8192 // 64
    assert answer.plan.memory.kv_cache >= blocks * 64 * 61 * 576 * 2


@pytest.mark.parametrize(
    ("there", "pinned", "fits"),
    [
        pytest.param(H200, "FP8", True, id="8 bit on a GPU"),
        pytest.param(H200, "FP8E5M2", False, id="the other 8 bit on a GPU"),
        pytest.param(nodes.node("plain", cpu="64", memory="1Ti"), "BF16", False, id="any pin on CPU"),
        pytest.param(nodes.node("plain", cpu="64", memory="1Ti"), "Auto", True, id="no pin on CPU"),
    ],
)
def test_latent_vectors_are_kept_in_few_formats(there: dict[str, Any], pinned: str, fits: bool) -> None:
    plain = dataclasses.replace(MODELS["DeepSeek-V3"], quantization=None, parameters=16_000_000_000)
    light = dataclasses.replace(plain, weights=worlds.QWEN3_8B.weights, download_bytes=16 * GIB)
    answer = planner.plan(
        worlds.request(light, on=[there], serving={"kvCacheDtype": pinned}, hardware={"maxPerPod": 8})
    )
    assert isinstance(answer, planner.Planned) is fits
    if isinstance(answer, planner.NotPlanned):
        assert answer.reason is Reason.QUANTIZATION_UNSUPPORTED
        assert f"kvCacheDtype: {pinned}" in answer.message
        assert "It fits with spec.serving.kvCacheDtype: Auto" in answer.message


def test_a_window_that_stops_growing_leaves_room_for_more_requests() -> None:
    gemma = MODELS["Gemma 3 27B"]
    windowed = plan(
        gemma, quantization={"method": "None"}, serving={"contextLength": 65_536, "concurrency": 1}
    )
    every_layer_whole = 62 * 2 * 16 * 128 * 2 * 65_536 // windowed.tensor_parallel
    assert windowed.memory.kv_cache < every_layer_whole / 2


def test_all_experts_are_resident_and_the_active_ones_are_told() -> None:
    mixture = MODELS["Qwen3 30B-A3B"]
    assert plan(mixture, quantization={"method": "None"}).memory.weights > 56 * GIB
    assert mixture.active_parameters is not None
    assert mixture.active_parameters < 4_000_000_000


def test_a_tower_is_charged_unless_only_text_is_served() -> None:
    gemma = MODELS["Gemma 3 27B"]
    whole = plan(gemma, quantization={"method": "None"})
    text = plan(gemma, quantization={"method": "None"}, serving={"modalities": "Text"})
    assert text.memory.activation < whole.memory.activation
