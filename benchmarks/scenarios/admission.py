"""What does a pod's creation cost with the policy, by the number of ModelSidecars in its namespace?

Pods are created as server-side dry runs: admission and validation are the same, and neither a store nor a scheduler
blurs the difference. The floor is the same pod without the label: the policy does not look at it.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from typing import TYPE_CHECKING

from benchmarks import acting, results
from benchmarks.api import MODEL_DEPLOYMENTS, PODS, at_once
from benchmarks.bench import NAMESPACE
from benchmarks.meter import Meter
from benchmarks.results import Measure, Outcome
from benchmarks.scenarios.scenario import Scenario
from benchmarks.seeing import soon
from pillion import injection

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.acting import Eyes
    from benchmarks.api import Api, Raw
    from benchmarks.bench import Bench

SIDECARS = (1, 10, 100)
ROUNDS, EACH = 20, 10
BINDINGS = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings"
CREATE = f"{PODS.path(NAMESPACE)}?{urllib.parse.urlencode({'dryRun': 'All'})}"
ASK_AGAIN_SECONDS = 0.1


async def admission(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
    """More and more ModelSidecars; at the end the policy's binding is taken away."""
    await acting.prepare(api, eyes, [])
    measures: list[Measure] = []
    there: list[str] = []
    beside = Meter(bench)
    for count in SIDECARS:
        more = [f"model-{number}" for number in range(len(there), count)]
        await at_once([api.create(MODEL_DEPLOYMENTS, acting.model(name)) for name in more])
        for name in more:
            await soon(eyes.sidecars.when(name, lambda _: True), f"ModelSidecar {name}")
        there += more
        await eyes.settled()
        await _until(api, containers=2)
        injected: list[float] = []
        plain: list[float] = []
        cpu = {True: 0.0, False: 0.0}
        for _ in range(ROUNDS):
            for labelled, taken in ((True, injected), (False, plain)):
                meter = Meter(bench)
                taken.extend(await _create(api, labelled=labelled))
                cpu[labelled] += meter.control_plane_cpu()
        measures += [
            *results.percentiles(f"pod created beside {count} ModelSidecars", injected, plain),
            _cpu(f"control plane's CPU a pod, {count} ModelSidecars", cpu[True], cpu[False], injected),
        ]
    # The one of the preparation is a ModelSidecar too.
    about = "marked pods created, the floor without the label; one ModelSidecar more is there each time"
    await api.delete_at(f"{BINDINGS}/{injection.POLICY_NAME}")
    await _until(api, containers=1)
    without = [seconds for _ in range(ROUNDS) for seconds in await _create(api, labelled=True)]
    bare = [seconds for _ in range(ROUNDS) for seconds in await _create(api, labelled=False)]
    measures += results.percentiles("pod created without any policy", without, bare)
    return Outcome(scenario="admission", about=about, measures=tuple(measures), load=beside.load())


async def _create(api: Api, *, labelled: bool) -> list[float]:
    """A row of pods; seconds of each."""
    loop = asyncio.get_running_loop()
    taken = []
    for _ in range(EACH):
        started = loop.time()
        await api.post(CREATE, _pod(labelled=labelled))
        taken.append(loop.time() - started)
    return taken


async def _until(api: Api, *, containers: int) -> None:
    """Admission learns of policies and parameters by watches of its own."""
    while len((await api.post(CREATE, _pod(labelled=True)))["spec"]["containers"]) != containers:  # noqa: ASYNC110 - nothing tells
        await asyncio.sleep(ASK_AGAIN_SECONDS)


def _cpu(name: str, seconds: float, floor_seconds: float, samples: Sequence[float]) -> Measure:
    each = 1e3 / len(samples)
    return Measure(name=name, unit="ms", value=seconds * each, floor=floor_seconds * each)


def _pod(*, labelled: bool) -> Raw:
    marks: Raw = {
        "labels": {"pillion.dev/inject": "true"},
        "annotations": {"model.pillion.dev/model-0": "trial"},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "trial", "namespace": NAMESPACE, **(marks if labelled else {})},
        "spec": {"containers": [{"name": "app", "image": "example.com/app:1"}]},
    }


SCENARIOS = (
    Scenario(
        name="admission",
        about="pods created with and without the policy, beside 1, 10 and 100 ModelSidecars",
        on_cluster=admission,
    ),
)
