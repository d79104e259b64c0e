"""What holds for every cluster and every wish."""

import dataclasses
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pillion import planner
from pillion.facts import ModelFacts
from tests.unit.hardware import nodes
from tests.unit.planner import worlds

MODELS = st.sampled_from(
    [worlds.TINY, worlds.QWEN3_8B, worlds.QWEN3_8B_AWQ, worlds.LLAMA_8B, worlds.LLAMA_70B]
)
POLICIES = st.sampled_from(["Balanced", "Quality", "Economy"])
SERVING = st.fixed_dictionaries(
    {}, optional={"contextLength": st.integers(1, 40_960), "concurrency": st.integers(1, 64)}
)


@st.composite
def clusters(draw: st.DrawFn) -> list[dict[str, Any]]:
    products = draw(st.lists(st.sampled_from(sorted(nodes.CARDS)), min_size=1, max_size=4))
    return [
        nodes.gpu_node(f"n{number}", product, draw(st.sampled_from([1, 2, 4])), cpu="64", memory="512Gi")
        for number, product in enumerate(products)
    ]


def asked(
    model: ModelFacts, there: list[dict[str, Any]], policy: str, serving: dict[str, int]
) -> planner.PlanRequest:
    limit = min(serving.get("contextLength", 1), model.max_context_tokens or 1)
    given = {**serving, "contextLength": limit} if "contextLength" in serving else serving
    return worlds.request(
        model, on=there, quantization={"policy": policy}, serving=given, hardware={"maxPerPod": 4}
    )


@settings(max_examples=60, deadline=None)
@given(MODELS, clusters(), POLICIES, SERVING)
def test_an_accepted_plan_keeps_to_the_memory(
    model: ModelFacts, there: list[dict[str, Any]], policy: str, serving: dict[str, int]
) -> None:
    answer = planner.plan(asked(model, there, policy, serving))
    if isinstance(answer, planner.Planned):
        plan, memory = answer.plan, answer.plan.memory
        assert min(memory.headroom, memory.kv_cache, memory.weights) >= 0
        assert plan.context_tokens >= plan.promised_context_tokens >= 1
        assert plan.context_tokens <= (model.max_context_tokens or 2048)
        assert plan.max_num_seqs >= plan.concurrency >= serving.get("concurrency", 1)
        assert model.attention.heads % plan.tensor_parallel == 0


@settings(max_examples=40, deadline=None)
@given(MODELS, clusters(), POLICIES, SERVING, st.randoms(use_true_random=False))
def test_the_answer_does_not_depend_on_the_order_of_nodes(
    model: ModelFacts,
    there: list[dict[str, Any]],
    policy: str,
    serving: dict[str, int],
    random: Any,
) -> None:
    shuffled = random.sample(there, len(there))
    assert planner.plan(asked(model, there, policy, serving)) == planner.plan(
        asked(model, shuffled, policy, serving)
    )


@settings(max_examples=40, deadline=None)
@given(MODELS, POLICIES, SERVING, st.sampled_from(sorted(nodes.CARDS)), st.integers(0, 60_000))
def test_more_memory_never_loses_a_candidate(
    model: ModelFacts, policy: str, serving: dict[str, int], product: str, more_mib: int
) -> None:
    label, _ = nodes.CARDS[product]
    small = [nodes.gpu_node("n", product, 4, cpu="64", memory="512Gi")]
    large = [nodes.gpu_node("n", product, 4, cpu="64", memory="512Gi", label_mib=label + more_mib)]
    assert fitting(planner.plan(asked(model, small, policy, serving))) <= fitting(
        planner.plan(asked(model, large, policy, serving))
    )


@settings(max_examples=40, deadline=None)
@given(MODELS, clusters(), POLICIES, SERVING)
def test_asking_for_less_never_loses_the_plan(
    model: ModelFacts, there: list[dict[str, Any]], policy: str, serving: dict[str, int]
) -> None:
    answer = planner.plan(asked(model, there, policy, serving))
    halved = {key: max(1, value // 2) for key, value in serving.items()}
    if isinstance(answer, planner.Planned):
        assert isinstance(planner.plan(asked(model, there, policy, halved)), planner.Planned)


@settings(max_examples=40, deadline=None)
@given(MODELS, clusters(), POLICIES, SERVING)
def test_planning_again_from_a_plan_changes_nothing(
    model: ModelFacts, there: list[dict[str, Any]], policy: str, serving: dict[str, int]
) -> None:
    first = planner.plan(asked(model, there, policy, serving))
    if isinstance(first, planner.Planned):
        request = asked(model, there, policy, serving)
        again = planner.plan(dataclasses.replace(request, previous=first.plan))
        assert isinstance(again, planner.Planned)
        assert again.plan == first.plan


def fitting(answer: planner.Outcome) -> set[tuple[str, str, int]]:
    """The candidates that fit, chosen or not."""
    found = {
        (each.checkpoint, each.quantization, each.count)
        for each in answer.rejected
        if each.reason.value == "OrderedAfter"
    }
    if isinstance(answer, planner.Planned):
        found.add((answer.plan.checkpoint, answer.plan.quantization, answer.plan.count))
    return found
