"""What does a ModelDeployment cost the API server and the operator's memory? Counted, so that no clock can blur it.

A control plane of its own, for the counts are of everything that the operator asks. Targets have no pods: how many
requests a ModelDeployment takes does not depend on them. Leases, watches, Events and dry runs are counted apart, as
`make bench` does it; docs/performance.md says where the limits come from.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import consumption, states
from benchmarks.results import Requests, writes
from tests.cluster import controlplane, processes
from tests.hub import models
from tests.integration.operating import stage as stages
from tests.integration.operating.stage import Stage
from tests.integration.operating.test_at_rest import quiet_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.cluster import audit
    from tests.hub.server import Hub

Raw = dict[str, Any]

SPACE = "counts"
BURST = 40
AT_ONCE = 8  # what users send at the same moment
FEW, MANY = 100, 500
KIB = 1024

# Our own aims, as docs/performance.md has them.
REQUESTS, WRITES, WRITES_OF_A_CHANGE = 6, 4, 3
BYTES_EACH = 30 * KIB

ONE_OF_EACH = {"patch modelsidecars": 1.0, "patch deployments": 1.0, "patch modeldeployments/status": 1.0}
FIRST_OF_EACH = {"create modelsidecars": 1.0, "patch deployments": 1.0, "patch modeldeployments/status": 1.0}
PATIENCE_SECONDS = 240.0
LOOK_SECONDS = 0.5


@pytest.fixture(scope="module")
def counted(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """An operator that has served one ModelDeployment: what it asks once in its life is behind it."""
    cluster = controlplane.start(f"integration-counts-{os.getpid()}", nodes=1)
    made = Stage(cluster, hub, tmp_path_factory.mktemp("counts"))
    made.start_operator()
    cluster.kubectl("create", "namespace", SPACE)
    serve(made, ["first"])
    settle(made)
    yield made
    made.close()
    cluster.stop()


def serve(stage: Stage, names: Sequence[str]) -> None:
    """Targets that their controller has seen, then ModelDeployments at once, until each has its status."""
    add_targets(stage, names)
    apply(stage, [stages.model(SPACE, models.TINY_RIVER, name=name, target=name) for name in names])
    until_all(stage, "modeldeployment", names, states.is_told)


def add_targets(stage: Stage, names: Sequence[str]) -> None:
    """Paused, so that no ReplicaSet comes of them: that would be the control plane's work, not the operator's."""
    made = [stages.web(SPACE, name=name, replicas=0) for name in names]
    for each in made:
        each["spec"]["paused"] = True
    apply(stage, made)
    until_all(stage, "deployment", names, states.is_observed)


def apply(stage: Stage, objects: Sequence[Raw]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(stage.apply, objects))


def until_all(stage: Stage, kind: str, names: Sequence[str], condition: Callable[[Raw], bool]) -> None:
    wanted = set(names)

    def holds() -> bool:
        found = {obj["metadata"]["name"] for obj in stage.list(kind, SPACE) if condition(obj)}
        return wanted <= found

    # A list of five hundred is not for every moment.
    assert processes.wait_until(holds, seconds=PATIENCE_SECONDS, poll_seconds=LOOK_SECONDS), (
        f"not so for all {len(names)} {kind}s: {condition.__name__}\noperator's log:\n{stage.operator.told()}"
    )


def settle(stage: Stage) -> None:
    stage.until(lambda: quiet_for(log_of(stage), 1.5), "the operator has settled", seconds=PATIENCE_SECONDS)


def log_of(stage: Stage) -> audit.Log:
    assert stage.cluster.requests is not None
    return stage.cluster.requests


def since(stage: Stage, position: int) -> list[audit.Request]:
    return log_of(stage).requests(user=stages.USER, since=position)


def written(requests: Requests) -> dict[str, float]:
    return {kind: count for kind, count in requests.counted.items() if kind.startswith(("patch", "create"))}


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["alone"], id="alone"),
        pytest.param([f"burst-{number}" for number in range(BURST)], id="in a burst"),
    ],
)
def test_a_new_one_takes_three_writes_and_few_reads(counted: Stage, names: list[str]) -> None:
    add_targets(counted, names)
    settle(counted)
    position = log_of(counted).position()
    apply(counted, [stages.model(SPACE, models.TINY_RIVER, name=name, target=name) for name in names])
    until_all(counted, "modeldeployment", names, states.is_told)
    settle(counted)
    requests = Requests.of(since(counted, position), each=len(names))
    assert written(requests) == FIRST_OF_EACH
    assert requests.writes <= WRITES
    assert requests.total <= REQUESTS, requests.counted


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            {"op": "add", "path": "/spec/serving/generation", "value": {"temperature": 0.5}},
            {"patch modelsidecars": 1.0, "patch modeldeployments/status": 1.0},
            id="in what the engine is told: the target is left alone",
        ),
        pytest.param(
            {"op": "add", "path": "/spec/engine/port", "value": 20100},
            ONE_OF_EACH,
            id="in the shape of the pods",
        ),
    ],
)
def test_a_change_is_written_once(counted: Stage, change: Raw, expected: dict[str, float]) -> None:
    position = log_of(counted).position()
    before = counted.get("modeldeployment", SPACE, "first")
    assert before is not None
    counted.patch("modeldeployment", SPACE, "first", [change])

    def followed() -> bool:
        now = counted.get("modeldeployment", SPACE, "first")
        assert now is not None
        return now["metadata"]["generation"] > before["metadata"]["generation"] and states.is_told(now)

    counted.until(followed, "the status follows the change", seconds=PATIENCE_SECONDS)
    settle(counted)
    requests = Requests.of(since(counted, position))
    assert written(requests) == expected
    assert requests.writes <= WRITES_OF_A_CHANGE


def test_a_start_writes_nothing_to_those_that_exist_and_their_number_costs_no_memory_to_speak_of(
    counted: Stage,
) -> None:
    """Both in one, for five hundred ModelDeployments take their time to make."""
    there = len(counted.list("modeldeployment", SPACE))
    grown: dict[int, int] = {}
    for number in (FEW, MANY):
        for first in range(there, number, FEW):
            serve(counted, [f"many-{n}" for n in range(first, min(first + FEW, number))])
        there = number
        settle(counted)
        grown[number] = resident(counted)
    each = (grown[MANY] - grown[FEW]) / (MANY - FEW)
    print(
        f"{each / KIB:.1f} KiB each; {grown[FEW] / KIB:.0f} KiB with {FEW}, {grown[MANY] / KIB:.0f} with {MANY}"
    )

    counted.stop_operator()
    position = log_of(counted).position()
    counted.start_operator()
    settle(counted)
    asked = since(counted, position)
    assert any(request.verb == "watch" for request in asked), "the log knows the operator that was started"
    assert [f"{request.verb} {request.uri}" for request in writes(asked)] == []
    assert each < BYTES_EACH


def resident(stage: Stage) -> int:
    """Memory of the operator and of what it started, in bytes."""
    return consumption.resident_bytes(consumption.tree(stage.operator.pid))
