"""Who tells the operator of its own kind, the ModelDeployments that users write?

kopf does: one registry, built here, whose handler passes each event on. Everything foreign, and what the operator
writes itself, is followed without it: most events are of these, kopf works about a millisecond for each, and it keeps
a task and a copy for each object.

A watch that breaks off, kopf resumes from the last version that it saw. After 410 Gone, and where the list itself broke
off, it lists anew (kopf 1.45.2, clients/watching.py), and its list says nothing of what is missing in it. So whenever
kopf lists, the kind is listed here, too, and the follower is told all there is; what ended meanwhile ends then.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import aiohttp

from pillion.kube import resources
from pillion.kube.client import Cluster, KubeError
from pillion.kube.following import Follower, complete, retry_seconds

# kopf imports the official client where it finds it, to know its objects when it meets them. It meets none here, and
# the import takes 17 MiB.
_HIDDEN = sys.modules.get("kubernetes")
sys.modules["kubernetes"] = None  # type: ignore[assignment] # the documented way to say that there is none
try:
    import kopf
finally:
    if _HIDDEN is None:
        del sys.modules["kubernetes"]
    else:
        sys.modules["kubernetes"] = _HIDDEN

__all__ = ["OwnKind"]

logger = logging.getLogger(__name__)

# A watch that died without a word is noticed: the server ends each after five minutes, the client a little later
# (kopf issues 1120 and 1145).
SERVER_TIMEOUT_SECONDS = 300
CLIENT_TIMEOUT_SECONDS = 310
CONNECT_TIMEOUT_SECONDS = 30

# kopf logs in again at once after each 401, for ever: a server that knew nobody was asked 3,074 times in 4 s.
LOGIN_LASTS_SECONDS = 60.0
FIRST_LOGIN_WAIT_SECONDS = 1.0
LONGEST_LOGIN_WAIT_SECONDS = 30.0

RESOURCE = resources.MODEL_DEPLOYMENTS


class OwnKind:
    """Tells a follower of every ModelDeployment."""

    def __init__(
        self,
        cluster: Cluster,
        follower: Follower,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._cluster = cluster
        self._follower = follower
        self._clock = clock
        self._sleep = sleep
        self._logged_in: float | None = None
        self._login_wait_seconds = 0.0
        self._kopf_lists = asyncio.Event()
        self._take_signals_back: Callable[[], None] = lambda: None
        self.listed = asyncio.Event()  # the follower was told all there is, once at least

    async def follow(self, *, signals: Callable[[], None]) -> None:
        """Until cancelled.

        Args:
            signals: takes the process's signals back, which kopf has taken for itself; at its own end it would cancel
                everything that began after it.

        Raises:
            RuntimeError: kopf ended by itself.
        """
        self._take_signals_back = signals
        tasks = (
            asyncio.create_task(self._list_with_kopf()),
            asyncio.create_task(
                kopf.operator(
                    registry=self._registry(), settings=_settings(), standalone=True, clusterwide=True
                )
            ),
        )
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        raise RuntimeError("kopf ended by itself; the operator has to be started again")

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()

        @kopf.on.login(registry=registry)
        async def login(**_: object) -> kopf.AiohttpSession:
            return await self._session()

        @kopf.on.event(RESOURCE.group, RESOURCE.version, RESOURCE.plural, registry=registry)
        async def changed(event: kopf.RawEvent, **_: object) -> None:
            obj = complete(RESOURCE, event["object"])
            if event["type"] == "DELETED":
                self._follower.ended(RESOURCE, obj)
            else:
                self._follower.changed(RESOURCE, obj)

        return registry

    async def _session(self) -> kopf.AiohttpSession:
        """Kopf's own login finds no token in a plain kubeconfig; it gets what the client found.

        Asked again after a 401: a service account's token expires, and the new one is read from its file.
        """
        found = self._cluster.credentials
        if self._logged_in is not None:
            found.forget()
            await self._wait_before_login(self._clock() - self._logged_in)
        self._logged_in = self._clock()
        authorization = await found.authorization()
        trace = aiohttp.TraceConfig()
        trace.on_request_end.append(self._answered)
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=True if found.tls is None else found.tls),
            headers={"Authorization": authorization} if authorization else {},
            proxy=found.proxy,
            trace_configs=[trace],
            middlewares=() if found.server_name is None else (_expecting(found.server_name),),
        )
        return kopf.AiohttpSession(server=found.server, aiohttp_session=session)

    async def _wait_before_login(self, lasted_seconds: float) -> None:
        """Not at all where the last login was good for a while, else longer each time."""
        if lasted_seconds >= LOGIN_LASTS_SECONDS:
            self._login_wait_seconds = 0.0
            return
        self._login_wait_seconds = min(
            max(2 * self._login_wait_seconds, FIRST_LOGIN_WAIT_SECONDS), LONGEST_LOGIN_WAIT_SECONDS
        )
        logger.warning(
            "the API server refused who asks (401); asked again in %.0f s", self._login_wait_seconds
        )
        await self._sleep(self._login_wait_seconds)

    async def _answered(
        self,
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        request: aiohttp.TraceRequestEndParams,
    ) -> None:
        """A request of kopf's has its answer."""
        # It has taken the signals by now, which it does after its start-up handlers and its first login.
        self._take_signals_back()
        # Before the path of Kubernetes may stand that of a proxy (Rancher: /k8s/clusters/<name>).
        listed = request.url.path.endswith(RESOURCE.path()) and "watch" not in request.url.query
        if listed and request.response.status < 300:
            self._kopf_lists.set()

    async def _list_with_kopf(self) -> None:
        failures = 0
        while True:
            await self._kopf_lists.wait()
            self._kopf_lists.clear()
            try:
                objects, version = await self._cluster.snapshot(RESOURCE)
            except KubeError as error:
                seconds = retry_seconds(failures)
                failures += 1
                logger.warning("%s are listed again in %.1f s: %s", RESOURCE.plural, seconds, error)
                await self._sleep(seconds)
                self._kopf_lists.set()
                continue
            failures = 0
            self._follower.listed(RESOURCE, [complete(RESOURCE, obj) for obj in objects], int(version))
            self.listed.set()


def _expecting(server_name: str) -> aiohttp.ClientMiddlewareType:
    """Another name in the server's certificate than the address; a session takes it for single requests alone."""

    async def name(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        request.server_hostname = server_name
        return await handler(request)

    return name


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.watching.server_timeout = SERVER_TIMEOUT_SECONDS
    settings.watching.client_timeout = CLIENT_TIMEOUT_SECONDS
    settings.watching.connect_timeout = CONNECT_TIMEOUT_SECONDS
    return settings


class _NoDiffs(kopf.DiffBaseStorage):
    """Kopf copies each object of each event to tell handlers what changed in it; ours want to know that it did."""

    def build(self, **_: object) -> kopf.BodyEssence:
        """Nothing to compare."""
        return kopf.BodyEssence()

    def fetch(self, **_: object) -> None:
        """Nothing was stored."""

    def store(self, **_: object) -> None:
        """Nothing is stored."""
