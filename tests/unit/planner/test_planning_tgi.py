"""Text Generation Inference: what it is planned with, and what is refused because it cannot be told."""

from typing import Any

import pytest

from pillion import planner
from pillion.api.choices import Task
from pillion.api.reasons import Reason
from tests.unit.hardware import label_sets as sets
from tests.unit.hardware import nodes
from tests.unit.planner import worlds
from tests.unit.planner.worlds import A100, L4, LLAMA_8B, PLAIN, QWEN3_8B_AWQ, T4

Raw = dict[str, Any]

TGI: Raw = {"engine": {"name": "TGI", "image": "example.com/tgi:3.3.7"}}
B200 = nodes.gpu_node(
    "b200",
    "NVIDIA-L4",
    labels={
        "nvidia.com/gpu.product": "NVIDIA-B200",
        "nvidia.com/gpu.memory": "183359",
        "nvidia.com/gpu.compute.major": "10",
        "nvidia.com/gpu.compute.minor": "0",
    },
)


def refused_fields(**parts: Raw) -> set[str]:
    engine = {**TGI["engine"], **parts.pop("engine", {})}
    spec = worlds.spec(LLAMA_8B, engine=engine, **parts)
    return {field for field, _ in planner.unsupported(spec)}


def test_a_plan() -> None:
    answer = worlds.planned(LLAMA_8B, on=[A100], **TGI)
    plan = answer.plan
    assert (plan.engine, plan.engine_version, plan.image) == ("TGI", "3.3.7", "example.com/tgi:3.3.7")
    assert (plan.product, plan.quantization, plan.count) == ("NVIDIA-A100-SXM4-40GB", "None", 1)
    assert plan.gpu_memory_utilization == pytest.approx(0.9)
    assert plan.kv_cache_bytes is None
    assert plan.memory.weights + plan.memory.kv_cache <= plan.memory.usable
    reasons = {warned.reason for warned in answer.warnings}
    assert {Reason.ENGINE_LEGACY, Reason.ESTIMATE_UNVERIFIED} <= reasons


def test_its_cache_has_no_use_for_windows_and_takes_what_the_formula_says() -> None:
    # Llama 3.1 8B: 32 layers, 8 KV heads of 128, keys and values in 2 bytes: 131,072 bytes a token.
    plan = worlds.planned(LLAMA_8B, on=[A100], serving={"contextLength": 8192, "concurrency": 8}, **TGI).plan
    assert plan.memory.kv_cache == pytest.approx(8 * 8192 * 131_072, rel=0.001)


def test_a_quantized_checkpoint_on_a_small_card() -> None:
    assert worlds.planned(QWEN3_8B_AWQ, on=[L4], **TGI).plan.product == "NVIDIA-L4"


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        pytest.param(B200, Reason.COMPUTE_CAPABILITY_TOO_HIGH, id="Blackwell"),
        pytest.param(T4, Reason.COMPUTE_CAPABILITY_TOO_LOW, id="Turing"),
        pytest.param(PLAIN, Reason.QUANTIZATION_UNSUPPORTED, id="a CPU"),
    ],
)
def test_where_it_does_not_run(node: nodes.Raw, reason: Reason) -> None:
    refusal = worlds.refused(LLAMA_8B, on=[node], **TGI)
    assert {each.reason for each in refusal.rejected} == {reason}


def test_a_share_that_it_could_not_keep_to() -> None:
    shared = nodes.node("shared", labels=sets.GFD_TIME_SLICED, allocatable={"nvidia.com/gpu": "4"})
    refusal = worlds.refused(LLAMA_8B, on=[shared], hardware={"products": ["NVIDIA-L4-SHARED"]}, **TGI)
    assert refusal.reason is Reason.SHARED_ACCELERATOR
    assert "cannot keep to a share" in refusal.message


def test_an_embedding_model() -> None:
    refusal = worlds.refused(worlds.smaller(LLAMA_8B, task=Task.EMBEDDING), on=[A100], **TGI)
    assert refusal.reason is Reason.TASK_UNSUPPORTED


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        pytest.param({"engine": {"image": None}}, "spec.engine.image", id="its own image runs as root"),
        pytest.param({"model": {"servedNames": ["gpt-4o"]}}, "spec.model.servedNames", id="served names"),
        pytest.param({"model": {"task": "Embedding"}}, "spec.model.task", id="another task"),
        pytest.param({"hardware": {"accelerator": "CPU"}}, "spec.hardware.accelerator", id="a CPU"),
        pytest.param(
            {"serving": {"generation": {"temperature": 0.1}}}, "spec.serving.generation", id="defaults"
        ),
        pytest.param(
            {"serving": {"toolCalls": "hermes"}}, "spec.serving.toolCalls", id="a parser of tool calls"
        ),
        pytest.param({"serving": {"toolCalls": "None"}}, "spec.serving.toolCalls", id="no tool calls"),
        pytest.param(
            {"serving": {"reasoning": "qwen3"}}, "spec.serving.reasoning", id="a parser of reasoning"
        ),
        pytest.param({"serving": {"modalities": "Text"}}, "spec.serving.modalities", id="text alone"),
        pytest.param(
            {"serving": {"kvCacheDtype": "BF16"}}, "spec.serving.kvCacheDtype", id="a 16 bit KV cache"
        ),
        pytest.param(
            {"quantization": {"method": "NVFP4"}}, "spec.quantization.method", id="a form it cannot load"
        ),
    ],
)
def test_what_is_refused_rather_than_ignored(parts: Raw, field: str) -> None:
    assert refused_fields(**parts) == {field}


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({}, id="nothing set"),
        pytest.param({"serving": {"reasoning": "None"}}, id="no reasoning, which is what it does"),
        pytest.param({"serving": {"kvCacheDtype": "FP8"}}, id="an FP8 KV cache"),
        pytest.param({"quantization": {"method": "AWQ"}}, id="a form that it loads"),
    ],
)
def test_what_it_can_be_told(parts: Raw) -> None:
    assert refused_fields(**parts) == set()


def test_the_operators_own_image_is_another_engines() -> None:
    plan = worlds.planned(LLAMA_8B, on=[A100], images={"GPU": "example.com/vllm:v0.33.0"}, **TGI).plan
    assert plan.image == "example.com/tgi:3.3.7"


def test_the_same_question_has_the_same_answer() -> None:
    ask = worlds.request(LLAMA_8B, on=[A100, L4, B200, T4], **TGI)
    assert planner.plan(ask) == planner.plan(ask)
