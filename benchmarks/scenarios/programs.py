"""What takes time without any cluster: one plan for a large one, and the command line's first answer?

Both are the same in the operator and on the command line; each is measured in this process, or in one of its own.
"""

from __future__ import annotations

import dataclasses
import os
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks import results
from benchmarks.bench import ROOT
from benchmarks.gpu_nodes import gpu_node
from benchmarks.meter import Beside
from benchmarks.results import Measure, Outcome
from benchmarks.scenarios.scenario import Scenario
from pillion import hardware, planner
from pillion.api.modeldeployment import ModelDeploymentSpec
from tests.unit.facts import checkpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.api import Raw

SAMPLES = 100
REFUSALS = 10
NODES = 1000
PODS_A_NODE = 3
KINDS = (
    ("Tesla-T4", 1),
    ("Tesla-T4", 4),
    ("NVIDIA-L4", 1),
    ("NVIDIA-L4", 8),
    ("NVIDIA-A10G", 1),
    ("NVIDIA-A10G", 4),
    ("NVIDIA-L40S", 4),
    ("NVIDIA-A100-SXM4-40GB", 8),
    ("NVIDIA-A100-SXM4-80GB", 8),
    ("NVIDIA-H100-80GB-HBM3", 8),
    ("NVIDIA-H200", 8),
    ("Tesla-V100-SXM2-16GB", 8),
)


def plan() -> Outcome:
    """A thousand nodes of twelve kinds, three pods on each, and an 8B model with an AWQ and an FP8 variant."""
    beside = Beside(lambda: [os.getpid()])
    family = (checkpoints.qwen3_8b(), checkpoints.qwen3_8b_awq(), checkpoints.qwen3_8b_fp8())
    spec = ModelDeploymentSpec.model_validate({"model": {"repo": family[0].repo}})
    nodes = [_node(number) for number in range(NODES)]
    pods = [_pod(f"pod-{number}", f"node-{number % NODES}") for number in range(PODS_A_NODE * NODES)]
    # CPU of this one thread: what else the machine does is not the planner's own time.
    reading = _timed(lambda: hardware.inventory(nodes, pods), clock=time.process_time)
    request = planner.PlanRequest(
        spec=spec,
        name="chat",
        checkpoints=family,
        inventory=hardware.inventory(nodes, pods),
        target=planner.TargetShape(pods=1, surge_pods=1),
    )
    answer = planner.plan(request)
    assert isinstance(answer, planner.Planned), f"{answer.reason}: {answer.message}"
    planning = _timed(lambda: planner.plan(request), clock=time.process_time)
    hopeless = dataclasses.replace(
        request, spec=ModelDeploymentSpec.model_validate(_too_much(family[0].repo))
    )
    assert isinstance(planner.plan(hopeless), planner.NotPlanned), "too much is not too much"
    refusing = _timed(lambda: planner.plan(hopeless), clock=time.process_time, samples=REFUSALS)
    return Outcome(
        scenario="plan-1000-nodes",
        about=f"a plan for {NODES} nodes of {len(KINDS)} kinds with {len(pods)} pods, three checkpoints",
        measures=(
            *results.percentiles("CPU of the inventory of nodes and pods", reading),
            *results.percentiles("CPU of one plan", planning),
            Measure(
                name=f"CPU of one refusal, 1 to 8 a pod, the longest of {REFUSALS}",
                unit="ms",
                value=1e3 * max(refusing),
            ),
        ),
        load=beside.load(),
    )


def first_words() -> Outcome:
    """`pillion --help`, beside an interpreter that parses an empty command line."""
    beside = Beside(lambda: [os.getpid()])
    ours, ours_cpu = _run([sys.executable, "-m", "pillion.cli", "--help"])
    bare, bare_cpu = _run([sys.executable, "-c", "import argparse; argparse.ArgumentParser().parse_args([])"])
    return Outcome(
        scenario="help",
        about=f"`pillion --help`, {SAMPLES} times; the floor is an interpreter with argparse",
        measures=(
            *results.percentiles("time", ours, bare),
            Measure(name="CPU", unit="ms", value=1e3 * ours_cpu / SAMPLES, floor=1e3 * bare_cpu / SAMPLES),
        ),
        load=beside.load(),
        notes=("what it runs counts among the other processes",),
    )


def _timed(
    work: Callable[[], object],
    *,
    clock: Callable[[], float] = time.perf_counter,
    samples: int = SAMPLES,
) -> list[float]:
    taken = []
    for _ in range(samples):
        started = clock()
        work()
        taken.append(clock() - started)
    return taken


def _run(command: Sequence[str]) -> tuple[list[float], float]:
    """Times of each, and the CPU of all, in seconds."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "operator")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken = _timed(lambda: subprocess.run(command, env=environment, check=True, capture_output=True))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _too_much(repo: str) -> Raw:
    """What no accelerator has room for, asked for in every number of them: all candidates are looked at."""
    return {
        "model": {"repo": repo},
        "serving": {"contextLength": 40960, "concurrency": 4096},
        "hardware": {"maxPerPod": 8},
    }


def _node(number: int) -> Raw:
    made = gpu_node(f"node-{number}", *KINDS[number % len(KINDS)])
    made["status"]["conditions"] = [{"type": "Ready", "status": "True"}]  # KWOK would say so
    return made


def _pod(name: str, node: str) -> Raw:
    requests = {"cpu": "1", "memory": "2Gi"} | ({"nvidia.com/gpu": "1"} if name.endswith("0") else {})
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"nodeName": node, "containers": [{"name": "app", "resources": {"requests": requests}}]},
        "status": {"phase": "Running"},
    }


SCENARIOS = (
    Scenario(
        name="plan-1000-nodes", about="a plan for 1,000 nodes of 12 kinds, without a cluster", alone=plan
    ),
    Scenario(name="help", about="`pillion --help`", alone=first_words),
)
