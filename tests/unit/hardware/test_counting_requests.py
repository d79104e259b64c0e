"""What a pod takes from a node, by the rule of Kubernetes (documentation, Sidecar Containers, resource sharing)."""

from typing import Any

import pytest

from pillion.hardware import pods, quantities


def container(name: str = "app", *, limits: dict[str, str] | None = None, **requests: str) -> dict[str, Any]:
    return {"name": name, "resources": {"requests": requests, "limits": limits or {}}}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        pytest.param(
            {"containers": [container(cpu="100m"), container(cpu="1")]}, 1100, id="containers add up"
        ),
        pytest.param(
            {"containers": [container(cpu="100m")], "initContainers": [container(cpu="2")]},
            2000,
            id="init runs before",
        ),
        pytest.param(
            {
                "containers": [container(cpu="100m")],
                "initContainers": [{**container(cpu="500m"), "restartPolicy": "Always"}],
            },
            600,
            id="a native sidecar runs beside",
        ),
        pytest.param(
            {
                "containers": [container(cpu="100m")],
                "initContainers": [{**container(cpu="500m"), "restartPolicy": "Always"}, container(cpu="1")],
            },
            1500,
            id="a later init container runs beside the sidecar",
        ),
        pytest.param(
            {
                "containers": [container(cpu="100m")],
                "initContainers": [container(cpu="1"), {**container(cpu="500m"), "restartPolicy": "Always"}],
            },
            1000,
            id="an earlier one does not",
        ),
        pytest.param(
            {"containers": [container(limits={"cpu": "3"})]}, 3000, id="a limit is the request where none is"
        ),
        pytest.param(
            {"containers": [container(cpu="1")], "overhead": {"cpu": "250m"}},
            1250,
            id="overhead of the runtime",
        ),
        pytest.param(
            {"containers": [container(cpu="1")], "resources": {"requests": {"cpu": "4"}}},
            4000,
            id="of the pod as a whole",
        ),
        pytest.param(
            {
                "containers": [container(cpu="1")],
                "resources": {"requests": {"cpu": "4"}},
                "overhead": {"cpu": "250m"},
            },
            4250,
            id="of the pod as a whole, with the runtime's overhead on top",
        ),
    ],
)
def test_cpu(spec: dict[str, Any], cpu: int) -> None:
    assert pods.requests(spec)["cpu"] == cpu


def test_containers_can_be_left_out_by_name() -> None:
    spec = {"containers": [container(memory="1Gi"), container("pillion-chat", memory="16Gi")]}
    assert pods.requests(spec, leave_out=lambda name: name.startswith("pillion-"))["memory"] == 2**30


@pytest.mark.parametrize(
    ("quantity", "expected"),
    [
        pytest.param("16Gi", 16 * 2**30, id="binary"),
        pytest.param("2G", 2 * 10**9, id="decimal"),
        pytest.param("1500m", 2, id="a fraction is rounded up"),
        pytest.param("1e3", 1000, id="exponent"),
        pytest.param(None, 0, id="absent"),
    ],
)
def test_whole_amounts(quantity: str | None, expected: int) -> None:
    assert quantities.whole(quantity) == expected
