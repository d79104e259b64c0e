"""What is known of an engine when its supervisor answers, is silent, or says something else?"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from pillion.controller import probes as probing
from pillion.controller.engine import EngineState
from pillion.controller.probes import Place, Probes
from pillion.controller.store import Key

KEY = Key("shop", "chat")


class Supervisor:
    """Answers `/status` as a supervisor does: at once, or when something changes."""

    def __init__(self) -> None:
        self.status: dict[str, Any] = {"serial": 1, "state": "Loading", "hash": "aa", "serving": None}
        self.asked: list[dict[str, str]] = []
        self.changed = asyncio.Event()

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        if request.query.get("after") == str(self.status["serial"]):
            await self.changed.wait()
        return web.Response(text=json.dumps(self.status), content_type="application/json")

    def becomes(self, **status: Any) -> None:
        self.status = {**self.status, "serial": self.status["serial"] + 1, **status}
        self.changed.set()


@pytest.fixture
async def supervisor() -> AsyncIterator[tuple[Supervisor, int]]:
    played = Supervisor()
    app = web.Application()
    app.router.add_get("/status", played.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield played, port
    played.changed.set()
    await runner.cleanup()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_change_wakes_the_model_and_nothing_is_asked_in_between(
    supervisor: tuple[Supervisor, int],
) -> None:
    played, port = supervisor
    woken: list[Key] = []
    probes = Probes(changed=woken.append)
    probes.follow(KEY, {Place(key=KEY, uid="p", address="127.0.0.1", port=port)})
    await until(lambda: probes.reports(KEY))
    assert probes.reports(KEY)["p"].state is EngineState.LOADING
    await until(lambda: len(played.asked) == 2)
    played.becomes(state="Serving", serving="aa")
    await until(lambda: len(woken) == 2)
    assert probes.reports(KEY)["p"].serving == "aa"
    assert played.asked[:2] == [{}, {"after": "1", "wait": str(probing.LONG_POLL_SECONDS)}]
    await probes.close()


async def test_a_pod_that_is_gone_is_followed_no_more(supervisor: tuple[Supervisor, int]) -> None:
    _, port = supervisor
    probes = Probes(changed=lambda _: None)
    probes.follow(KEY, {Place(key=KEY, uid="p", address="127.0.0.1", port=port)})
    await until(lambda: probes.reports(KEY))
    probes.follow(KEY, set())
    assert probes.reports(KEY) == {}
    await probes.close()


async def test_a_supervisor_that_never_answers_is_unreachable_after_a_while(
    monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    monkeypatch.setattr(probing, "UNREACHABLE_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(probing, "FIRST_RETRY_SECONDS", 0.01)
    woken: list[Key] = []
    probes = Probes(changed=woken.append)
    probes.follow(KEY, {Place(key=KEY, uid="p", address="127.0.0.1", port=unused_tcp_port)})
    await until(lambda: probes.unreachable(KEY))
    assert probes.unreachable(KEY) == {"p"}
    assert woken == [KEY, KEY]
    assert probes.reports(KEY) == {}
    await probes.close()


ODD_ANSWERS = [
    "[]",
    "no json",
    '{"serial": 1}',
    '{"serial": 1, "state": "Dancing"}',
    '{"serial": []}',
    '{"serial": 1, "state": "Loading", "bytesTotal": "x"}',
    '{"serial": 1, "state": "Loading", "failure": "none"}',
    "x" * 100_000,
]


@pytest.mark.parametrize("answer", ODD_ANSWERS)
async def test_what_is_no_status_is_no_answer(answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "UNREACHABLE_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(probing, "FIRST_RETRY_SECONDS", 0.01)

    async def odd(_: web.Request) -> web.Response:
        return web.Response(text=answer)

    app = web.Application()
    app.router.add_get("/status", odd)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    probes = Probes(changed=lambda _: None)
    probes.follow(KEY, {Place(key=KEY, uid="p", address="127.0.0.1", port=runner.addresses[0][1])})
    assert probes.asking(KEY)
    await until(lambda: probes.unreachable(KEY))
    assert probes.reports(KEY) == {}
    await probes.close()
    await runner.cleanup()
