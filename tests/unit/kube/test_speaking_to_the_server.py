"""What does the client make of the API server's answers? Against a small server that answers as one does."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from pillion.kube import client, resources
from pillion.kube.client import Cluster, Conflict, Forbidden, Gone, Invalid, KubeError, NotFound
from pillion.kube.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def cluster(handler: Handler, *, token_file: Path | None = None) -> AsyncIterator[Cluster]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    server = f"http://{host}:{port}"
    found = Cluster(Credentials(server=server, tls=None, token="t", token_file=token_file))
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
        return web.json_response({"metadata": {"name": "web"}})

    async with cluster(busy_once) as found:
        assert await found.get(resources.DEPLOYMENTS, "shop", "web") == {"metadata": {"name": "web"}}
    assert asked == ["Bearer t", "Bearer t"]


async def test_a_server_that_stays_busy_is_told_with_how_often_it_was_asked() -> None:
    async def busy(_: web.Request) -> web.Response:
        return web.json_response({"message": "later"}, status=429, headers={"Retry-After": "0"})

    async with cluster(busy) as found:
        with pytest.raises(KubeError, match="refused 5 times: later") as caught:
            await found.get(resources.PODS, "shop", "a")
    assert caught.value.status == 429


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        pytest.param("7", 7.0, id="seconds"),
        pytest.param("86400", 30.0, id="a day"),
        pytest.param("Wed, 21 Oct 2026 07:28:00 GMT", 1.0, id="a date"),
        pytest.param("-3", 1.0, id="less than nothing"),
        pytest.param("", 1.0, id="nothing"),
    ],
)
def test_how_long_a_busy_server_is_left_alone(said: str, seconds: float) -> None:
    assert client._seconds_away(said) == seconds


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("<html>log in</html>", id="a login page"),
        pytest.param("", id="nothing"),
        pytest.param('{"metadata": {"na', id="half an object"),
        pytest.param('{"error": "sign in"}', id="an object without metadata"),
        pytest.param("[]", id="a list"),
    ],
)
async def test_an_answer_that_is_none_of_an_api_server_is_an_error(body: str) -> None:
    async def portal(_: web.Request) -> web.Response:
        return web.Response(text=body)

    async with cluster(portal) as found:
        with pytest.raises(KubeError, match="GET /api/v1/pods: the answer is no Kubernetes JSON") as caught:
            await found.snapshot(resources.PODS)
    assert caught.value.status == 0


@pytest.mark.parametrize("line", ['{"type": "ADDED", "obj', "<html>", '{"type": "ADDED"}', "[]"])
async def test_a_line_of_a_watch_that_is_no_event_is_an_error(line: str) -> None:
    async def stream(_: web.Request) -> web.Response:
        return web.Response(text=line)

    async with cluster(stream) as found:
        with pytest.raises(KubeError, match="no Kubernetes JSON"):
            [_ async for _ in found.watch(resources.PODS, "5")]


async def asks_with(token: str, file: Path) -> list[str]:
    """What the server was asked with that only knows one token, while the file gets it after the first ask."""
    asked: list[str] = []
    write = file.write_text

    async def knows_one(request: web.Request) -> web.Response:
        asked.append(request.headers["Authorization"])
        write("new")
        known = asked[-1] == f"Bearer {token}"
        return web.json_response({"metadata": {}}, status=200 if known else 401)

    write("old")
    async with cluster(knows_one, token_file=file) as found:
        with contextlib.suppress(KubeError):
            await found.get(resources.PODS, "shop", "a")
    return asked


async def test_a_token_that_is_refused_is_read_anew_at_once(tmp_path: Path) -> None:
    assert await asks_with("new", tmp_path / "token") == ["Bearer old", "Bearer new"]


async def test_a_token_that_is_refused_twice_is_not_tried_again(tmp_path: Path) -> None:
    assert await asks_with("another", tmp_path / "token") == ["Bearer old", "Bearer new"]


async def test_a_watch_that_is_refused_has_the_token_read_anew(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old")

    async def refuse(_: web.Request) -> web.Response:
        (tmp_path / "token").write_text("new")
        return web.json_response({"message": "Unauthorized"}, status=401)

    async with cluster(refuse, token_file=tmp_path / "token") as found:
        with pytest.raises(KubeError, match="Unauthorized"):
            [_ async for _ in found.watch(resources.PODS, "5")]
        assert await found.credentials.authorization() == "Bearer new"


async def test_a_token_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    async def never(_: web.Request) -> web.Response:
        raise AssertionError

    async with cluster(never, token_file=tmp_path / "missing") as found:
        with pytest.raises(KubeError, match="was not sent: the token's file cannot be read"):
            await found.get(resources.PODS, "shop", "a")
        with pytest.raises(KubeError, match="was not asked for: the token's file cannot be read"):
            [_ async for _ in found.watch(resources.PODS, "5")]


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
