"""What do thousands of pods cost that become ready within a minute: status writes, requests, memory?

Twenty ModelDeployments share them. Pods are simulated, and one process plays all of their engines; the operator holds
a long poll to each.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from benchmarks import acting, engines, meter
from benchmarks.api import DEPLOYMENTS, NODES, at_once
from benchmarks.bench import NAMESPACE
from benchmarks.meter import KIB, MIB, Meter
from benchmarks.results import Measure, Outcome, Requests
from benchmarks.scenarios.scenario import Scenario
from benchmarks.seeing import soon
from tests.cluster import nodes
from tests.cluster.components import HOST

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.acting import Eyes
    from benchmarks.api import Api, Raw
    from benchmarks.bench import Bench
    from benchmarks.scenarios.scenario import OnCluster

MODELS = 20
PODS_PER_NODE = 110
SECONDS_A_POD = 0.3
NODE = {"cpu": "512", "memory": "4Ti", "ephemeral-storage": "100Ti", "pods": str(PODS_PER_NODE)}
SMALL = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}


def pods(count: int) -> OnCluster:
    """Targets without pods are marked first, then scaled to so many."""

    async def run(bench: Bench, api: Api, eyes: Eyes) -> Outcome:
        names = [f"pods-{number}" for number in range(MODELS)]
        each = count // MODELS
        await at_once(
            [api.post(NODES.path(), _node(f"large-{n}", bench)) for n in range(count // PODS_PER_NODE + 1)]
        )
        bench.play_engines()
        await acting.prepare(api, eyes, names)
        ports = engines.ports(bench.cluster.pod_network)
        await acting.gather(
            [
                acting.serve(api, eyes, name, spec={"engine": {"port": port, "resources": SMALL}})
                for name, port in zip(names, ports, strict=False)
            ]
        )
        await eyes.settled()
        before = meter.memory(bench, "operator's memory without pods (RSS)")
        loop = asyncio.get_running_loop()
        taken = Meter(bench)
        started = loop.time()
        pods_ready = [eyes.targets.when(name, _has_ready(each)) for name in names]
        all_told = [eyes.models.when(name, _tells_serving(each)) for name in names]
        await at_once(
            [api.patch(DEPLOYMENTS, NAMESPACE, name, {"spec": {"replicas": each}}) for name in names]
        )
        # Simulated pods take the control plane's time, far more of it than the operator's.
        patience = SECONDS_A_POD * count
        ready = [
            await soon(future, "Deployment with all pods ready", seconds=patience) for future in pods_ready
        ]
        told = [
            await soon(future, "ModelDeployment that serves everywhere", seconds=patience)
            for future in all_told
        ]
        await eyes.settled()
        cpu, plane = taken.operator_cpu(), taken.control_plane_cpu()
        load = taken.load()
        after = meter.memory(bench, f"operator's memory with {count} pods (RSS)")
        requests = Requests.of(taken.requests(), each=MODELS)
        return Outcome(
            scenario=f"pods-{count}",
            about=f"{count} marked pods of {MODELS} ModelDeployments become ready",
            measures=(
                Measure(name="scaled until all pods are ready", unit="s", value=max(ready) - started),
                Measure(name="scaled until each status says so", unit="s", value=max(told) - started),
                Measure(
                    name="status writes a ModelDeployment",
                    unit="",
                    value=requests.counted.get("patch modeldeployments/status", 0.0),
                ),
                meter.cpu_each("operator's CPU a pod", cpu, None, count),
                Measure(name="control plane's CPU a pod", unit="ms", value=1e3 * plane / count),
                before,
                after,
                Measure(
                    name="memory a pod (RSS)",
                    unit="KiB",
                    value=(after.value - before.value) * MIB / KIB / count,
                ),
            ),
            requests=requests,
            load=load,
        )

    return run


def _has_ready(count: int) -> Callable[[Raw], bool]:
    return lambda target: target.get("status", {}).get("readyReplicas", 0) == count


def _tells_serving(count: int) -> Callable[[Raw], bool]:
    return lambda model: model.get("status", {}).get("pods", {}).get("summary") == f"{count}/{count}"


def _node(name: str, bench: Bench) -> Raw:
    return nodes.node(name, allocatable=NODE, address=HOST, kubelet_version=bench.cluster.kubernetes_version)


SCENARIOS = (
    Scenario(name="pods-1000", about="1,000 marked pods become ready", on_cluster=pods(1000)),
    Scenario(
        name="pods-10000", about="10,000 marked pods become ready", on_cluster=pods(10_000), by_default=False
    ),
)
