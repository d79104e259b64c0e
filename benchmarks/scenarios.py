"""Which situations are measured?

    single       ModelDeployments created one at a time, each settled before the next
    burst-100    a hundred created at once
    burst-500    five hundred created at once
    change       one ModelDeployment changed again and again: in what it runs, and in its pod's shape
    rest         twenty that serve, and a minute in which nobody changes anything

Every ModelDeployment has a target of its own, a Deployment that is there before, with no replicas: how long it takes
until a target is marked does not depend on its pods, and simulated pods would take the control plane's CPU. `rest` has
one replica each, so that there are engines to follow. All are in one namespace and name one small model of a local
Hub, which the operator has read before the clock runs. Each sample of the operator has one of the floor beside it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import consumption, floor, results
from benchmarks.api import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    FLOOR_CAUSES,
    FLOOR_GROUP,
    MODEL_DEPLOYMENTS,
    MODEL_SIDECARS,
    Api,
    at_once,
)
from benchmarks.bench import FLOOR_NAMESPACE, NAMESPACE, Bench
from benchmarks.results import Load, Measure, Outcome, Requests
from benchmarks.seeing import Sight, soon
from tests import operator_process
from tests.hub import models
from tests.integration.operating import stage
from tests.integration.operating.engines import Players

if TYPE_CHECKING:
    from tests.cluster.audit import Request

Raw = dict[str, Any]

SAMPLES = 200
CHANGES = 100
AT_REST = 20
REST_SECONDS = 60.0
QUIET_SECONDS = 2.0  # no event of the operator's objects for so long: it has settled
MIB = 1024**2


@dataclass(frozen=True, kw_only=True, slots=True)
class Eyes:
    """Watches of everything that a scenario waits for."""

    models: Sight
    sidecars: Sight
    targets: Sight
    floor: Sight

    @classmethod
    def open(cls, api: Api, group: asyncio.TaskGroup) -> Eyes:
        """Begin to watch."""
        return cls(
            models=Sight.of(api, MODEL_DEPLOYMENTS, NAMESPACE, group),
            sidecars=Sight.of(api, MODEL_SIDECARS, NAMESPACE, group),
            targets=Sight.of(api, DEPLOYMENTS, NAMESPACE, group),
            floor=Sight.of(api, CONFIG_MAPS, FLOOR_NAMESPACE, group),
        )

    async def settled(self) -> float:
        """The time of the last change to what the operator writes, once nothing changes any more."""
        return max([await sight.quiet(QUIET_SECONDS) for sight in (self.models, self.sidecars, self.targets)])

    def close(self) -> None:
        """Stop watching."""
        for sight in (self.models, self.sidecars, self.targets, self.floor):
            sight.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """When a ModelDeployment got what, in seconds since it was sent to the API server."""

    sidecar: float
    marked: float
    told: float  # its first full status


class Meter:
    """What a stretch of time took: CPU of the operator, the control plane and others, and the operator's requests."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        assert bench.cluster.requests is not None
        self._log = bench.cluster.requests
        self.begin()

    def begin(self) -> None:
        """From now on."""
        self._since = self._log.position()
        self._started = time.monotonic()
        self._load = os.getloadavg()[0]
        self._busy = consumption.busy_seconds()
        self._operator = consumption.cpu_seconds(self._bench.operator_pids)
        self._floor = consumption.cpu_seconds([self._bench.floor_pid])
        self._plane = consumption.cpu_seconds(self._bench.control_plane_pids)
        self._all = consumption.cpu_seconds(self._bench.all_pids)

    def requests(self) -> list[Request]:
        """The operator's, since the beginning."""
        return self._log.requests(user=operator_process.USER, since=self._since)

    def operator_cpu(self) -> float:
        """Seconds."""
        return consumption.cpu_seconds(self._bench.operator_pids) - self._operator

    def floor_cpu(self) -> float:
        """Seconds."""
        return consumption.cpu_seconds([self._bench.floor_pid]) - self._floor

    def control_plane_cpu(self) -> float:
        """Seconds, for the operator's and the floor's requests and for all that follows from them."""
        return consumption.cpu_seconds(self._bench.control_plane_pids) - self._plane

    def seconds(self) -> float:
        """How long it is."""
        return time.monotonic() - self._started

    def load(self) -> Load:
        """What else ran."""
        busy = consumption.busy_seconds() - self._busy
        own = consumption.cpu_seconds(self._bench.all_pids) - self._all
        return Load(
            average_before=self._load,
            average_after=os.getloadavg()[0],
            others_cores=max(0.0, busy - own) / self.seconds(),
        )


