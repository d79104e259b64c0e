"""How fast does the operator answer to what its users do: create, create many at once, change, delete?

Each sample of the operator has one of the floor beside it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from benchmarks import acting, meter, results, states
from benchmarks.acting import at_rest, prepare
from benchmarks.meter import Meter
from benchmarks.results import Measure, Outcome, Requests
from benchmarks.scenarios.scenario import Scenario
from benchmarks.seeing import soon

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.acting import Eyes, Served
    from benchmarks.api import Api, Raw
    from benchmarks.bench import Bench
    from benchmarks.scenarios.scenario import OnCluster

SAMPLES = 200
UNTRIED = 100
CHANGES = 100
ENDS = 100
LIMIT_MIB = 8192


async def single(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
    """One at a time, each settled before the next. Then such whose pods the API server has to try first."""
    names = [f"one-{number}" for number in range(SAMPLES)]
    others = [f"other-{number}" for number in range(UNTRIED)]
    await prepare(api, eyes, [*names, *others])
    taken = Meter(bench)
    served, bare = await _one_by_one(api, eyes, dict.fromkeys(names))
    cpu, floor_cpu, plane = taken.operator_cpu(), taken.floor_cpu(), taken.control_plane_cpu()
    requests, load = taken.requests(), taken.load()
    tried, beside = await _one_by_one(
        api, eyes, {name: _limited(number) for number, name in enumerate(others)}
    )
    await eyes.settled()
    return Outcome(
        scenario="single",
        about=f"{SAMPLES} ModelDeployments, one at a time; then {UNTRIED} with pods that were not tried yet",
        measures=(
            *results.percentiles("created until its ModelSidecar", [each.sidecar for each in served], bare),
            *results.percentiles(
                "created until its target is marked", [each.marked for each in served], bare
            ),
            *results.percentiles("created until its first full status", [each.told for each in served], bare),
            *results.percentiles(
                "pods not tried yet: until its ModelSidecar", [each.sidecar for each in tried], beside
            ),
            *results.percentiles(
                "pods not tried yet: until its target is marked", [each.marked for each in tried], beside
            ),
            meter.cpu_each("operator's CPU a ModelDeployment", cpu, floor_cpu, SAMPLES),
            Measure(
                name="control plane's CPU a ModelDeployment, the floor's in it",
                unit="ms",
                value=1e3 * plane / SAMPLES,
            ),
            meter.memory(bench),
        ),
        requests=Requests.of(requests, each=SAMPLES),
        load=load,
    )


async def _one_by_one(
    api: Api, eyes: Eyes, specs: Mapping[str, Raw | None]
) -> tuple[list[Served], list[float]]:
    """How long each takes, and the floor beside it."""
    served, bare = [], []
    for name, spec in specs.items():
        served.append(await acting.serve(api, eyes, name, spec=spec))
        await at_rest(eyes, name)
        bare.append(await acting.bare_loop(api, eyes, name))
    return served, bare


def _limited(number: int) -> Raw:
    """More of a spec: a limit of its own, which the API server looks into, so that these pods have to be tried."""
    return {"engine": {"resources": {"limits": {"memory": f"{LIMIT_MIB + number}Mi"}}}}


def burst(count: int) -> OnCluster:
    """So many created at once."""

    async def run(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
        names = [f"burst-{number}" for number in range(count)]
        await prepare(api, eyes, names)
        loop = asyncio.get_running_loop()
        taken = Meter(bench)
        bare = await acting.bare_loops(api, eyes, names)
        floor_cpu, floor_plane = taken.floor_cpu(), taken.control_plane_cpu()
        taken.begin()
        started = loop.time()
        served = await acting.serve_all(api, eyes, names)
        settled = await eyes.settled() - started
        await meter.silent(bench)  # Events come after the work, and are part of what it costs
        cpu, plane, load = taken.operator_cpu(), taken.control_plane_cpu(), taken.load()

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
                meter.cpu_each("operator's CPU a ModelDeployment", cpu, floor_cpu, count),
                meter.cpu_each("control plane's CPU a ModelDeployment", plane, floor_plane, count),
                meter.memory(bench),
            ),
            requests=Requests.of(taken.requests(), each=count),
            load=load,
        )

    return run


async def change(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
    """A change of what the engine is told, then of what the pod looks like."""
    name = "changed"
    await prepare(api, eyes, [name])
    await acting.serve(api, eyes, name)
    await at_rest(eyes, name)
    await acting.bare_loop(api, eyes, name)
    taken = Meter(bench)
    inside, inside_floor, outside, outside_floor, marked = [], [], [], [], []
    for number in range(CHANGES):
        told = {"serving": {"generation": {"temperature": round(0.01 * (number + 1), 2)}}}
        inside.append(await acting.changed(api, eyes, name, told))
        await at_rest(eyes, name)
        inside_floor.append(await acting.bare_change(api, eyes, name, told))
    inside_requests = Requests.of(taken.requests(), each=CHANGES, per="a change within the shape")
    inside_cpu, inside_floor_cpu = taken.operator_cpu(), taken.floor_cpu()
    others = Meter(bench)
    for number in range(CHANGES):
        shape = _limited(number)
        loop = asyncio.get_running_loop()
        started = loop.time()
        remarked = eyes.targets.when(name, _marked_anew(eyes, name))
        outside.append(await acting.changed(api, eyes, name, shape))
        marked.append(await soon(remarked, f"other marker on {name}") - started)
        await at_rest(eyes, name)
        outside_floor.append(await acting.bare_change(api, eyes, name, shape))
    outside_requests = Requests.of(others.requests(), each=CHANGES)
    return Outcome(
        scenario="change",
        about=f"{CHANGES} changes within the pod's shape, then {CHANGES} of its shape",
        measures=(
            *results.percentiles("changed within the shape until the ModelSidecar is", inside, inside_floor),
            *results.percentiles("shape changed until the ModelSidecar is", outside, outside_floor),
            *results.percentiles("shape changed until the target is marked anew", marked, outside_floor),
            meter.cpu_each("operator's CPU a change within the shape", inside_cpu, inside_floor_cpu, CHANGES),
            meter.cpu_each(
                "operator's CPU a change of the shape", others.operator_cpu(), others.floor_cpu(), CHANGES
            ),
            Measure(name="writes a change within the shape", unit="", value=inside_requests.writes),
            Measure(name="writes a change of the shape", unit="", value=outside_requests.writes),
            meter.memory(bench),
        ),
        requests=inside_requests,
        load=taken.load(),
        notes=(f"requests for a change of the shape: {outside_requests.counted}",),
    )


def _marked_anew(eyes: Eyes, name: str) -> Callable[[Raw], bool]:
    before = states.marker(eyes.targets.objects[name], name)
    return lambda target: states.marker(target, name) not in (None, before)


async def delete(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
    """One after the other goes again."""
    names = [f"gone-{number}" for number in range(ENDS)]
    await prepare(api, eyes, names)
    await acting.serve_all(api, eyes, names)
    await acting.bare_loops(api, eyes, names)
    await eyes.settled()
    taken = Meter(bench)
    ended, bare = [], []
    for name in names:
        ended.append(await acting.unmarked(api, eyes, name))
        bare.append(await acting.bare_end(api, eyes, name))
        # Until garbage collection has been through, which the operator does not wait for but the next sample would.
        await soon(eyes.sidecars.gone(name), f"end of ModelSidecar {name}")
    await eyes.settled()
    cpu, floor_cpu, load = taken.operator_cpu(), taken.floor_cpu(), taken.load()
    return Outcome(
        scenario="delete",
        about=f"{ENDS} ModelDeployments deleted, one at a time",
        measures=(
            *results.percentiles("deleted until its target is unmarked", ended, bare),
            meter.cpu_each("operator's CPU a deletion", cpu, floor_cpu, ENDS),
            meter.memory(bench),
        ),
        requests=Requests.of(taken.requests(), each=ENDS, per="a deletion"),
        load=load,
    )


SCENARIOS = (
    Scenario(
        name="single",
        about="200 ModelDeployments created one at a time, each settled before the next",
        on_cluster=single,
    ),
    Scenario(name="burst-100", about="100 created at once", on_cluster=burst(100)),
    Scenario(name="burst-500", about="500 created at once", on_cluster=burst(500)),
    Scenario(name="burst-1000", about="1,000 created at once", on_cluster=burst(1000), by_default=False),
    Scenario(
        name="change",
        about="one ModelDeployment changed 100 times in what its engine is told, 100 times in its pod's shape",
        on_cluster=change,
    ),
    Scenario(name="delete", about="100 ModelDeployments deleted one at a time", on_cluster=delete),
)
