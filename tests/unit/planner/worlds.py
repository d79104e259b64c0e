"""Questions to the planner that read as sentences."""

import dataclasses
from typing import Any

from pillion import hardware, planner
from pillion.api.modeldeployment import ModelDeploymentSpec
from pillion.facts import ModelFacts, understanding
from pillion.facts.documents import Tensor
from tests.unit.facts import checkpoints
from tests.unit.hardware import nodes

Raw = dict[str, Any]


def spec(checkpoint: ModelFacts, **parts: Raw) -> ModelDeploymentSpec:
    """A spec for a model, with parts as a user writes them."""
    model = {"repo": checkpoint.repo, **parts.pop("model", {})}
    return ModelDeploymentSpec.model_validate({"model": model, **parts})


def request(
    *models: ModelFacts,
    on: list[Raw],
    beside: list[Raw] | None = None,
    pods: int | None = 1,
    surge: int = 0,
    target: planner.TargetShape | None = None,
    reserved: dict[str, int] | None = None,
    own: dict[str, dict[str, int]] | None = None,
    previous: planner.Plan | None = None,
    images: dict[str, str] | None = None,
    **parts: Raw,
) -> planner.PlanRequest:
    """How shall the first model, or one of its variants, run on these nodes?

    Args:
        models: the model first, then its variants.
        on: nodes.
        beside: pods that run there already.
        pods: of the target; None where pods opt in themselves.
        surge: pods that a rollout makes beyond them.
        target: in place of `pods` and `surge`.
        reserved: accelerators that other plans count on.
        own: accelerators that the target's own pods hold, by node and resource.
        previous: the plan before.
        images: of the operator, by device.
        parts: of the spec, as a user writes them.
    """
    if target is None and pods is not None:
        target = planner.TargetShape(pods=pods, surge_pods=surge)
    return planner.PlanRequest(
        spec=spec(models[0], **parts),
        name="chat",
        checkpoints=models,
        inventory=hardware.inventory(on, beside or []),
        target=target,
        reserved=reserved or {},
        own=own or {},
        previous=previous,
        images=images or {},
    )


def planned(*models: ModelFacts, on: list[Raw], **more: Any) -> planner.Planned:
    """The answer, where there is one."""
    answer = planner.plan(request(*models, on=on, **more))
    assert isinstance(answer, planner.Planned), f"{answer.reason}: {answer.message}"
    return answer


def refused(*models: ModelFacts, on: list[Raw], **more: Any) -> planner.NotPlanned:
    """The refusal, where there is one."""
    answer = planner.plan(request(*models, on=on, **more))
    assert isinstance(answer, planner.NotPlanned), answer.plan
    return answer


def choice(answer: planner.Planned) -> tuple[str, str | None, int]:
    """Quantization, product and number."""
    return answer.plan.quantization, answer.plan.product, answer.plan.count


def smaller(model: ModelFacts, **changes: Any) -> ModelFacts:
    """The same facts with some of them changed."""
    return dataclasses.replace(model, **changes)


LLAMA_8B = checkpoints.llama_8b()
LLAMA_70B = checkpoints.llama_70b()
QWEN3_8B = checkpoints.qwen3_8b()
QWEN3_8B_AWQ = checkpoints.qwen3_8b_awq()
QWEN3_8B_FP8 = checkpoints.qwen3_8b_fp8()
TINY = checkpoints.tiny()
BERT = understanding.facts(
    checkpoints.documents(
        "a/bert",
        {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "num_hidden_layers": 12,
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_attention_heads": 12,
            "vocab_size": 30_522,
            "max_position_embeddings": 512,
            "torch_dtype": "float32",
        },
        (Tensor(name="encoder.layer.0.output.dense.weight", dtype="F32", shape=(1000, 1000)),),
        pipeline_tag="feature-extraction",
    )
)

T4 = nodes.gpu_node("t4", "Tesla-T4")
L4 = nodes.gpu_node("l4", "NVIDIA-L4")
A10G = nodes.gpu_node("a10g", "NVIDIA-A10G")
A100 = nodes.gpu_node("a100", "NVIDIA-A100-SXM4-40GB")
H100 = nodes.gpu_node("h100", "NVIDIA-H100-80GB-HBM3")
V100 = nodes.gpu_node("v100", "Tesla-V100-SXM2-16GB")
PLAIN = nodes.node("plain")
