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
    from collections.abc import Callable

    from benchmarks.acting import Eyes
    from benchmarks.api import Api, Raw
    from benchmarks.bench import Bench
    from benchmarks.scenarios.scenario import OnCluster

SAMPLES = 200
CHANGES = 100
ENDS = 100


async def single(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
    """One at a time, each settled before the next."""
    names = [f"one-{number}" for number in range(SAMPLES)]
    await prepare(api, eyes, names)
    taken = Meter(bench)
    served, bare = [], []
    for name in names:
        served.append(await acting.serve(api, eyes, name))
        await at_rest(eyes, name)
        bare.append(await acting.bare_loop(api, eyes, name))
    cpu, floor_cpu, plane = taken.operator_cpu(), taken.floor_cpu(), taken.control_plane_cpu()
    load = taken.load()
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
            meter.cpu_each("operator's CPU a ModelDeployment", cpu, floor_cpu, SAMPLES),
            Measure(
                name="control plane's CPU a ModelDeployment, the floor's in it",
                unit="ms",
                value=1e3 * plane / SAMPLES,
            ),
            meter.memory(bench),
        ),
        requests=Requests.of(taken.requests(), each=SAMPLES),
        load=load,
    )


def burst(count: int) -> OnCluster:
    """So many created at once."""

    async def run(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
        names = [f"burst-{number}" for number in range(count)]
        await prepare(api, eyes, names)
        loop = asyncio.get_running_loop()
        taken = Meter(bench)
        bare = await acting.bare_loops(api, eyes, names)
        floor_cpu = taken.floor_cpu()
        taken.begin()
        started = loop.time()
        served = await acting.serve_all(api, eyes, names)
        settled = await eyes.settled() - started
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
                Measure(name="control plane's CPU a ModelDeployment", unit="ms", value=1e3 * plane / count),
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
        shape = {"engine": {"port": 20000 + 2 * number}}
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