async def single(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
    """One at a time."""
    names = [f"one-{number}" for number in range(SAMPLES)]
    await prepare(api, eyes, names)
    meter = Meter(bench)
    served, bare = [], []
    for name in names:
        served.append(await serve(api, eyes, name))
        await at_rest(eyes, name)
        bare.append(await bare_loop(api, eyes, name))
    cpu, floor_cpu, load = meter.operator_cpu(), meter.floor_cpu(), meter.load()
    await eyes.settled()
    return Outcome(
        scenario="single",
        about=f"{SAMPLES} ModelDeployments, one at a time",
        measures=(
            *results.percentiles("created until its ModelSidecar", [each.sidecar for each in served], bare),
            *results.percentiles(
                "created until its target is marked", [each.marked for each in served], bare
            ),
            *results.percentiles("created until its first full status", [each.told for each in served], bare),
            cpu_each("operator's CPU a ModelDeployment", cpu, floor_cpu, SAMPLES),
            memory(bench),
        ),
        requests=Requests.of(meter.requests(), each=SAMPLES),
        load=load,
    )


def burst(count: int) -> Scenario:
    """So many at once."""

    async def run(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
        names = [f"burst-{number}" for number in range(count)]
        await prepare(api, eyes, names)
        loop = asyncio.get_running_loop()
        meter = Meter(bench)
        started = loop.time()
        bare = await gather([bare_loop(api, eyes, name, since=started) for name in names])
        floor_cpu = meter.floor_cpu()
        meter.begin()
        started = loop.time()
        served = await gather([serve(api, eyes, name, since=started) for name in names])
        settled = await eyes.settled() - started
        cpu, plane, load = meter.operator_cpu(), meter.control_plane_cpu(), meter.load()

        def until_all(what: str, seconds: float) -> Measure:
            return Measure(name=f"all {count} {what}", unit="s", value=seconds, floor=max(bare))

        return Outcome(
            scenario=f"burst-{count}",
            about=f"{count} ModelDeployments at once",
            measures=(
                until_all("have a ModelSidecar", max(each.sidecar for each in served)),
                until_all("targets are marked", max(each.marked for each in served)),
                until_all("have their first full status", max(each.told for each in served)),
                until_all("are settled", settled),
                cpu_each("operator's CPU a ModelDeployment", cpu, floor_cpu, count),
                Measure(name="control plane's CPU a ModelDeployment", unit="ms", value=1e3 * plane / count),
                memory(bench),
            ),
            requests=Requests.of(meter.requests(), each=count),
            load=load,
        )

    return run


async def change(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
    """A change of what the engine is told, then of what the pod looks like."""
    name = "changed"
    await prepare(api, eyes, [name])
    await serve(api, eyes, name)
    await at_rest(eyes, name)
    await bare_loop(api, eyes, name)
    meter = Meter(bench)
    inside, inside_floor, outside, outside_floor, marked = [], [], [], [], []
    for number in range(CHANGES):
        told = {"serving": {"generation": {"temperature": round(0.01 * (number + 1), 2)}}}
        inside.append(await changed(api, eyes, name, told))
        await at_rest(eyes, name)
        inside_floor.append(await bare_change(api, eyes, name, told))
    inside_requests = Requests.of(meter.requests(), each=CHANGES)
    inside_cpu, inside_floor_cpu = meter.operator_cpu(), meter.floor_cpu()
    others = Meter(bench)
    for number in range(CHANGES):
        shape = {"engine": {"port": 20000 + 2 * number}}
        loop = asyncio.get_running_loop()
        started = loop.time()
        revision = marker(eyes.targets.objects[name], name)
        remarked = eyes.targets.when(name, lambda target, old=revision: marker(target, name) != old)
        outside.append(await changed(api, eyes, name, shape))
        marked.append(await soon(remarked, f"other marker on {name}") - started)
        await at_rest(eyes, name)
        outside_floor.append(await bare_change(api, eyes, name, shape))
    outside_requests = Requests.of(others.requests(), each=CHANGES)
    return Outcome(
        scenario="change",
        about=f"{CHANGES} changes within the pod's shape, then {CHANGES} of its shape",
        measures=(
            *results.percentiles("changed within the shape until the ModelSidecar is", inside, inside_floor),
            *results.percentiles("shape changed until the ModelSidecar is", outside, outside_floor),
            *results.percentiles("shape changed until the target is marked anew", marked, outside_floor),
            cpu_each("operator's CPU a change within the shape", inside_cpu, inside_floor_cpu, CHANGES),
            Measure(name="writes a change of the shape", unit="", value=outside_requests.writes),
            memory(bench),
        ),
        requests=inside_requests,
        load=meter.load(),
        notes=(f"requests are those of a change within the shape; of the shape: {outside_requests.counted}",),
    )


async def rest(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
    """Nothing happens."""
    names = [f"rest-{number}" for number in range(AT_REST)]
    players = Players(bench.cluster.kubeconfig)
    players.start()
    try:
        await prepare(api, eyes, names, replicas=1)
        await gather([serve(api, eyes, name) for name in names])
        for name in names:
            await soon(eyes.models.when(name, is_ready), f"ModelDeployment {name} that is ready")
        await eyes.settled()
        meter = Meter(bench)
        await asyncio.sleep(REST_SECONDS)  # what is measured is this time itself
        seconds, cpu, floor_cpu, load = meter.seconds(), meter.operator_cpu(), meter.floor_cpu(), meter.load()
        requests = Requests.of(meter.requests())
    finally:
        players.stop()
    return Outcome(
        scenario="rest",
        about=f"{AT_REST} ModelDeployments that serve, {REST_SECONDS:.0f} s in which nothing changes",
        measures=(
            Measure(name="requests", unit="", value=requests.total),
            Measure(
                name="operator's CPU",
                unit="% of a core",
                value=100 * cpu / seconds,
                floor=100 * floor_cpu / seconds,
            ),
            memory(bench),
        ),
        requests=requests,
        load=load,
        notes=("requests are all of the time, not those for each ModelDeployment",),
    )


Scenario = Callable[[Bench, Api, Eyes], Awaitable[Outcome]]

SCENARIOS: dict[str, Scenario] = {
    "single": single,
    "burst-100": burst(100),
    "burst-500": burst(500),
    "change": change,
    "rest": rest,
}


async def run(bench: Bench, scenario: Scenario) -> Outcome:
    """Run one of them."""
    api = Api.connect(bench.cluster.kubeconfig)
    try:
        async with asyncio.TaskGroup() as group:
            eyes = Eyes.open(api, group)
            outcome = await scenario(bench, api, eyes)
            eyes.close()
    except BaseExceptionGroup as group:
        # The first one broke it; the others were cancelled for it.
        raise group.exceptions[0] from group
    else:
        return outcome
    finally:
        await api.close()


# What users do


async def prepare(api: Api, eyes: Eyes, names: list[str], *, replicas: int = 0) -> None:
    """Targets that have been there for a while, and one ModelDeployment that has been through before the others."""
    warm = "warm"
    for name in (warm, *names):
        eyes.targets.when(name, is_observed)
    await at_once(
        [
            api.create(DEPLOYMENTS, stage.web(NAMESPACE, name=name, replicas=replicas))
            for name in (warm, *names)
        ]
    )
    for name in (warm, *names):
        await soon(eyes.targets.when(name, is_observed), f"Deployment {name} that its controller has seen")
    await serve(api, eyes, warm)
    await bare_loop(api, eyes, warm)
    await eyes.settled()


async def serve(api: Api, eyes: Eyes, name: str, *, since: float | None = None) -> Served:
    """Create a ModelDeployment, and see what it gets. The clock starts with the request."""
    loop = asyncio.get_running_loop()
    sidecar = eyes.sidecars.when(name, lambda _: True)
    marked = eyes.targets.when(name, lambda target: marker(target, name) is not None)
    told = eyes.models.when(name, is_told)
    started = loop.time() if since is None else since
    await api.create(MODEL_DEPLOYMENTS, stage.model(NAMESPACE, models.TINY_RIVER, name=name, target=name))
    return Served(
        sidecar=await soon(sidecar, f"ModelSidecar {name}") - started,
        marked=await soon(marked, f"marker on Deployment {name}") - started,
        told=await soon(told, f"status of ModelDeployment {name}") - started,
    )


async def changed(api: Api, eyes: Eyes, name: str, spec: Raw) -> float:
    """Change a ModelDeployment; seconds until its ModelSidecar is another."""
    loop = asyncio.get_running_loop()
    generation = eyes.sidecars.objects[name]["metadata"]["generation"]
    other = eyes.sidecars.when(name, lambda sidecar: sidecar["metadata"]["generation"] > generation)
    started = loop.time()
    await api.patch(MODEL_DEPLOYMENTS, NAMESPACE, name, {"spec": spec})
    return await soon(other, f"other ModelSidecar {name}") - started


async def at_rest(eyes: Eyes, name: str) -> None:
    """Its status is written, and the Deployment's own controller has followed: nobody works on it any more."""
    generation = eyes.models.objects[name]["metadata"]["generation"]
    await soon(
        eyes.models.when(
            name, lambda model: model["metadata"]["generation"] >= generation and is_told(model)
        ),
        f"status of ModelDeployment {name}",
    )
    await soon(eyes.targets.when(name, is_observed), f"Deployment {name} that its controller has seen")


# The floor


async def bare_loop(api: Api, eyes: Eyes, name: str, *, since: float | None = None) -> float:
    """The same for the floor: seconds from the creation until its one object is there."""
    loop = asyncio.get_running_loop()
    answered = eyes.floor.when(name, lambda _: True)
    body = stage.model(FLOOR_NAMESPACE, models.TINY_RIVER, name=name, target=name)
    started = loop.time() if since is None else since
    await api.create(FLOOR_CAUSES, {**body, "apiVersion": f"{FLOOR_GROUP}/v1alpha1"})
    return await soon(answered, f"answer of the floor to {name}") - started


async def bare_change(api: Api, eyes: Eyes, name: str, spec: Raw) -> float:
    """The same change for the floor: seconds until its one object says so."""
    loop = asyncio.get_running_loop()
    before = int(eyes.floor.objects[name]["data"][floor.GENERATION])
    answered = eyes.floor.when(name, lambda answer: int(answer["data"][floor.GENERATION]) > before)
    started = loop.time()
    await api.patch(FLOOR_CAUSES, FLOOR_NAMESPACE, name, {"spec": spec})
    return await soon(answered, f"answer of the floor to the change of {name}") - started


# What is true of an object


def marker(target: Raw, name: str) -> str | None:
    """The revision that a Deployment's pod template is marked with."""
    annotations: Raw = target["spec"]["template"]["metadata"].get("annotations") or {}
    return annotations.get(f"model.pillion.dev/{name}")


def is_told(model: Raw) -> bool:
    """Whether the status answers the present spec, all of it."""
    return bool(
        model.get("status", {}).get("observedGeneration") == model["metadata"]["generation"]
        and condition(model, "Planned") == "True"
        and condition(model, "Injected") in {"True", "False"}
    )


def is_ready(model: Raw) -> bool:
    """Whether the model serves everywhere."""
    return condition(model, "Ready") == "True"


def condition(model: Raw, kind: str) -> str | None:
    """Status of one condition."""
    conditions = model.get("status", {}).get("conditions") or []
    return next((entry["status"] for entry in conditions if entry["type"] == kind), None)


def is_observed(target: Raw) -> bool:
    """Whether the Deployment's controller has seen its present spec."""
    return bool(target.get("status", {}).get("observedGeneration") == target["metadata"]["generation"])


# Figures


def cpu_each(name: str, seconds: float, floor_seconds: float, count: int) -> Measure:
    """CPU time for one."""
    return Measure(name=name, unit="ms", value=1e3 * seconds / count, floor=1e3 * floor_seconds / count)


def memory(bench: Bench) -> Measure:
    """The operator's memory now."""
    return Measure(
        name="operator's memory (RSS)",
        unit="MiB",
        value=consumption.resident_bytes(bench.operator_pids) / MIB,
        floor=consumption.resident_bytes([bench.floor_pid]) / MIB,
    )


async def gather(work: list[Awaitable[Any]]) -> list[Any]:
    """All at once."""
    return list(await asyncio.gather(*work))
