"""What do applications and their models notice when Pillion itself is upgraded, or taken away and put back?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.harness.application import container_status
from tests.e2e.harness.installation import RELEASE
from tests.e2e.harness.models import SIDECAR
from tests.hub import models

if TYPE_CHECKING:
    from tests.e2e.harness.application import Application
    from tests.e2e.harness.cluster import Raw, Space
    from tests.e2e.harness.installation import Installation
    from tests.e2e.harness.models import Model


def unchanged(application: Application, space: Space, model: Model) -> dict[str, object]:
    """What must not change."""
    pod = application.pod()

    def of_containers(key: str) -> list[object]:
        return [container_status(pod, each["name"])[key] for each in pod["spec"]["containers"]]

    sidecar: Raw = space.the(SIDECAR, model.name)
    return {
        "pod": pod["metadata"]["uid"],
        "restarts": of_containers("restartCount"),
        "containers": of_containers("containerID"),
        "workload": application.deployment()["metadata"]["generation"],
        "sidecar": (sidecar["metadata"]["uid"], sidecar["metadata"]["generation"], sidecar["spec"]),
    }


def test_an_upgrade_of_the_chart_touches_neither_pods_nor_model_sidecars(
    pillion: Installation, space: Space, application: Application, model: Model
) -> None:
    model.apply(repo=models.TINY_RIVER)
    model.await_condition("Ready")
    application.rolled_out()
    before = unchanged(application, space, model)
    operator = pillion.operator.the("deployment", RELEASE)["metadata"]["generation"]

    pillion.install_chart("log.level=debug")

    assert pillion.operator.the("deployment", RELEASE)["metadata"]["generation"] > operator
    model.change(suspend=False)  # the new operator has looked at it once it has answered
    model.await_condition("Ready")
    assert unchanged(application, space, model) == before
    pillion.install_chart()


def test_without_pillion_models_serve_on_and_a_new_installation_takes_them_over(
    pillion: Installation, space: Space, application: Application, model: Model
) -> None:
    model.apply(repo=models.TINY_RIVER)
    model.await_condition("Ready")
    application.rolled_out()
    before = unchanged(application, space, model)

    pillion.helm("uninstall", RELEASE, "--wait")
    try:
        assert models.TINY_RIVER in application.ask().text
        assert unchanged(application, space, model) == before
    finally:
        pillion.install_chart()

    model.change(model={"repo": models.TINY_STAR})
    model.await_condition("Ready")
    application.answer(mentions=models.TINY_STAR)
    assert application.pod()["metadata"]["uid"] == before["pod"]
