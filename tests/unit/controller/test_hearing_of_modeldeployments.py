"""Is everything heard that happens to ModelDeployments, also what kopf's lists do not tell?"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pillion.controller.own_kind import OwnKind
from pillion.kube.client import Cluster
from pillion.kube.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pillion.kube.client import Raw
    from pillion.kube.resources import Resource

PATIENCE_SECONDS = 30


def model(name: str, version: int) -> Raw:
    return {
        "metadata": {"name": name, "namespace": "shop", "uid": name, "resourceVersion": str(version)},
        "spec": {},
    }


class ApiServer:
    """The few answers of an API server that kopf and the client ask for: one kind, its list and its watch."""

    def __init__(self) -> None:
        self.objects: dict[str, Raw] = {}
        self.version = 10
        self._events: asyncio.Queue[tuple[str, Raw]] = asyncio.Queue()

    def tell(self, kind: str, obj: Raw) -> None:
        """An event on the watch that is open, or will be."""
        self._events.put_nowait((kind, obj))

    def too_old(self) -> None:
        """The watch ends because its version is too old."""
        self.tell("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})

    async def kinds(self, request: web.Request) -> web.Response:
        """What kinds a group has: the one, and namespaces, without which kopf does not begin."""
        plural, kind = (
            ("namespaces", "Namespace")
            if request.path == "/api/v1"
            else ("modeldeployments", "ModelDeployment")
        )
        told = {"name": plural, "singularName": kind.lower(), "namespaced": kind != "Namespace", "kind": kind}
        return web.json_response({"resources": [{**told, "verbs": ["list", "watch", "get", "patch"]}]})

    async def groups(self, _request: web.Request) -> web.Response:
        """What groups there are beside the core one."""
        version = {"groupVersion": "pillion.dev/v1alpha1", "version": "v1alpha1"}
        group = {"name": "pillion.dev", "versions": [version], "preferredVersion": version}
        return web.json_response({"groups": [group]})

    async def core(self, _request: web.Request) -> web.Response:
        """The versions of the core group."""
        return web.json_response({"versions": ["v1"]})

    async def models(self, request: web.Request) -> web.StreamResponse:
        """A list, or a watch until its version is too old."""
        if "watch" not in request.query:
            metadata = {"resourceVersion": str(self.version)}
            return web.json_response({"metadata": metadata, "items": list(self.objects.values())})
        response = web.StreamResponse()
        await response.prepare(request)
        kind = ""
        while kind != "ERROR":
            kind, obj = await self._events.get()
            await response.write(json.dumps({"type": kind, "object": obj}).encode() + b"\n")
        return response


class Heard:
    """What a follower was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._more = asyncio.Event()

    def listed(self, _resource: Resource, objects: list[Raw], version: int) -> None:
        self._hear(f"listed {' '.join(obj['metadata']['name'] for obj in objects) or 'nothing'} at {version}")

    def changed(self, resource: Resource, obj: Raw) -> None:
        assert obj["kind"] == resource.kind
        self._hear(f"{obj['metadata']['name']} is at {obj['metadata']['resourceVersion']}")

    def ended(self, _resource: Resource, obj: Raw) -> None:
        self._hear(f"{obj['metadata']['name']} ended")

    async def line(self, wanted: str) -> None:
        """Wait until it was told."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while wanted not in self.lines:
                self._more.clear()
                await self._more.wait()

    def _hear(self, line: str) -> None:
        self.lines.append(line)
        self._more.set()


@pytest.fixture
async def api() -> AsyncIterator[tuple[ApiServer, Cluster]]:
    server = ApiServer()
    app = web.Application()
    app.router.add_get("/api", server.core)
    app.router.add_get("/api/v1", server.kinds)
    app.router.add_get("/apis", server.groups)
    app.router.add_get("/apis/pillion.dev/v1alpha1", server.kinds)
    app.router.add_get("/apis/pillion.dev/v1alpha1/modeldeployments", server.models)
    async with TestServer(app) as listener:
        cluster = Cluster(Credentials(server=str(listener.make_url("")).rstrip("/"), tls=None))
        yield server, cluster
        await cluster.close()


@pytest.fixture
async def heard(api: tuple[ApiServer, Cluster]) -> AsyncIterator[Heard]:
    follower, signals = Heard(), asyncio.Event()
    api[0].objects["chat"] = model("chat", 5)
    own = OwnKind(api[1], follower)
    task: asyncio.Task[Any] = asyncio.create_task(own.follow(signals=signals.set))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await own.listed.wait()
        await signals.wait()
    yield follower
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_is_there_is_listed_at_once(heard: Heard) -> None:
    assert "listed chat at 10" in heard.lines


async def test_events_are_passed_on(api: tuple[ApiServer, Cluster], heard: Heard) -> None:
    api[0].tell(
        "ADDED", {**model("code", 11), "apiVersion": "pillion.dev/v1alpha1", "kind": "ModelDeployment"}
    )
    await heard.line("code is at 11")

    api[0].tell(
        "DELETED", {**model("code", 12), "apiVersion": "pillion.dev/v1alpha1", "kind": "ModelDeployment"}
    )
    await heard.line("code ended")


async def test_the_last_one_that_ended_while_the_watch_was_too_old_is_missed(
    api: tuple[ApiServer, Cluster], heard: Heard
) -> None:
    server, _ = api
    server.objects.clear()
    server.version = 20
    server.too_old()

    await heard.line("listed nothing at 20")
