"""What do the conditions and the status say of a world?"""

import dataclasses
from typing import Any

import pytest

from pillion import injection, planner
from pillion.api.reasons import Reason
from pillion.controller import status, swap
from pillion.controller.decide import Actions, decide
from pillion.controller.world import (
    FAILED_HASH_ANNOTATION,
    FAILED_MESSAGE_ANNOTATION,
    Finding,
    Proposed,
    Refused,
    World,
    spec_hash,
)
from tests.unit.controller import plans, worlds

Raw = dict[str, Any]

RIVER = worlds.deployment("pillion-test/tiny-river")
SIDECAR = worlds.sidecar(RIVER)
HASH = worlds.hashed(SIDECAR)
NOW = "2026-11-24T12:00:00Z"


def injected(*pods: Raw, **known: Any) -> World:
    target = worlds.workload(revision=injection.revision(SIDECAR), replicas=len(pods))
    return worlds.world(RIVER, **{"target": target, "sidecar": SIDECAR, "pods": pods, **known})


def told(world: World, *, problem: Finding | None = None) -> dict[str, tuple[str, str, str]]:
    actions = decide(world, eviction_allowed_in=1) if problem is None else Actions()
    return {
        verdict.type.value: (verdict.status, verdict.reason.value, verdict.message)
        for verdict in status.verdicts(world, actions, problem)
    }


def test_all_four_conditions_are_always_there() -> None:
    for world in (
        worlds.world(RIVER),
        worlds.world(
            RIVER, proposal=Refused(plan_key="", reason=Reason.MODEL_NOT_FOUND, message="There is none.")
        ),
        injected(worlds.pod("a", engine=SIDECAR)),
        worlds.world(worlds.deployment(suspend=True)),
    ):
        assert list(told(world)) == ["Planned", "Injected", "ModelReady", "Ready"]


def test_ready_says_what_the_first_condition_that_does_not_hold_says() -> None:
    refused = Refused(plan_key="", reason=Reason.MODEL_NOT_FOUND, message="There is no such repository.")
    found = told(worlds.world(RIVER, target=worlds.workload(), proposal=refused))
    assert found["Planned"] == ("False", "ModelNotFound", "There is no such repository.")
    assert found["Injected"][:2] == ("False", "NotInjected")
    assert found["Ready"] == ("False", "ModelNotFound", "There is no such repository.")


def test_what_runs_on_is_said_when_a_changed_spec_has_no_plan() -> None:
    refused = Refused(plan_key="", reason=Reason.MODEL_NOT_FOUND, message="There is no such repository.")
    pod = worlds.pod("a", engine=SIDECAR)
    found = told(injected(pod, proposal=refused, engines={"uid-a": worlds.serving(HASH)}))
    assert "stays as it is" in found["Planned"][2]
    assert found["Injected"][:2] == ("True", "Injected")
    assert found["ModelReady"][:2] == ("True", "Serving")


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        pytest.param(worlds.serving(HASH), ("True", "Serving"), id="serves"),
        pytest.param(worlds.loading(HASH), ("False", "Loading"), id="loads"),
        pytest.param(worlds.failed(HASH), ("False", "EngineFailed"), id="ended"),
        pytest.param(worlds.failed(HASH, reason="DiskFull"), ("False", "DiskFull"), id="disk full"),
        pytest.param(worlds.failed(HASH, reason="HubUnreachable"), ("False", "FetchFailed"), id="no Hub"),
        pytest.param(None, ("False", "Loading"), id="has not answered yet"),
    ],
)
def test_the_model_is_as_ready_as_its_engine_says(report: Any, expected: tuple[str, str]) -> None:
    engines = {} if report is None else {"uid-a": report}
    assert told(injected(worlds.pod("a", engine=SIDECAR), engines=engines))["ModelReady"][:2] == expected


def test_a_probe_that_is_blocked_is_unknown_and_says_which_port_to_open() -> None:
    world = injected(worlds.pod("a", engine=SIDECAR), unreachable=frozenset({"uid-a"}))
    verdict = told(world)["ModelReady"]
    assert verdict[:2] == ("Unknown", "ProbeBlocked")
    assert "18001" in verdict[2]


