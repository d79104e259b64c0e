"""How does Pillion read and write objects of a cluster?

Objects stay plain mappings: the client's models would drop the fields that they do not know. Only the few calls
that are in use are here; each names the field manager that writes.

    KubeError           the API server refused, was not reached or not understood; nobody below the queue catches it
    ├── NotFound        404: the object, or the kind, is not there
    ├── Conflict        409: somebody else owns a field, or another object with that name took its place
    ├── Gone            410: the version to go on from is too old; everything is listed anew
    ├── Invalid         400 or 422: the API server says what is wrong with the object; the message is for people
    └── Forbidden       403: a right is missing, or an admission policy or a quota said no
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from pillion.kube import credentials
from pillion.kube.credentials import Credentials, CredentialsError
from pillion.kube.resources import Resource

__all__ = ["Cluster", "Conflict", "Forbidden", "Gone", "Invalid", "KubeError", "NotFound", "Raw"]

logger = logging.getLogger(__name__)

type_apply = "application/apply-patch+yaml"
type_json_patch = "application/json-patch+json"
type_merge_patch = "application/merge-patch+json"
type_strategic_patch = "application/strategic-merge-patch+json"

BUSY_ATTEMPTS = 5  # how often a request is sent again that the API server was too busy to take
LONGEST_AWAY_SECONDS = 30.0
REQUEST_TIMEOUT_SECONDS = 30.0
CONNECT_TIMEOUT_SECONDS = 30.0
CONNECTIONS = 32  # watches, the lease, and what the workers ask at once; each takes 0.1 MiB
PAGE = 500  # objects of one answer to a list

# The server ends a watch after five minutes. One that died without a word is noticed a little later.
WATCH_SECONDS = 300
WATCH_TIMEOUT_SECONDS = 310.0
TOLD_BYTES = 200  # of an answer that is none
LINE_BYTES = 2**22  # an event is one line; etcd takes objects of at most 1.5 MiB

Raw = dict[str, Any]


class KubeError(Exception):
    """The API server refused a request, or could not be reached or understood (`status` is 0 then)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class NotFound(KubeError):
    """The object or the kind is not there."""


class Conflict(KubeError):
    """Another manager owns a field, or another object took the name."""


class Invalid(KubeError):
    """The object is not valid, and the message says why."""


class Forbidden(KubeError):
    """RBAC, an admission policy or a quota said no."""


class Gone(KubeError):
    """What happened since a version is not known any more."""


_ERRORS: Mapping[int, type[KubeError]] = {
    400: Invalid,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
}


