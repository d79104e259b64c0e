"""What did the API server do for whom? Its audit log, read as requests that a test can count."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

# Metadata of every request, once: a watch when its first byte goes out, everything else when it is answered.
POLICY: dict[str, Any] = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata", "omitManagedFields": True}],
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request. `code` is the HTTP status, `received` the time in RFC 3339 with microseconds, in UTC."""

    user: str
    verb: str
    resource: str
    subresource: str
    api_group: str
    namespace: str
    name: str
    code: int
    received: str
    user_agent: str
    uri: str

    @property
    def is_lease(self) -> bool:
        """Whether it only keeps a leader's or node's lease."""
        return self.resource == "leases"

    @property
    def is_watch(self) -> bool:
        """Whether it is a watch, which lasts."""
        return self.verb == "watch"


LONGEST_LINE_BYTES = 2**20  # one line is about 1 KiB, with metadata alone


class Log:
    """The audit log of one API server, which keeps growing."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def position(self) -> int:
        """Where the log ends now, in bytes: pass it as `since` to see only what comes later.

        A line that is being written at this moment comes later.
        """
        if not self.path.exists():
            return 0
        with self.path.open("rb") as lines:
            end = lines.seek(0, os.SEEK_END)
            begin = max(0, end - LONGEST_LINE_BYTES)
            lines.seek(begin)
            return begin + lines.read(end - begin).rfind(b"\n") + 1

    def requests(
        self,
        *,
        user: str | None = None,
        verb: str | None = None,
        resource: str | None = None,
        namespace: str | None = None,
        since: int = 0,
    ) -> list[Request]:
        """The requests that match everything given, oldest answer first, each once."""
        wanted = {"user": user, "verb": verb, "resource": resource, "namespace": namespace}
        given = {key: value for key, value in wanted.items() if value is not None}
        return [
            request
            for request in _once(self._events(since))
            if all(getattr(request, key) == value for key, value in given.items())
        ]

    def _events(self, since: int) -> Iterator[dict[str, Any]]:
        if not self.path.exists():
            return
        with self.path.open("rb") as lines:
            lines.seek(since)
            for line in lines:
                # The last line may be in the middle of being written.
                if line.endswith(b"\n"):
                    yield json.loads(line)


def counts(requests: Iterable[Request]) -> Counter[tuple[str, str]]:
    """How many requests by (verb, resource); a subresource shows as `pods/status`."""
    return Counter(
        (r.verb, f"{r.resource}/{r.subresource}" if r.subresource else r.resource) for r in requests
    )


def _once(events: Iterator[dict[str, Any]]) -> Iterator[Request]:
    seen: set[str] = set()
    for event in events:
        if event["auditID"] in seen:
            continue
        seen.add(event["auditID"])
        about = event.get("objectRef") or {}
        yield Request(
            # Whoever is impersonated is who asks.
            user=(event.get("impersonatedUser") or event["user"]).get("username", ""),
            verb=event["verb"],
            resource=about.get("resource", ""),
            subresource=about.get("subresource", ""),
            api_group=about.get("apiGroup", ""),
            namespace=about.get("namespace", ""),
            name=about.get("name", ""),
            code=(event.get("responseStatus") or {}).get("code", 0),
            received=event["requestReceivedTimestamp"],
            user_agent=event.get("userAgent", ""),
            uri=event["requestURI"],
        )
