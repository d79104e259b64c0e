"""How does the operator run: which objects does it watch, and what happens on an event?

One kopf registry is built in one place. Handlers only keep the object and queue the keys that are interested; they
write nothing onto foreign objects (kopf's other handlers would). The index handlers make kopf hold back all events
until everything that exists has been listed, so that nothing is decided on half of the world.
"""

import asyncio
import logging
import signal
import socket
import uuid
from collections.abc import Coroutine, Mapping
from typing import Any

import aiohttp
import kopf

from pillion import injection
from pillion.api import names
from pillion.controller import health
from pillion.controller.metrics import Metrics
from pillion.controller.queue import WorkQueue
from pillion.controller.reconcile import Reconciler
from pillion.controller.resync import Resync, concerned_by, forget
from pillion.controller.settings import Settings
from pillion.controller.store import Key, Store
from pillion.kube import election, resources
from pillion.kube.client import Cluster
from pillion.kube.events import EventRecorder
from pillion.kube.resources import Resource

__all__ = ["OperatorError", "run"]

logger = logging.getLogger(__name__)

LEASE = "pillion-operator"
# What is watched, and by which labels.
WATCHED = {
    resources.MODEL_DEPLOYMENTS: "",
    resources.MODEL_SIDECARS: "",
    **dict.fromkeys(resources.WORKLOADS, f"{names.MARKED_LABEL}={names.MARKED}"),
    resources.PODS: names.INJECT_LABEL,
    resources.CONFIG_MAPS: injection.SUPERVISOR_SELECTOR,
}

# A watch that died without a word is noticed: the server ends each after five minutes, the client a little later
# (kopf issues 1120 and 1145).
SERVER_TIMEOUT_SECONDS = 300
CLIENT_TIMEOUT_SECONDS = 310
CONNECT_TIMEOUT_SECONDS = 30


class OperatorError(Exception):
    """The operator cannot run here; the message says what to do. Caught by the command line."""


async def run(settings: Settings, *, kubeconfig: str | None = None, context: str | None = None) -> None:
    """Run until a TERM or INT signal, as the leader where leader election is on.

    Raises:
        OperatorError: the CRDs are not installed, or the lease was lost.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    cluster = await Cluster.connect(kubeconfig, context)
    metrics, state = Metrics(), health.State()
    server = await health.serve(settings, metrics, state)
    try:
        for resource in (resources.MODEL_DEPLOYMENTS, resources.MODEL_SIDECARS):
            if not await cluster.serves(resource):
                raise OperatorError(
                    f"the cluster does not know {resource.plural}.{resource.group}: install the CRDs first "
                    "(the chart does; or kubectl apply -f crds/)"
                )
        identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"

        async def lead() -> None:
            await _operate(
                settings=settings, cluster=cluster, metrics=metrics, state=state, stop=stop, identity=identity
            )

        if settings.leader_election:
            await _until(
                stop,
                election.lead(cluster, namespace=settings.namespace, name=LEASE, identity=identity, run=lead),
                state,
            )
        else:
            await lead()
    except election.LeaseLostError as error:
        raise OperatorError(str(error)) from error
    finally:
        await server.cleanup()
        await cluster.close()


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, None], state: health.State) -> None:
    """Run `work`; a stop while it waits for the lease ends it, a stop while it leads is `work`'s own business."""
    task = asyncio.ensure_future(work)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not task.done() and not state.leading:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return
    await task


