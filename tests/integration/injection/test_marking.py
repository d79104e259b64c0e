"""Does a workload get its marker, and does it equal its old self when the last model has left?

By the API's own calls: another tool's server-side apply beside ours, an exported live object, two models at once.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from pillion import injection
from pillion.api import names
from tests.integration.injection.conftest import Refused, eventually, with_sidecars

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.corpus import Raw
    from tests.integration.injection.conftest import Api

OLD = "r-aaaaaaaaaaaa"
NEW = "r-bbbbbbbbbbbb"
API_VERSIONS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "CronJob": "batch/v1",
}


def workload(kind: str, namespace: str, *, metadata: Raw | None = None, replicas: int = 0) -> Raw:
    """What a user writes; `metadata` is for the pod template."""
    template = {
        "metadata": {"labels": {"app": "web"}} | (metadata or {}),
        "spec": {"containers": [{"name": "app", "image": "app.example/app:1"}]},
    }
    selector = {"matchLabels": {"app": "web"}}
    spec: Raw
    if kind == "CronJob":
        template["spec"]["restartPolicy"] = "Never"
        spec = {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": {"template": template}}}
    elif kind == "DaemonSet":
        template["spec"]["nodeSelector"] = {"no-such": "node"}
        spec = {"selector": selector, "template": template}
    else:
        spec = {"replicas": replicas, "selector": selector, "template": template}
    return {
        "apiVersion": API_VERSIONS[kind],
        "kind": kind,
        "metadata": {"name": "web", "namespace": namespace, "labels": {"team": "a"}},
        "spec": spec,
    }


class Marking:
    """What the operator does to one workload."""

    def __init__(self, api: Api, created: Raw) -> None:
        self.api = api
        self.created = created

    def now(self) -> Raw:
        metadata = self.created["metadata"]
        return self.api.get(self.created["kind"], metadata["namespace"], metadata["name"])

    def mark(self, model: str, revision: str = OLD) -> Raw:
        body = injection.marker_patch(self.now(), model=model, revision=revision)
        return self.api.apply(body, names.marker_manager(model))

    def unmark(self, model: str) -> Raw:
        """Leave, then read again and clear away what stayed."""
        answer = self.api.apply(injection.unmark_patch(self.now()), names.marker_manager(model))
        patch = injection.leftover_patch(answer, model=model)
        return self.api.patch(answer, patch, names.marker_manager(model)) if patch else answer

    def equals_the_original(self) -> bool:
        now = self.now()
        return bool(
            now["spec"] == self.created["spec"]
            and now["metadata"].get("labels") == self.created["metadata"].get("labels")
            and _own_annotations(now) == _own_annotations(self.created)
            and not injection.marked_models(now)
        )


def _own_annotations(found: Raw) -> Raw:
    counters = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
    return {
        key: value for key, value in found["metadata"].get("annotations", {}).items() if key not in counters
    }


@pytest.fixture
def make(installed: Api, namespace: str) -> Callable[..., Marking]:
    """A workload that a user created."""

    def made(kind: str = "Deployment", *, applied: bool = False, **how: Any) -> Marking:
        body = workload(kind, namespace, **how)
        return Marking(installed, installed.apply(body, "helm") if applied else installed.create(body))

    return made


@pytest.mark.parametrize("kind", API_VERSIONS)
@pytest.mark.parametrize("applied", [False, True], ids=["created", "applied by a tool"])
def test_a_workload_is_marked_and_is_its_old_self_afterwards(
    make: Callable[..., Marking], kind: str, applied: bool
) -> None:
    target = make(kind, applied=applied)

    marked = target.mark("chat")

    template = injection.pod_template(marked)
    assert template["metadata"]["labels"] == {"app": "web", "pillion.dev/inject": "true"}
    assert template["metadata"]["annotations"] == {"model.pillion.dev/chat": OLD}
    assert template["spec"] == injection.pod_template(target.created)["spec"]
    assert marked["metadata"]["labels"] == {"team": "a", "pillion.dev/marked": "true"}
    found = injection.marker(marked, "chat")
    assert (found.value, found.label, found.ours, found.others) == (OLD, "true", True, ())
    assert not found.is_stale(OLD)
    assert found.is_stale(NEW)

    target.unmark("chat")
    assert target.equals_the_original()


def test_a_new_revision_replaces_the_old_one(make: Callable[..., Marking]) -> None:
    target = make()
    target.mark("chat", OLD)
    assert injection.marker(target.mark("chat", NEW), "chat").value == NEW
    target.unmark("chat")
    assert target.equals_the_original()


@pytest.mark.parametrize("first", ["chat", "embed"])
def test_two_models_hold_the_labels_together_and_each_leaves_alone(
    make: Callable[..., Marking], first: str
) -> None:
    target = make()
    target.mark("chat")
    marked = target.mark("embed", NEW)
    assert injection.marked_models(marked) == {"chat", "embed"}
    second = "embed" if first == "chat" else "chat"

    left = target.unmark(first)

    template = injection.pod_template(left)["metadata"]
    assert template["labels"]["pillion.dev/inject"] == "true"
    assert list(template["annotations"]) == [f"model.pillion.dev/{second}"]
    assert left["metadata"]["labels"]["pillion.dev/marked"] == "true"
    assert injection.marked_models(left) == {second}
    target.unmark(second)
    assert target.equals_the_original()


def test_what_the_user_wrote_stays_theirs(make: Callable[..., Marking]) -> None:
    metadata = {
        "labels": {"app": "web", "pillion.dev/inject": "required"},
        "annotations": {"model.pillion.dev/chat": "wanted", "note": "mine"},
    }
    target = make(metadata=metadata)
    marked = target.mark("chat")
    assert injection.pod_template(marked)["metadata"] == injection.pod_template(target.created)["metadata"]
    assert not injection.marker(marked, "chat").is_stale(OLD)
    target.unmark("chat")
    assert target.equals_the_original()


def test_a_label_that_the_user_wrote_as_well_outlives_ours(make: Callable[..., Marking]) -> None:
    target = make(applied=True, metadata={"labels": {"app": "web", "pillion.dev/inject": "true"}})
    target.mark("chat")
    target.unmark("chat")
    assert target.equals_the_original()


def test_the_user_goes_on_applying_their_own_file(make: Callable[..., Marking], installed: Api) -> None:
    """The marker stays, and neither side ever sees a conflict."""
    target = make(applied=True)
    target.mark("chat")
    changed = workload("Deployment", target.created["metadata"]["namespace"])
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "app.example/app:2"
    after = installed.apply(changed, "helm")
    assert injection.marker(after, "chat").value == OLD
    target.mark("chat", NEW)
    installed.apply(workload("Deployment", target.created["metadata"]["namespace"]), "helm")
    target.unmark("chat")
    assert target.equals_the_original()


class TestAnExportedLiveObject:
    """`kubectl get -o yaml`, then apply: whoever does that holds our values too.

    By force, because the deployment controller's annotations are in it as well.
    """

    @staticmethod
    def exported(live: Raw) -> Raw:
        body = deepcopy(live)
        for key in ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation"):
            body["metadata"].pop(key)
        body.pop("status", None)
        return body

    def test_leaves_nothing_of_ours_behind(self, make: Callable[..., Marking], installed: Api) -> None:
        target = make()
        installed.apply(self.exported(target.mark("chat")), "someone-else", force=True)
        assert injection.marker(target.now(), "chat").others == ("someone-else",)

        left = installed.apply(injection.unmark_patch(target.now()), "pillion/chat")
        assert injection.marker(left, "chat").value == OLD  # it survived our leaving

        target.unmark("chat")
        assert target.equals_the_original()

    def test_of_two_models_is_cleared_by_the_last(self, make: Callable[..., Marking], installed: Api) -> None:
        target = make()
        target.mark("chat")
        installed.apply(self.exported(target.mark("embed")), "someone-else", force=True)
        left = target.unmark("chat")
        assert injection.pod_template(left)["metadata"]["labels"]["pillion.dev/inject"] == "true"
        assert injection.marker(left, "chat").value is None
        assert injection.marker(left, "embed").value == OLD
        target.unmark("embed")
        assert target.equals_the_original()

    def test_stands_in_the_way_of_a_new_revision_and_that_is_said(
        self, make: Callable[..., Marking], installed: Api
    ) -> None:
        target = make()
        installed.apply(self.exported(target.mark("chat")), "someone-else", force=True)
        with pytest.raises(Refused, match='conflict with "someone-else"') as refusal:
            target.mark("chat", NEW)
        assert refusal.value.status == 409

    def test_is_not_touched_when_somebody_changed_the_workload_meanwhile(
        self, make: Callable[..., Marking], installed: Api
    ) -> None:
        """The patch is about an object that was read; another model may have been marked since."""
        target = make()
        installed.apply(self.exported(target.mark("chat")), "someone-else", force=True)
        left = installed.apply(injection.unmark_patch(target.now()), "pillion/chat")
        patch = injection.leftover_patch(left, model="chat")
        assert patch
        target.mark("embed")
        with pytest.raises(Refused) as refusal:
            installed.patch(left, patch)
        assert refusal.value.status == 422
        assert injection.marker(target.unmark("chat"), "embed").value == OLD
        assert injection.marker(target.now(), "chat").value is None


def test_a_later_object_of_the_same_name_is_not_marked(make: Callable[..., Marking], installed: Api) -> None:
    target = make()
    body = injection.marker_patch(target.now(), model="chat", revision=OLD)
    body["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(Refused) as refusal:
        installed.apply(body, "pillion/chat")
    assert refusal.value.status == 422
    assert injection.marker(target.now(), "chat").value is None


def test_an_object_that_is_gone_is_not_made_again(make: Callable[..., Marking], installed: Api) -> None:
    target = make("CronJob")
    body = injection.marker_patch(target.now(), model="chat", revision=OLD)
    installed.delete(body)
    with pytest.raises(Refused) as refusal:
        installed.apply(body, "pillion/chat")
    assert refusal.value.status == 409


def test_marking_a_running_deployment_rolls_the_engine_in_and_out(
    make: Callable[..., Marking], installed: Api, namespace: str
) -> None:
    with_sidecars(installed, namespace)
    target = make(replicas=1)
    assert eventually(lambda: running(installed, namespace) == [["app"]])
    target.mark("bare", "r-456789abcdef")
    assert eventually(lambda: running(installed, namespace) == [["app", "pillion-bare"]], seconds=30)
    target.unmark("bare")
    assert eventually(lambda: running(installed, namespace) == [["app"]], seconds=30)


def running(api: Api, namespace: str) -> list[list[str]]:
    """The containers of each pod that is to stay and runs."""
    return [
        [container["name"] for container in pod["spec"]["containers"]]
        for pod in api.list("Pod", namespace)
        if "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") == "Running"
    ]
