"""Nodes and pods in, accelerators and room out."""

import copy
import random

import pytest

from pillion import hardware
from tests.unit.hardware import nodes


def test_cards_of_one_product_are_one_pool() -> None:
    stock = hardware.inventory([nodes.gpu_node("a", "NVIDIA-L4", 2), nodes.gpu_node("b", "NVIDIA-L4")], [])
    (pool,) = stock.accelerators
    assert (pool.product, pool.total, pool.free) == ("NVIDIA-L4", 3, 3)
    assert pool.node_requirements == (
        {"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-L4"]},
    )


def test_the_smallest_memory_of_a_product_counts() -> None:
    stock = hardware.inventory(
        [nodes.gpu_node("a", "NVIDIA-L4"), nodes.gpu_node("b", "NVIDIA-L4", label_mib=22_900)], []
    )
    assert stock.accelerators[0].memory_bytes == (22_900 - (23_034 - 22_589)) * 2**20


@pytest.mark.parametrize(
    ("pods", "free"),
    [
        pytest.param([], 4, id="nobody"),
        pytest.param([nodes.pod("a", gpu="3")], 1, id="a running pod has three"),
        pytest.param([nodes.pod("a", gpu="3", phase="Pending")], 1, id="so has one that was just bound"),
        pytest.param([nodes.pod("a", gpu="3", phase="Succeeded")], 4, id="a finished pod has none"),
        pytest.param([nodes.pod("a", gpu="3", phase="Failed")], 4, id="a failed one neither"),
        pytest.param([nodes.pod("b", gpu="3")], 4, id="another node's pod"),
        pytest.param([nodes.pod(None, gpu="3")], 4, id="a pod that waits for a node"),
    ],
)
def test_free_is_what_no_living_pod_requests(pods: list[nodes.Raw], free: int) -> None:
    stock = hardware.inventory([nodes.gpu_node("a", "NVIDIA-L4", 4)], pods)
    assert stock.accelerators[0].free == free


@pytest.mark.parametrize(
    ("change", "obstacle"),
    [
        pytest.param({}, None, id="a healthy node"),
        pytest.param({"unschedulable": True}, "cordoned", id="cordoned"),
        pytest.param({"ready": "False"}, "not ready", id="not ready"),
        pytest.param({"ready": "Unknown"}, "not ready", id="lost"),
    ],
)
def test_nodes_that_take_no_pods_now(change: dict[str, object], obstacle: str | None) -> None:
    stock = hardware.inventory([nodes.gpu_node("a", "NVIDIA-L4", **change)], [])
    assert stock.nodes[0].obstacle == obstacle
    assert stock.accelerators[0].free == (1 if obstacle is None else 0)
    assert stock.accelerators[0].total == 1


def test_a_node_that_is_being_deleted_takes_no_pods() -> None:
    leaving = nodes.node("a")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert hardware.inventory([leaving], []).nodes[0].obstacle == "being deleted"


def test_only_taints_that_keep_pods_away_are_kept() -> None:
    away = {"key": "team", "effect": "NoSchedule"}
    preferred = {"key": "old", "effect": "PreferNoSchedule"}
    stock = hardware.inventory([nodes.node("a", taints=[away, preferred])], [])
    assert stock.nodes[0].taints == (away,)


def test_room_on_a_node_without_accelerator() -> None:
    stock = hardware.inventory(
        [nodes.node("a", cpu="2", memory="4Gi")], [nodes.pod("a", cpu="500m", memory="1Gi")]
    )
    (room,) = stock.nodes
    assert (room.free_cpu_millis, room.free_memory_bytes, room.free_pods) == (1500, 3 * 2**30, 109)
    assert not stock.any_accelerator


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        pytest.param("nvidia.com/gpu", "no label says which product", id="an accelerator without a label"),
        pytest.param("nvidia.com/mig-1g.5gb", "no label says which product", id="slices without one"),
        pytest.param("amd.com/cpx_nps4", "cannot plan with", id="a partition of AMD's"),
        pytest.param("google.com/tpu", "cannot plan with", id="what no engine here is for"),
        pytest.param("habana.ai/gaudi", "cannot plan with", id="another maker's"),
    ],
)
def test_accelerators_that_cannot_be_planned_with_are_said(resource: str, words: str) -> None:
    stock = hardware.inventory([nodes.node("a", allocatable={resource: "1"})], [])
    assert stock.any_accelerator
    assert stock.accelerators == ()
    assert words in stock.notes[0]
    assert "node a" in stock.notes[0]


def test_the_order_of_nodes_does_not_matter() -> None:
    there = [nodes.gpu_node(f"n{number}", product) for number, product in enumerate(nodes.CARDS)]
    shuffled = random.Random(7).sample(there, len(there))  # noqa: S311
    assert hardware.inventory(there, []) == hardware.inventory(shuffled, [])


def test_nothing_that_was_given_is_changed() -> None:
    there, pods = [nodes.gpu_node("a", "NVIDIA-L4")], [nodes.pod("a", gpu="1")]
    before = copy.deepcopy((there, pods))
    hardware.inventory(there, pods)
    assert (there, pods) == before


def test_what_nodes_offer_beside_accelerators_is_no_accelerator() -> None:
    there = nodes.node(
        "a", allocatable={"gpu.intel.com/i915_monitoring": "1", "hugepages-2Mi": "0", "example.com/fpga": "1"}
    )
    stock = hardware.inventory([there], [])
    assert (stock.any_accelerator, stock.notes) == (False, ())
