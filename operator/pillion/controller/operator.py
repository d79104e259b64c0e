"""How does the operator run: which objects does it follow, and what happens on an event?

kopf tells of ModelDeployments; of all else a list and a watch do, one for each kind. Events only keep the object and
queue the keys that are interested. Nothing is decided before everything that exists has been listed: half of the world
looks like another one.
"""

import asyncio
import gc
import logging
import signal
import socket
import uuid
from collections.abc import Coroutine
from typing import Any

from pillion import injection
from pillion.api import names
from pillion.controller import health
from pillion.controller.metrics import Metrics
from pillion.controller.own_kind import OwnKind
from pillion.controller.queue import WorkQueue
from pillion.controller.reconcile import Reconciler
from pillion.controller.settings import Settings
from pillion.controller.store import Store
from pillion.controller.watching import Watching
from pillion.kube import election, following, resources
from pillion.kube.client import Cluster
from pillion.kube.events import EventRecorder

__all__ = ["OperatorError", "run"]

logger = logging.getLogger(__name__)

LEASE = "pillion-operator"
# What is followed beside the own kind, and by which labels.
FOLLOWED = {
    resources.MODEL_SIDECARS: "",
    **dict.fromkeys(resources.WORKLOADS, f"{names.MARKED_LABEL}={names.MARKED}"),
    resources.PODS: names.INJECT_LABEL,
    resources.CONFIG_MAPS: injection.SUPERVISOR_SELECTOR,
    resources.NAMESPACES: "",
}


class OperatorError(Exception):
    """The operator cannot run here; the message says what to do. Caught by the command line."""


async def run(settings: Settings, *, kubeconfig: str | None = None, context: str | None = None) -> None:
    """Run until a TERM or INT signal, as the leader where leader election is on.

    Raises:
        OperatorError: the CRDs are not installed, or the lease was lost.
    """
    stop = asyncio.Event()
    _stop_on_signals(stop)
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


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)


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
    recorder = EventRecorder(cluster, instance=identity, busy=lambda: len(queue) > settings.workers)
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
    all_listed = asyncio.Event()
    watching = asyncio.create_task(_follow(cluster, Watching(store, queue), all_listed, stop))
    work = asyncio.create_task(_work_after(all_listed, queue, reconciler, settings))
    stopped = asyncio.create_task(stop.wait())
    state.leading = True
    metrics.leader.set(1)
    try:
        done, _ = await asyncio.wait({watching, work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        state.leading = False
        metrics.leader.set(0)
        for task in (work, watching, stopped):
            task.cancel()
        await asyncio.gather(work, watching, stopped, return_exceptions=True)
        await reconciler.probes.close()
        await recorder.drain()


async def _follow(
    cluster: Cluster, watching: Watching, all_listed: asyncio.Event, stop: asyncio.Event
) -> None:
    own = OwnKind(cluster, watching)
    listed = {resource: asyncio.Event() for resource in FOLLOWED}
    async with asyncio.TaskGroup() as group:
        group.create_task(own.follow(signals=lambda: _stop_on_signals(stop)))
        for resource, labels in FOLLOWED.items():
            group.create_task(
                following.follow(cluster, resource, watching, labels=labels, listed=listed[resource])
            )
        for event in (own.listed, *listed.values()):
            await event.wait()
        # What is there now stays for long: the collector need not look through it again and again.
        gc.collect()
        gc.freeze()
        all_listed.set()


async def _work_after(
    all_listed: asyncio.Event, queue: WorkQueue, reconciler: Reconciler, settings: Settings
) -> None:
    await all_listed.wait()
    await queue.run(reconciler.reconcile, workers=settings.workers)
