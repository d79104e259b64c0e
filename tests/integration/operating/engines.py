"""Who answers for the engines of simulated pods? This test's own players, at the pods' loopback addresses.

No container runs in a simulated pod. A player listens where the supervisor of a pod would, and answers `/status` from
the instruction that the pod has now: it serves it at once, unless the model is one that is to fail.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import threading
from typing import TYPE_CHECKING, Any

from aiohttp import web
from kubernetes.aio import client, config

if TYPE_CHECKING:
    from pathlib import Path

LOOK_SECONDS = 0.05
ENGINE = "pillion-"


class Players:
    """A thread that plays the supervisor of every pod that has an engine."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig
        self._instructions: dict[tuple[str, int], str] = {}
        self._runners: dict[tuple[str, int], web.AppRunner] = {}
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._stop = threading.Event()
        self.cannot_load: set[str] = set()  # repositories whose engine fails
        self.silent: set[str] = set()  # namespaces whose pods answer nothing

    def start(self) -> None:
        """Begin to play."""
        self._thread.start()

    def stop(self) -> None:
        """Close all listeners."""
        self._stop.set()
        self._thread.join(timeout=10)

    async def _run(self) -> None:
        configuration = client.Configuration()
        await config.load_kube_config(config_file=str(self._kubeconfig), client_configuration=configuration)
        async with client.ApiClient(configuration) as api:
            core = client.CoreV1Api(api)
            while not self._stop.is_set():
                with contextlib.suppress(client.ApiException, OSError):
                    await self._look(core)
                await asyncio.sleep(LOOK_SECONDS)
        await asyncio.gather(*(runner.cleanup() for runner in self._runners.values()))

    async def _look(self, core: client.CoreV1Api) -> None:
        answer = await core.list_pod_for_all_namespaces_without_preload_content(
            label_selector="pillion.dev/inject"
        )
        pods: list[dict[str, Any]] = json.loads(await answer.read())["items"]
        seen: dict[tuple[str, int], str] = {}
        for pod in pods:
            address = pod.get("status", {}).get("podIP")
            if not address or pod["metadata"]["namespace"] in self.silent:
                continue
            containers = pod["spec"]["containers"] + (pod["spec"].get("initContainers") or [])
            for container in containers:
                model = container["name"].removeprefix(ENGINE)
                text = pod["metadata"].get("annotations", {}).get(f"engine.pillion.dev/{model}")
                ports = [port["containerPort"] for port in container.get("ports") or []]
                # Other tests of the run have pods that only look as if they had an engine.
                if container["name"].startswith(ENGINE) and text is not None and ports:
                    seen[address, max(ports)] = text
        self._instructions = seen
        for place in [place for place in self._runners if place not in seen]:
            await self._runners.pop(place).cleanup()
        for place in [place for place in seen if place not in self._runners]:
            self._runners[place] = await self._listen(place)

    async def _listen(self, place: tuple[str, int]) -> web.AppRunner:
        async def status(request: web.Request) -> web.Response:
            after = request.query.get("after")
            waited = 0.0
            while waited < float(request.query.get("wait", "0")) and after == str(
                self._status(place)["serial"]
            ):
                await asyncio.sleep(LOOK_SECONDS)
                waited += LOOK_SECONDS
            return web.json_response(self._status(place))

        app = web.Application()
        app.router.add_get("/status", status)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, *place).start()
        return runner

    def _status(self, place: tuple[str, int]) -> dict[str, Any]:
        text = self._instructions.get(place, "")
        hashed = hashlib.sha256(text.encode()).hexdigest()[:16]
        told = json.loads(text) if text else {}
        answer: dict[str, Any] = {
            "serial": int(hashed[:8], 16),
            "state": "Serving",
            "hash": hashed,
            "serving": hashed,
            "revision": told.get("revision"),
            "bytesDone": 0,
            "bytesTotal": None,
            "failure": None,
            "restarts": 0,
            "engine": {"kvCacheTokens": 8192, "maxModelLen": 512},
        }
        if told.get("model", {}).get("repo") in self.cannot_load:
            answer |= {
                "state": "Failed",
                "serving": None,
                "failure": {
                    "reason": "EngineExited",
                    "message": "The engine ended with exit code 1 while it loaded the model.",
                    "hash": hashed,
                    "exitCode": 1,
                },
            }
        return answer
