"""Is the operator alive, does it lead, and what are its numbers? A small HTTP server for probes and Prometheus.

A follower is ready too: it stands by, and a rollout of the operator must not wait for it to lead.
"""

from dataclasses import dataclass

from aiohttp import web

from pillion.controller.metrics import Metrics
from pillion.controller.settings import Settings

__all__ = ["State", "serve"]

SHUTDOWN_SECONDS = 1.0  # for answers under way; the library's own minute is longer than a pod's grace period


@dataclass(slots=True)
class State:
    """What the probes tell."""

    leading: bool = False


async def serve(settings: Settings, metrics: Metrics, state: State) -> web.AppRunner:
    """Start answering; the caller ends it with `cleanup()`."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        return web.Response(text="leading\n" if state.leading else "standing by\n")

    async def exposition(_: web.Request) -> web.Response:
        return web.Response(body=metrics.exposition(), content_type="text/plain", charset="utf-8")

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", exposition)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    await web.TCPSite(runner, settings.http_host, settings.http_port).start()
    return runner
