"""What do the engines of running pods say about themselves?

One long poll a pod and model: the supervisor answers when something changes, so thousands of quiet engines cost
nothing. The API server is not involved. Where a supervisor does not answer, it is asked again with a back-off, and
after a while the pod counts as unreachable, which is not a failure of the engine.
"""

import asyncio
import ipaddress
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import aiohttp

from pillion.controller.engine import EngineReport
from pillion.controller.store import Key

__all__ = ["Place", "Probes"]

logger = logging.getLogger(__name__)

LONG_POLL_SECONDS = 240  # below the supervisor's own limit of 300
ANSWER_SECONDS = 15  # beyond the long poll, for the network and a busy pod
CONNECT_SECONDS = 5
FIRST_RETRY_SECONDS = 0.2
LONGEST_RETRY_SECONDS = 30.0
UNREACHABLE_AFTER_SECONDS = 30.0
# Nobody there, or somebody who does not speak as a supervisor does.
ODD_ANSWERS = (aiohttp.ClientError, TimeoutError, OSError, ValueError, TypeError, KeyError, AttributeError)
ANSWER_BYTES = 65536  # a status is well below 4 KiB; whoever sends more is no supervisor


class Place(NamedTuple):
    """One engine: which model, in which pod, and where its supervisor listens."""

    key: Key
    uid: str
    address: str
    port: int

    @property
    def url(self) -> str:
        """The supervisor's status."""
        host = f"[{self.address}]" if ipaddress.ip_address(self.address).version == 6 else self.address
        return f"http://{host}:{self.port}/status"


@dataclass(slots=True)
class _Watched:
    report: EngineReport | None = None
    unreachable: bool = False
    asked: bool = False  # whether the first question has had its answer, or none
    task: asyncio.Task[None] | None = None


class Probes:
    """The long polls of all engines that run."""

    def __init__(self, *, changed: Callable[[Key], None]) -> None:
        self._changed = changed
        self._watched: dict[Key, dict[Place, _Watched]] = {}
        self._session: aiohttp.ClientSession | None = None

    def follow(self, key: Key, places: set[Place]) -> None:
        """Follow exactly these engines of a model; what is followed already goes on."""
        watched = self._watched.setdefault(key, {})
        for place in [place for place in watched if place not in places]:
            _cancel(watched.pop(place))
        for place in places - watched.keys():
            entry = watched[place] = _Watched()
            entry.task = asyncio.create_task(self._follow(place, entry))
        if not watched:
            del self._watched[key]

    def reports(self, key: Key) -> dict[str, EngineReport]:
        """The last answers for a model, by pod uid."""
        found = self._watched.get(key, {})
        return {place.uid: watched.report for place, watched in found.items() if watched.report is not None}

    def unreachable(self, key: Key) -> frozenset[str]:
        """Uids of the pods whose supervisor has not answered for a while."""
        return frozenset(
            place.uid for place, watched in self._watched.get(key, {}).items() if watched.unreachable
        )

    def asking(self, key: Key) -> bool:
        """Whether a first question is under way: what the engines do will be known in a moment."""
        return any(not watched.asked for watched in self._watched.get(key, {}).values())

    async def close(self) -> None:
        """Stop following."""
        entries = [watched for folder in self._watched.values() for watched in folder.values()]
        self._watched.clear()
        for entry in entries:
            _cancel(entry)
        await asyncio.gather(
            *(entry.task for entry in entries if entry.task is not None), return_exceptions=True
        )
        if self._session is not None:
            await self._session.close()

    async def _follow(self, place: Place, watched: _Watched) -> None:
        loop = asyncio.get_running_loop()
        silent_since, failures = loop.time(), 0
        while True:
            try:
                report = await self._ask(
                    place, after=watched.report.serial if watched.report is not None else None
                )
            except ODD_ANSWERS as error:
                logger.debug("%s: %s does not answer: %s", place.key, place.url, error)
                failures += 1
                news, watched.asked = not watched.asked, True
                # One failure may be the network's; after the second, the last answer says nothing any more.
                unreachable = loop.time() - silent_since >= UNREACHABLE_AFTER_SECONDS
                if failures > 1 and (watched.report is not None or unreachable is not watched.unreachable):
                    watched.report, watched.unreachable = None, unreachable
                    news = True
                if news:
                    self._changed(place.key)
                await asyncio.sleep(
                    min(FIRST_RETRY_SECONDS * 2 ** min(failures - 1, 16), LONGEST_RETRY_SECONDS)
                )
                continue
            silent_since, failures, watched.asked = loop.time(), 0, True
            if watched.report != report or watched.unreachable:
                watched.report, watched.unreachable = report, False
                self._changed(place.key)

    async def _ask(self, place: Place, *, after: int | None) -> EngineReport:
        if self._session is None:
            # The pods' addresses are the cluster's own: a proxy of the environment is not asked.
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), trust_env=False)
        query = {} if after is None else {"after": str(after), "wait": str(LONG_POLL_SECONDS)}
        timeout = aiohttp.ClientTimeout(
            total=ANSWER_SECONDS + (0 if after is None else LONG_POLL_SECONDS), sock_connect=CONNECT_SECONDS
        )
        async with self._session.get(
            place.url, params=query, timeout=timeout, allow_redirects=False
        ) as response:
            response.raise_for_status()
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > ANSWER_BYTES:
                    raise ValueError(f"the answer has more than {ANSWER_BYTES} bytes")
        return EngineReport.from_status(_object(bytes(body)))


def _cancel(entry: _Watched) -> None:
    if entry.task is not None:
        entry.task.cancel()


def _object(text: bytes) -> dict[str, object]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("the answer is no JSON object")
    return found
