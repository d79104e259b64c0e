"""What is set holds in every plan, and what a plan tells its engine gives what the plan promises."""

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pillion import planner, sizing
from pillion.facts import ModelFacts
from tests.unit.hardware import nodes
from tests.unit.planner import worlds

MODELS = st.sampled_from(
    [
        (worlds.TINY,),
        (worlds.QWEN3_8B, worlds.QWEN3_8B_AWQ, worlds.QWEN3_8B_FP8),
        (worlds.LLAMA_8B,),
        (worlds.LLAMA_70B,),
    ]
)
NODES = st.lists(
    st.tuples(st.sampled_from(sorted(nodes.CARDS)), st.sampled_from([1, 2, 4, 8])), min_size=1, max_size=4
)
POLICIES = st.sampled_from(["Balanced", "Quality", "Economy"])
SPECS = st.fixed_dictionaries(
    {
        "quantization": st.one_of(  # a method and bounds that leave it out are no spec
            st.fixed_dictionaries(
                {"policy": POLICIES},
                optional={"minBits": st.sampled_from([2, 4, 8]), "maxBits": st.sampled_from([8, 16])},
            ),
            st.fixed_dictionaries(
                {"policy": POLICIES, "method": st.sampled_from(["None", "FP8", "AWQ", "MXFP4", "MXFP8"])}
            ),
        ),
        "serving": st.fixed_dictionaries(
            {},
            optional={
                "contextLength": st.sampled_from([1, 64, 512, 4096, 5000, 8192]),
                "concurrency": st.integers(1, 40),
                "kvCacheDtype": st.sampled_from(["BF16", "FP16", "FP8"]),
            },
        ),
        "hardware": st.fixed_dictionaries(
            {"maxPerPod": st.integers(1, 8)},
            optional={"products": st.lists(st.sampled_from(sorted(nodes.CARDS)), min_size=1, unique=True)},
        ),
    }
)
CACHES = {"BF16": "bfloat16", "FP16": "float16", "FP8": "fp8"}


def there(kinds: list[tuple[str, int]]) -> list[dict[str, Any]]:
    return [
        nodes.gpu_node(f"n{number}", product, count, cpu="128", memory="1Ti")
        for number, (product, count) in enumerate(kinds)
    ]


def found(
    models: tuple[ModelFacts, ...], kinds: list[tuple[str, int]], spec: dict[str, Any]
) -> planner.Outcome:
    return planner.plan(worlds.request(*models, on=there(kinds), **spec))


@settings(max_examples=150, deadline=None)
@given(MODELS, NODES, SPECS)
def test_what_is_set_holds(
    models: tuple[ModelFacts, ...], kinds: list[tuple[str, int]], spec: dict[str, Any]
) -> None:
    answer = found(models, kinds, spec)
    if not isinstance(answer, planner.Planned):
        assert answer.message
        return
    plan = answer.plan
    quantization, serving, hardware = spec["quantization"], spec["serving"], spec["hardware"]
    assert plan.quantization == quantization.get("method", plan.quantization)
    assert quantization.get("minBits", 4) <= plan.bits <= quantization.get("maxBits", 16)
    assert plan.kv_cache_dtype == CACHES.get(serving.get("kvCacheDtype", ""), plan.kv_cache_dtype)
    assert plan.context_tokens == serving.get("contextLength", plan.context_tokens)
    assert plan.promised_context_tokens == serving.get("contextLength", plan.promised_context_tokens)
    assert plan.concurrency == serving.get("concurrency", plan.concurrency)
    assert plan.product in hardware.get("products", [plan.product])
    assert plan.count <= hardware["maxPerPod"]
    assert any(product == plan.product and plan.count <= count for product, count in kinds)
    assert plan.checkpoint in {model.repo for model in models}
    if plan.kv_cache_dtype == "fp8" and "kvCacheDtype" not in serving:
        assert quantization["policy"] == "Economy"


@settings(max_examples=150, deadline=None)
@given(MODELS, NODES, SPECS)
def test_an_engine_with_the_plans_settings_holds_what_the_plan_promises(
    models: tuple[ModelFacts, ...], kinds: list[tuple[str, int]], spec: dict[str, Any]
) -> None:
    """The estimate of an engine's start is asked apart, with nothing but what the engine is told."""
    answer = found(models, kinds, spec)
    if not isinstance(answer, planner.Planned):
        return
    plan = answer.plan
    chosen = next(model for model in models if model.repo == plan.checkpoint)
    _, capability = nodes.CARDS[plan.product or ""]
    estimate = sizing.estimate(
        sizing.EstimateRequest(
            model=chosen,
            gpu_memory_bytes=plan.memory.total,
            product=plan.product,
            compute_capability=capability,
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
    assert estimate.fits, estimate.reasons
    assert estimate.weights_bytes == plan.memory.weights
    assert estimate.kv_cache_tokens_promised is not None
    assert estimate.kv_cache_tokens_promised >= plan.concurrency * plan.promised_context_tokens
    assert estimate.kv_cache_tokens == plan.kv_cache_tokens


@settings(max_examples=60, deadline=None)
@given(MODELS, NODES, SPECS, st.sampled_from(sorted(nodes.CARDS)))
def test_one_more_node_or_one_more_accelerator_a_pod_never_loses_the_plan(
    models: tuple[ModelFacts, ...], kinds: list[tuple[str, int]], spec: dict[str, Any], another: str
) -> None:
    if isinstance(found(models, kinds, spec), planner.Planned):
        assert isinstance(found(models, [*kinds, (another, 1)], spec), planner.Planned)
        more = {**spec["hardware"], "maxPerPod": spec["hardware"]["maxPerPod"] + 1}
        assert isinstance(found(models, kinds, {**spec, "hardware": more}), planner.Planned)


REMEDIES = {
    r"It fits with spec\.serving\.contextLength: (\d+) and concurrency: (\d+)\.": ("serving", "both"),
    r"It fits with spec\.serving\.concurrency: (\d+)\.": ("serving", "concurrency"),
    r"It fits with spec\.serving\.contextLength: (\d+)\.": ("serving", "contextLength"),
    r"It fits with spec\.hardware\.maxPerPod: (\d+), on": ("hardware", "maxPerPod"),
    r"It fits with spec\.quantization\.minBits: (\d+), as": ("quantization", "minBits"),
}


@settings(max_examples=150, deadline=None)
@given(MODELS, NODES, SPECS)
def test_a_remedy_with_a_number_is_true(
    models: tuple[ModelFacts, ...], kinds: list[tuple[str, int]], spec: dict[str, Any]
) -> None:
    answer = found(models, kinds, spec)
    if not isinstance(answer, planner.NotPlanned):
        return
    for pattern, (part, field) in REMEDIES.items():
        told = re.search(pattern, answer.message)
        if told is None:
            continue
        changed = (
            {"contextLength": int(told[1]), "concurrency": int(told[2])}
            if field == "both"
            else {field: int(told[1])}
        )
        better = {**spec, part: {**spec[part], **changed}}
        assert isinstance(found(models, kinds, better), planner.Planned), answer.message
        return
