"""What works while the operator does not run? New pods get their engine, and it serves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.harness.application import CONTAINER
from tests.hub import models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.harness.application import Application
    from tests.e2e.harness.cluster import Space
    from tests.e2e.harness.installation import Installation
    from tests.e2e.harness.models import Model


@pytest.fixture
def without_operator(pillion: Installation) -> Iterator[Installation]:
    """Gives the operator back whatever happens; the test takes it away."""
    yield pillion
    pillion.scale_operator(1)


def test_new_pods_get_their_engine_and_it_serves(
    without_operator: Installation, space: Space, application: Application, model: Model
) -> None:
    model.apply(repo=models.TINY_RIVER)
    model.await_condition("Ready")
    old = application.pod()

    without_operator.scale_operator(0)
    space.kubectl("delete", "pod", old["metadata"]["name"])
    application.scale(2)

    pods = application.pods()
    assert old["metadata"]["uid"] not in {pod["metadata"]["uid"] for pod in pods}
    for pod in pods:
        assert [each["name"] for each in pod["spec"]["containers"]] == [CONTAINER, model.container]
        application.answer(mentions=models.TINY_RIVER, pod=pod)
    without_operator.scale_operator(1)
    model.await_serving_pods(2)
    assert {pod["metadata"]["uid"] for pod in application.pods()} == {pod["metadata"]["uid"] for pod in pods}


def test_a_model_that_is_deleted_meanwhile_leaves_new_pods_clean_and_is_swept_when_the_operator_is_back(
    without_operator: Installation, application: Application, model: Model
) -> None:
    original = application.template()
    labels = application.deployment()["metadata"].get("labels")
    model.apply(repo=models.TINY_RIVER)
    model.await_condition("Ready")

    without_operator.scale_operator(0)
    model.delete()
    model.await_no_sidecar()
    marked = application.template()
    assert f"model.pillion.dev/{model.name}" in marked["metadata"]["annotations"]
    application.space.kubectl("delete", "pod", application.pod()["metadata"]["name"])
    application.rolled_out()
    assert [each["name"] for each in application.pod()["spec"]["containers"]] == [CONTAINER]

    without_operator.scale_operator(1)
    application.await_template(original)
    application.rolled_out()
    assert application.deployment()["metadata"].get("labels") == labels
    assert [each["name"] for each in application.pod()["spec"]["containers"]] == [CONTAINER]
