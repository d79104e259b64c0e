"""How long is a running pod without its model when it changes to another, beyond what the new one takes to load?

On a kind cluster, where containers really run, with the stand-in engine of the end-to-end tests. The clock starts when
a watch shows the changed ModelDeployment, and goes by what the supervisor logs: it starts the new engine once the old
one has stopped, and says when that one serves and how long it took.
"""

from __future__ import annotations

import datetime
import os
import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import results
from benchmarks.meter import Beside
from benchmarks.results import Measure, Outcome
from benchmarks.scenarios.scenario import Scenario
from tests.cluster import kind
from tests.e2e.harness import installation
from tests.e2e.harness.application import Application
from tests.e2e.harness.cluster import Space
from tests.e2e.harness.models import KIND, Model
from tests.e2e.harness.waiting import NotYet, until
from tests.hub import models

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.e2e.harness.cluster import Sight, Watch

NAME = "pillion-bench"
SWAPS = 100
LONGEST_SECONDS = 600.0  # after so long no further swap is begun
SETTLE_SECONDS = 120.0

STARTING = re.compile(r"^(?P<at>\S+) pillion: starting .*, instruction (?P<hash>\w+)")
SERVING = re.compile(
    r"^(?P<at>\S+) pillion: serving instruction (?P<hash>\w+), (?P<load>[\d.]+) s after the start"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Swap:
    """What a supervisor logged of one swap. Times are seconds since the epoch."""

    started: float  # the old engine has stopped, the new one is started
    serving: float
    load_seconds: float


def swap() -> Outcome:
    """One pod changes its model again and again."""
    reason = kind.availability()
    assert not reason, reason
    installed = installation.install(NAME)
    try:
        beside = Beside(lambda: [os.getpid()])
        stopped, beyond = _measured(installed)
        load = beside.load()
    finally:
        kind.down(NAME)
    figures: list[Measure] = []
    for name, seconds in (
        ("patched until the old engine has stopped", stopped),
        ("patched until the new one serves, beyond its load", beyond),
    ):
        if len(seconds) >= SWAPS:
            figures += results.percentiles(name, seconds)
        else:
            figures += [
                Measure(name=f"{name}, median", unit="ms", value=1e3 * results.percentile(seconds, 50)),
                Measure(name=f"{name}, worst", unit="ms", value=1e3 * max(seconds)),
            ]
    return Outcome(
        scenario="swap",
        about=f"{len(stopped)} swaps in one pod, stand-in engine on a kind cluster",
        measures=tuple(figures),
        load=load,
        notes=(
            f"node image: {installed.kind.node_image_origin}; the cluster's own CPU counts among the other processes",
        ),
    )


def _measured(installed: installation.Installation) -> tuple[list[float], list[float]]:
    """Seconds until the old engine has stopped, and until the new one serves less its own load time."""
    space = Space(cluster=installed.cluster, namespace=f"bench-{secrets.token_hex(4)}")
    space.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space.namespace}})
    application, model = Application(space=space), Model(space=space)
    application.deploy()
    model.apply(repo=models.TINY_RIVER)
    model.await_condition("Ready")
    pod = application.pod()["metadata"]["name"]
    stopped: list[float] = []
    beyond: list[float] = []
    began = time.monotonic()
    with space.watch(KIND, name=model.name) as watch:
        while len(stopped) < SWAPS and time.monotonic() - began < LONGEST_SECONDS:
            repo = models.TINY_RIVER if len(stopped) % 2 else models.TINY_STAR
            model.change(model={"repo": repo})
            patched = _first(watch, model.object()["metadata"]["generation"])
            model.await_condition("Ready")
            seen = read(_log(space, pod, model.container), after=patched.at)
            stopped.append(seen.started - patched.at)
            beyond.append(seen.serving - patched.at - seen.load_seconds)
    return stopped, beyond


def read(lines: Iterable[str], *, after: float) -> Swap:
    """The first swap in a supervisor's log that began after a time.

    Raises:
        ValueError: the log tells of none.
    """
    started: tuple[str, float] | None = None
    for line in lines:
        if (found := STARTING.match(line)) and _seconds(found["at"]) >= after:
            started = (found["hash"], _seconds(found["at"]))
        elif (found := SERVING.match(line)) and started is not None and found["hash"] == started[0]:
            return Swap(started=started[1], serving=_seconds(found["at"]), load_seconds=float(found["load"]))
    raise ValueError("the supervisor's log tells of no swap")


def _first(watch: Watch, generation: int) -> Sight:
    """The first state of that generation, as the watch saw it."""

    def look() -> Sight:
        return watch.first(
            sight for sight in watch.sights if sight.object["metadata"]["generation"] == generation
        )

    return until(f"generation {generation}", look, seconds=SETTLE_SECONDS)


def _log(space: Space, pod: str, container: str) -> list[str]:
    def look() -> list[str]:
        lines = space.kubectl(
            "logs", pod, f"--container={container}", "--timestamps", "--tail=200"
        ).splitlines()
        if not lines:
            raise NotYet("an empty log")
        return lines

    return until("the supervisor's log", look, seconds=SETTLE_SECONDS)


def _seconds(timestamp: str) -> float:
    """RFC 3339 with nanoseconds, as the kubelet writes it."""
    whole, _, fraction = timestamp.rstrip("Z").partition(".")
    moment = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.UTC)
    return moment.timestamp() + (float(f"0.{fraction}") if fraction else 0.0)


SCENARIOS = (
    Scenario(
        name="swap",
        about="a pod changes its model again and again, on a kind cluster",
        alone=swap,
        by_default=False,
    ),
)
