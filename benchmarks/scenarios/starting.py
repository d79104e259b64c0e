"""How long is a new leader's beginning where a thousand ModelDeployments exist, and does it leave them alone?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from benchmarks import acting, meter, states
from benchmarks.api import MODEL_DEPLOYMENTS
from benchmarks.meter import Meter
from benchmarks.results import Measure, Outcome, Requests, writes
from benchmarks.scenarios.scenario import Scenario
from benchmarks.seeing import soon

if TYPE_CHECKING:
    from benchmarks.acting import Eyes
    from benchmarks.api import Api
    from benchmarks.bench import Bench
    from benchmarks.scenarios.scenario import OnCluster

NEW = "new"


def start(count: int) -> OnCluster:
    """The operator ends, a ModelDeployment is created meanwhile, and the operator starts again."""

    async def run(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
        names = [f"old-{number}" for number in range(count)]
        await acting.prepare(api, eyes, [*names, NEW])
        await acting.serve_all(api, eyes, names)
        await eyes.settled()
        grown = meter.memory(bench, f"memory of the one before, which served {count} (RSS)")
        bench.operator.stop()
        await api.create(MODEL_DEPLOYMENTS, acting.model(NEW, target=NEW))
        loop = asyncio.get_running_loop()
        marked = eyes.targets.when(NEW, lambda target: states.marker(target, NEW) is not None)
        taken = Meter(bench)
        started = loop.time()
        starting = asyncio.create_task(asyncio.to_thread(bench.operator.start))
        served = await soon(marked, f"marker on Deployment {NEW}") - started
        await starting
        await eyes.settled()
        cpu, load = taken.operator_cpu(), taken.load()
        requests = taken.requests()
        others = [f"{each.verb} {each.uri}" for each in writes(requests) if each.name != NEW]
        return Outcome(
            scenario=f"start-{count}",
            about=f"the operator starts beside {count} ModelDeployments, and one that is new",
            measures=(
                Measure(name="process started until the new one's target is marked", unit="s", value=served),
                Measure(name="writes to those that were there", unit="", value=len(others)),
                Measure(name="operator's CPU until all is settled", unit="s", value=cpu),
                meter.memory(bench),
                grown,
            ),
            requests=Requests.of(requests, per="the whole start, the new one's in it"),
            load=load,
            notes=(f"written: {', '.join(others[:5])}",) if others else (),
        )

    return run


SCENARIOS = (
    Scenario(
        name="start-200", about="the operator starts where 200 ModelDeployments exist", on_cluster=start(200)
    ),
    Scenario(
        name="start-1000",
        about="the operator starts where 1,000 ModelDeployments exist",
        on_cluster=start(1000),
        by_default=False,
    ),
)
