"""Which pod is told next, and when does a swap wait, stop or go back?"""

from typing import Any

import pytest

from pillion.controller import swap
from pillion.controller.engine import EngineReport
from tests.unit.controller import worlds

RIVER = worlds.deployment("pillion-test/tiny-river")
STAR = worlds.deployment("pillion-test/tiny-star")
OLD = worlds.sidecar(RIVER)
NEW = worlds.sidecar(STAR)
OLD_HASH, NEW_HASH = worlds.hashed(OLD), worlds.hashed(NEW)

Raw = dict[str, Any]


def old(name: str) -> Raw:
    return worlds.pod(name, engine=OLD)


def new(name: str) -> Raw:
    return worlds.pod(name, engine=OLD, instruction=worlds.text(NEW))


def step(
    pods: list[Raw], reports: dict[str, EngineReport], *, kept: str = OLD_HASH, way_back: bool = True
) -> swap.Step:
    return swap.next_step(
        model="chat",
        wanted=NEW_HASH,
        kept=kept,
        way_back=way_back,
        pods=pods,
        engines={f"uid-{name}": report for name, report in reports.items()},
    )


def test_both_models_fit_the_same_container() -> None:
    assert OLD["spec"]["revision"] == NEW["spec"]["revision"]
    assert OLD_HASH != NEW_HASH


def test_the_first_pod_by_name_is_told_first() -> None:
    found = step([old("b"), old("a")], {"a": worlds.serving(OLD_HASH), "b": worlds.serving(OLD_HASH)})
    assert isinstance(found, swap.Change)
    assert [pod["metadata"]["name"] for pod in found.pods] == ["a"]


def test_no_second_pod_is_told_while_the_first_loads() -> None:
    found = step([new("a"), old("b")], {"a": worlds.loading(NEW_HASH), "b": worlds.serving(OLD_HASH)})
    assert isinstance(found, swap.Wait)
    assert found.pod == "a"


def test_new_pods_get_the_new_model_as_soon_as_one_pod_serves_it() -> None:
    found = step([new("a"), old("b")], {"a": worlds.serving(NEW_HASH), "b": worlds.serving(OLD_HASH)})
    assert found == swap.Promote(last=False)


def test_the_only_pod_that_serves_it_needs_no_way_back_any_more() -> None:
    assert step([new("a")], {"a": worlds.serving(NEW_HASH)}) == swap.Promote(last=True)


def test_the_next_pod_follows_after_the_first_serves() -> None:
    found = step(
        [new("a"), old("b"), old("c")],
        {"a": worlds.serving(NEW_HASH), "b": worlds.serving(OLD_HASH), "c": worlds.serving(OLD_HASH)},
        kept=NEW_HASH,
    )
    assert isinstance(found, swap.Change)
    assert [pod["metadata"]["name"] for pod in found.pods] == ["b"]


def test_it_is_done_when_all_serve_what_new_pods_get() -> None:
    found = step(
        [new("a"), new("b")], {"a": worlds.serving(NEW_HASH), "b": worlds.serving(NEW_HASH)}, kept=NEW_HASH
    )
    assert found == swap.Done()


def test_without_any_running_pod_new_pods_get_it_at_once() -> None:
    assert step([], {}) == swap.Promote(last=True)


def test_a_model_that_never_served_is_replaced_everywhere_at_once() -> None:
    found = step([old("a"), old("b")], {"a": worlds.failed(OLD_HASH), "b": worlds.loading(OLD_HASH)})
    assert isinstance(found, swap.Promote)
    assert [pod["metadata"]["name"] for pod in found.pods] == ["a", "b"]


def test_a_pod_that_does_not_say_what_it_serves_is_not_changed() -> None:
    found = step([old("a")], {})
    assert isinstance(found, swap.Wait)
    assert "does not say what it serves" in found.message


@pytest.mark.parametrize(
    "reason",
    ["EngineExited", "EngineOutOfMemory", "StartupTimeout", "ModelNotFound", "ModelGated", "DiskFull"],
)
def test_a_pod_that_cannot_serve_it_gets_the_old_one_again(reason: str) -> None:
    found = step(
        [new("a"), old("b")], {"a": worlds.failed(NEW_HASH, reason=reason), "b": worlds.serving(OLD_HASH)}
    )
    assert isinstance(found, swap.GoBack)
    assert found.failed_pod == "a"
    assert found.reason == reason
    assert [pod["metadata"]["name"] for pod in found.pods] == ["a"]


def test_after_the_promotion_every_told_pod_goes_back_when_a_later_one_fails() -> None:
    found = step(
        [new("a"), new("b"), old("c")],
        {"a": worlds.serving(NEW_HASH), "b": worlds.failed(NEW_HASH), "c": worlds.serving(OLD_HASH)},
        kept=NEW_HASH,
    )
    assert isinstance(found, swap.GoBack)
    assert [pod["metadata"]["name"] for pod in found.pods] == ["a", "b"]


def test_a_hub_that_does_not_answer_is_waited_for_while_the_old_model_serves() -> None:
    report = worlds.failed(NEW_HASH, reason="HubUnreachable", still=OLD_HASH)
    assert isinstance(step([new("a")], {"a": report}), swap.Wait)


def test_a_failure_of_the_instruction_before_says_nothing_about_the_new_one() -> None:
    assert isinstance(step([new("a")], {"a": worlds.failed(OLD_HASH)}), swap.Wait)


def test_an_engine_that_fails_after_the_swap_was_done_is_not_taken_back() -> None:
    found = step([new("a")], {"a": worlds.failed(NEW_HASH)}, kept=NEW_HASH, way_back=False)
    assert isinstance(found, swap.Wait)


def test_a_container_that_the_kernel_kills_for_its_memory_sends_the_pod_back() -> None:
    pod = new("a")
    ended = {"reason": "OOMKilled", "exitCode": 137}
    waiting = {"reason": "CrashLoopBackOff", "message": "back-off 10s"}
    pod["status"]["containerStatuses"] = [
        {"name": "pillion-chat", "state": {"waiting": waiting}, "lastState": {"terminated": ended}}
    ]
    found = step([pod], {})
    assert isinstance(found, swap.GoBack)
    assert found.reason == "EngineOutOfMemory"
    assert "memory limit" in found.message
