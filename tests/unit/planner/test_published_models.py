"""Every published model of the corpus gets a plan that an engine would make true, or a refusal with its reason."""

import collections

import pytest

from pillion import hardware, planner, sizing
from pillion.api.reasons import Reason
from pillion.facts import ModelFacts, understanding
from pillion.facts.documents import Documents
from tests.corpus import models
from tests.unit.planner import worlds

NODES = {product: hardware.imagined(product, 8) for product in ("Tesla-T4", "NVIDIA-L4", "NVIDIA-H200")}


def facts(line: object) -> ModelFacts:
    assert isinstance(line, dict)
    return understanding.facts(
        Documents(
            repo=line["model"],
            commit="0" * 40,
            config=models.config(line),
            files=(),
            tokenizer_config={"chat_template": "{{ messages }}"},
            without_weights=True,
        )
    )


# With eight accelerators a pod, the engine 0.33.0, and neither variants nor published quantizations. Six models are of
# architectures that it dropped, and one is a checkpoint in a format that it does not load.
@pytest.mark.parametrize(
    ("product", "planned", "too_large"),
    [("Tesla-T4", 117, 59), ("NVIDIA-L4", 134, 42), ("NVIDIA-H200", 174, 2)],
)
def test_published_models(product: str, planned: int, too_large: int) -> None:
    there = NODES[product]
    answers: collections.Counter[Reason | None] = collections.Counter()
    for line in models.lines():
        model = facts(line)
        answer = planner.plan(
            planner.PlanRequest(
                spec=worlds.spec(model, hardware={"maxPerPod": 8}),
                name="chat",
                checkpoints=(model,),
                inventory=there,
                target=planner.TargetShape(pods=1),
            )
        )
        if isinstance(answer, planner.NotPlanned):
            answers[answer.reason] += 1
            continue
        answers[None] += 1
        plan = answer.plan
        assert plan.memory.kv_cache + plan.memory.weights <= plan.memory.usable
        if model.is_encoder:
            continue
        estimate = sizing.estimate(
            sizing.EstimateRequest(
                model=model,
                gpu_memory_bytes=plan.memory.total,
                product=plan.product,
                compute_capability=there.accelerators[0].compute_capability,
                tensor_parallel=plan.tensor_parallel,
                engine_version=plan.engine_version,
                gpu_memory_utilization=plan.gpu_memory_utilization,
                max_model_len=plan.context_tokens,
                max_num_seqs=plan.max_num_seqs,
                max_num_batched_tokens=plan.max_num_batched_tokens,
                quantization=plan.on_the_fly,
                kv_cache_dtype=plan.kv_cache_dtype,
            )
        )
        assert estimate.fits, (model.repo, estimate.reasons)
        assert estimate.weights_bytes == plan.memory.weights, model.repo
        assert estimate.kv_cache_tokens is not None
        assert plan.kv_cache_tokens is not None
        # A tower's dry run is charged for the model's own length, before it is known how much shorter requests will be.
        assert estimate.kv_cache_tokens >= 0.98 * plan.kv_cache_tokens, model.repo
        assert model.multimodal or estimate.kv_cache_tokens <= 1.02 * plan.kv_cache_tokens, model.repo
    assert answers == {
        None: planned,
        Reason.NO_ACCELERATOR_FITS: too_large,
        Reason.ARCHITECTURE_UNSUPPORTED: 6,
        Reason.QUANTIZATION_UNSUPPORTED: 1,
    }
