"""Is everything heard that happens to ModelDeployments, also what kopf's lists do not tell?"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, web
from aiohttp.test_utils import TestServer

from pillion.controller.own_kind import OwnKind
from pillion.kube.client import Cluster, KubeError
from pillion.kube.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

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
            if request.path.endswith("/api/v1")
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


@contextlib.asynccontextmanager
async def serving(server: ApiServer, *, below: str = "") -> AsyncIterator[Cluster]:
    """A client of the server, whose paths may begin below another one."""
    app = web.Application()
    app.router.add_get(f"{below}/api", server.core)
    app.router.add_get(f"{below}/api/v1", server.kinds)
    app.router.add_get(f"{below}/apis", server.groups)
    app.router.add_get(f"{below}/apis/pillion.dev/v1alpha1", server.kinds)
    app.router.add_get(f"{below}/apis/pillion.dev/v1alpha1/modeldeployments", server.models)
    async with TestServer(app) as listener:
        cluster = Cluster(Credentials(server=str(listener.make_url(below)).rstrip("/"), tls=None))
        yield cluster
        await cluster.close()


@contextlib.asynccontextmanager
async def running(own: OwnKind) -> AsyncIterator[asyncio.Task[None]]:
    """Not a fixture: kopf, at its end, cancels every task that began after it, and so one that tears fixtures down."""
    signals = asyncio.Event()
    task = asyncio.create_task(own.follow(signals=signals.set))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await signals.wait()
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def api() -> AsyncIterator[tuple[ApiServer, Cluster]]:
    server = ApiServer()
    async with serving(server) as cluster:
        yield server, cluster


@contextlib.asynccontextmanager
async def hearing(api: tuple[ApiServer, Cluster]) -> AsyncIterator[Heard]:
    server, cluster = api
    server.objects["chat"] = model("chat", 5)
    follower = Heard()
    async with running(OwnKind(cluster, follower)):
        await follower.line("listed chat at 10")
        yield follower


async def test_events_are_passed_on_after_the_list(api: tuple[ApiServer, Cluster]) -> None:
    kind = {"apiVersion": "pillion.dev/v1alpha1", "kind": "ModelDeployment"}
    async with hearing(api) as heard:
        api[0].tell("ADDED", {**model("code", 11), **kind})
        await heard.line("code is at 11")

        api[0].tell("DELETED", {**model("code", 12), **kind})
        await heard.line("code ended")


async def test_the_process_is_told_of_its_end_and_not_kopf(api: tuple[ApiServer, Cluster]) -> None:
    _, cluster = api
    own, stop, loop = OwnKind(cluster, Heard()), asyncio.Event(), asyncio.get_running_loop()
    task = asyncio.create_task(own.follow(signals=lambda: loop.add_signal_handler(signal.SIGTERM, stop.set)))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await own.listed.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await stop.wait()
    assert not task.done()
    loop.remove_signal_handler(signal.SIGTERM)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_the_last_one_that_ended_while_the_watch_was_too_old_is_missed(
    api: tuple[ApiServer, Cluster],
) -> None:
    server, _ = api
    async with hearing(api) as heard:
        server.objects.clear()
        server.version = 20
        server.too_old()

        await heard.line("listed nothing at 20")


async def test_a_server_whose_paths_begin_below_another_one_is_heard() -> None:
    server, follower = ApiServer(), Heard()
    server.objects["chat"] = model("chat", 5)
    async with serving(server, below="/k8s/clusters/c-1") as cluster, running(OwnKind(cluster, follower)):
        await follower.line("listed chat at 10")


async def test_a_server_that_knows_nobody_is_asked_ever_more_seldom(tmp_path: Path) -> None:
    waits: list[float] = []
    asked: list[str] = []
    enough = asyncio.Event()
    token = tmp_path / "token"
    token.write_text("0")

    async def refuse(request: web.Request) -> web.Response:
        asked.append(request.headers["Authorization"])
        return web.json_response({"message": "Unauthorized"}, status=401)

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        token.write_text(str(len(waits)))
        if len(waits) == 7:
            enough.set()
            await asyncio.Event().wait()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    async with TestServer(app) as listener:
        address = str(listener.make_url("")).rstrip("/")
        cluster = Cluster(Credentials(server=address, tls=None, token_file=token))
        async with running(OwnKind(cluster, Heard(), clock=lambda: 0.0, sleep=sleep)):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await enough.wait()
        await cluster.close()

    assert waits == [1, 2, 4, 8, 16, 30, 30]
    assert list(dict.fromkeys(asked)) == [f"Bearer {number}" for number in range(7)]


async def test_a_login_that_was_good_for_long_is_renewed_at_once() -> None:
    times = iter([0.0, 3600.0, 3600.0])
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    cluster = Cluster(Credentials(server="http://127.0.0.1:9", tls=None, token="t"))
    own = OwnKind(cluster, Heard(), clock=lambda: next(times), sleep=sleep)
    for _ in range(2):
        await (await own._session()).aiohttp_session.close()
    await cluster.close()
    assert waits == []


async def test_a_list_that_fails_is_asked_for_again_after_ever_longer_waits(
    api: tuple[ApiServer, Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, cluster = api
    follower, waits = Heard(), []
    snapshot = cluster.snapshot

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            monkeypatch.setattr(cluster, "snapshot", snapshot)

    async def fail(*_: object, **__: object) -> None:
        raise KubeError(0, "the answer is no Kubernetes JSON")

    monkeypatch.setattr(cluster, "snapshot", fail)
    async with running(OwnKind(cluster, follower, sleep=sleep)):
        await follower.line("listed nothing at 10")
    assert waits == [0.2, 0.4, 0.8]


async def test_a_mistake_of_ours_in_what_a_list_brings_ends_the_following(
    api: tuple[ApiServer, Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Heard()

    def fail(*_: object) -> None:
        raise LookupError("a mistake")

    monkeypatch.setattr(follower, "listed", fail)
    async with running(OwnKind(api[1], follower)) as task, asyncio.timeout(PATIENCE_SECONDS):
        with pytest.raises(LookupError, match="a mistake"):
            await task


async def test_a_server_whose_certificate_has_another_name_is_asked_by_that_name() -> None:
    cluster = Cluster(Credentials(server="http://127.0.0.1:9", tls=None, server_name="kubernetes.default"))
    session = (await OwnKind(cluster, Heard())._session()).aiohttp_session
    asked: list[str | None] = []

    async def answer(request: ClientRequest, _handler: ClientHandlerType) -> ClientResponse:
        asked.append(request.server_hostname)
        raise LookupError

    session._middlewares = (*session._middlewares, answer)  # sees the request as the ones before it left it
    with pytest.raises(LookupError):
        await session.get("http://127.0.0.1:9")
    await session.close()
    await cluster.close()
    assert asked == ["kubernetes.default"]