async def _operate(
    *,
    settings: Settings,
    cluster: Cluster,
    metrics: Metrics,
    state: health.State,
    stop: asyncio.Event,
    identity: str,
) -> None:
    loop = asyncio.get_running_loop()
    store = Store()
    queue = WorkQueue(loop.time)
    recorder = EventRecorder(cluster, instance=identity)
    reconciler = Reconciler(
        cluster=cluster,
        store=store,
        queue=queue,
        recorder=recorder,
        metrics=metrics,
        settings=settings,
        clock=loop.time,
    )
    metrics.due.set_function(lambda: len(queue))
    metrics.waiting.set_function(lambda: queue.waiting)
    ready = asyncio.Event()
    watching = asyncio.create_task(
        kopf.operator(
            registry=_registry(store, queue, cluster),
            settings=_kopf_settings(),
            standalone=True,
            clusterwide=True,
            stop_flag=stop,
            ready_flag=ready,
        )
    )
    working = asyncio.create_task(queue.run(reconciler.reconcile, workers=settings.workers))
    state.leading = True
    metrics.leader.set(1)
    try:
        done, _ = await asyncio.wait({watching, working}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if not stop.is_set():
            raise OperatorError("the watches ended by themselves; the operator has to be started again")
    finally:
        state.leading = False
        metrics.leader.set(0)
        for task in (working, watching):
            task.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)
        await reconciler.probes.close()
        await recorder.drain()


def _registry(store: Store, queue: WorkQueue, cluster: Cluster) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    resync = Resync(cluster, store, queue, WATCHED)

    @kopf.on.login(registry=registry)
    async def login(**_: object) -> kopf.AiohttpSession:
        return await _session(cluster, resync)

    for resource in WATCHED:
        _watch(registry, resource, store, queue)
    return registry


def _watch(registry: kopf.OperatorRegistry, resource: Resource, store: Store, queue: WorkQueue) -> None:
    place = (resource.group, resource.version, resource.plural)

    @kopf.index(*place, registry=registry, id=f"keep-{resource.plural}")
    async def keep(body: kopf.Body, **_: object) -> None:
        """Listed before any event is handled; nothing is put into kopf's own index."""
        obj = _complete(resource, dict(body))
        known = store.get(resource, obj["metadata"]["namespace"], obj["metadata"]["name"])
        concerned = set() if known is None else concerned_by(store, resource, known)
        if store.put(resource, obj):
            touched.update(concerned | concerned_by(store, resource, obj))

    touched: set[Key] = set()

    @kopf.on.event(*place, registry=registry, id=f"queue-{resource.plural}")
    async def changed(event: kopf.RawEvent, **_: object) -> None:
        obj = _complete(resource, event["object"])
        # A workload whose label went away leaves the selector and looks deleted: its target is looked at again.
        if event["type"] == "DELETED":
            touched.update(forget(store, resource, obj))
        for key in touched:
            queue.add(key)
        touched.clear()


def _complete(resource: Resource, obj: Mapping[str, Any]) -> dict[str, Any]:
    """Objects of a list do not say their kind."""
    return {"apiVersion": resource.api_version, "kind": resource.kind, **obj}


def _kopf_settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.persistence.diffbase_storage = _NoDiffs()
    settings.watching.server_timeout = SERVER_TIMEOUT_SECONDS
    settings.watching.client_timeout = CLIENT_TIMEOUT_SECONDS
    settings.watching.connect_timeout = CONNECT_TIMEOUT_SECONDS
    for resource, labels in WATCHED.items():
        if labels:
            place = (resource.group, resource.version, resource.plural)
            settings.watching.label_selectors[place] = labels
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


async def _session(cluster: Cluster, resync: Resync) -> kopf.AiohttpSession:
    """Kopf's own login finds no token in a plain kubeconfig; it gets what the client found, and is listened to.

    Asked again after a 401: a service account's token expires, and the client reads the new one by itself.
    """
    configuration = cluster.client.configuration
    authorization = await configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
    # "Bearer" from a kubeconfig, "bearer" in a pod.
    token = (authorization or "").rpartition(" ")[2].strip() or None
    ca_data = configuration.ca_cert_data
    connection = kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=None if ca_data else configuration.ssl_ca_cert,
        ca_data=ca_data,
        insecure=not configuration.verify_ssl,
        token=token,
        scheme="Bearer" if token else None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
    )
    trace = aiohttp.TraceConfig()
    trace.on_request_end.append(resync.listen)
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=connection.as_ssl_context()),
        headers=connection.as_http_headers(),
        trace_configs=[trace],
    )
    return kopf.AiohttpSession(server=configuration.host, aiohttp_session=session)
