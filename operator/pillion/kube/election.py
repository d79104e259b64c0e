"""Which of several operators acts? The one that holds a Lease.

Crash-only: whoever loses the lease ends, and Kubernetes starts it again as a follower. A leader that ends cleanly gives
the lease back, so that the next one need not wait until it expires.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from kubernetes.aio.leaderelection import electionconfig, leaderelection
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock

from pillion.kube.client import Cluster, KubeError
from pillion.kube.resources import Resource

__all__ = ["LeaseLostError", "lead"]

logger = logging.getLogger(__name__)

LEASES = Resource(group="coordination.k8s.io", plural="leases", kind="Lease")

# The values of client-go's components (kube-controller-manager's defaults): another one takes over after 15 s, and a
# leader that cannot renew for 10 s gives up before that.
LEASE_SECONDS = 15
RENEW_DEADLINE_SECONDS = 10
RETRY_SECONDS = 2


class LeaseLostError(Exception):
    """The lease could not be renewed; the process has to end."""


async def lead(
    cluster: Cluster, *, namespace: str, name: str, identity: str, run: Callable[[], Awaitable[None]]
) -> None:
    """Wait for the lease, then run until `run` returns.

    Raises:
        LeaseLostError: the lease was lost while `run` ran; `run` was cancelled.
    """
    acquired = asyncio.Event()

    async def started() -> None:
        acquired.set()

    config = electionconfig.Config(
        LeaseLock(name, namespace, identity, cluster.client),
        lease_duration=LEASE_SECONDS,
        renew_deadline=RENEW_DEADLINE_SECONDS,
        retry_period=RETRY_SECONDS,
        onstarted_leading=started,
        onstopped_leading=started,
    )
    election = asyncio.create_task(leaderelection.LeaderElection(config).run())
    work: asyncio.Task[None] | None = None
    try:
        await _first(election, asyncio.create_task(acquired.wait()))
        if election.done():
            election.result()
        logger.info("this operator leads (lease %s/%s, %s)", namespace, name, identity)
        work = asyncio.ensure_future(run())
        await _first(election, work)
        if work.done():
            work.result()
            election.cancel()
            await _give_back(cluster, namespace=namespace, name=name, identity=identity)
            return
        election.result()
        raise LeaseLostError(
            f"the lease {namespace}/{name} could not be renewed for {RENEW_DEADLINE_SECONDS} s"
        )
    finally:
        for task in (election, work):
            if task is not None and not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def _first(*tasks: asyncio.Future[Any]) -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)


async def _give_back(cluster: Cluster, *, namespace: str, name: str, identity: str) -> None:
    release = [
        {"op": "test", "path": "/spec/holderIdentity", "value": identity},
        {"op": "remove", "path": "/spec/holderIdentity"},
    ]
    try:
        await cluster.patch(LEASES, namespace, name, release, field_manager="pillion")
    except KubeError as error:
        logger.info("the lease %s/%s was not given back: %s", namespace, name, error)