class Cluster:
    """One API server, spoken to with one set of credentials.

    Over a bare session of aiohttp: the official client builds each request and each answer in layers that take more
    time than the request (docs/performance.md).
    """

    def __init__(self, found: Credentials) -> None:
        self._credentials = found
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=found.tls if found.tls is not None else True, limit=CONNECTIONS
            ),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "pillion"},
            # Left to itself, aiohttp looks for a proxy and for a .netrc in threads, anew for each request.
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=REQUEST_TIMEOUT_SECONDS, sock_connect=CONNECT_TIMEOUT_SECONDS
            ),
            read_bufsize=LINE_BYTES,
        )

    @classmethod
    async def connect(cls, kubeconfig: str | None = None, context: str | None = None) -> Self:
        """With a kubeconfig (the given one, `KUBECONFIG`, or the default one), else the pod's service account.

        Raises:
            CredentialsError: there is none that leads to a cluster.
        """
        return cls(await credentials.load(kubeconfig, context))

    @property
    def credentials(self) -> Credentials:
        """Where the API server is, and who asks it."""
        return self._credentials

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Raw:
        """One object.

        Raises:
            NotFound: it is not there.
        """
        return await self._request("GET", resource.path(namespace, name))

    async def snapshot(self, resource: Resource, *, labels: str = "") -> tuple[list[Raw], str]:
        """All objects as they are in the store behind the API server now, and the version that this is."""
        query = {"limit": str(PAGE), **({"labelSelector": labels} if labels else {})}
        items: list[Raw] = []
        while True:
            answer = await self._request("GET", resource.path(), query=query)
            items += answer.get("items") or []
            following = answer["metadata"].get("continue")
            if not following:
                return items, str(answer["metadata"]["resourceVersion"])
            query["continue"] = following

    async def watch(
        self, resource: Resource, since: str, *, labels: str = ""
    ) -> AsyncIterator[tuple[str, Raw]]:
        """Every change after a version: its kind (`ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK`) and the object.

        Ends when the API server ends it, after five minutes at most.

        Raises:
            Gone: the version is too old.
        """
        query = {"watch": "1", "allowWatchBookmarks": "true", "resourceVersion": since}
        query["timeoutSeconds"] = str(WATCH_SECONDS)
        if labels:
            query["labelSelector"] = labels
        timeout = aiohttp.ClientTimeout(total=WATCH_TIMEOUT_SECONDS, sock_connect=CONNECT_TIMEOUT_SECONDS)
        path = resource.path()
        try:
            async with self._session.get(
                self._url(path, query), headers=await self._headers(), timeout=timeout, **self._way
            ) as response:
                if response.status == 401:
                    self._credentials.forget()
                if response.status == 429:
                    # Whoever follows asks again after a while of its own, which may be shorter.
                    await asyncio.sleep(_seconds_away(response.headers.get("Retry-After", "")))
                if response.status >= 300:
                    raise _refusal(response.status, await response.read())
                async for line in response.content:
                    kind, obj = _event(line, f"GET {path}?watch")
                    if kind == "ERROR":
                        raise _refusal(int(obj.get("code", 500)), line)
                    yield kind, obj
        except CredentialsError as error:
            raise KubeError(0, f"the watch of {resource.plural} was not asked for: {error}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise KubeError(0, f"the watch of {resource.plural} broke off: {error}") from error

    async def list(
        self, resource: Resource, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> list[Raw]:
        """All objects that the selectors admit, from the API server's cache (`resourceVersion=0`)."""
        query = {"resourceVersion": "0"}
        if labels:
            query["labelSelector"] = labels
        if fields:
            query["fieldSelector"] = fields
        answer = await self._request("GET", resource.path(namespace), query=query)
        items: list[Raw] = answer.get("items") or []
        return items

    async def create(
        self, resource: Resource, body: Mapping[str, Any], *, field_manager: str, dry_run: bool = False
    ) -> Raw:
        """Create an object; with `dry_run` the API server only says what it would have done."""
        query = {"fieldManager": field_manager, "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        path = resource.path(body["metadata"].get("namespace"))
        return await self._request("POST", path, body=body, query=query)

    async def create_subresource(self, resource: Resource, name: str, subresource: str, body: Raw) -> Raw:
        """Post to a subresource of one object (`eviction` of a pod)."""
        # A disruption budget answers 429 as well, for minutes: whoever evicts decides when to ask again.
        return await self._request(
            "POST", resource.path(body["metadata"]["namespace"], name, subresource), body=body, attempts=1
        )

    async def apply(
        self,
        resource: Resource,
        body: Mapping[str, Any],
        *,
        field_manager: str,
        force: bool = False,
        subresource: str | None = None,
    ) -> Raw:
        """Server-side apply. Without `force`, a field of another manager that differs is a `Conflict`."""
        metadata = body["metadata"]
        query = {"fieldManager": field_manager, "force": "true" if force else "false"}
        path = resource.path(metadata.get("namespace"), metadata["name"], subresource)
        return await self._request("PATCH", path, body=body, query=query, content_type=type_apply)

    async def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        field_manager: str,
        subresource: str | None = None,
        strategic: bool = False,
    ) -> Raw:
        """A JSON patch where `patch` is a list of operations, else a merge patch (`strategic` by merge keys)."""
        if isinstance(patch, Mapping):
            content_type = type_strategic_patch if strategic else type_merge_patch
        else:
            content_type = type_json_patch
        path = resource.path(namespace, name, subresource)
        return await self._request(
            "PATCH", path, body=patch, query={"fieldManager": field_manager}, content_type=content_type
        )

    async def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete an object; that it is gone already is fine."""
        try:
            await self._request("DELETE", resource.path(namespace, name))
        except NotFound:
            return

    async def serves(self, resource: Resource, namespace: str | None = None) -> bool:
        """Whether the API server knows the kind (its CRD is installed), asked in a namespace or in all of them."""
        try:
            await self._request("GET", resource.path(namespace), query={"limit": "1"})
        except NotFound:
            return False
        return True

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
        attempts: int = BUSY_ATTEMPTS,
    ) -> Raw:
        what = f"{method} {path}"
        url = self._url(path, query)
        data = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        refused, renewed = 0, False
        while True:
            try:
                headers = await self._headers()
                if data is not None:
                    headers["Content-Type"] = content_type
                async with self._session.request(
                    method, url, data=data, headers=headers, **self._way
                ) as response:
                    answer = await response.read()
            except CredentialsError as error:
                raise KubeError(0, f"{what} was not sent: {error}") from error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise KubeError(0, f"the API server did not answer {what}: {error}") from error
            if response.status < 300:
                return _object(answer, what)
            if response.status == 401 and not renewed and self._credentials.forget():
                renewed = True  # a token that was replaced may be refused before we look for the next one
                continue
            refused += response.status == 429
            if response.status == 429 and refused < attempts:
                # API priority and fairness: the server says how long to stay away.
                await asyncio.sleep(_seconds_away(response.headers.get("Retry-After", "")))
                continue
            raise _refusal(response.status, answer, times=refused)

    def _url(self, path: str, query: Mapping[str, str] | None) -> URL:
        text = self._credentials.server + path + (f"?{urlencode(query)}" if query else "")
        return URL(text, encoded=True)

    async def _headers(self) -> dict[str, str]:
        authorization = await self._credentials.authorization()
        return {} if authorization is None else {"Authorization": authorization}

    @property
    def _way(self) -> Raw:
        """How the server is reached, where that is not the plain way."""
        found = {"proxy": self._credentials.proxy, "server_hostname": self._credentials.server_name}
        return {key: value for key, value in found.items() if value is not None}


def _object(data: bytes, what: str) -> Raw:
    """An object, a list or a status: each of them has metadata. A portal's login page has not."""
    try:
        found = json.loads(data)
        _ = found["metadata"].items
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _no_kubernetes_json(data, what) from error
    answer: Raw = found
    return answer


def _event(line: bytes, what: str) -> tuple[str, Raw]:
    """A line of a watch; half of one, where a connection ended in it, is none."""
    try:
        found = json.loads(line)
        kind, obj = str(found["type"]), dict(found["object"])
    except (ValueError, KeyError, TypeError) as error:
        raise _no_kubernetes_json(line, what) from error
    return kind, obj


def _no_kubernetes_json(data: bytes, what: str) -> KubeError:
    said = data[:TOLD_BYTES].decode(errors="replace")
    return KubeError(0, f"{what}: the answer is no Kubernetes JSON: {said or 'it is empty'}")


def _seconds_away(retry_after: str) -> float:
    """How long the server wants us away; a date, which HTTP allows and API servers do not send, is not read."""
    told = float(retry_after) if retry_after.isdecimal() else 1.0
    return min(told, LONGEST_AWAY_SECONDS)


def _refusal(status: int, data: bytes, *, times: int = 1) -> KubeError:
    try:
        told = json.loads(data)
        message = str(told.get("object", told)["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        message = data.decode(errors="replace")[:500] or f"HTTP status {status}"
    if times > 1:
        message = f"refused {times} times: {message}"
    return _ERRORS.get(status, KubeError)(status, message)
