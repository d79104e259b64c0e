"""What works, and should be known."""

import dataclasses
from typing import Any

import pytest

from pillion.api.modeldeployment import Task
from pillion.api.reasons import Reason
from pillion.facts import ModelFacts
from tests.unit.hardware import nodes
from tests.unit.planner import worlds
from tests.unit.planner.worlds import H100, L4, PLAIN, QWEN3_8B, T4, TINY


def warned(checkpoint: ModelFacts, **more: Any) -> dict[Reason, str]:
    return {each.reason: each.message for each in worlds.planned(checkpoint, **more).warnings}


def changed(**facts: Any) -> ModelFacts:
    return dataclasses.replace(QWEN3_8B, **facts)


@pytest.mark.parametrize(
    ("model", "more", "reason", "words"),
    [
        pytest.param(
            TINY,
            {"on": [PLAIN], "engine": {"resources": {"limits": {"memory": "512Mi"}}}},
            Reason.MEMORY_LIMIT_LOW,
            "0.50 GiB of memory, and it needs about 2.52 GiB: 5.8 MiB for weights",
            id="less memory than the model needs on CPU",
        ),
        pytest.param(
            TINY,
            {"on": [L4], "engine": {"resources": {"limits": {"memory": "4Gi"}}}},
            Reason.MEMORY_LIMIT_LOW,
            "engines on NVIDIA-L4 are given 8.50 GiB whatever their model",
            id="less memory than every engine gets beside a GPU",
        ),
        pytest.param(
            TINY,
            {"on": [L4], "engine": {"image": "registry.example/vllm:v0.32.0"}},
            Reason.ESTIMATE_UNVERIFIED,
            "holds vLLM 0.32.0 by its tag; memory and architectures are planned by that, and all else by vLLM 0.33.0",
            id="an image of another version",
        ),
        pytest.param(
            TINY,
            {"on": [L4], "engine": {"image": "registry.example/vllm@sha256:0123"}},
            Reason.ESTIMATE_UNVERIFIED,
            "does not tell its version of vLLM",
            id="an image that does not tell its version",
        ),
        pytest.param(
            TINY,
            {"on": [PLAIN], "serving": {"kvCacheDtype": "FP8"}},
            Reason.NOT_SUPPORTED_WELL,
            "AVX-512",
            id="an FP8 KV cache on CPU",
        ),
        pytest.param(
            changed(chat_template=False),
            {"on": [H100]},
            Reason.NO_CHAT_TEMPLATE,
            "/v1/chat/completions",
            id="no chat template",
        ),
        pytest.param(
            changed(brings_code=True),
            {"on": [H100], "model": {"trustRemoteCode": True}},
            Reason.REMOTE_CODE,
            "inside the application's pod",
            id="code that is trusted",
        ),
        pytest.param(
            changed(architecture="MineForCausalLM"),
            {"on": [H100]},
            Reason.NOT_SUPPORTED_WELL,
            "MineForCausalLM",
            id="unlisted",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [T4]},
            Reason.PREFERENCE_GIVEN_UP,
            "are preferred, and 3 fit",
            id="fewer requests than preferred",
        ),
        pytest.param(TINY, {"on": [PLAIN]}, Reason.CPU_IS_SLOW, "CPU", id="no accelerator"),
        pytest.param(
            TINY,
            {"on": [nodes.gpu_node("n", "NVIDIA-A10G")]},
            Reason.ESTIMATE_UNVERIFIED,
            "NVIDIA-A10G has room for is an estimate: its memory is label 23028 MiB x 0.970",
            id="a card whose memory nobody has shown",
        ),
    ],
)
def test_warnings(model: ModelFacts, more: dict[str, Any], reason: Reason, words: str) -> None:
    assert words in warned(model, **more)[reason]


def test_a_limit_below_what_the_model_needs_shows_in_the_row_of_memory() -> None:
    limited = {"resources": {"limits": {"memory": "512Mi"}}}
    memory = worlds.planned(TINY, on=[PLAIN], engine=limited).plan.to_status()["memory"]
    assert (memory["total"], memory["headroom"]) == ("0.50Gi", "-2.02Gi")


def test_no_warning_without_a_cause() -> None:
    assert warned(QWEN3_8B, on=[H100]) == {}


def test_an_embedding_model_needs_no_chat_template() -> None:
    assert Reason.NO_CHAT_TEMPLATE not in warned(changed(chat_template=False, task=Task.EMBEDDING), on=[H100])


def test_an_old_card_widens_what_it_cannot_compute() -> None:
    messages = [each.message for each in worlds.planned(QWEN3_8B, on=[T4]).warnings]
    assert any("computes no FP8" in message for message in messages)
    assert any("no bfloat16" in message for message in messages)
    assert not any("computes no FP8" in each.message for each in worlds.planned(QWEN3_8B, on=[L4]).warnings)


def test_a_model_that_float16_breaks_takes_twice_the_memory_on_an_old_card() -> None:
    gemma = dataclasses.replace(TINY, model_type="gemma2")
    narrow, wide = (
        worlds.planned(model, on=[T4], quantization={"method": "None"}).plan for model in (TINY, gemma)
    )
    assert wide.memory.weights == 2 * narrow.memory.weights


def test_an_architecture_that_the_engine_does_not_list_is_planned_with_a_warning() -> None:
    message = warned(changed(architecture="FooBarForCausalLM"), on=[H100])[Reason.NOT_SUPPORTED_WELL]
    assert message.startswith(
        "vLLM 0.33.0 does not list FooBarForCausalLM: it runs on the classes of transformers"
    )


def test_an_encoder_decoder_that_the_engine_lists_is_planned() -> None:
    listed = changed(architecture="WhisperForConditionalGeneration", encoder_decoder=True)
    assert Reason.NOT_SUPPORTED_WELL not in warned(listed, on=[H100])
