"""What does the client make of the API server's answers? Against a small server that answers as one does."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from pillion.kube import resources
from pillion.kube.client import Cluster, Conflict, Forbidden, Gone, Invalid, KubeError, NotFound
from pillion.kube.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def cluster(handler: Handler) -> AsyncIterator[Cluster]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    found = Cluster(Credentials(server=f"http://{host}:{port}", tls=None, token="t"))
    try:
        yield found
    finally:
        await found.close()
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(400, Invalid, id="bad request"),
        pytest.param(403, Forbidden, id="forbidden"),
        pytest.param(404, NotFound, id="not found"),
        pytest.param(409, Conflict, id="conflict"),
        pytest.param(410, Gone, id="gone"),
        pytest.param(422, Invalid, id="invalid"),
        pytest.param(500, KubeError, id="any other"),
    ],
)
async def test_a_refusal_has_a_class_and_the_servers_words(status: int, expected: type[KubeError]) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"message": "because"}, status=status)

    async with cluster(refuse) as found:
        with pytest.raises(expected, match="because") as caught:
            await found.get(resources.DEPLOYMENTS, "shop", "web")
    assert caught.value.status == status


async def test_a_busy_server_is_asked_again_when_it_says() -> None:
    asked = []

    async def busy_once(request: web.Request) -> web.Response:
        asked.append(request.headers["Authorization"])
        if len(asked) == 1:
            return web.Response(status=429, headers={"Retry-After": "0"})
        return web.json_response({"kind": "Deployment"})

    async with cluster(busy_once) as found:
        assert await found.get(resources.DEPLOYMENTS, "shop", "web") == {"kind": "Deployment"}
    assert asked == ["Bearer t", "Bearer t"]


async def test_a_long_list_comes_in_pages() -> None:
    async def paged(request: web.Request) -> web.Response:
        first = "continue" not in request.query
        metadata = {"resourceVersion": "7", **({"continue": "more"} if first else {})}
        return web.json_response({"items": [{"page": 1 if first else 2}], "metadata": metadata})

    async with cluster(paged) as found:
        assert await found.snapshot(resources.PODS) == ([{"page": 1}, {"page": 2}], "7")


async def watched(lines: list[dict[str, Any]]) -> list[str]:
    async def stream(request: web.Request) -> web.StreamResponse:
        assert request.query["resourceVersion"] == "5"
        response = web.StreamResponse()
        await response.prepare(request)
        for line in lines:
            await response.write(json.dumps(line).encode() + b"\n")
        return response

    async with cluster(stream) as found:
        return [kind async for kind, _ in found.watch(resources.PODS, "5")]


async def test_a_watch_gives_each_line_and_ends_with_the_answer() -> None:
    assert await watched([{"type": "ADDED", "object": {}}, {"type": "BOOKMARK", "object": {}}]) == [
        "ADDED",
        "BOOKMARK",
    ]


async def test_a_watch_from_too_old_a_version_is_gone() -> None:
    with pytest.raises(Gone, match="too old"):
        await watched([{"type": "ERROR", "object": {"code": 410, "message": "too old"}}])


async def test_a_server_that_is_not_there_is_an_error_with_status_0() -> None:
    found = Cluster(Credentials(server="http://127.0.0.1:9", tls=None))
    try:
        with pytest.raises(KubeError) as caught:
            await found.get(resources.PODS, "shop", "a")
    finally:
        await found.close()
    assert caught.value.status == 0
