"""Does an application wait for its model where it is told to, and not where it is not?"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from tests.e2e.harness.application import CONTAINER, LABELS, condition, container_status, is_ready, started_at
from tests.e2e.harness.engine import Engine
from tests.e2e.harness.waiting import NotYet, until
from tests.hub import models

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.e2e.harness.application import Application
    from tests.e2e.harness.cluster import Raw, Sight, Space
    from tests.e2e.harness.models import Model

GATE = "pillion.dev/ModelReady"


def seconds_since_epoch(time: str) -> float:
    return datetime.datetime.fromisoformat(time).timestamp()


def test_with_the_startup_gate_the_application_starts_after_its_model_serves(
    application: Application, model: Model
) -> None:
    model.apply(repo=models.TINY_RIVER, modelGate="Startup")
    model.await_condition("Ready")

    pod = application.pod()
    assert [each["name"] for each in pod["spec"]["initContainers"]] == [model.container]
    assert [each["name"] for each in pod["spec"]["containers"]] == [CONTAINER]
    assert container_status(pod, model.container)["started"]
    assert seconds_since_epoch(started_at(pod, CONTAINER)) >= seconds_since_epoch(
        started_at(pod, model.container)
    )
    # The first question that it could ask was answered.
    assert models.TINY_RIVER in application.ask().text


def test_with_the_readiness_gate_the_pod_is_ready_exactly_while_its_model_serves(
    space: Space, application: Application, model: Model
) -> None:
    model.apply(repo=models.TINY_RIVER, modelGate="Readiness")
    with space.watch("pods", labels=LABELS) as watch:
        model.await_condition("Ready")
        application.rolled_out()
        pod = application.pod()
        assert pod["spec"]["readinessGates"] == [{"conditionType": GATE}]
        engine = Engine(space=space, pod=pod["metadata"]["name"], container=model.container)
        engine.kill(engine.main())

        def unready() -> None:
            if all(is_ready(sight.object) for sight in mine(pod, watch.sights)[-20:]):
                raise NotYet("the pod stayed Ready")

        def is_back() -> None:
            if not is_ready(application.pod()):
                raise NotYet(f"conditions {application.pod()['status']['conditions']}")

        until("the pod to be taken out", unready, seconds=60, more=space.circumstances)
        until("the pod to be Ready again", is_back, seconds=60, more=space.circumstances)

    states = [sight.object for sight in mine(pod, watch.sights)]
    ready = [state for state in states if is_ready(state)]
    assert all(condition(state, GATE)["status"] == "True" for state in ready)
    assert container_status(application.pod(), CONTAINER)["restartCount"] == 0


def mine(pod: Raw, sights: Sequence[Sight]) -> list[Sight]:
    return [sight for sight in sights if sight.object["metadata"]["uid"] == pod["metadata"]["uid"]]


def test_without_a_gate_the_application_is_ready_before_its_model(
    space: Space, application: Application, model: Model
) -> None:
    with space.watch("pods", labels=LABELS) as watch:
        model.apply(repo=models.TINY_RIVER)
        model.await_condition("Ready")

    pod = application.pod()
    first_ready = next(sight.object for sight in mine(pod, watch.sights) if is_ready(sight.object))
    assert condition(first_ready, GATE).get("status") != "True"
