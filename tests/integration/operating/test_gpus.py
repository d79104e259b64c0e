"""Which checkpoint and accelerator are chosen from the labels of GPU nodes, and what is said where they do not do?

GPUs are played by node labels and resources; the models have the shapes of an 8B model and no weights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster import controlplane
from tests.hub import models
from tests.integration.operating import stage as stages
from tests.integration.operating.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hub.server import Hub

Raw = dict[str, Any]


def gpu_labels(product: str, memory_mib: int, major: int, minor: int, count: int) -> dict[str, str]:
    """What GPU Feature Discovery writes."""
    return {
        "nvidia.com/gpu.present": "true",
        "nvidia.com/gpu.product": product,
        "nvidia.com/gpu.memory": str(memory_mib),
        "nvidia.com/gpu.compute.major": str(major),
        "nvidia.com/gpu.compute.minor": str(minor),
        "nvidia.com/gpu.count": str(count),
        "nvidia.com/cuda.driver-version.full": "580.95.05",
        "nvidia.com/cuda.driver-version.major": "580",
        "nvidia.com/cuda.runtime-version.full": "13.0",
        "nvidia.com/cuda.runtime-version.major": "13",
        "nvidia.com/cuda.runtime-version.minor": "0",
    }


L4 = gpu_labels("NVIDIA-L4", 23034, 8, 9, 2)
T4 = gpu_labels("Tesla-T4", 15360, 7, 5, 2)


@pytest.fixture(scope="module")
def gpu_stage(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A cluster of its own: what has GPUs does not fall back to CPU."""
    cluster = controlplane.start("integration-gpus", nodes=1)
    cluster.add_node("l4", labels=L4, allocatable={"nvidia.com/gpu": "2", "cpu": "32", "memory": "128Gi"})
    made = Stage(cluster, hub, tmp_path_factory.mktemp("gpus"))
    made.start_operator()
    yield made
    made.close()
    cluster.stop()


