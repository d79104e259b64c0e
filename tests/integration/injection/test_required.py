"""Is a pod that requires its engine refused until it can have it, in words that help?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import corpus
from tests.integration.injection.conftest import Refused, eventually, with_sidecars

if TYPE_CHECKING:
    from tests.corpus import Raw
    from tests.integration.injection.conftest import Api


def requiring(situation: str, namespace: str) -> Raw:
    pod = corpus.situation(situation).pod
    pod["metadata"]["namespace"] = namespace
    pod["metadata"]["labels"]["pillion.dev/inject"] = "required"
    return pod


def test_refused_until_the_model_sidecar_is_there(installed: Api, namespace: str) -> None:
    pod = requiring("two-models", namespace)
    with pytest.raises(Refused) as refusal:
        installed.create(pod, dry_run=True)
    said = str(refusal.value)
    assert refusal.value.status == 403
    assert "the engine of the model chat, embed cannot be injected yet" in said
    assert f"kubectl -n {namespace} get modeldeployments.pillion.dev chat embed" in said

    with_sidecars(installed, namespace)

    created = installed.create(pod, dry_run=True)
    names = {container["name"] for container in created["spec"]["containers"]}
    assert {"pillion-chat", "pillion-embed"} <= names


@pytest.mark.parametrize(
    ("situation", "because"),
    [
        ("host-network", "it uses the host network"),
        ("windows", "it is a Windows pod"),
        ("windows-by-node-selector", "it is a Windows pod"),
        ("pod-level-resources", "it has pod-level resources (spec.resources)"),
    ],
)
def test_a_pod_that_can_never_have_its_engine_is_told_why(
    installed: Api, shop: str, situation: str, because: str
) -> None:
    with pytest.raises(Refused, match="can never get its engine") as refusal:
        installed.create(requiring(situation, shop), dry_run=True)
    assert because in str(refusal.value)


def test_a_job_waits_for_its_engine_and_then_completes(installed: Api, namespace: str) -> None:
    pod = requiring("job-nobody-waits", namespace)
    annotations = {**pod["metadata"]["annotations"], "tests.pillion.dev/play": "complete"}
    metadata = {"labels": pod["metadata"]["labels"], "annotations": annotations}
    installed.create(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "patient", "namespace": namespace},
            "spec": {"template": {"metadata": metadata, "spec": pod["spec"]}},
        }
    )
    events = f"/api/v1/namespaces/{namespace}/events"
    assert eventually(lambda: "cannot be injected yet" in str(installed.read(events)))
    assert not installed.list("Pod", namespace)

    with_sidecars(installed, namespace)

    def succeeded() -> int | None:
        found: int | None = installed.get("Job", namespace, "patient").get("status", {}).get("succeeded")
        return found

    # The Job controller tries again after 1, 2, 4, ... seconds.
    assert eventually(succeeded, seconds=60)
    (made,) = installed.list("Pod", namespace)
    assert [container["name"] for container in made["spec"]["initContainers"]] == ["pillion-bare"]
