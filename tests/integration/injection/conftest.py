"""What do the tests of injection share? The CRDs and the policies, installed once, and calls of the API server.

The calls are the API's own, not kubectl's: `kubectl apply --server-side` migrates field ownership first.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from kubernetes import client

from pillion import injection
from tests import corpus
from tests.cluster import processes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.corpus import Raw

CRDS = Path(__file__).parents[3] / "crds"
APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
PATHS = {
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "MutatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies",
    "MutatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings",
    "ValidatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "RuntimeClass": "/apis/node.k8s.io/v1/runtimeclasses",
    "Namespace": "/api/v1/namespaces",
}
NAMESPACED = {
    "Pod": ("/api/v1", "pods"),
    "PodTemplate": ("/api/v1", "podtemplates"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "StatefulSet": ("/apis/apps/v1", "statefulsets"),
    "DaemonSet": ("/apis/apps/v1", "daemonsets"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "Job": ("/apis/batch/v1", "jobs"),
    "CronJob": ("/apis/batch/v1", "cronjobs"),
    "ModelSidecar": ("/apis/pillion.dev/v1alpha1", "modelsidecars"),
}
MANAGER = {"fieldManager": "someone"}


class Refused(Exception):  # noqa: N818 - reads as what it says
    """The API server said no, in its own words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Api:
    """The calls of the API server that the tests make, with plain mappings."""

    def __init__(self, api_client: client.ApiClient) -> None:
        self._client = api_client

    def create(self, body: Raw, *, dry_run: bool = False, strict: bool = True) -> Raw:
        """Create an object; with `dry_run` the API server only says what it would have made of it."""
        query = {
            **MANAGER,
            **({"fieldValidation": "Strict"} if strict else {}),
            **({"dryRun": "All"} if dry_run else {}),
        }
        return self._call("POST", collection(body["kind"], body["metadata"].get("namespace")), body, query)

    def get(self, kind: str, namespace: str, name: str) -> Raw:
        """One object."""
        return self._call("GET", f"{collection(kind, namespace)}/{name}")

    def read(self, path: str) -> Raw:
        """Whatever is at a path."""
        return self._call("GET", path)

    def list(self, kind: str, namespace: str, labels: str = "") -> list[Raw]:
        """The objects of a kind, by name."""
        query = {"labelSelector": labels} if labels else {}
        items: list[Raw] = self._call("GET", collection(kind, namespace), query=query)["items"]
        return sorted(items, key=lambda item: str(item["metadata"]["name"]))

    def replace(self, body: Raw) -> Raw:
        """Write the whole object."""
        return self._call("PUT", _path(body), body, MANAGER)

    def apply(self, body: Raw, manager: str, *, force: bool = False) -> Raw:
        """Server-side apply as this field manager."""
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return self._call("PATCH", _path(body), body, query, APPLY)

    def patch(self, body: Raw, operations: list[Raw], manager: str = "pillion") -> Raw:
        """A JSON patch of the object."""
        return self._call("PATCH", _path(body), operations, {"fieldManager": manager}, JSON_PATCH)

    def delete(self, body: Raw) -> None:
        """Delete the object, and do not wait."""
        self._call("DELETE", _path(body))

    def _call(
        self,
        method: str,
        path: str,
        body: object = None,
        query: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> Raw:
        try:
            answer = self._client.call_api(
                method,
                self._client.configuration.host
                + path
                + ("?" + "&".join(f"{k}={v}" for k, v in (query or {}).items())),
                header_params={"Content-Type": content_type, "Accept": "application/json", **self._token()},
                body=body,
            )
            data = answer.read()
        except client.ApiException as error:
            raise _refusal(int(error.status or 0), str(error.body)) from error
        if answer.status >= 300:
            raise _refusal(int(answer.status), (data or b"").decode())
        found: Raw = json.loads(data)
        return found

    def _token(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], "", "GET", None)
        return headers


def collection(kind: str, namespace: str | None = None) -> str:
    """The path of a kind's objects."""
    if kind in PATHS:
        return PATHS[kind]
    group, plural = NAMESPACED[kind]
    return f"{group}/namespaces/{namespace}/{plural}"


def _path(body: Raw) -> str:
    return f"{collection(body['kind'], body['metadata'].get('namespace'))}/{body['metadata']['name']}"


def _refusal(status: int, body: str) -> Refused:
    try:
        return Refused(status, str(json.loads(body)["message"]))
    except (ValueError, KeyError, TypeError):
        return Refused(status, body)


def eventually(question: Callable[[], Any], *, seconds: float = 180.0) -> bool:
    """Whether the answer becomes true in time: admission learns of changed definitions late on a busy machine.

    Where the ModelSidecar's definition went and came back meanwhile, as in tests of the chart, the API server asks for
    the objects again after up to a minute (client-go, reflector: 30 s at most, and as much again at random).
    """
    return processes.wait_until(lambda: bool(question()), seconds=seconds)


@pytest.fixture(scope="session")
def api(api_client: client.ApiClient) -> Api:
    """The administrator's calls."""
    return Api(api_client)


@pytest.fixture(scope="session")
def installed(api: Api) -> Api:
    """An API server that has the CRDs, the policies, and the runtime classes that the corpus names."""
    wanted = [yaml.safe_load(path.read_text("utf-8")) for path in sorted(CRDS.glob("*.yaml"))]
    wanted += [
        {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": name}
        for name in ("nvidia", "sandbox")
    ]
    for body in [*wanted, *injection.policies()]:
        api.apply(body, "pillion-tests", force=True)
    return api


@pytest.fixture(scope="session")
def shop(installed: Api) -> str:
    """A namespace where the corpus's ModelSidecars are acted on, for tests that only try (by dry runs)."""
    name = f"shop-{secrets.token_hex(4)}"
    installed.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    with_sidecars(installed, name)
    return name


def with_sidecars(api: Api, namespace: str) -> None:
    """Write the corpus's ModelSidecars, and wait until a pod gets all of their engines.

    A policy sees a ModelSidecar a moment after it was written.
    """
    for sidecar in corpus.sidecars(namespace):
        assert eventually(lambda body=sidecar: _takes(api, body))
    models = [found["metadata"]["name"] for found in corpus.sidecars() if found["spec"]["formatVersion"] == 1]
    probe = corpus.situation("smallest").pod
    probe["metadata"] |= {
        "namespace": namespace,
        "annotations": {f"model.pillion.dev/{model}": "" for model in models},
    }

    def complete() -> bool:
        try:
            spec = api.create(probe, dry_run=True)["spec"]
        except Refused as error:
            if "serviceaccount" in str(error):  # the controller manager makes it a moment after the namespace
                return False
            raise
        return len(spec["containers"]) + len(spec.get("initContainers", [])) == 1 + len(models)

    assert eventually(complete)


def _takes(api: Api, sidecar: Raw) -> bool:
    try:
        api.create(sidecar)
    except Refused as error:
        if error.status == 404:  # the kind is not served yet
            return False
        raise
    return True
