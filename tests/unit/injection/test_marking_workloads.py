"""What is written to a workload, what is left out, and what is cleared away?

The round trips are on a real API server, among the integration tests.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from pillion import injection
from pillion.api.reasons import Reason

if TYPE_CHECKING:
    from tests.corpus import Raw

OLD, NEW = "r-aaaaaaaaaaaa", "r-bbbbbbbbbbbb"
CHAT = "model.pillion.dev/chat"
EMBED = "model.pillion.dev/embed"
INJECT = {"pillion.dev/inject": "true"}


def workload(
    *,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    managers: tuple[str, ...] = (),
    marked: bool = False,
    kind: str = "Deployment",
    api_version: str = "apps/v1",
) -> Raw:
    fields = {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {f"f:{CHAT}": {}}}}}}
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u1",
            "generation": 3,
            "labels": {"pillion.dev/marked": "true"} if marked else {},
            "managedFields": [
                {"manager": manager, "operation": "Apply", "fieldsV1": fields} for manager in managers
            ],
        },
        "spec": {"template": {"metadata": {"labels": labels or {}, "annotations": annotations or {}}}},
    }


def test_the_marker_is_all_that_is_written() -> None:
    body = injection.marker_patch(workload(), model="chat", revision=NEW)
    assert body == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u1",
            "labels": {"pillion.dev/marked": "true"},
        },
        "spec": {
            "template": {"metadata": {"labels": {"pillion.dev/inject": "true"}, "annotations": {CHAT: NEW}}}
        },
    }


def test_a_cron_jobs_template_lies_deeper() -> None:
    cron_job = workload(kind="CronJob", api_version="batch/v1")
    cron_job["spec"] = {"jobTemplate": {"spec": cron_job["spec"]}}
    body = injection.marker_patch(cron_job, model="chat", revision=NEW)
    assert body["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["annotations"] == {CHAT: NEW}
    assert injection.pod_template(cron_job) == cron_job["spec"]["jobTemplate"]["spec"]["template"]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        pytest.param(
            {"annotations": {CHAT: OLD}}, {"labels", "annotations"}, id="an older revision is replaced"
        ),
        pytest.param({"annotations": {CHAT: "mine"}}, {"labels"}, id="a user's annotation stays"),
        pytest.param(
            {"labels": {"pillion.dev/inject": "required"}}, {"annotations"}, id="a user's label stays"
        ),
        pytest.param(
            {"labels": {"pillion.dev/inject": "true"}},
            {"labels", "annotations"},
            id="the same label is shared",
        ),
    ],
)
def test_what_a_user_wrote_is_left_out(given: dict[str, Any], written: set[str]) -> None:
    body = injection.marker_patch(workload(**given), model="chat", revision=NEW)
    assert body["spec"]["template"]["metadata"].keys() == written


@pytest.mark.parametrize(
    ("api_version", "kind", "possible"),
    [
        ("apps/v1", "Deployment", True),
        ("apps/v1", "StatefulSet", True),
        ("apps/v1", "DaemonSet", True),
        ("batch/v1", "CronJob", True),
        ("batch/v1", "Job", False),
        ("apps/v1", "ReplicaSet", False),
        ("v1", "Pod", False),
        ("example.com/v1", "Deployment", False),
    ],
)
def test_which_kinds_can_be_marked(api_version: str, kind: str, possible: bool) -> None:
    target = workload(api_version=api_version, kind=kind)
    assert injection.can_be_marked(api_version, kind) is possible
    found = injection.cannot_mark(target)
    assert (found is None) is possible
    if found is not None:
        assert found.reason is Reason.TARGET_NOT_MARKABLE
        assert 'label pillion.dev/inject: "true" and annotation model.pillion.dev/<name>' in found.message
        assert injection.pod_template(target) == {}
        assert injection.leftover_patch(target, model="chat") is None
        with pytest.raises(ValueError, match="cannot be marked"):
            injection.marker_patch(target, model="chat", revision=NEW)


def test_a_label_that_keeps_engines_out_is_a_conflict() -> None:
    found = injection.cannot_mark(workload(labels={"pillion.dev/inject": "false"}))
    assert found is not None
    assert found.reason is Reason.MARKER_CONFLICT
    assert 'label pillion.dev/inject: "false", which keeps engines out' in found.message


def test_what_a_marker_says() -> None:
    found = injection.marker(
        workload(annotations={CHAT: OLD}, managers=("pillion/chat", "helm", "pillion/embed")), "chat"
    )
    assert (found.value, found.label, found.ours) == (OLD, None, True)
    assert found.others == ("helm", "pillion/embed")
    assert injection.marked_models(workload(managers=("pillion/chat", "helm"))) == {"chat"}


@pytest.mark.parametrize(
    ("value", "stale"), [(None, True), (OLD, True), (NEW, False), ("mine", False), ("", False)]
)
def test_which_markers_are_stale(value: str | None, stale: bool) -> None:
    annotations = {} if value is None else {CHAT: value}
    target = workload(labels=INJECT, annotations=annotations, marked=True)
    assert injection.marker(target, "chat").is_stale(NEW) is stale


@pytest.mark.parametrize(
    "missing", [{"labels": None}, {"marked": False}], ids=["its label", "the workload's label"]
)
def test_a_marker_that_somebody_took_a_part_of_is_stale(missing: dict[str, Any]) -> None:
    whole: dict[str, Any] = {"labels": INJECT, "annotations": {CHAT: NEW}, "marked": True}
    assert not injection.marker(workload(**whole), "chat").is_stale(NEW)
    assert injection.marker(workload(**whole | missing), "chat").is_stale(NEW)


def applied(target: Raw, operations: list[Raw] | None) -> Raw:
    """What a JSON patch makes of an object; the escapes are undone here by hand."""
    result = deepcopy(target)
    for operation in operations or []:
        *path, last = [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]
        ]
        below = result
        for key in path:
            below = below[key]
        if operation["op"] == "test":
            assert below[last] == operation["value"]
        else:
            del below[last]
    return result


@pytest.mark.parametrize(
    ("given", "labels", "annotations", "marked"),
    [
        pytest.param(
            {"labels": INJECT, "annotations": {CHAT: OLD}, "marked": True}, {}, {}, False, id="the last one"
        ),
        pytest.param(
            {"labels": INJECT, "annotations": {CHAT: OLD, EMBED: NEW}, "marked": True},
            INJECT,
            {EMBED: NEW},
            True,
            id="another model stays",
        ),
        pytest.param(
            {"labels": INJECT, "annotations": {CHAT: OLD, EMBED: "mine"}, "marked": True},
            INJECT,
            {EMBED: "mine"},
            False,
            id="a user's own marker stays",
        ),
        pytest.param(
            {"labels": {"pillion.dev/inject": "required"}, "annotations": {CHAT: OLD}},
            {"pillion.dev/inject": "required"},
            {},
            False,
            id="a user's own label stays",
        ),
        pytest.param(
            {"annotations": {CHAT: OLD}, "marked": True, "managers": ("pillion/embed",)},
            {},
            {},
            True,
            id="another model is being marked",
        ),
        pytest.param({"marked": True}, {}, {}, False, id="the workload's label alone"),
    ],
)
def test_what_is_cleared_away(
    given: dict[str, Any], labels: dict[str, str], annotations: dict[str, str], marked: bool
) -> None:
    target = workload(**given)
    operations = injection.leftover_patch(target, model="chat")
    assert operations
    assert operations[0] == {"op": "test", "path": "/metadata/generation", "value": 3}
    left = applied(target, operations)
    template = left["spec"]["template"]["metadata"]
    assert (template["labels"], template["annotations"]) == (labels, annotations)
    assert ("pillion.dev/marked" in left["metadata"]["labels"]) is marked
    assert injection.leftover_patch(left, model="chat") is None


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"labels": INJECT, "annotations": {CHAT: "mine"}}, id="a user's own marker"),
        pytest.param({"labels": INJECT}, id="a user's own label"),
        pytest.param({"labels": INJECT, "annotations": {EMBED: OLD}, "marked": True}, id="another model's"),
    ],
)
def test_where_nothing_of_ours_stayed_nothing_is_patched(given: dict[str, Any]) -> None:
    assert injection.leftover_patch(workload(**given), model="chat") is None
