"""What does the operator do when there is nothing to do, and when everything happens that is none of its business?

rest          twenty that serve, and a minute in which nobody changes anything
busy-nodes    twenty that serve on 500 GPU nodes, and a minute in which nodes send heartbeats and pods come and go
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING

from benchmarks import acting, engines, meter, states
from benchmarks.acting import gather, prepare
from benchmarks.api import NODES, PODS, at_once
from benchmarks.bench import FLOOR_NAMESPACE
from benchmarks.gpu_nodes import gpu_node
from benchmarks.meter import KIB, MIB, Meter
from benchmarks.results import Measure, Outcome, Requests
from benchmarks.scenarios.scenario import Scenario
from benchmarks.seeing import soon

if TYPE_CHECKING:
    from benchmarks.acting import Eyes
    from benchmarks.api import Api, Raw
    from benchmarks.bench import Bench

SERVING = 20
SECONDS = 60.0
GPU_NODES = 500
GPUS_PER_NODE = 4
PRODUCT = "NVIDIA-L4"
HEARTBEATS_PER_SECOND = 25
PODS_PER_SECOND = 5


async def rest(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
    """Nothing happens."""
    await _serve(bench, api, eyes)
    taken = Meter(bench)
    await asyncio.sleep(SECONDS)  # what is measured is this time itself
    seconds, cpu, floor_cpu, load = taken.seconds(), taken.operator_cpu(), taken.floor_cpu(), taken.load()
    requests = Requests.of(taken.requests(), per="the whole minute")
    return Outcome(
        scenario="rest",
        about=f"{SERVING} ModelDeployments that serve, {SECONDS:.0f} s in which nothing changes",
        measures=(
            Measure(name="requests", unit="", value=requests.total),
            meter.cpu_share(cpu, floor_cpu, seconds),
            meter.memory(bench),
        ),
        requests=requests,
        load=load,
    )


async def busy_nodes(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
    """Heartbeats of nodes, and pods without a marker that come and go on their accelerators."""
    names = [f"gpu-{number}" for number in range(GPU_NODES)]
    await at_once([api.post(NODES.path(), gpu_node(name, PRODUCT, GPUS_PER_NODE)) for name in names])
    await _serve(bench, api, eyes)
    before = meter.memory(bench)
    taken = Meter(bench)
    heartbeats = _Paced(HEARTBEATS_PER_SECOND)
    strangers = _Paced(PODS_PER_SECOND)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(_beat(api, names, heartbeats), _come_and_go(api, names, strangers))
    seconds, cpu, floor_cpu, load = taken.seconds(), taken.operator_cpu(), taken.floor_cpu(), taken.load()
    requests = Requests.of(taken.requests(), per="the whole minute")
    after = meter.memory(bench)
    return Outcome(
        scenario="busy-nodes",
        about=f"{SERVING} that serve, {GPU_NODES} GPU nodes, {SECONDS:.0f} s in which they are busy",
        measures=(
            Measure(name="requests", unit="", value=requests.total),
            meter.cpu_share(cpu, floor_cpu, seconds),
            Measure(
                name="memory it grew by (RSS)", unit="KiB", value=(after.value - before.value) * MIB / KIB
            ),
            after,
        ),
        requests=requests,
        load=load,
        notes=(
            f"{heartbeats.done} heartbeats, and {strangers.done} pods that came and went, each with an accelerator; "
            "beside them the nodes' leases",
        ),
    )


async def _serve(bench: Bench, api: Api, eyes: Eyes) -> None:
    """Twenty with one pod each, whose engines are played, until nothing moves any more."""
    names = [f"rest-{number}" for number in range(SERVING)]
    bench.play_engines()
    await prepare(api, eyes, names, replicas=1)
    ports = engines.ports(bench.cluster.pod_network)
    await gather(
        [
            acting.serve(api, eyes, name, spec={"engine": {"port": port}})
            for name, port in zip(names, ports, strict=False)
        ]
    )
    for name in names:
        await soon(eyes.models.when(name, states.is_ready), f"ModelDeployment {name} that is ready")
    await meter.silent(bench)


class _Paced:
    """So many rounds a second at most, and how many there were."""

    def __init__(self, per_second: float) -> None:
        self._pause = 1 / per_second
        self.done = 0

    async def beat(self) -> None:
        """Wait for the next round; one that came late is not made up for."""
        self.done += 1
        await asyncio.sleep(self._pause)


async def _beat(api: Api, names: list[str], rounds: _Paced) -> None:
    for number, name in enumerate(itertools.cycle(names)):
        heartbeat = {
            "type": "Ready",
            "lastHeartbeatTime": f"2026-01-01T00:{number // 60 % 60:02}:{number % 60:02}Z",
        }
        await api.patch_status(NODES, "", name, {"status": {"conditions": [heartbeat]}})
        await rounds.beat()


async def _come_and_go(api: Api, names: list[str], rounds: _Paced) -> None:
    for number, node in enumerate(itertools.cycle(names)):
        await api.create(PODS, _stranger(f"stranger-{number}", node))
        if number >= PODS_PER_SECOND:
            await api.delete(PODS, FLOOR_NAMESPACE, f"stranger-{number - PODS_PER_SECOND}")
        await rounds.beat()


def _stranger(name: str, node: str) -> Raw:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": FLOOR_NAMESPACE},
        "spec": {
            "nodeName": node,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "app",
                    "image": "example.com/app:1",
                    "resources": {"limits": {"nvidia.com/gpu": "1"}},
                }
            ],
        },
    }


SCENARIOS = (
    Scenario(
        name="rest",
        about=f"{SERVING} ModelDeployments that serve, and a minute in which nobody changes anything",
        on_cluster=rest,
    ),
    Scenario(
        name="busy-nodes",
        about=f"the same on {GPU_NODES} GPU nodes whose heartbeats and pods change all the time",
        on_cluster=busy_nodes,
    ),
)
