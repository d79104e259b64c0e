"""What does the application notice when its engine, a part of it, or its supervisor is killed? No restart."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness.application import (
    CONTAINER,
    NAME,
    Application,
    container_status,
    is_ready,
    started_at,
)
from tests.e2e.harness.engine import Engine
from tests.e2e.harness.models import Model
from tests.e2e.harness.waiting import NotYet, until
from tests.hub import models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.harness.cluster import Raw, Space, Watch
    from tests.e2e.harness.installation import Installation

BACK_SECONDS = 90


@pytest.fixture(scope="module")
def served(module_space: Space) -> Application:
    """The application with a model that serves; tests kill parts of it and wait until they are back."""
    made = Application(space=module_space)
    made.deploy()
    model = Model(space=module_space)
    model.apply(repo=models.TINY_RIVER)
    model.await_condition("Ready")
    made.rolled_out()
    made.answer(mentions=models.TINY_RIVER)
    return made


@pytest.fixture
def engine(served: Application) -> Engine:
    return Engine(
        space=served.space,
        pod=served.pod()["metadata"]["name"],
        container=Model(space=served.space).container,
    )


@contextlib.contextmanager
def untouched(application: Application, *, ready: bool) -> Iterator[None]:
    """While this lasts the application is not restarted and, with `ready`, its pod never leaves its Service."""
    before = application.pod()
    space = application.space
    with (
        space.watch("pods", name=before["metadata"]["name"]) as pods,
        space.watch("endpointslices", labels=f"kubernetes.io/service-name={NAME}") as slices,
    ):
        yield
    after = application.pod()
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert container_status(after, CONTAINER)["restartCount"] == 0
    assert started_at(after, CONTAINER) == started_at(before, CONTAINER)
    if ready:
        assert all(is_ready(sight.object) for sight in pods.sights), "the pod was not Ready for a while"
        assert no_endpoint_lost(slices), "the Service lost its endpoint for a while"
    else:
        assert is_ready(after)
        assert ready_endpoints(slices.sights[-1].object) == [after["status"]["podIP"]]


def only_one_engine(engine: Engine) -> None:
    """Nothing of an earlier engine lives on; its worker would hold the accelerator, as one on a GPU would."""
    main = engine.main()
    assert {each.session for each in engine.processes()} == {main.session}
    assert len(engine.others()) == 1


def ready_endpoints(endpoint_slice: Raw) -> list[str]:
    return [
        address
        for endpoint in endpoint_slice.get("endpoints") or ()
        for address in endpoint["addresses"]
        if endpoint["conditions"].get("ready")
    ]


def no_endpoint_lost(slices: Watch) -> bool:
    return all(ready_endpoints(sight.object) for sight in slices.sights)


def another_main(engine: Engine, *, than: int) -> None:
    def look() -> None:
        if engine.main().pid == than:
            raise NotYet(f"process {than} is still the engine")

    until("another main process of the engine", look, seconds=BACK_SECONDS, more=engine.space.circumstances)


def test_a_killed_engine_comes_back_and_the_application_stays_ready(
    served: Application, engine: Engine
) -> None:
    with untouched(served, ready=True):
        main = engine.main()
        engine.kill(main)
        another_main(engine, than=main.pid)
        served.answer(mentions=models.TINY_RIVER, seconds=BACK_SECONDS)


def test_an_engine_that_is_killed_five_times_in_a_row_comes_back_each_time(
    served: Application, engine: Engine
) -> None:
    with untouched(served, ready=True):
        for _ in range(5):
            main = engine.main()
            engine.kill(main)
            another_main(engine, than=main.pid)
        served.answer(mentions=models.TINY_RIVER, seconds=BACK_SECONDS)

    only_one_engine(engine)
    pod = served.pod()
    assert container_status(pod, engine.container)["restartCount"] == 0


def test_a_worker_that_is_killed_alone_takes_the_whole_engine_with_it_and_all_comes_back(
    served: Application, engine: Engine
) -> None:
    with untouched(served, ready=True):
        main, [worker] = engine.main(), engine.others()
        engine.kill(worker)
        another_main(engine, than=main.pid)
        served.answer(mentions=models.TINY_RIVER, seconds=BACK_SECONDS)

    only_one_engine(engine)


def test_an_engine_that_is_killed_while_the_hub_is_away_comes_back(
    pillion: Installation, served: Application, engine: Engine
) -> None:
    with pillion.hub_fault(status=503), untouched(served, ready=True):
        main = engine.main()
        engine.kill(main)
        another_main(engine, than=main.pid)
        served.answer(mentions=models.TINY_RIVER, seconds=BACK_SECONDS)


def test_a_killed_supervisor_costs_its_own_container_a_restart_and_no_other(
    pillion: Installation, served: Application, engine: Engine
) -> None:
    before = container_status(served.pod(), engine.container)["restartCount"]

    def look() -> None:
        status = container_status(served.pod(), engine.container)
        if status["restartCount"] <= before or not status.get("ready"):
            raise NotYet(f"{status}")
        if not is_ready(served.pod()):
            raise NotYet("the pod is not Ready")

    with untouched(served, ready=False):
        engine.kill_supervisor(pillion.kind)
        until(
            "the engine's container to be back", look, seconds=BACK_SECONDS, more=served.space.circumstances
        )
        served.answer(mentions=models.TINY_RIVER, seconds=BACK_SECONDS)


def test_the_operator_tells_that_the_model_serves_again(served: Application) -> None:
    found = Model(space=served.space).await_condition("Ready")

    assert found["status"]["pods"]["ready"] == 1
