"""A plan as text and as status."""

import dataclasses
import json

import pytest

from pillion import planner
from pillion.api.status import PlanStatus
from tests.unit.planner import worlds
from tests.unit.planner.worlds import L4, LLAMA_8B, PLAIN, T4, TINY


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(worlds.planned(LLAMA_8B, on=[L4, T4]).plan, id="on a GPU"),
        pytest.param(worlds.planned(TINY, on=[PLAIN]).plan, id="on CPU"),
    ],
)
def test_a_plan_survives_its_text(plan: planner.Plan) -> None:
    text = planner.plan_to_json(plan)
    assert planner.plan_from_json(text) == plan
    assert planner.plan_to_json(planner.plan_from_json(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("[]", id="a list"),
        pytest.param("{}", id="an empty object"),
        pytest.param('{"device": "Abacus"}', id="a device that nobody has"),
        pytest.param(
            planner.plan_to_json(worlds.planned(TINY, on=[PLAIN]).plan).replace('"bits"', '"pieces"'),
            id="another version's",
        ),
    ],
)
def test_what_is_no_plan_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json's own message for what is no JSON
        planner.plan_from_json(text)


def test_status_is_what_the_api_has() -> None:
    plan = worlds.planned(LLAMA_8B, on=[L4, T4]).plan
    shown = plan.to_status()
    assert PlanStatus.model_validate(shown).to_raw() == shown
    assert shown["accelerator"] == "NVIDIA-L4"
    assert shown["memory"]["sixteenBit"] == "14.99Gi"
    assert json.loads(json.dumps(shown)) == shown


def test_status_leaves_out_what_is_not_there() -> None:
    shown = worlds.planned(TINY, on=[PLAIN]).plan.to_status()
    assert not {"product", "resource", "count", "kvCacheDtype", "givenUp"} & set(shown)
    assert (shown["device"], shown["accelerator"]) == ("CPU", "CPU")


def test_a_plan_of_a_version_that_expected_no_tokens_is_read() -> None:
    plan = worlds.planned(LLAMA_8B, on=[L4]).plan
    older = json.loads(planner.plan_to_json(plan))
    del older["kv_cache_tokens"]
    read = planner.plan_from_json(json.dumps(older))
    assert read == dataclasses.replace(plan, kv_cache_tokens=None)


def test_budget_adds_up_to_what_is_usable() -> None:
    memory = worlds.planned(LLAMA_8B, on=[L4]).plan.memory
    parts = (
        memory.weights + memory.kv_cache + memory.activation + memory.graphs + memory.other + memory.headroom
    )
    assert parts == memory.usable <= memory.total
