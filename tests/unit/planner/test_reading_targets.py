"""What a workload says about its pods."""

from typing import Any

import pytest

from pillion import planner

APP = {"name": "app", "resources": {"requests": {"cpu": "250m", "memory": "256Mi", "nvidia.com/gpu": "1"}}}
ENGINE = {"name": "pillion-chat", "resources": {"requests": {"cpu": "4", "memory": "16Gi"}}}


def test_requests_selector_affinity_and_tolerations() -> None:
    affinity = {"nodeAffinity": {}}
    shape = planner.target_shape(
        {
            "containers": [APP, ENGINE],
            "nodeSelector": {"zone": "a"},
            "affinity": affinity,
            "tolerations": [{"operator": "Exists"}],
        },
        pods=2,
        surge_pods=1,
        max_pods=4,
    )
    assert (shape.pods, shape.surge_pods, shape.max_pods) == (2, 1, 4)
    assert (shape.cpu_millis, shape.memory_bytes) == (250, 256 * 2**20)  # the engine's own are left out
    assert shape.accelerators == {"nvidia.com/gpu": 1}
    assert (shape.node_selector, shape.affinity, shape.tolerations) == (
        {"zone": "a"},
        affinity,
        ({"operator": "Exists"},),
    )


def limited(**limits: str) -> dict[str, Any]:
    return {"name": "app", "resources": {"limits": limits}}


@pytest.mark.parametrize(
    ("containers", "guaranteed"),
    [
        pytest.param([limited(cpu="1", memory="1Gi")], True, id="limits alone are requests as well"),
        pytest.param([limited(cpu="1", memory="1Gi"), ENGINE], True, id="the engine does not count"),
        pytest.param([limited(memory="1Gi")], False, id="no limit on CPU"),
        pytest.param([APP], False, id="requests without limits"),
        pytest.param([limited(cpu="1", memory="1Gi"), APP], False, id="one of two containers"),
        pytest.param([], False, id="nothing"),
    ],
)
def test_guaranteed_pods(containers: list[dict[str, Any]], guaranteed: bool) -> None:
    assert planner.target_shape({"containers": containers}, pods=1).guaranteed is guaranteed


def deployment(replicas: int | None, **strategy: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {"strategy": strategy} if strategy else {}
    return {"kind": "Deployment", "spec": spec if replicas is None else {"replicas": replicas, **spec}}


@pytest.mark.parametrize(
    ("workload", "surge"),
    [
        pytest.param(deployment(1), 1, id="the default of 25 % is rounded up"),
        pytest.param(deployment(8), 2, id="a quarter of eight"),
        pytest.param(deployment(None), 1, id="one replica where nothing is said"),
        pytest.param(deployment(0), 0, id="none of none"),
        pytest.param(deployment(4, rollingUpdate={"maxSurge": 3}), 3, id="a number"),
        pytest.param(deployment(4, rollingUpdate={"maxSurge": 0}), 0, id="zero"),
        pytest.param(deployment(3, rollingUpdate={"maxSurge": "50%"}), 2, id="a share"),
        pytest.param(deployment(4, type="Recreate"), 0, id="Recreate"),
        pytest.param({"kind": "StatefulSet", "spec": {"replicas": 4}}, 0, id="a StatefulSet has none"),
        pytest.param({"kind": "DaemonSet", "spec": {}}, 0, id="a DaemonSet has none by default"),
        pytest.param(
            {"kind": "DaemonSet", "spec": {"updateStrategy": {"rollingUpdate": {"maxSurge": 1}}}},
            1,
            id="unless it says so",
        ),
    ],
)
def test_pods_beyond_the_wanted_number_during_a_rollout(workload: dict[str, Any], surge: int) -> None:
    assert planner.rollout_surge(workload) == surge
