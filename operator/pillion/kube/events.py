"""How does the operator tell people what it did, where they look: in an object's events?

Events are written beside the work, one after the other, so that they hold nothing up: in a burst each of them costs
the API server as much as a write that somebody waits for, so that most of them wait until it is over. One that cannot
be written is logged and dropped.
"""

import asyncio
import datetime
import logging
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from pillion.api import names
from pillion.kube import resources
from pillion.kube.client import Cluster, Conflict, Forbidden, KubeError

__all__ = ["EventRecorder", "reference"]

logger = logging.getLogger(__name__)

MOST_WAITING = 10_000  # of a burst; the oldest ones go first
BUSY_SECONDS = 0.25  # between two of them while more work is due than is done at once
DRAIN_SECONDS = 2.0
NOTE_CHARACTERS = 1024  # the API server refuses longer notes (events.k8s.io/v1, Event.note)

Raw = dict[str, Any]


class EventRecorder:
    """Writes events of one operator."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        instance: str,
        busy: Callable[[], bool] = lambda: False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._cluster = cluster
        self._instance = instance
        self._busy = busy
        self._sleep = sleep
        self._waiting: deque[Raw] = deque(maxlen=MOST_WAITING)
        self._task: asyncio.Task[None] | None = None

    def emit(
        self, regarding: Raw, *, kind: Literal["Normal", "Warning"], reason: str, note: str, action: str
    ) -> None:
        """Have an event written about an object (a whole object, or a reference with kind, name and namespace)."""
        if len(self._waiting) == MOST_WAITING:
            logger.warning("%d events wait, and the oldest is dropped", MOST_WAITING)
        self._waiting.append(self._event(regarding, kind=kind, reason=reason, note=note, action=action))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all())

    async def drain(self) -> None:
        """Wait until everything that was emitted is written, for a moment: whoever ends must give the lease back."""
        if self._task is not None:
            # It may be over already: kopf, at its own end, cancels what began after it.
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._busy = lambda: False
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._write_all()
        except TimeoutError:
            logger.warning("%d events were not written any more", len(self._waiting))

    async def _write_all(self) -> None:
        while self._waiting:
            if self._busy():
                await self._sleep(BUSY_SECONDS)
            event = self._waiting.popleft()
            try:
                await self._write(event)
            except asyncio.CancelledError:
                self._waiting.appendleft(event)  # under the same name: written twice it is one
                raise

    def _event(self, regarding: Raw, *, kind: str, reason: str, note: str, action: str) -> Raw:
        about = reference(regarding)
        return {
            "apiVersion": resources.EVENTS.api_version,
            "kind": resources.EVENTS.kind,
            "metadata": {"name": f"{about['name']}.{uuid.uuid4().hex[:16]}", "namespace": about["namespace"]},
            "eventTime": datetime.datetime.now(datetime.UTC)
            .isoformat(timespec="microseconds")
            .replace("+00:00", "Z"),
            "reportingController": f"{names.GROUP}/operator",
            "reportingInstance": self._instance,
            "action": action,
            "reason": reason,
            "regarding": about,
            "note": note if len(note) <= NOTE_CHARACTERS else note[: NOTE_CHARACTERS - 1] + "…",
            "type": kind,
        }

    async def _write(self, event: Raw) -> None:
        about, reason = event["regarding"], event["reason"]
        try:
            await self._cluster.create(resources.EVENTS, event, field_manager=names.FIELD_MANAGER)
        except Forbidden as error:
            # A namespace that is going takes no new objects, and nobody will read its events.
            level = logging.DEBUG if "being terminated" in error.message else logging.WARNING
            logger.log(
                level, "event %s about %s %s was not written: %s", reason, about["kind"], about["name"], error
            )
        except Conflict:
            return  # it was written, and the answer was not waited for
        except KubeError as error:
            logger.warning(
                "event %s about %s %s was not written: %s", reason, about["kind"], about["name"], error
            )


def reference(obj: Raw) -> Raw:
    """How an event names the object that it is about."""
    metadata = obj["metadata"]
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        **({"uid": metadata["uid"]} if "uid" in metadata else {}),
    }
