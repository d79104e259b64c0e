"""Is everything as it was once a model is deleted or suspended?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.harness.application import CONTAINER, condition
from tests.e2e.harness.models import SIDECAR
from tests.e2e.harness.waiting import NotYet, until
from tests.hub import models

if TYPE_CHECKING:
    from tests.e2e.harness.application import Application
    from tests.e2e.harness.cluster import Space
    from tests.e2e.harness.models import Model

SWEEP_SECONDS = 60


def test_a_deleted_model_leaves_the_workload_as_it_was(
    space: Space, application: Application, model: Model
) -> None:
    original = application.deployment()
    model.apply(repo=models.TINY_RIVER)
    model.await_condition("Ready")
    assert model.container in {each["name"] for each in application.pod()["spec"]["containers"]}

    model.delete()
    application.await_template(original["spec"]["template"])
    application.rolled_out()

    left = application.deployment()
    assert left["spec"] == original["spec"]
    assert left["metadata"].get("labels") == original["metadata"].get("labels")
    pod = application.pod()
    assert [each["name"] for each in pod["spec"]["containers"]] == [CONTAINER]
    assert not {name for name in pod["metadata"].get("annotations", {}) if "pillion.dev" in name}
    model.await_no_sidecar()

    def look() -> None:
        names = [each["metadata"]["name"] for each in space.all("configmaps")]
        if any(name.startswith("pillion-") for name in names):
            raise NotYet(f"ConfigMaps {names}")

    until("the supervisor's ConfigMap to be swept", look, seconds=SWEEP_SECONDS)


def test_a_suspended_model_is_planned_and_not_injected_until_it_is_resumed(
    space: Space, application: Application, model: Model
) -> None:
    original = application.template()
    model.apply(repo=models.TINY_RIVER)
    model.await_condition("Ready")

    model.change(suspend=True)
    suspended = model.await_condition("Injected", "False", reason="Suspended")
    application.await_template(original)
    application.rolled_out()

    assert [each["name"] for each in application.pod()["spec"]["containers"]] == [CONTAINER]
    assert condition(suspended, "Planned")["status"] == "True"
    assert space.get(SIDECAR, model.name) is None

    model.change(suspend=False)
    model.await_condition("Ready")

    application.answer(mentions=models.TINY_RIVER)
