"""Accelerators from the labels of different installers."""

import pytest

from pillion.hardware import labels
from tests.unit.hardware import nodes


def described(found: dict[str, str], resource: str = "nvidia.com/gpu") -> labels.Described:
    answer = labels.describe(resource, found)
    assert isinstance(answer, labels.Described), answer
    return answer


def gfd(product: str, **more: str) -> dict[str, str]:
    found: dict[str, str] = nodes.gpu_node("n", product)["metadata"]["labels"]
    return {**found, **{f"nvidia.com/gpu.{key.replace('_', '-')}": value for key, value in more.items()}}


def test_gpu_feature_discovery() -> None:
    found = described(gfd("NVIDIA-L4"))
    assert (found.product, found.compute_capability, found.shared) == ("NVIDIA-L4", (8, 9), False)
    assert found.label == ("nvidia.com/gpu.product", "NVIDIA-L4")


def test_compute_capability_of_a_known_card_without_its_label() -> None:
    without = {key: value for key, value in gfd("NVIDIA-L4").items() if "compute" not in key}
    assert described(without).compute_capability == (8, 9)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(
            gfd("NVIDIA-L4-SHARED", replicas="4", sharing_strategy="time-slicing"),
            id="time-slicing renames the product",
        ),
        pytest.param(gfd("NVIDIA-L4", replicas="4", sharing_strategy="mps"), id="MPS says so in a label"),
    ],
)
def test_a_shared_card_is_divided(found: dict[str, str]) -> None:
    answer = described(found)
    assert (answer.replicas, answer.shared) == (4, True)
    assert answer.memory.bytes == described(gfd("NVIDIA-L4")).memory.bytes


def test_sharing_among_an_unknown_number_is_sharing() -> None:
    assert described(gfd("NVIDIA-L4-SHARED")).replicas == 2


def test_a_hardware_slice_is_not_a_whole_card() -> None:
    found = described(
        {
            "nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb",
            "nvidia.com/gpu.memory": "4864",
            "nvidia.com/gpu.compute.major": "8",
            "nvidia.com/gpu.compute.minor": "0",
        }
    )
    assert found.shared
    assert found.memory.bytes < 5 * 2**30


@pytest.mark.parametrize(
    ("found", "product"),
    [
        pytest.param({"cloud.google.com/gke-accelerator": "nvidia-l4"}, "NVIDIA-L4", id="GKE"),
        pytest.param(
            {"cloud.google.com/gke-accelerator": "nvidia-tesla-t4"}, "Tesla-T4", id="GKE's older names"
        ),
        pytest.param({"karpenter.k8s.aws/instance-gpu-name": "a10g"}, "NVIDIA-A10G", id="Karpenter on AWS"),
        pytest.param(
            {"karpenter.k8s.aws/instance-gpu-name": "a100", "karpenter.k8s.aws/instance-gpu-memory": "81920"},
            "NVIDIA-A100-SXM4-80GB",
            id="a name that two cards have, told apart by memory",
        ),
        pytest.param(
            {"k8s.amazonaws.com/accelerator": "nvidia-tesla-t4"}, "Tesla-T4", id="the autoscaler on AWS"
        ),
    ],
)
def test_the_clouds_own_labels(found: dict[str, str], product: str) -> None:
    answer = described(found)
    assert answer.product == product
    assert answer.label[0] in found


def test_feature_discovery_comes_before_the_cloud() -> None:
    both = {**gfd("NVIDIA-L4"), "cloud.google.com/gke-accelerator": "nvidia-tesla-t4"}
    assert described(both).product == "NVIDIA-L4"


def test_amds_labeller() -> None:
    found = described(
        {"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM", "amd.com/gpu.vram": "192G"}, "amd.com/gpu"
    )
    assert (found.vendor, found.compute_capability) == ("amd", None)
    assert 180 * 2**30 < found.memory.bytes < 192 * 2**30


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param({}, "GPU Feature Discovery", id="no label at all"),
        pytest.param(
            {"cloud.google.com/gke-accelerator": "nvidia-x1"}, "nvidia-x1", id="a product that nobody knows"
        ),
        pytest.param(
            {"nvidia.com/gpu.product": "NVIDIA-X1"}, "nvidia.com/gpu.memory", id="no memory of an unknown one"
        ),
    ],
)
def test_what_is_missing_is_named(found: dict[str, str], words: str) -> None:
    answer = labels.describe("nvidia.com/gpu", found)
    assert isinstance(answer, str)
    assert words in answer
