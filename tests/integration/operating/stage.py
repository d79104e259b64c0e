"""What does a test of the operator act on? A control plane, a Hub, played engines, and the operator as a process.

The operator runs as `pillion run` with the chart's own service account and rights; everything that the chart installs
but the operator's Deployment is installed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.integration.operating.engines import Players

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.controlplane import ControlPlane
    from tests.hub.server import Hub

ROOT = Path(__file__).parents[3]
NAMESPACE = "pillion-system"
USER = f"system:serviceaccount:{NAMESPACE}:pillion"
PATIENCE_SECONDS = 30.0

Raw = dict[str, Any]


class Stage:
    """One cluster with everything that Pillion needs, and short words for what tests do there."""

    def __init__(self, control_plane: ControlPlane, hub: Hub, folder: Path) -> None:
        self.cluster = control_plane
        self.hub = hub
        self.engines = Players(control_plane.kubeconfig)
        self.log = folder / "operator.log"
        self._operator: subprocess.Popen[bytes] | None = None
        self._install()
        self.engines.start()

    def close(self) -> None:
        """Stop what was started."""
        self.stop_operator()
        self.engines.stop()

    def _install(self) -> None:
        documents = yaml.safe_load_all((ROOT / "manifests" / "pillion.yaml").read_text())
        wanted = [document for document in documents if document and document["kind"] != "Deployment"]
        self.apply(*wanted)
        self.cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")

    def start_operator(self, **settings: str) -> None:
        """Run the operator until `stop_operator`, and wait until it leads."""
        kubeconfig = self.cluster.service_account_kubeconfig(NAMESPACE, "pillion")
        port = _free_port()
        env = {
            **{key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")},
            "HF_ENDPOINT": self.hub.url,
            "HF_HOME": str(self.log.parent / "hf"),
            "PILLION_NAMESPACE": NAMESPACE,
            "PILLION_HTTP_PORT": str(port),
            "PILLION_HTTP_HOST": "127.0.0.1",
            "PILLION_EVICTION_INTERVAL_SECONDS": "0.5",
            "PILLION_LEADER_ELECTION": "false",
            "PYTHONPATH": str(ROOT / "operator"),
            **settings,
        }
        command = [sys.executable, "-m", "pillion.cli", "run", "--kubeconfig", str(kubeconfig)]
        with self.log.open("ab") as log:
            self._operator = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        self.port = port
        self.until(self._leads, "the operator leads")

    def _leads(self) -> bool:
        assert self._operator is not None
        assert self._operator.poll() is None, f"the operator ended: {self.log.read_text()[-3000:]}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                return bool(answer.read().strip() == b"leading")
        except OSError:
            return False

    @property
    def running(self) -> bool:
        """Whether the operator runs."""
        return self._operator is not None and self._operator.poll() is None

    @property
    def pid(self) -> int:
        """The operator's process."""
        assert self._operator is not None
        return self._operator.pid

    def stop_operator(self) -> None:
        """End the operator as Kubernetes would."""
        if self._operator is not None and self._operator.poll() is None:
            self._operator.send_signal(signal.SIGTERM)
            self._operator.wait(timeout=20)
        self._operator = None

    # What users do

    def apply(self, *objects: Raw) -> None:
        """`kubectl apply --server-side` of objects, as a user."""
        text = yaml.safe_dump_all(objects)
        self.cluster.kubectl("apply", "--server-side", "--field-manager=user", "-f", "-", stdin=text)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object and wait for nothing."""
        self.cluster.kubectl("delete", kind, name, "--namespace", namespace, "--wait=false")

    def get(self, kind: str, namespace: str, name: str) -> Raw | None:
        """An object, or None."""
        text = self.cluster.kubectl(
            "get",
            kind,
            name,
            "--namespace",
            namespace,
            "--ignore-not-found",
            "--output=json",
            "--show-managed-fields",
        )
        return None if not text.strip() else dict(json.loads(text))

    def list(self, kind: str, namespace: str, *more: str) -> list[Raw]:
        """Objects of a namespace."""
        answer = json.loads(
            self.cluster.kubectl("get", kind, "--namespace", namespace, "--output=json", *more)
        )
        return list(answer["items"])

    # What tests wait for

    def until(self, condition: Callable[[], object], what: str, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until a condition holds; where it never does, say what was expected, and what the operator logged."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                tail = self.log.read_text()[-3000:] if self.log.exists() else ""
                raise AssertionError(
                    f"after {seconds} s it is still not so that {what}\noperator's log:\n{tail}"
                )
            time.sleep(0.05)

    def condition(self, namespace: str, name: str, kind: str) -> Raw:
        """One condition of a ModelDeployment; empty before it is written."""
        found = self.get("modeldeployments.pillion.dev", namespace, name)
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
        found = self.get("modeldeployments.pillion.dev", namespace, name)
        assert found is not None
        return found

    def events(self, namespace: str, kind: str, name: str) -> set[str]:
        """Reasons of the events about an object."""
        return {
            event["reason"]
            for event in self.list("events.events.k8s.io", namespace)
            if event["regarding"]["kind"] == kind and event["regarding"]["name"] == name
        }

    def log_says_nothing_wrong(self) -> None:
        """The operator's log has no traceback and no right that it lacks."""
        text = self.log.read_text()
        assert "Traceback" not in text, text[-4000:]
        assert "forbidden" not in text.lower(), text[-4000:]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
