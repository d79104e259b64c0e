"""How does Pillion read and write objects of a cluster?

Objects stay plain mappings: the client's models would drop the fields that they do not know. Only the few calls
that are in use are here; each names the field manager that writes.

    KubeError           the API server refused or could not be reached; nobody below the work queue catches it
    ├── NotFound        404: the object, or the kind, is not there
    ├── Conflict        409: somebody else owns a field, or another object with that name took its place
    ├── Invalid         400 or 422: the API server says what is wrong with the object; the message is for people
    └── Forbidden       403: a right is missing, or an admission policy or a quota said no
"""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import ApiClient, ApiException, Configuration

from pillion.kube.resources import Resource

__all__ = ["Cluster", "Conflict", "Forbidden", "Invalid", "KubeError", "NotFound", "Raw"]

logger = logging.getLogger(__name__)

type_apply = "application/apply-patch+yaml"
type_json_patch = "application/json-patch+json"
type_merge_patch = "application/merge-patch+json"
type_strategic_patch = "application/strategic-merge-patch+json"

BUSY_ATTEMPTS = 5  # how often a request is sent again that the API server was too busy to take
REQUEST_TIMEOUT_SECONDS = 30.0

Raw = dict[str, Any]


class KubeError(Exception):
    """The API server refused a request, or could not be reached (`status` is 0 then)."""

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


_ERRORS: Mapping[int, type[KubeError]] = {
    400: Invalid,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    422: Invalid,
}


class Cluster:
    """One API server, spoken to with one set of credentials."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    @classmethod
    async def connect(cls, kubeconfig: str | None = None, context: str | None = None) -> Self:
        """With a kubeconfig (the given one, `KUBECONFIG`, or the default one), else the pod's service account."""
        configuration = Configuration()
        if kubeconfig is not None or context is not None:
            await kubernetes_config.load_kube_config(
                config_file=kubeconfig, context=context, client_configuration=configuration
            )
        else:
            try:
                kubernetes_config.load_incluster_config(client_configuration=configuration)
            except kubernetes_config.ConfigException:
                await kubernetes_config.load_kube_config(client_configuration=configuration)
        configuration.connection_pool_maxsize = 64
        # Left to itself, aiohttp looks for a proxy and for a .netrc in threads, anew for each request.
        configuration.proxy = configuration.proxy or _proxy_of_environment(configuration.host)
        configuration.client_session_kwargs = {"trust_env": False}
        return cls(ApiClient(configuration))

    @property
    def client(self) -> ApiClient:
        """The client beneath, for what the library does itself (leader election)."""
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Raw:
        """One object.

        Raises:
            NotFound: it is not there.
        """
        return await self._request("GET", resource.path(namespace, name))

    async def snapshot(self, resource: Resource, *, labels: str = "") -> tuple[list[Raw], int]:
        """All objects as they are in the store behind the API server now, and the version that this is."""
        query = {"labelSelector": labels} if labels else {}
        answer = await self._request("GET", resource.path(), query=query)
        items: list[Raw] = answer.get("items") or []
        return items, int(answer["metadata"]["resourceVersion"])

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

    async def serves(self, resource: Resource) -> bool:
        """Whether the API server knows the kind (its CRD is installed)."""
        try:
            await self._request("GET", resource.path(), query={"limit": "1"})
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
        url = self._client.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": "pillion"}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], "", method, None)
        for attempt in range(1, attempts + 1):
            try:
                response = await self._client.call_api(
                    method, url, header_params=headers, body=body, _request_timeout=REQUEST_TIMEOUT_SECONDS
                )
                data = await response.read()
            except ApiException as error:
                raise _refusal(int(error.status or 0), (error.body or error.reason or "").encode()) from error
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise KubeError(0, f"the API server did not answer {method} {path}: {error}") from error
            if response.status == 429 and attempt < attempts:
                # API priority and fairness: the server says how long to stay away.
                await asyncio.sleep(float(response.headers.get("Retry-After", "1")))
                continue
            if response.status >= 300:
                raise _refusal(response.status, data)
            answer: Raw = json.loads(data)
            return answer
        raise KubeError(429, f"the API server was too busy for {method} {path}, {attempts} times")


def _proxy_of_environment(address: str) -> str | None:
    """The proxy that `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` name for an address."""
    url = urlsplit(address)
    if proxy_bypass(url.netloc):
        return None
    return getproxies().get(url.scheme)


def _refusal(status: int, data: bytes) -> KubeError:
    try:
        message = str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        message = data.decode(errors="replace")[:500] or f"HTTP status {status}"
    return _ERRORS.get(status, KubeError)(status, message)
