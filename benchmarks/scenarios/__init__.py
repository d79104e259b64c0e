"""Which situations are measured, and how is one of them run?"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from benchmarks.acting import Eyes
from benchmarks.api import Api
from benchmarks.scenarios import (
    admission,
    failing,
    many_pods,
    programs,
    responding,
    resting,
    starting,
    swapping,
)
from benchmarks.scenarios.scenario import Scenario

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.results import Outcome
    from benchmarks.scenarios.scenario import OnCluster

__all__ = ["ALL", "Scenario", "on_cluster"]

ALL: dict[str, Scenario] = {
    scenario.name: scenario
    for module in (responding, resting, starting, failing, many_pods, admission, programs, swapping)
    for scenario in module.SCENARIOS
}


async def on_cluster(bench: Bench, act: OnCluster) -> Outcome:
    """Run one, with watches of everything that it waits for."""
    api = Api.connect(bench.cluster.kubeconfig)
    try:
        async with asyncio.TaskGroup() as group:
            eyes = Eyes.open(api, group)
            outcome = await act(bench, api, eyes)
            eyes.close()
    except BaseExceptionGroup as group:
        # The first one broke it; the others were cancelled for it.
        raise group.exceptions[0] from group
    else:
        return outcome
    finally:
        await api.close()
