"""Does a running pod change its model without a restart of the application, and go back where it cannot?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.harness.application import CONTAINER, condition, container_status, started_at
from tests.e2e.harness.models import KIND, SERVE_SECONDS
from tests.hub import models

if TYPE_CHECKING:
    from tests.e2e.harness.application import Application
    from tests.e2e.harness.cluster import Raw, Space
    from tests.e2e.harness.models import Model


def identity(pod: Raw) -> tuple[str, str, int]:
    """What a restart of the application, or another pod, would change."""
    restarts = container_status(pod, CONTAINER)["restartCount"]
    return pod["metadata"]["uid"], started_at(pod, CONTAINER), restarts


def test_a_running_pod_serves_another_model_and_the_old_one_is_silent_once_the_swap_is_acknowledged(
    space: Space, application: Application, model: Model
) -> None:
    model.apply(repo=models.TINY_RIVER)
    model.await_condition("Ready")
    before = application.pod()
    generation = application.deployment()["metadata"]["generation"]

    with (
        space.watch(KIND, name=model.name) as watch,
        application.asks_all_the_time(before) as client,
    ):
        model.change(model={"repo": models.TINY_STAR})
        wanted = model.object()["metadata"]["generation"]
        acknowledged = model.when(watch, "ModelReady", "True", generation=wanted, seconds=SERVE_SECONDS)
        client.wait_for_answer(begun_after=acknowledged.at)

    assert identity(application.pod()) == identity(before)
    assert application.deployment()["metadata"]["generation"] == generation  # no rollout
    old = [request for request in client.requests if models.TINY_RIVER in request.answer]
    new = [request for request in client.requests if models.TINY_STAR in request.answer]
    assert old, "the client had no answer before the swap"
    assert max(request.ended for request in old) < min(request.begun for request in new)
    assert not [request for request in old if request.ended > acknowledged.at]
    silence = client.silence()
    shown = f"{silence[1] - silence[0]:.2f} s" if silence else "none"
    print(f"without an answer during the swap: {shown}")
    assert any(
        event["reason"] == "Swapped" for event in space.events(about="ModelDeployment", name=model.name)
    )


def test_of_two_pods_one_at_a_time_is_changed(application: Application, model: Model) -> None:
    application.scale(2)
    model.apply(repo=models.TINY_RIVER)
    model.await_condition("Ready")
    application.rolled_out()
    pods = application.pods()
    assert len(pods) == 2

    with (
        application.asks_all_the_time(pods[0]) as first,
        application.asks_all_the_time(pods[1]) as second,
    ):
        model.change(model={"repo": models.TINY_STAR})
        model.await_condition("Ready")
        for pod, client in zip(pods, (first, second), strict=True):
            application.answer(mentions=models.TINY_STAR, pod=pod)
            assert client.requests

    assert sorted(map(identity, application.pods())) == sorted(map(identity, pods))
    turns = sorted(
        (
            max(request.ended for request in client.requests if models.TINY_RIVER in request.answer),
            min(request.begun for request in client.requests if models.TINY_STAR in request.answer),
        )
        for client in (first, second)
    )
    # One has begun to answer with the new model before the other has ceased to answer with the old one.
    assert turns[0][1] < turns[1][0]


def test_a_model_that_cannot_load_gives_way_to_the_one_that_worked_and_the_next_change_works_again(
    space: Space, application: Application, model: Model
) -> None:
    model.apply(repo=models.TINY_RIVER)
    model.await_condition("Ready")
    before = application.pod()

    model.change(model={"repo": models.TINY_BROKEN})
    failed = model.await_condition("ModelReady", "False", reason="SwapFailed")

    assert "standin_fail" in condition(failed, "ModelReady")["message"]  # the engine's own words
    application.answer(mentions=models.TINY_RIVER)
    assert identity(application.pod()) == identity(before)
    # A pod that is made now gets what is known to work.
    space.kubectl("delete", "pod", before["metadata"]["name"])
    application.rolled_out()
    application.answer(mentions=models.TINY_RIVER)

    between = application.pod()
    model.change(model={"repo": models.TINY_STAR})
    model.await_condition("Ready")

    application.answer(mentions=models.TINY_STAR)
    assert identity(application.pod()) == identity(between)
