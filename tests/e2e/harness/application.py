"""What does the example application do while a model comes, changes, dies and goes?

The application is the one of examples/app, as it is, with two changes that a test needs: an image that no
registry has to give, and a readiness probe that looks each second, so that a moment of unreadiness is seen.
"""

from __future__ import annotations

import copy
import functools
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from tests.cluster import local_images
from tests.e2e.harness.client import ASK_ALL_THE_TIME, Client
from tests.e2e.harness.cluster import KubectlError
from tests.e2e.harness.installation import REPOSITORY
from tests.e2e.harness.waiting import NotYet, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.harness.cluster import Cluster, Space

Raw = dict[str, Any]

NAME = "web"  # of the Deployment and the Service, as examples/app has it
CONTAINER = "app"
LABELS = f"app={NAME}"
ROLLOUT_SECONDS = 120

ASK = """
import json, sys, urllib.error, urllib.parse, urllib.request
url = "http://127.0.0.1:8080/ask?q=" + urllib.parse.quote(sys.argv[1])
try:
    print(urllib.request.urlopen(url, timeout=float(sys.argv[2])).read().decode())
except urllib.error.HTTPError as error:
    print(error.read().decode())
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the application was told by its model, or why it was told nothing."""

    text: str = ""
    model: str = ""
    error: str = ""


@functools.cache
def example_text(cluster: Cluster) -> str:
    """examples/app, as `kubectl apply -k` reads it."""
    return cluster.kubectl("kustomize", str(REPOSITORY / "examples" / "app"))


def example(cluster: Cluster) -> tuple[list[Raw], Raw]:
    """The application's objects, ready for a test cluster, and the ModelDeployment that comes with them."""
    objects = list(yaml.safe_load_all(example_text(cluster)))
    for each in objects:
        if each["kind"] == "Deployment":
            container = each["spec"]["template"]["spec"]["containers"][0]
            container["image"] = local_images.EXAMPLE_APP
            container["readinessProbe"]["periodSeconds"] = 1
    [model] = [each for each in objects if each["kind"] == "ModelDeployment"]
    return [each for each in objects if each is not model], model


@dataclass(frozen=True, kw_only=True, slots=True)
class Application:
    """The example application in a namespace."""

    space: Space

    def deploy(self, *, change: Callable[[Raw], None] | None = None) -> None:
        """Apply it, with a change of its Deployment where one is given, and wait until it serves."""
        objects, _ = example(self.space.cluster)
        for each in objects:
            if each["kind"] == "Deployment" and change is not None:
                change(each)
        self.space.apply(*objects)
        self.rolled_out()

    def rolled_out(self) -> None:
        """Wait for its rollout."""
        self.space.cluster.rolled_out(
            "deployment", NAME, namespace=self.space.namespace, seconds=ROLLOUT_SECONDS
        )

    def deployment(self) -> Raw:
        """Its Deployment."""
        return self.space.the("deployment", NAME)

    def template(self) -> Raw:
        """Its pod template."""
        return copy.deepcopy(self.deployment()["spec"]["template"])

    def await_template(self, wanted: Raw) -> None:
        """Wait until its pod template equals another."""

        def look() -> None:
            found = self.template()
            if found != wanted:
                raise NotYet(json.dumps(found["metadata"]))

        until("the pod template to be as it was", look, seconds=60, more=self.space.circumstances)

    def pods(self) -> list[Raw]:
        """Its pods, without those that are on their way out."""
        return [
            pod for pod in self.space.all("pods", labels=LABELS) if "deletionTimestamp" not in pod["metadata"]
        ]

    def pod(self) -> Raw:
        """Its one pod."""

        def look() -> Raw:
            pods = self.pods()
            if len(pods) != 1:
                raise NotYet(f"pods {[pod['metadata']['name'] for pod in pods]}")
            return pods[0]

        return until("the application to have one pod", look, seconds=60, more=self.space.circumstances)

    def scale(self, replicas: int) -> None:
        """Change the number of its pods, and wait for them."""
        self.space.kubectl("scale", f"deployment/{NAME}", f"--replicas={replicas}")
        self.rolled_out()

    def environment(self, pod: Raw) -> dict[str, str]:
        """The variables of its container."""
        source = "import json, os; print(json.dumps(dict(os.environ)))"
        told: dict[str, str] = json.loads(self.space.run_python(pod["metadata"]["name"], CONTAINER, source))
        return told

    def ask(self, question: str = "Who are you?", *, pod: Raw | None = None, seconds: float = 30) -> Answer:
        """Ask the application itself, which asks its model by what its environment says."""
        name = (pod or self.pod())["metadata"]["name"]
        told = json.loads(
            self.space.run_python(name, CONTAINER, ASK, question, str(seconds), seconds=seconds + 30)
        )
        return Answer(text=told.get("answer", ""), model=told.get("model", ""), error=told.get("error", ""))

    def front_page(self, pod: Raw) -> str:
        """What the application serves that needs no model."""
        source = (
            "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8080/').read().decode())"
        )
        return self.space.run_python(pod["metadata"]["name"], CONTAINER, source).strip()

    def answer(self, *, mentions: str, pod: Raw | None = None, seconds: float = 60) -> Answer:
        """An answer of its model that mentions something, waited for."""

        def look() -> Answer:
            try:
                answer = self.ask(pod=pod)
            except KubectlError as error:
                raise NotYet(str(error)) from error
            if mentions not in answer.text:
                raise NotYet(answer.text or answer.error)
            return answer

        return until(
            f"an answer that mentions {mentions}", look, seconds=seconds, more=self.space.circumstances
        )

    def asks_all_the_time(self, pod: Raw) -> Client:
        """Requests without end from inside its container."""
        return Client(
            self.space.cluster.command(
                *(f"--namespace={self.space.namespace}", "exec", pod["metadata"]["name"]),
                *(f"--container={CONTAINER}", "--", "python3", "-c", ASK_ALL_THE_TIME),
            )
        )


def container_status(pod: Raw, name: str) -> Raw:
    """The kubelet's status of a container, native sidecars too."""
    status = pod["status"]
    for entry in (*status.get("containerStatuses", ()), *status.get("initContainerStatuses", ())):
        if entry["name"] == name:
            return dict(entry)
    raise AssertionError(f"pod {pod['metadata']['name']} has no container {name}")


def started_at(pod: Raw, name: str) -> str:
    """When a container was started last."""
    state = container_status(pod, name)["state"]
    assert "running" in state, f"container {name} does not run: {state}"
    return str(state["running"]["startedAt"])


def is_ready(pod: Raw) -> bool:
    """The pod's own Ready condition."""
    return condition(pod, "Ready").get("status") == "True"


def condition(thing: Raw, kind: str) -> Raw:
    """A condition of any object; empty where it has none of that type."""
    for entry in thing.get("status", {}).get("conditions") or ():
        if entry["type"] == kind:
            return dict(entry)
    return {}
