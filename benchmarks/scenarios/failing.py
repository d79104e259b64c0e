"""What do ModelDeployments cost that fail for ever, and do the others wait for them?

Half of them name a model that the Hub does not have, each another one, half a memory that no node has.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from benchmarks import acting, meter, states
from benchmarks.api import MODEL_DEPLOYMENTS, at_once
from benchmarks.bench import NAMESPACE
from benchmarks.meter import Meter
from benchmarks.results import Measure, Outcome, Requests
from benchmarks.scenarios.scenario import Scenario
from benchmarks.seeing import soon

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.acting import Eyes
    from benchmarks.api import Api, Raw
    from benchmarks.bench import Bench
    from benchmarks.scenarios.scenario import OnCluster

UNKNOWN = "pillion-test/there-is-no-such-model"
NO_ROOM = {"engine": {"resources": {"requests": {"memory": "900Ti"}, "limits": {"memory": "900Ti"}}}}
# The back-off doubles from 0.2 s and has reached its longest when it has waited for 0.2 + 0.4 + ... + 51.2 s.
BACKED_OFF_SECONDS = 110.0
WAITING_SECONDS = 180.0  # two looks at the longest back-off, which is 75 to 90 s


def failing(failures: int, *, of: int) -> OnCluster:
    """First the others alone, then again with the failing ones there, then nothing but waiting."""

    async def run(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
        good = of - failures
        before = [f"before-{number}" for number in range(good)]
        beside = [f"beside-{number}" for number in range(good)]
        bad = [f"bad-{number}" for number in range(failures)]
        loop = asyncio.get_running_loop()
        await acting.prepare(api, eyes, [*before, *beside, *bad])
        floor = max(await acting.bare_loops(api, eyes, before))
        alone = await _all_marked(api, eyes, before)
        await at_once([api.delete(MODEL_DEPLOYMENTS, NAMESPACE, name) for name in before])
        for name in before:
            await soon(eyes.sidecars.gone(name), f"end of ModelSidecar {name}")
        await eyes.settled()
        began = loop.time()
        await at_once([api.create(MODEL_DEPLOYMENTS, _bad(name)) for name in bad])
        for name in bad:
            await soon(
                eyes.models.when(name, states.is_refused), f"status of ModelDeployment {name} that says no"
            )
        # What is measured here is time itself: first the back-off's, at the end that of the count.
        await asyncio.sleep(max(0.0, began + BACKED_OFF_SECONDS - loop.time()))
        together = await _all_marked(api, eyes, beside)
        await eyes.settled()
        await meter.silent(bench)
        taken = Meter(bench)
        await asyncio.sleep(WAITING_SECONDS)
        minutes = taken.seconds() / 60
        cpu, floor_cpu, load = taken.operator_cpu(), taken.floor_cpu(), taken.load()
        requests = Requests.of(taken.requests(), each=1, per=f"{minutes:.1f} minutes, all failing ones")
        return Outcome(
            scenario=f"failing-{failures}-of-{of}",
            about=f"{good} at once without and with {failures} that fail for ever",
            measures=(
                Measure(name=f"all {good} targets are marked, alone", unit="s", value=alone, floor=floor),
                Measure(
                    name=f"all {good} targets are marked, beside the failing ones",
                    unit="s",
                    value=together,
                    floor=floor,
                ),
                Measure(
                    name="requests a minute for each failing one",
                    unit="",
                    value=requests.total / minutes / failures,
                ),
                meter.cpu_share(cpu, floor_cpu, taken.seconds()),
                meter.memory(bench),
            ),
            requests=requests,
            load=load,
        )

    return run


async def _all_marked(api: Api, eyes: Eyes, names: Sequence[str]) -> float:
    return max(each.marked for each in await acting.serve_all(api, eyes, names))


def _bad(name: str) -> Raw:
    if int(name.rpartition("-")[2]) % 2:
        return acting.model(name, target=name, repo=f"{UNKNOWN}-{name}")
    return acting.model(name, target=name, spec=NO_ROOM)


SCENARIOS = (
    Scenario(
        name="failing-10-of-100",
        about="90 created at once without and with 10 that fail for ever, and what those cost",
        on_cluster=failing(10, of=100),
    ),
    Scenario(
        name="failing-50-of-500",
        about="450 created at once without and with 50 that fail for ever, and what those cost",
        on_cluster=failing(50, of=500),
        by_default=False,
    ),
)
