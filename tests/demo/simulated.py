"""The story where no container can run: a real control plane, simulated pods, and processes in place of containers.

The API server, admission, rollout and operator are the real ones. What a pod's containers would be runs as
processes on this machine, from the pod as admission made it: the supervisor with the stand-in engine, and the
application with the variables that its container was given.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.parse
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.cluster import controlplane
from tests.demo import showing
from tests.e2e.harness.application import NAME as APPLICATION
from tests.e2e.harness.application import Application, example
from tests.e2e.harness.cluster import Cluster, Space
from tests.e2e.harness.installation import REPOSITORY
from tests.e2e.harness.models import SMALL, Model
from tests.e2e.harness.waiting import NotYet, until
from tests.hub import models, server
from tests.operator_process import OperatorProcess
from tests.operator_process import install as install_manifests

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.demo.telling import Teller

Raw = dict[str, Any]

CLUSTER = "pillion-demo"
NAMESPACE = "demo"
MODEL = "chat"
SERVE_SECONDS = 60
INSTRUCTION = "engine.pillion.dev"
SUPERVISOR = REPOSITORY / "operator" / "pillion" / "supervisor" / "supervisor.py"
STANDIN = REPOSITORY / "tests" / "images" / "standin" / "vllm.py"
PROGRAM = REPOSITORY / "examples" / "app" / "app.py"


def story(tell: Teller, *, obstacle: str) -> None:
    """Tell it, from a control plane that starts to one that has gone."""
    tell.line(f"[bold]kind cannot run here.[/] {obstacle}")
    tell.line(
        "The same is shown on a real control plane with simulated pods: no container runs. What a pod's containers "
        "would be runs as processes here: the real supervisor with a stand-in for the engine, and the application."
    )
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pillion-demo.")))
        cluster, hub = _set_up(tell, stack, folder)
        space = Space(cluster=Cluster(kubeconfig=cluster.kubeconfig), namespace=NAMESPACE)
        application, model = Application(space=space), Model(space=space, name=MODEL)
        _application(tell, application)
        before = application.pod()
        _model_deployment(tell, model)
        with tell.step("The rollout brings a pod with the engine, and its processes start here"):
            application.rolled_out()
            pod = until("a pod with the engine", lambda: _injected(application), seconds=30)
            showing.pod(tell, before, pod, model=MODEL)
            stack.enter_context(_engine(pod, folder=folder, hub_url=hub.url))
            ask = stack.enter_context(_played_application(pod, folder=folder))
        with tell.step("The model serves") as progress:
            showing.conditions(progress, model, seconds=SERVE_SECONDS)
        with tell.step("The plan: what was chosen, and why"):
            showing.plan(tell, model.object())
        with tell.step("The answer that the application gets through OPENAI_BASE_URL"):
            showing.environment(tell, _variables(pod, "app"))
            tell.said(ask("Who are you?"))
        with tell.step(
            f"Another model in the same pod: spec.model.repo becomes {models.TINY_STAR}"
        ) as progress:
            with _instruction_follows(application, pod, folder=folder):
                model.change(model={"repo": models.TINY_STAR})
                showing.conditions(progress, model, seconds=SERVE_SECONDS)
            tell.said(ask("Who are you?"))
        tell.end(
            [
                "  Install and start Docker, or run this as root on Linux, and `make demo` shows containers that run.",
                "  make integration   # what the tests do on this kind of control plane",
                "",
                "Everything that was started is being stopped; what was built stays in the cache for the next time.",
            ]
        )


def _set_up(
    tell: Teller, stack: contextlib.ExitStack, folder: Path
) -> tuple[controlplane.ControlPlane, server.Hub]:
    with tell.step("A control plane, and Pillion on it") as progress:
        cluster = controlplane.start(f"{CLUSTER}-{os.getpid()}", nodes=1, progress=progress)
        stack.callback(cluster.stop)
        hub = stack.enter_context(server.start())
        install_manifests(cluster)
        operator = OperatorProcess(cluster, hub_url=hub.url, folder=folder)
        stack.callback(operator.stop)
        operator.start()
        tell.line(f"Kubernetes {cluster.kubernetes_version}, one node played by KWOK; `pillion run` leads.")
    return cluster, hub


def _application(tell: Teller, application: Application) -> None:
    space = application.space
    with tell.step("An application that already serves, and knows nothing of Pillion (examples/app)"):
        space.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        until("the namespace to take pods", lambda: _has_account(space), seconds=30)
        space.apply(*example(space.cluster)[0])
        application.rolled_out()
        tell.line(f"Pod {application.pod()['metadata']['name']}.")


def _model_deployment(tell: Teller, model: Model) -> None:
    wanted = {
        "apiVersion": "pillion.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": MODEL},
        "spec": {
            "model": {"repo": models.TINY_RIVER},
            "targetRef": {"name": APPLICATION},
            "engine": {"resources": SMALL},
        },
    }
    with tell.step("A ModelDeployment: this model, beside that application"):
        tell.yaml(yaml.safe_dump(wanted, sort_keys=False))
        model.space.apply(wanted)


def _injected(application: Application) -> Raw:
    for pod in application.pods():
        if f"{INSTRUCTION}/{MODEL}" in pod["metadata"].get("annotations", {}) and pod["status"].get("podIP"):
            return pod
    raise NotYet("pods without one")


@contextlib.contextmanager
def _engine(pod: Raw, *, folder: Path, hub_url: str) -> Iterator[None]:
    """The supervisor of a pod, as its container would run it, with the stand-in as `vllm`."""
    for name in ("bin", "cache", "shm"):
        (folder / name).mkdir()
    (folder / "bin" / "vllm").write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STANDIN}" "$@"\n')
    (folder / "bin" / "vllm").chmod(0o755)
    _write_instruction(pod, folder)
    port = max(
        int(each["containerPort"])
        for container in pod["spec"]["containers"]
        if container["name"] == f"pillion-{MODEL}"
        for each in container["ports"]
    )
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ.get('PATH', os.defpath)}",
        "HF_ENDPOINT": hub_url,
        "HF_HOME": str(folder / "cache" / "hf"),
        "STANDIN_SHM": str(folder / "shm"),
        "NO_PROXY": "127.0.0.1",
    }
    command = [
        *(sys.executable, str(SUPERVISOR), f"--port={port}", f"--instruction={folder / 'instruction'}"),
        *(f"--cache={folder / 'cache'}", f"--shm={folder / 'shm'}"),
    ]
    with _process(command, environment=environment, log=folder / "engine.log"):
        yield


@contextlib.contextmanager
def _played_application(pod: Raw, *, folder: Path) -> Iterator[Any]:
    """The example application with its container's variables; what it yields asks it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {**os.environ, **_variables(pod, "app"), "PORT": str(port), "NO_PROXY": "127.0.0.1"}

    def ask(question: str) -> str:
        url = f"http://127.0.0.1:{port}/ask?q={urllib.parse.quote(question)}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=30) as response:
            return str(json.load(response)["answer"])

    with _process([sys.executable, str(PROGRAM)], environment=environment, log=folder / "app.log"):
        yield ask


