"""How does the operator run beside a control plane out of processes? As `pillion run`, with the chart's rights.

Everything that the chart installs but the operator's Deployment is installed; the operator is a process on this
machine with the chart's own service account, so that a missing right shows and its requests can be told apart.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.cluster import processes
from tests.cluster.controlplane import ControlPlaneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cluster.controlplane import ControlPlane

ROOT = Path(__file__).parents[1]
NAMESPACE = "pillion-system"
SERVICE_ACCOUNT = "pillion"
USER = f"system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}"
START_SECONDS = 30.0
STOP_SECONDS = 20.0
POLL_SECONDS = 0.02


def install(cluster: ControlPlane) -> None:
    """Apply the manifests, all but the operator's Deployment, and wait until the kinds are served."""
    documents = yaml.safe_load_all((ROOT / "manifests" / "pillion.yaml").read_text())
    wanted = [document for document in documents if document and document["kind"] != "Deployment"]
    # Other tests of the run have put the same definitions there, under other field managers.
    cluster.kubectl(
        "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=yaml.safe_dump_all(wanted)
    )
    until_served(cluster)


def until_served(cluster: ControlPlane) -> None:
    """Wait until all kinds that are installed are served."""

    def served() -> bool:
        # kubectl itself fails on one that has no conditions yet.
        with contextlib.suppress(ControlPlaneError):
            cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
            return True
        return False

    assert processes.wait_until(served, seconds=START_SECONDS), "the installed kinds are not served"


class OperatorProcess:
    """The operator of one cluster; `start` and `stop` as often as a test likes."""

    def __init__(self, cluster: ControlPlane, *, hub_url: str, folder: Path) -> None:
        self._cluster = cluster
        self._hub_url = hub_url
        self.log = folder / "operator.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def start(self, *, under: Sequence[str] = (), **settings: str) -> None:
        """Run until `stop`, and return when it leads.

        Args:
            under: what the interpreter is told before the module, for example `-m cProfile -o FILE`.
            settings: environment variables.
        """
        kubeconfig = self._cluster.service_account_kubeconfig(NAMESPACE, SERVICE_ACCOUNT)
        self._port = _free_port()
        env = {
            # The addresses are this machine's own: a proxy of the environment is not asked.
            **{key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")},
            "HF_ENDPOINT": self._hub_url,
            "HF_HOME": str(self.log.parent / "hf"),
            "PILLION_NAMESPACE": NAMESPACE,
            "PILLION_HTTP_PORT": str(self._port),
            "PILLION_HTTP_HOST": "127.0.0.1",
            "PYTHONPATH": str(ROOT / "operator"),
            **settings,
        }
        command = [sys.executable, *under, "-m", "pillion.cli", "run", "--kubeconfig", str(kubeconfig)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._leads():
            assert time.monotonic() < deadline, f"the operator does not lead: {self.told()}"
            time.sleep(POLL_SECONDS)

    def _leads(self) -> bool:
        assert self.running, f"the operator ended: {self.told()}"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/readyz", timeout=5) as answer:
                return bool(answer.read().strip() == b"leading")
        except OSError:
            return False

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def told(self) -> str:
        """The end of its log."""
        return self.log.read_text()[-3000:] if self.log.exists() else ""

    def stop(self) -> None:
        """End it as Kubernetes would."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=STOP_SECONDS)
        self._process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