def test_the_kubelets_word_about_the_container_comes_first() -> None:
    pod = worlds.pod("a", engine=SIDECAR)
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    pod["status"]["containerStatuses"] = [{"name": "pillion-chat", "state": {"waiting": waiting}}]
    verdict = told(injected(pod))["ModelReady"]
    assert verdict[:2] == ("False", "ContainerNotRunning")
    assert "ImagePullBackOff" in verdict[2]


def test_the_schedulers_sentence_is_passed_on() -> None:
    pod = worlds.pod("a", engine=SIDECAR, ready=False)
    pod["status"] = {
        "phase": "Pending",
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/3 nodes: no GPU.",
            }
        ],
    }
    verdict = told(injected(worlds.pod("b", engine=SIDECAR), pod))["Injected"]
    assert verdict[:2] == ("False", "WaitingForPods")
    assert "0/3 nodes: no GPU." in verdict[2]


def test_a_swap_in_progress_and_a_failed_one() -> None:
    star = worlds.deployment("pillion-test/tiny-star")
    other = worlds.sidecar(star)
    pod = worlds.pod("a", engine=SIDECAR, instruction=worlds.text(other))
    proposal = Proposed(
        plan_key="",
        planned=planner.Planned(plan=plans.cpu_plan("pillion-test/tiny-star")),
        facts=plans.tiny_facts("pillion-test/tiny-star"),
        sidecar=other,
    )
    world = dataclasses.replace(
        injected(pod, proposal=proposal, engines={"uid-a": worlds.loading(worlds.hashed(other))}),
        deployment=star,
    )
    assert told(world)["ModelReady"][:2] == ("False", "SwapInProgress")
    annotations = {
        **SIDECAR["metadata"]["annotations"],
        FAILED_HASH_ANNOTATION: spec_hash(star),
        FAILED_MESSAGE_ANNOTATION: "The engine ended with exit code 1.",
    }
    back = {**SIDECAR, "metadata": {**SIDECAR["metadata"], "annotations": annotations}}
    world = dataclasses.replace(
        injected(worlds.pod("a", engine=SIDECAR), sidecar=back, engines={"uid-a": worlds.serving(HASH)}),
        deployment=star,
    )
    verdict = told(world)["ModelReady"]
    assert verdict[:2] == ("False", "SwapFailed")
    assert "exit code 1" in verdict[2]


def test_an_object_that_this_version_cannot_read_is_left_and_says_so() -> None:
    refused = Refused(plan_key="", reason=Reason.SPEC_INVALID, message="spec.model.repo: must be owner/name")
    world = World(key=worlds.KEY, deployment=RIVER, sidecar=SIDECAR, proposal=refused)
    assert decide(world, eviction_allowed_in=0) == Actions()
    found = told(world)
    assert found["Planned"] == ("False", "SpecInvalid", "spec.model.repo: must be owner/name")
    assert {verdict[0] for kind, verdict in found.items() if kind != "Planned"} <= {"Unknown", "False"}


def test_a_second_look_writes_no_other_status() -> None:
    world = injected(worlds.pod("a", engine=SIDECAR), engines={"uid-a": worlds.serving(HASH)})
    actions = decide(world, eviction_allowed_in=0)
    assert isinstance(actions.step, swap.Done)
    first = status.describe(world, actions, status.verdicts(world, actions, None), now=NOW)
    again = dataclasses.replace(world, deployment={**RIVER, "status": first})
    second = status.describe(
        again, actions, status.verdicts(again, actions, None), now="2026-11-24T13:00:00Z"
    )
    assert not status.changed(first, second)
    assert [entry["lastTransitionTime"] for entry in second["conditions"]] == [NOW] * 4


def test_a_condition_that_turns_gets_the_time_of_its_turn() -> None:
    loading = injected(worlds.pod("a", engine=SIDECAR), engines={"uid-a": worlds.loading(HASH)})
    actions = decide(loading, eviction_allowed_in=0)
    before = status.describe(loading, actions, status.verdicts(loading, actions, None), now=NOW)
    serving = dataclasses.replace(
        loading, deployment={**RIVER, "status": before}, engines={"uid-a": worlds.serving(HASH)}
    )
    later = "2026-11-24T12:05:00Z"
    after = status.describe(serving, actions, status.verdicts(serving, actions, None), now=later)
    times = {entry["type"]: entry["lastTransitionTime"] for entry in after["conditions"]}
    assert times["ModelReady"] == later
    assert times["Injected"] == NOW
    assert after["pods"] == {"desired": 1, "injected": 1, "ready": 1, "summary": "1/1"}
