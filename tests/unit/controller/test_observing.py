"""What engines report is told against the plan."""

import dataclasses
from typing import Any

import pytest

from pillion import planner
from pillion.api.reasons import Reason
from pillion.api.status import ObservedStatus
from pillion.controller import observing
from tests.unit.controller import worlds as objects
from tests.unit.planner import worlds

PLAN = worlds.planned(worlds.QWEN3_8B, on=[worlds.L4]).plan
PROMISED = PLAN.concurrency * PLAN.promised_context_tokens
GEMMA_LIKE = dataclasses.replace(PLAN, kv_cache_tokens=2 * PROMISED)


def seen(tokens: int | None, plan: planner.Plan = PLAN) -> ObservedStatus:
    return ObservedStatus(kv_cache_tokens=tokens, planned_kv_cache_tokens=plan.kv_cache_tokens)


@pytest.mark.parametrize(
    ("observed", "plan"),
    [
        pytest.param(seen(PLAN.kv_cache_tokens), PLAN, id="as expected"),
        pytest.param(seen(PROMISED + 100), PLAN, id="less than expected, and what was promised"),
        pytest.param(seen(None), PLAN, id="an engine that does not say"),
        pytest.param(None, PLAN, id="no engine"),
        pytest.param(seen(1), None, id="no plan"),
        pytest.param(
            seen(1), dataclasses.replace(PLAN, kv_cache_tokens=None), id="a plan of an older version"
        ),
        pytest.param(seen(1), worlds.planned(worlds.TINY, on=[worlds.PLAIN]).plan, id="on CPU"),
    ],
)
def test_nothing_is_warned_of(observed: ObservedStatus | None, plan: planner.Plan | None) -> None:
    assert observing.shortage(observed, plan) is None


def test_a_promise_that_the_engine_cannot_keep_is_told_with_its_numbers() -> None:
    warning = observing.shortage(seen(PROMISED // 2), PLAN)
    assert warning is not None
    assert warning.reason == Reason.KV_CACHE_BELOW_PLAN.value
    for words in (
        f"{PROMISED // 2:,} tokens",
        "8 requests of 8,192 tokens",
        f"{PLAN.kv_cache_tokens:,} were",
    ):
        assert words in warning.message


def test_tokens_are_counted_as_the_engine_counts_them() -> None:
    """Where windows stop growing, the engine reports more tokens than short requests could have."""
    share = PLAN.memory.kv_cache / (PLAN.memory.kv_cache + PLAN.memory.headroom)
    enough = int(2 * PROMISED * share) + 1
    assert observing.shortage(seen(enough, GEMMA_LIKE), GEMMA_LIKE) is None
    assert observing.shortage(seen(enough - 100, GEMMA_LIKE), GEMMA_LIKE) is not None


def test_the_smallest_cache_of_the_pods_is_shown() -> None:
    sidecar = objects.stored(objects.sidecar(objects.deployment()))
    told = objects.hashed(sidecar)
    pods = tuple(objects.pod(name, engine=sidecar) for name in ("a", "b", "c"))
    engines: dict[str, Any] = {
        "uid-a": dataclasses.replace(objects.serving(told), kv_cache_tokens=5000),
        "uid-b": dataclasses.replace(objects.serving(told), kv_cache_tokens=4000),
        "uid-c": dataclasses.replace(objects.loading(told), kv_cache_tokens=3000),
    }
    world = objects.world(objects.deployment(), sidecar=sidecar, pods=pods, engines=engines)
    found = observing.observed(world, PLAN)
    assert found is not None
    assert (found.kv_cache_tokens, found.planned_kv_cache_tokens) == (4000, PLAN.kv_cache_tokens)
