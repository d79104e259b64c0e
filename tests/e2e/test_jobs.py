"""Does a Job that cannot do without its model wait for it, and end when it has done its work?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cluster import local_images
from tests.e2e.harness.waiting import NotYet, until
from tests.hub import models

if TYPE_CHECKING:
    from tests.e2e.harness.cluster import Space
    from tests.e2e.harness.models import Model

NAME = "report"
COMPLETE_SECONDS = 180

# Asks once: had the model not served before this started, there would be no answer.
ASK_ONCE = """
import sys
sys.path.insert(0, "/app")
import app
print(app.ask("Is it done?")["answer"])
"""


def job(model: str) -> dict[str, Any]:
    container = {
        "name": "report",
        "image": local_images.EXAMPLE_APP,
        "command": ["python3", "-c", ASK_ONCE],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    marker = {
        "labels": {"pillion.dev/inject": "required"},
        "annotations": {f"model.pillion.dev/{model}": "wanted"},
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": NAME},
        "spec": {"backoffLimit": 0, "template": {"metadata": marker, "spec": pod}},
    }


def test_a_job_that_requires_its_model_waits_for_it_and_completes(space: Space, model: Model) -> None:
    space.apply(job(model.name))

    def refused() -> str:
        notes = [event.get("note", "") for event in space.events(about="Job", name=NAME)]
        for note in map(str, notes):
            if "cannot be injected yet" in note:
                return note
        raise NotYet(f"events {notes}")

    note = until("the Job's pod to be refused", refused, seconds=30, more=space.circumstances)
    assert f"the engine of the model {model.name}" in note
    assert f"get modeldeployments.pillion.dev {model.name}" in note  # where to look
    assert space.all("pods", labels=f"batch.kubernetes.io/job-name={NAME}") == []

    model.apply(repo=models.TINY_RIVER, targetRef=None)

    def complete() -> None:
        status = space.the("job", NAME).get("status", {})
        if not status.get("succeeded"):
            raise NotYet(f"status {status}")

    until("the Job to complete", complete, seconds=COMPLETE_SECONDS, more=space.circumstances)
    [pod] = space.all("pods", labels=f"batch.kubernetes.io/job-name={NAME}")
    assert [each["name"] for each in pod["spec"]["initContainers"]] == [model.container]
    assert pod["status"]["phase"] == "Succeeded"
    printed = space.kubectl("logs", pod["metadata"]["name"], "--container=report")
    assert models.TINY_RIVER in printed
    assert "Is it done?" in printed
