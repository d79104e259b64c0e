"""Does an engine fit in where quotas and limits are kept, and does a Guaranteed pod stay Guaranteed?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pillion.api import quantities
from tests.e2e.harness.application import Application
from tests.hub import models

if TYPE_CHECKING:
    from tests.e2e.harness.cluster import Space
    from tests.e2e.harness.models import Model

EXACT = {"cpu": "100m", "memory": "128Mi"}
ENGINE = {"cpu": "500m", "memory": "512Mi"}


def guaranteed(deployment: dict[str, Any]) -> None:
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["resources"] = {"requests": EXACT, "limits": EXACT}


def test_in_a_namespace_with_a_quota_and_default_limits_a_guaranteed_pod_stays_guaranteed(
    space: Space, model: Model
) -> None:
    space.apply(
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": {"name": "all"},
            "spec": {
                "hard": {
                    "requests.cpu": "2",
                    "requests.memory": "4Gi",
                    "limits.cpu": "4",
                    "limits.memory": "4Gi",
                }
            },
        },
        {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": {"name": "all"},
            "spec": {
                "limits": [
                    {
                        "type": "Container",
                        "default": {"cpu": "200m", "memory": "64Mi"},
                        "defaultRequest": {"cpu": "50m", "memory": "32Mi"},
                    }
                ]
            },
        },
    )
    application = Application(space=space)
    application.deploy(change=guaranteed)
    assert application.pod()["status"]["qosClass"] == "Guaranteed"

    model.apply(repo=models.TINY_RIVER, engine={"resources": {"requests": ENGINE, "limits": ENGINE}})
    model.await_condition("Ready")

    pod = application.pod()
    assert pod["status"]["qosClass"] == "Guaranteed"
    [engine] = [each for each in pod["spec"]["containers"] if each["name"] == model.container]
    limits = engine["resources"]["limits"]
    assert {name: quantities.parse(limits[name]) for name in ENGINE} == {
        name: quantities.parse(amount) for name, amount in ENGINE.items()
    }
    application.answer(mentions=models.TINY_RIVER)
