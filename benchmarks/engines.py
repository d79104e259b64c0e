"""Who answers for the engines of simulated pods, ten thousand of them if need be?

No container runs in a simulated pod. All pods of a model follow the same instruction and have the same port, and Linux
routes all of 127.0.0.0/8 to this machine; so one listener a model, on all addresses, is the supervisor of each of its
pods. It serves at once what it is told. A long poll is answered when the instruction changes, else when its time is
over, as a supervisor does it. A program of its own, so that its CPU is nobody else's:

    python -m benchmarks.engines KUBECONFIG NAMESPACE
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from benchmarks.api import MODEL_SIDECARS, Api

if TYPE_CHECKING:
    from collections.abc import Iterator

READY = "playing"
FIRST_PORT = 20_000  # below the ports that Linux gives to outgoing connections, above those that plans take
PORTS_PER_CLUSTER = 48


def ports(pod_network: str) -> Iterator[int]:
    """Ports for `spec.engine.port` that engines of another cluster on this machine do not have.

    Args:
        pod_network: the cluster's first addresses of pods, for example "127.70.0.0/16".
    """
    first = FIRST_PORT + int(pod_network.split(".")[1]) * PORTS_PER_CLUSTER
    return iter(range(first, first + PORTS_PER_CLUSTER, 2))


class Supervisor:
    """What the pods of one model say."""

    def __init__(self) -> None:
        self._text = ""
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None

    def instruct(self, text: str) -> None:
        """The pods follow another instruction from now on."""
        if text != self._text:
            self._text = text
            self._changed.set()
            self._changed = asyncio.Event()

    def status(self) -> dict[str, Any]:
        """The answer to `/status`."""
        told = json.loads(self._text)
        # The hash by which the operator knows an instruction (docs/architecture.md).
        name = hashlib.sha256(self._text.encode()).hexdigest()[:16]
        return {
            "serial": int(name[:8], 16),
            "state": "Serving",
            "hash": name,
            "serving": name,
            "revision": told.get("revision"),
            "bytesDone": 0,
            "bytesTotal": None,
            "failure": None,
            "restarts": 0,
            "engine": {"kvCacheTokens": 8192, "maxModelLen": 512},
        }

    async def listen(self, port: int) -> None:
        """On all addresses of this machine."""
        app = web.Application()
        app.router.add_get("/status", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "0.0.0.0", port, backlog=4096).start()  # noqa: S104 - all of 127.0.0.0/8

    async def _answer(self, request: web.Request) -> web.Response:
        if request.query.get("after") == str(self.status()["serial"]):
            try:
                async with asyncio.timeout(float(request.query.get("wait", "0"))):
                    await self._changed.wait()
            except TimeoutError:
                pass  # the answer is the same as before
        return web.json_response(self.status())


async def run(kubeconfig: Path, namespace: str) -> None:
    """Play until the process ends."""
    api = Api.connect(kubeconfig)
    playing: dict[str, Supervisor] = {}
    listed, version = await api.list(MODEL_SIDECARS, namespace)
    assert not listed, "the engines begin to play before there are any"
    print(READY, flush=True)
    async for event in api.watch(MODEL_SIDECARS, namespace, version):
        if event.type == "DELETED":
            continue
        name, text = event.object["metadata"]["name"], event.object["spec"]["instruction"]
        port = int(json.loads(text)["port"])
        if port < FIRST_PORT:
            continue  # one without pods
        if name not in playing:
            playing[name] = Supervisor()
            playing[name].instruct(text)
            await playing[name].listen(port + 1)
        playing[name].instruct(text)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), sys.argv[2]))
