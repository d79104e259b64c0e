"""How does a benchmark speak to the API server, as cheaply as it can on cores that it shares with what it measures?

Bare aiohttp and JSON. The floor uses it too, so that floor and benchmark are the same code.
"""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlencode

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence

Raw = dict[str, Any]

GROUP, VERSION = "pillion.dev", "v1alpha1"
FLOOR_GROUP = "floor.benchmark"

# The whole of an event as one line: the largest object here is a Deployment or a ModelSidecar of some 10 KiB.
LINE_BYTES = 2**20


class ApiError(Exception):
    """The API server refused a request; the message is its answer."""


@dataclass(frozen=True, slots=True)
class Collection:
    """Where the objects of one kind are."""

    prefix: str
    plural: str

    def path(self, namespace: str = "", name: str = "") -> str:
        """The collection, of all namespaces where none is named, or one object."""
        within = f"/namespaces/{namespace}" if namespace else ""
        return f"{self.prefix}{within}/{self.plural}" + (f"/{name}" if name else "")


MODEL_DEPLOYMENTS = Collection(f"/apis/{GROUP}/{VERSION}", "modeldeployments")
MODEL_SIDECARS = Collection(f"/apis/{GROUP}/{VERSION}", "modelsidecars")
DEPLOYMENTS = Collection("/apis/apps/v1", "deployments")
PODS = Collection("/api/v1", "pods")
NODES = Collection("/api/v1", "nodes")
CONFIG_MAPS = Collection("/api/v1", "configmaps")
FLOOR_CAUSES = Collection(f"/apis/{FLOOR_GROUP}/{VERSION}", "modeldeployments")


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a watch."""

    type: str
    object: Raw


class Api:
    """One API server, with the credentials of a kubeconfig as this project's test clusters write it."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server

    @classmethod
    def connect(cls, kubeconfig: Path) -> Self:
        """A client; the file has the authority and a token in it."""
        config = json.loads(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"])
        with tempfile.NamedTemporaryFile(suffix=".crt") as file:
            Path(file.name).write_bytes(authority)
            tls = ssl.create_default_context(cafile=file.name)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=tls, limit=64),
            headers={"Authorization": f"Bearer {user['token']}", "User-Agent": "pillion-benchmark"},
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=LINE_BYTES,
            trust_env=False,
        )
        return cls(session, cluster["server"])

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def create(self, collection: Collection, body: Raw) -> Raw:
        """Create an object."""
        return await self._send("POST", collection.path(body["metadata"]["namespace"]), body)

    async def patch(self, collection: Collection, namespace: str, name: str, patch: Raw) -> Raw:
        """A merge patch."""
        return await self._send(
            "PATCH", collection.path(namespace, name), patch, content_type="application/merge-patch+json"
        )

    async def patch_status(self, collection: Collection, namespace: str, name: str, patch: Raw) -> Raw:
        """A strategic merge patch of an object's status: conditions are merged by their type."""
        return await self._send(
            "PATCH",
            f"{collection.path(namespace, name)}/status",
            patch,
            content_type="application/strategic-merge-patch+json",
        )

    async def delete(self, collection: Collection, namespace: str, name: str) -> None:
        """Delete an object."""
        await self._send("DELETE", collection.path(namespace, name), None)

    async def delete_at(self, path: str) -> None:
        """Delete what has a path of its own."""
        await self._send("DELETE", path, None)

    async def post(self, path: str, body: Raw) -> Raw:
        """Create an object at a path of its own."""
        return await self._send("POST", path, body)

    async def list(self, collection: Collection, namespace: str) -> tuple[list[Raw], str]:
        """What is there, and the version from which on to watch."""
        listed = await self._send("GET", collection.path(namespace), None)
        return listed["items"], listed["metadata"]["resourceVersion"]

    async def watch(self, collection: Collection, namespace: str, since: str) -> AsyncIterator[Event]:
        """Every change, until the iterator is closed.

        The API server ends the watch of whoever is slow to read, as on a busy machine; it goes on where it ended.
        """
        path = collection.path(namespace)
        while True:
            query = urlencode({"watch": "1", "resourceVersion": since})
            async with self._session.get(f"{self._server}{path}?{query}") as response:
                response.raise_for_status()
                async for line in response.content:
                    told = json.loads(line)
                    if told["type"] == "ERROR":
                        raise ApiError(f"the watch of {collection.plural} ended: {told['object']}")
                    since = told["object"]["metadata"]["resourceVersion"]
                    yield Event(told["type"], told["object"])

    async def _send(
        self, method: str, path: str, body: Raw | None, *, content_type: str = "application/json"
    ) -> Raw:
        data = None if body is None else json.dumps(body).encode()
        headers: Mapping[str, str] = {"Content-Type": content_type}
        async with self._session.request(method, self._server + path, data=data, headers=headers) as response:
            text = await response.read()
            if response.status == 429:
                # A kind that was just installed has no storage yet, and the server says when to ask again.
                await asyncio.sleep(float(response.headers.get("Retry-After", "1")))
                return await self._send(method, path, body, content_type=content_type)
            if response.status >= 300:
                raise ApiError(f"{method} {path}: {response.status} {text.decode(errors='replace')[:500]}")
            answer: Raw = json.loads(text)
            return answer


async def at_once(work: Sequence[Awaitable[object]], *, limit: int = 64) -> None:
    """Await all of them, `limit` at a time."""
    gate = asyncio.Semaphore(limit)

    async def one(each: Awaitable[object]) -> None:
        async with gate:
            await each

    await asyncio.gather(*(one(each) for each in work))
