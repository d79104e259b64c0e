"""What is a benchmark's result? Measures with their floor, requests by kind, and what else ran."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tests.cluster import audit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.cluster.audit import Request

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
MILLISECONDS = 1e3


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """One figure; `floor` is the same of the bare loop in the same run, where there is one."""

    name: str
    unit: str
    value: float
    floor: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the floor it is."""
        return self.value / self.floor if self.floor else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """What the machine did meanwhile; `others_cores` is what processes took that are not the benchmark's."""

    average_before: float
    average_after: float
    others_cores: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Requests:
    """The operator's requests for one ModelDeployment, or for what else `per` says.

    `apart` are those that the figures leave out: leases, watches, events, dry runs.
    """

    per: str
    counted: dict[str, float]
    apart: dict[str, float]
    writes: float

    @property
    def total(self) -> float:
        """All that count."""
        return sum(self.counted.values())

    @classmethod
    def of(cls, requests: Iterable[Request], *, each: int = 1, per: str = "a ModelDeployment") -> Requests:
        """Sort and divide."""
        counted: list[Request] = []
        apart: list[Request] = []
        for request in requests:
            (apart if _is_apart(request) else counted).append(request)
        return cls(
            per=per,
            counted=_by_kind(counted, each),
            apart=_by_kind(apart, each),
            writes=len(writes(counted)) / each,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What one scenario came to."""

    scenario: str
    about: str
    measures: tuple[Measure, ...]
    load: Load
    requests: Requests | None = None  # None where no operator runs
    notes: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        told = asdict(self)
        told["measures"] = [{**asdict(measure), "ratio": measure.ratio} for measure in self.measures]
        if self.requests is not None:
            told["requests"]["total"] = self.requests.total
        return told


def percentiles(
    name: str,
    seconds: Sequence[float],
    floor_seconds: Sequence[float] = (),
    *,
    parts: Sequence[int] = (50, 99),
) -> list[Measure]:
    """Percentiles in milliseconds, by the nearest rank: each is a sample that there was."""
    return [
        Measure(
            name=f"{name}, p{part}",
            unit="ms",
            value=percentile(seconds, part) * MILLISECONDS,
            floor=percentile(floor_seconds, part) * MILLISECONDS if floor_seconds else None,
        )
        for part in parts
    ]


def percentile(values: Sequence[float], part: int) -> float:
    """The smallest value that `part` per cent of all values do not pass."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part / 100 * len(ordered)) - 1)]


def writes(requests: Iterable[Request]) -> list[Request]:
    """Those that change something, leases, events and dry runs apart."""
    return [request for request in requests if request.verb in WRITES and not _is_apart(request)]


def _is_apart(request: Request) -> bool:
    return request.is_lease or request.is_watch or request.resource == "events" or "dryRun=" in request.uri


def _by_kind(requests: Iterable[Request], each: int) -> dict[str, float]:
    counts = Counter(
        {f"{verb} {resource}": count for (verb, resource), count in audit.counts(requests).items()}
    )
    return {kind: count / each for kind, count in counts.most_common()}
