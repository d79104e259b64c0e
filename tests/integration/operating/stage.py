"""What does a test of the operator act on? A control plane, a Hub, played engines, and the operator as a process.

The operator runs as `pillion run` with the chart's own service account and rights; everything that the chart installs
but the operator's Deployment is installed.
"""

from __future__ import annotations

import contextlib
import time
import urllib.parse
from typing import TYPE_CHECKING, Any

from tests import operator_process
from tests.cluster.api import ApiError
from tests.integration.operating.engines import Players
from tests.operator_process import OperatorProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cluster.controlplane import ControlPlane
    from tests.hub.server import Hub

NAMESPACE = operator_process.NAMESPACE
USER = operator_process.USER
PATIENCE_SECONDS = 30.0

NOT_FOUND = 404

Raw = dict[str, Any]

# What tests read, by a short name: API version and plural.
KINDS = {
    "modeldeployment": ("pillion.dev/v1alpha1", "modeldeployments"),
    "modelsidecar": ("pillion.dev/v1alpha1", "modelsidecars"),
    "deployment": ("apps/v1", "deployments"),
    "pod": ("v1", "pods"),
    "configmap": ("v1", "configmaps"),
    "event": ("events.k8s.io/v1", "events"),
}


class Stage:
    """One cluster with everything that Pillion needs, and short words for what tests do there."""

    def __init__(self, control_plane: ControlPlane, hub: Hub, folder: Path) -> None:
        self.cluster = control_plane
        self.hub = hub
        self.engines = Players(control_plane.kubeconfig)
        self.operator = OperatorProcess(control_plane, hub_url=hub.url, folder=folder)
        operator_process.install(control_plane)
        self.engines.start()

    def close(self) -> None:
        """Stop what was started."""
        self.stop_operator()
        self.engines.stop()

    def start_operator(self, **settings: str) -> None:
        """Run the operator until `stop_operator`, and wait until it leads."""
        quick = {"PILLION_EVICTION_INTERVAL_SECONDS": "0.5", "PILLION_LEADER_ELECTION": "false"}
        self.operator.start(**(quick | settings))

    @property
    def log(self) -> Path:
        """The operator's log."""
        return self.operator.log

    @property
    def running(self) -> bool:
        """Whether the operator runs."""
        return self.operator.running

    def stop_operator(self) -> None:
        """End the operator as Kubernetes would."""
        self.operator.stop()

    # What users do

    def apply(self, *objects: Raw) -> None:
        """Server-side apply of objects, as a user's tool does it."""
        for obj in objects:
            path = _path(obj["apiVersion"], _plural(obj["kind"]), obj["metadata"].get("namespace"))
            self.cluster.admin.request(
                "PATCH",
                f"{path}/{obj['metadata']['name']}?fieldManager=user&force=true",
                obj,
                content_type="application/apply-patch+yaml",
            )

    def patch(self, kind: str, namespace: str, name: str, operations: list[Raw]) -> None:
        """A JSON patch."""
        path = f"{_path(*KINDS[kind], namespace)}/{name}"
        self.cluster.admin.request("PATCH", path, operations, content_type="application/json-patch+json")

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object and wait for nothing."""
        body = {"propagationPolicy": "Background"}
        self.cluster.admin.request("DELETE", f"{_path(*KINDS[kind], namespace)}/{name}", body)

    def get(self, kind: str, namespace: str, name: str) -> Raw | None:
        """An object, or None."""
        try:
            return dict(self.cluster.admin.request("GET", f"{_path(*KINDS[kind], namespace)}/{name}"))
        except ApiError as error:
            if error.code == NOT_FOUND:
                return None
            raise

    def list(self, kind: str, namespace: str | None = None, *, selector: str = "") -> list[Raw]:
        """Objects of a namespace, or of all of them."""
        query = f"?labelSelector={urllib.parse.quote(selector)}" if selector else ""
        return list(self.cluster.admin.request("GET", _path(*KINDS[kind], namespace) + query)["items"])

    @contextlib.contextmanager
    def without_injection(self, namespace: str, model: str) -> Iterator[None]:
        """While this lasts the API server injects nothing, as if admission had not heard of the ModelSidecar yet."""
        path = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings"
        name = "inject.v1.pillion.dev"
        binding = self.cluster.admin.request("GET", f"{path}/{name}")
        kept = {key: binding[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": name}}
        self.cluster.admin.request("DELETE", f"{path}/{name}")
        try:
            self.until(lambda: not self._injects(namespace, model), "admission has forgotten the policy")
            yield
        finally:
            self.cluster.admin.request("POST", path, kept)
            self.until(lambda: self._injects(namespace, model), "admission injects again")

    def _injects(self, namespace: str, model: str) -> bool:
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "trial",
                "labels": {"pillion.dev/inject": "true"},
                "annotations": {f"model.pillion.dev/{model}": "trial"},
            },
            "spec": {"containers": [{"name": "app", "image": "example.com/app:1"}]},
        }
        tried = self.cluster.admin.request("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)
        return len(tried["spec"]["containers"]) == 2

    # What tests wait for

    def until(self, condition: Callable[[], object], what: str, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until a condition holds; where it never does, say what was expected, and what the operator logged."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"after {seconds} s it is still not so that {what}\noperator's log:\n{self.operator.told()}"
                )
            time.sleep(0.05)

    def condition(self, namespace: str, name: str, kind: str) -> Raw:
        """One condition of a ModelDeployment; empty before it is written."""
        found = self.get("modeldeployment", namespace, name)
        for entry in (found or {}).get("status", {}).get("conditions") or []:
            if entry["type"] == kind:
                return dict(entry)
        return {}

    def until_condition(self, namespace: str, name: str, kind: str, status: str, reason: str) -> Raw:
        """Wait for a condition, and answer it; the last one seen is told where it never comes."""
        seen: Raw = {}

        def holds() -> bool:
            nonlocal seen
            seen = self.condition(namespace, name, kind)
            return seen.get("status") == status and seen.get("reason") == reason

        try:
            self.until(holds, f"{kind} is {status} with reason {reason}")
        except AssertionError as error:
            raise AssertionError(f"{error}\nlast seen: {seen}") from error
        return seen

    def until_ready(self, namespace: str, name: str) -> Raw:
        """Wait until the model serves everywhere; answers the ModelDeployment."""
        self.until_condition(namespace, name, "Ready", "True", "AllReady")
        found = self.get("modeldeployment", namespace, name)
        assert found is not None
        return found

    def events(self, namespace: str, kind: str, name: str) -> set[str]:
        """Reasons of the events about an object."""
        return {
            event["reason"]
            for event in self.list("event", namespace)
            if event["regarding"]["kind"] == kind and event["regarding"]["name"] == name
        }

    def log_says_nothing_wrong(self) -> None:
        """The operator's log has no traceback and no right that it lacks."""
        text = self.log.read_text()
        assert "Traceback" not in text, text[-4000:]
        assert "forbidden: User" not in text, text[-4000:]


def _path(api_version: str, plural: str, namespace: str | None) -> str:
    root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
    return f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"


def _plural(kind: str) -> str:
    lower = kind.lower()
    return f"{lower[:-1]}ies" if lower.endswith("y") else f"{lower}s"


def web(namespace: str, *, replicas: int = 1, name: str = "web", **pod_spec: Any) -> Raw:
    """An application as its users wrote it."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "example.com/app:1"}], **pod_spec},
            },
        },
    }


def model(namespace: str, repo: str, *, name: str = "chat", target: str | None = "web", **spec: Any) -> Raw:
    """A ModelDeployment as users write it."""
    return {
        "apiVersion": "pillion.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "model": {"repo": repo, **spec.pop("model", {})},
            **({"targetRef": {"name": target}} if target is not None else {}),
            **spec,
        },
    }
