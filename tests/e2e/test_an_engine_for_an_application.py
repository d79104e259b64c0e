"""Does an application that runs already get an engine, and its answers, from the smallest ModelDeployment?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.e2e.harness.application import (
    CONTAINER,
    NAME,
    condition,
    container_status,
    example,
    is_ready,
)
from tests.e2e.harness.models import ALL_CONDITIONS, KIND, SIDECAR, Model
from tests.hub import models

if TYPE_CHECKING:
    from tests.e2e.harness.application import Application
    from tests.e2e.harness.cluster import Space

OPERATORS_EVENTS = ("TargetMarked",)


def test_the_smallest_model_deployment_gives_a_running_application_its_answers(
    space: Space, application: Application, model: Model
) -> None:
    before = application.pod()
    assert (
        "cannot be reached" in application.ask(seconds=5).error
    )  # nothing answers as long as there is no model
    _, as_shipped = example(space.cluster)
    as_shipped["spec"]["model"]["repo"] = models.TINY_RIVER  # the local Hub has no other

    space.apply(as_shipped)
    found = model.await_condition("Ready")

    assert {each: condition(found, each)["status"] for each in ALL_CONDITIONS} == dict.fromkeys(
        ALL_CONDITIONS, "True"
    )
    pod = application.pod()
    assert pod["metadata"]["uid"] != before["metadata"]["uid"]
    assert [each["name"] for each in pod["spec"]["containers"]] == [CONTAINER, model.container]
    assert is_ready(pod)
    assert [container_status(pod, each)["restartCount"] for each in (CONTAINER, model.container)] == [0, 0]

    environment = application.environment(pod)
    assert environment["OPENAI_BASE_URL"] == found["status"]["endpoint"]
    assert environment["OPENAI_MODEL"] == model.name
    assert environment["PILLION_CHAT_BASE_URL"] == found["status"]["endpoint"]
    answer = application.ask("What flows?")
    assert models.TINY_RIVER in answer.text
    assert "What flows?" in answer.text
    assert answer.model == model.name


def test_describe_and_columns_tell_the_plan_and_both_objects_have_events(
    space: Space, application: Application, model: Model
) -> None:
    del application
    model.apply(repo=models.TINY_RIVER)
    found = model.await_condition("Ready")

    described = space.kubectl("describe", KIND, model.name)
    plan = found["status"]["plan"]
    assert plan["checkpoint"] == models.TINY_RIVER
    assert plan["device"] == "CPU"
    assert plan["commit"] == found["status"]["model"]["commit"]
    for words in (
        plan["checkpoint"],
        plan["commit"],
        plan["image"],
        "Sixteen Bit",
        "Kv Cache",
        "Context Length",
    ):
        assert words in described
    [row] = space.kubectl("get", "pmd", "--no-headers").splitlines()
    assert row.split()[:3] == [model.name, models.TINY_RIVER, plan["quantization"]]
    assert "1/1" in row.split()

    for about, name in (("ModelDeployment", model.name), ("Deployment", NAME)):
        reasons = {event["reason"] for event in space.events(about=about, name=name)}
        assert reasons >= set(OPERATORS_EVENTS), f"events about {about}: {reasons}"
    assert "TargetMarked" in described
    assert "TargetMarked" in space.kubectl("describe", "deployment", NAME)


def test_what_was_injected_is_small_and_the_template_has_the_marker_alone(
    space: Space, application: Application, model: Model
) -> None:
    original = application.template()
    model.apply(repo=models.TINY_RIVER)
    model.await_condition("Ready")

    template = application.template()
    revision = space.the(SIDECAR, model.name)["spec"]["revision"]
    assert template["metadata"]["labels"].pop("pillion.dev/inject") == "true"
    assert template["metadata"].pop("annotations") == {f"model.pillion.dev/{model.name}": revision}
    assert template == original
    pod = application.pod()
    instruction = json.loads(pod["metadata"]["annotations"][f"engine.pillion.dev/{model.name}"])
    assert instruction["revision"] == revision
