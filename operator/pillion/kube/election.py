"""Which of several operators acts? The one that holds a Lease.

Crash-only: whoever loses the lease ends, and Kubernetes starts it again as a follower. A leader that ends cleanly gives
the lease back, so that the next one need not wait until it expires. Clocks of several machines are never compared: a
lease has expired when its renewal time has not changed for its duration, by the clock of whoever looks.

The loop is our own because that of the client package sends a flag that its own validation refuses, and ends at the
first connection that breaks (kubernetes 37.0.2, aio/leaderelection).
"""

import asyncio
import datetime
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pillion.kube.client import Cluster, Conflict, KubeError, NotFound
from pillion.kube.resources import Resource

__all__ = ["LeaseLostError", "lead"]

logger = logging.getLogger(__name__)

LEASES = Resource(group="coordination.k8s.io", plural="leases", kind="Lease")

# Another one takes over 15 s after it saw the last renewal; the leader's work is cancelled 10 s after it asked for that
# renewal, whatever the API server does. So two act at once only where a leader's process stands still for the 5 s
# between. Both are client-go's values (kube-controller-manager's defaults), but that renews every 2 s. Each renewal is
# most of what an operator at rest costs, and after 4 s a second attempt still follows one that fails.
LEASE_SECONDS = 15
RENEW_DEADLINE_SECONDS = 10
RENEW_SECONDS = 4  # after a renewal, and for one attempt at the next: its answer may be lost
RENEW_AGAIN_SECONDS = 1  # after one that failed
RETRY_SECONDS = 2  # of whoever waits for the lease
ATTEMPT_SECONDS = 5

FIELD_MANAGER = "pillion"

Raw = dict[str, Any]
Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class LeaseLostError(Exception):
    """The lease could not be renewed, or another operator has it; the process has to end."""


async def lead(
    cluster: Cluster,
    *,
    namespace: str,
    name: str,
    identity: str,
    run: Callable[[], Awaitable[None]],
    clock: Clock = time.monotonic,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Wait for the lease, then run until `run` returns.

    Raises:
        LeaseLostError: the lease was lost while `run` ran; `run` was cancelled.
    """
    candidate = _Candidate(cluster=cluster, namespace=namespace, name=name, identity=identity, clock=clock)
    while not await candidate.try_to_hold():
        await sleep(RETRY_SECONDS)
    logger.info("this operator leads (lease %s/%s, %s)", namespace, name, identity)
    work = asyncio.ensure_future(run())
    renewal = asyncio.create_task(_renew(candidate, sleep))
    try:
        await asyncio.wait({work, renewal}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            await _end(renewal)
            work.result()
            await candidate.give_back()
            return
        renewal.result()
        raise LeaseLostError(
            f"the lease {namespace}/{name} was not renewed for {RENEW_DEADLINE_SECONDS} s, or is another's"
        )
    finally:
        await _end(renewal)
        await _end(work)


async def _renew(candidate: "_Candidate", sleep: Sleep) -> None:
    """Renew until it cannot be done for the deadline, or another one holds the lease."""
    renewed = True
    while not candidate.held_by_another and (left := candidate.leads_for()) > 0:
        await sleep(min(RENEW_SECONDS if renewed else RENEW_AGAIN_SECONDS, left))
        if (left := candidate.leads_for()) > 0:
            renewed = await candidate.try_to_hold(within=min(RENEW_SECONDS, left))


async def _end(task: asyncio.Future[None]) -> None:
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@dataclass(kw_only=True, slots=True)
class _Candidate:
    """One operator that would lead, and the lease as it saw it last."""

    cluster: Cluster
    namespace: str
    name: str
    identity: str
    clock: Clock
    _lease: Raw | None = None
    _renewed: float = 0.0  # when the last renewal that succeeded was asked for
    _changed: float = 0.0  # when the renewal time was seen to be another

    @property
    def held_by_another(self) -> bool:
        """Whether somebody else's name stood in the lease when it was seen last."""
        return self._holder() not in {None, self.identity}

    def leads_for(self) -> float:
        """Seconds for which a leader may go on without another renewal."""
        return self._renewed + RENEW_DEADLINE_SECONDS - self.clock()

    async def try_to_hold(self, *, within: float = ATTEMPT_SECONDS) -> bool:
        """Take or renew the lease; False where another has it, or the API server did not say so in time."""
        asked = self.clock()
        try:
            async with asyncio.timeout(min(within, ATTEMPT_SECONDS)):
                if self._lease is None or self._holder() != self.identity:
                    await self._look()
                if self._lease is not None and self.held_by_another and not self._expired():
                    return False
                await self._take()
        except Conflict:
            self._lease = None  # somebody was quicker: it is read before the next attempt
            return False
        except (KubeError, TimeoutError) as error:
            reason = str(error) or "the API server did not answer in time"
            logger.warning("the lease %s/%s cannot be had now: %s", self.namespace, self.name, reason)
            if self._holder() == self.identity:
                self._lease = None  # the write may have arrived: it is read before the next attempt
            return False
        self._renewed = asked
        return True

    async def give_back(self) -> None:
        """Take our name out, so that nobody has to wait."""
        release = [
            {"op": "test", "path": "/spec/holderIdentity", "value": self.identity},
            {"op": "remove", "path": "/spec/holderIdentity"},
        ]
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                await self.cluster.patch(
                    LEASES, self.namespace, self.name, release, field_manager=FIELD_MANAGER
                )
        except (KubeError, TimeoutError) as error:
            logger.info("the lease %s/%s was not given back: %s", self.namespace, self.name, error)

    async def _look(self) -> None:
        try:
            seen = await self.cluster.get(LEASES, self.namespace, self.name)
        except NotFound:
            self._lease = None
            return
        before = self._lease["spec"] if self._lease is not None else {}
        if self._lease is None or seen["spec"].get("renewTime") != before.get("renewTime"):
            self._changed = self.clock()
        self._lease = seen

    async def _take(self) -> None:
        """Write our name and the time; a lease that changed since it was seen is a conflict."""
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec: Raw = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": now,
        }
        if self._holder() != self.identity:
            spec["acquireTime"] = now
        if self._lease is None:
            body = {
                "apiVersion": LEASES.api_version,
                "kind": LEASES.kind,
                "metadata": {"name": self.name, "namespace": self.namespace},
                "spec": spec,
            }
            self._lease = await self.cluster.create(LEASES, body, field_manager=FIELD_MANAGER)
            return
        version = self._lease["metadata"]["resourceVersion"]
        patch = {"metadata": {"resourceVersion": version}, "spec": spec}
        self._lease = await self.cluster.patch(
            LEASES, self.namespace, self.name, patch, field_manager=FIELD_MANAGER
        )

    def _holder(self) -> str | None:
        return self._lease["spec"].get("holderIdentity") if self._lease is not None else None

    def _expired(self) -> bool:
        assert self._lease is not None
        duration: float = self._lease["spec"].get("leaseDurationSeconds", LEASE_SECONDS)
        return self.clock() - self._changed >= duration