@pytest.fixture
def space(gpu_stage: Stage, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"gpus-{abs(hash(request.node.name)) % 10**8}"
    gpu_stage.cluster.kubectl("create", "namespace", name)
    yield name
    gpu_stage.cluster.kubectl("delete", "namespace", name, "--wait=true", "--timeout=60s")


def plan_of(stage: Stage, space: str) -> Raw:
    stage.until_condition(space, "chat", "Planned", "True", "Planned")
    found = stage.get("modeldeployment", space, "chat")
    assert found is not None
    return dict(found["status"])


def test_eight_bits_are_chosen_where_sixteen_leave_too_little_room(gpu_stage: Stage, space: str) -> None:
    gpu_stage.apply(
        stages.web(space),
        stages.model(space, models.DENSE_8B, model={"variants": [models.DENSE_8B_AWQ, models.DENSE_8B_FP8]}),
    )
    status = plan_of(gpu_stage, space)
    assert status["plan"]["checkpoint"] == models.DENSE_8B_FP8
    assert status["plan"]["quantization"] == "FP8"
    assert status["plan"]["product"] == "NVIDIA-L4"
    assert status["accelerators"]["perPod"] == 1
    assert {candidate["checkpoint"] for candidate in status["candidates"]} >= {
        models.DENSE_8B,
        models.DENSE_8B_AWQ,
    }
    assert all(candidate["reason"] and candidate["message"] for candidate in status["candidates"])
    found = gpu_stage.until_ready(space, "chat")
    [pod] = gpu_stage.list("pod", space)
    engine = next(container for container in pod["spec"]["containers"] if container["name"] == "pillion-chat")
    assert engine["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert pod["spec"]["nodeName"] == "l4"
    assert found["status"]["plan"]["memory"]["weights"].endswith("Gi")


def test_four_bits_are_taken_where_eight_do_not_hold_what_is_required(gpu_stage: Stage, space: str) -> None:
    gpu_stage.apply(
        stages.web(space),
        stages.model(
            space,
            models.DENSE_8B,
            model={"variants": [models.DENSE_8B_AWQ, models.DENSE_8B_FP8]},
            serving={"contextLength": 8192, "concurrency": 11},
        ),
    )
    status = plan_of(gpu_stage, space)
    assert status["plan"]["checkpoint"] == models.DENSE_8B_AWQ
    assert status["plan"]["bits"] == 4


def test_sixteen_bits_are_kept_where_quality_is_asked_for(gpu_stage: Stage, space: str) -> None:
    gpu_stage.apply(
        stages.web(space),
        stages.model(
            space,
            models.DENSE_8B,
            model={"variants": [models.DENSE_8B_AWQ, models.DENSE_8B_FP8]},
            quantization={"policy": "Quality"},
        ),
    )
    status = plan_of(gpu_stage, space)
    assert status["plan"]["checkpoint"] == models.DENSE_8B
    assert status["plan"]["quantization"] == "None"
    assert "givenUp" in status["plan"]


def test_fewer_accelerators_than_pods_is_said_with_the_numbers(gpu_stage: Stage, space: str) -> None:
    gpu_stage.apply(stages.web(space, replicas=5), stages.model(space, models.DENSE_8B_FP8))
    found = gpu_stage.until_condition(space, "chat", "Planned", "False", "InsufficientAccelerators")
    assert "5" in found["message"]
    assert "2" in found["message"]
    workload = gpu_stage.get("deployment", space, "web")
    assert workload is not None
    assert "pillion.dev/inject" not in workload["spec"]["template"]["metadata"]["labels"]
    gpu_stage.until(
        lambda: "InsufficientAccelerators" in gpu_stage.events(space, "ModelDeployment", "chat"),
        "an event tells of it",
    )


def test_what_fits_nowhere_is_said_with_the_nearest_remedy(gpu_stage: Stage, space: str) -> None:
    gpu_stage.apply(
        stages.web(space),
        stages.model(
            space,
            models.DENSE_8B,
            serving={"contextLength": 32768, "concurrency": 16},
            quantization={"minBits": 16},
        ),
    )
    found = gpu_stage.until_condition(space, "chat", "Planned", "False", "NoAcceleratorFits")
    assert "GiB" in found["message"]
    assert "NVIDIA-L4" in found["message"]
    assert "It fits" in found["message"]
    gpu_stage.until(
        lambda: "NoAcceleratorFits" in gpu_stage.events(space, "ModelDeployment", "chat"),
        "an event tells of it",
    )


def test_accelerators_that_become_free_are_found(gpu_stage: Stage, space: str) -> None:
    gpu_stage.apply(
        stages.web(space, replicas=1),
        stages.model(space, models.DENSE_8B_FP8, hardware={"products": ["Tesla-T4"]}),
    )
    gpu_stage.until(
        lambda: gpu_stage.condition(space, "chat", "Planned").get("status") == "False",
        "there is no such accelerator yet",
    )
    gpu_stage.cluster.add_node(
        "t4", labels=T4, allocatable={"nvidia.com/gpu": "2", "cpu": "32", "memory": "128Gi"}
    )
    gpu_stage.until_ready(space, "chat")


def test_a_slice_that_is_a_resource_of_its_own_is_used_where_it_is_named(
    gpu_stage: Stage, space: str
) -> None:
    slices = "nvidia.com/mig-3g.40gb"
    card = gpu_labels("NVIDIA-A100-80GB-PCIe", 81920, 8, 0, 1)
    own = {f"{slices}.product": "NVIDIA-A100-80GB-PCIe-MIG-3g.40gb", f"{slices}.memory": "40192"}
    gpu_stage.cluster.add_node(
        "sliced", labels={**card, **own}, allocatable={slices: "2", "cpu": "32", "memory": "128Gi"}
    )
    name = "NVIDIA-A100-80GB-PCIe-MIG-3g.40gb"
    gpu_stage.apply(
        stages.web(space), stages.model(space, models.DENSE_8B_FP8, hardware={"products": [name]})
    )
    status = plan_of(gpu_stage, space)
    assert status["plan"]["product"] == name
    assert status["plan"]["memory"]["total"] == "39.25Gi"
    assert "EstimateUnverified" in {warned["reason"] for warned in status["warnings"]}
    gpu_stage.until_ready(space, "chat")
    [pod] = gpu_stage.list("pod", space)
    engine = next(container for container in pod["spec"]["containers"] if container["name"] == "pillion-chat")
    assert engine["resources"]["limits"][slices] == "1"
    assert pod["spec"]["nodeName"] == "sliced"


def test_a_driver_that_the_image_does_not_start_on_is_said(gpu_stage: Stage, space: str) -> None:
    old = {
        **gpu_labels("NVIDIA-L40S", 46068, 8, 9, 1),
        "nvidia.com/cuda.driver-version.full": "550.163.01",
        "nvidia.com/cuda.driver-version.major": "550",
    }
    gpu_stage.cluster.add_node(
        "old", labels=old, allocatable={"nvidia.com/gpu": "1", "cpu": "32", "memory": "128Gi"}
    )
    gpu_stage.apply(
        stages.web(space), stages.model(space, models.DENSE_8B_FP8, hardware={"products": ["NVIDIA-L40S"]})
    )
    found = gpu_stage.until_condition(space, "chat", "Planned", "False", "DriverTooOld")
    assert "550.163.01" in found["message"]
    assert "580" in found["message"]


def test_a_product_that_no_node_has_yet_is_planned_where_an_autoscaler_is_trusted(
    gpu_stage: Stage, space: str
) -> None:
    hardware = {"products": ["NVIDIA-H100-80GB-HBM3"], "capacity": "Autoscaled"}
    gpu_stage.apply(stages.web(space), stages.model(space, models.DENSE_8B_FP8, hardware=hardware))
    status = plan_of(gpu_stage, space)
    assert status["plan"]["product"] == "NVIDIA-H100-80GB-HBM3"
    told = {warned["reason"]: warned["message"] for warned in status["warnings"]}
    assert "No node has NVIDIA-H100-80GB-HBM3 yet" in told["NodeAwaited"]