@contextlib.contextmanager
def _process(command: list[str], *, environment: Mapping[str, str], log: Path) -> Iterator[None]:
    with log.open("w") as said:
        running = subprocess.Popen(command, env=dict(environment), stdout=said, stderr=said)
    try:
        yield
    finally:
        running.terminate()
        running.wait()


@contextlib.contextmanager
def _instruction_follows(application: Application, pod: Raw, *, folder: Path) -> Iterator[None]:
    """As the kubelet keeps a downwardAPI volume: the file follows the pod's annotation."""
    name = pod["metadata"]["name"]
    with application.space.watch("pods", name=name) as watch:
        over = threading.Event()

        def follow() -> None:
            while not over.wait(0.1):
                _write_instruction(watch.sights[-1].object, folder)

        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        try:
            yield
        finally:
            over.set()
            follower.join()


def _write_instruction(pod: Raw, folder: Path) -> None:
    text = pod["metadata"]["annotations"][f"{INSTRUCTION}/{MODEL}"]
    place = folder / "instruction"
    if not place.exists() or place.read_text() != text:
        (folder / "instruction.new").write_text(text)
        (folder / "instruction.new").replace(place)


def _variables(pod: Raw, container: str) -> dict[str, str]:
    [found] = [each for each in pod["spec"]["containers"] if each["name"] == container]
    return {each["name"]: each["value"] for each in found.get("env", ()) if "value" in each}


def _has_account(space: Space) -> None:
    if space.get("serviceaccount", "default") is None:
        raise NotYet("no service account `default`")
