"""What does reading an object keep, leave out, and say?"""

from __future__ import annotations

import pytest

from pillion.api.choices import Policy, Task
from pillion.api.modeldeployment import ModelDeployment
from pillion.api.modelsidecar import ModelSidecar
from pillion.api.reasons import ConditionType
from pillion.api.shape import InvalidObjectError
from pillion.api.status import PodsStatus, Status
from tests.unit.api import cases, sidecar_cases


def test_what_a_newer_version_added_is_ignored_in_the_cluster() -> None:
    raw = cases.changed(cases.SMALLEST, {"spec.shiny": {"new": True}, "spec.model.glow": 1})
    assert ModelDeployment.from_raw(raw) == ModelDeployment.from_raw(cases.SMALLEST)


@pytest.mark.parametrize(
    ("changes", "path", "says"),
    [
        pytest.param(
            {"spec.model.revison": "main"},
            "spec.model.revison",
            "did you mean revision?",
            id="a letter is missing",
        ),
        pytest.param(
            {"spec.target_ref": {}}, "spec.target_ref", "did you mean targetRef?", id="Python's spelling"
        ),
        pytest.param(
            {"spec.cache": {"persistentVolumeClaim": {"claimName": "a"}, "x": 1}},
            "spec.cache.x",
            "here may stand: persistentVolumeClaim",
            id="nothing is near",
        ),
        pytest.param(
            {"spec.engine.env": [{"name": "A", "value": "b", "vlaue": "c"}]},
            "spec.engine.env[0].vlaue",
            "did you mean value?",
            id="inside a list",
        ),
    ],
)
def test_an_unknown_field_in_a_file_is_named_with_the_nearest(
    changes: cases.Raw, path: str, says: str
) -> None:
    with pytest.raises(InvalidObjectError) as caught:
        ModelDeployment.from_user(cases.changed(cases.SMALLEST, changes))
    (problem,) = caught.value.problems
    assert problem.path == path
    assert problem.message == f"there is no such field; {says}"


def test_metadata_of_a_live_object_is_no_mistake_in_a_file() -> None:
    raw = cases.changed(cases.SMALLEST, {"metadata.resourceVersion": "7", "metadata.managedFields": []})
    assert ModelDeployment.from_user(raw).metadata.name == "chat"


def test_null_is_absence_as_it_is_for_the_api_server() -> None:
    raw = cases.changed(cases.SMALLEST, {})
    raw["spec"] |= {"hardware": None, "targetRef": None, "serving": {"contextLength": None}}
    assert ModelDeployment.from_raw(raw) == ModelDeployment.from_raw(
        cases.changed(cases.SMALLEST, {"spec.targetRef": None})
    )


def test_what_is_unset_stays_absent() -> None:
    spec = ModelDeployment.from_raw(cases.SMALLEST).spec
    assert (spec.model.revision, spec.serving.context_length, spec.serving.concurrency) == (None, None, None)
    assert (spec.engine.port, spec.startup_timeout_seconds, spec.environment) == (None, None, None)
    assert (spec.model.task, spec.quantization.policy) == (Task.AUTO, Policy.BALANCED)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(None, ("chat",), id="by default the object's own name"),
        pytest.param(["gpt-4o", "x"], ("gpt-4o", "x"), id="those that are set, in their order"),
    ],
)
def test_served_names(names: list[str] | None, expected: tuple[str, ...]) -> None:
    raw = cases.changed(cases.SMALLEST, {"spec.model.servedNames": names})
    assert ModelDeployment.from_raw(raw).served_names == expected


def test_a_status_that_another_version_wrote_otherwise_is_read_as_none() -> None:
    raw = cases.changed(cases.SMALLEST, {"status": {"plan": {"device": "TPU"}}})
    assert ModelDeployment.from_raw(raw).status is None


def test_a_condition_is_found_by_its_type() -> None:
    told = {
        "type": "Planned",
        "status": "True",
        "reason": "Planned",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    status = Status.from_raw({"conditions": [told]})
    planned = status.condition(ConditionType.PLANNED)
    assert planned is not None
    assert planned.to_raw() == told
    assert status.condition(ConditionType.READY) is None


@pytest.mark.parametrize(
    ("desired", "expected"),
    [
        pytest.param(3, "2/3", id="against the target's wish"),
        pytest.param(None, "2/2", id="pods opt in: against those that have the engine"),
    ],
)
def test_the_pods_column(desired: int | None, expected: str) -> None:
    assert PodsStatus.counted(desired=desired, injected=2, ready=2).summary == expected


@pytest.mark.parametrize(
    "raw",
    [pytest.param(case.raw, id=case.why) for case in sidecar_cases.GOOD_SIDECARS],
)
def test_a_sidecar_survives_reading_and_writing(raw: cases.Raw) -> None:
    once = ModelSidecar.from_user(raw)
    assert ModelSidecar.from_user(once.to_raw()) == once


def test_what_is_absent_is_not_written() -> None:
    written = ModelSidecar.from_raw(sidecar_cases.SIDECAR).to_raw()["spec"]
    assert "tolerations" not in written
    assert written["volumes"] == [{"name": "pillion-chat-cch", "emptyDir": {"sizeLimit": "20Gi"}}]
