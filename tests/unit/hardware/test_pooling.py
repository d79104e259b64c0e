"""Which accelerators are alike, and by which labels their nodes are asked for."""

import random
from typing import Any

import pytest

from pillion import hardware
from tests.unit.hardware import label_sets as sets
from tests.unit.hardware import nodes

GKE, PRODUCT = "cloud.google.com/gke-accelerator", "nvidia.com/gpu.product"


def node(name: str, *labels: dict[str, str], resource: str = "nvidia.com/gpu", count: int = 1) -> nodes.Raw:
    """A node with those labels."""
    merged = {key: value for each in labels for key, value in each.items()}
    return nodes.node(name, labels=merged, allocatable={resource: str(count)})


def asked(pool: hardware.AcceleratorPool) -> dict[str, Any]:
    """The labels that a pool's nodes are asked for: their values, or None where a label is absent."""
    return {each["key"]: each.get("values") for each in pool.node_requirements}


def pools(*there: nodes.Raw) -> dict[str, hardware.AcceleratorPool]:
    """The pools by product; each product is in one."""
    found = hardware.inventory(there, []).accelerators
    assert len({pool.product for pool in found}) == len(found)
    return {pool.product: pool for pool in found}


def test_the_label_that_an_autoscaler_knows_comes_first() -> None:
    found = pools(node("a", sets.GFD_L4, sets.GKE_L4), node("b", sets.GKE_L4))
    assert found["NVIDIA-L4"].total == 2
    assert asked(found["NVIDIA-L4"]) == {GKE: ["nvidia-l4"]}


def test_a_label_that_is_not_on_all_nodes_of_a_product_is_not_asked_for() -> None:
    found = pools(node("a", sets.GFD_L4, sets.GKE_L4), node("b", sets.GFD_L4))
    assert asked(found["NVIDIA-L4"]) == {PRODUCT: ["NVIDIA-L4"]}


def test_a_clouds_label_that_other_cards_have_too_is_not_asked_for() -> None:
    # The labels of the second node disagree: what is there is a T4.
    t4 = nodes.gpu_node("b", "Tesla-T4", labels={GKE: "nvidia-l4"})
    found = pools(node("a", sets.GFD_L4, sets.GKE_L4), t4)
    assert asked(found["NVIDIA-L4"]) == {PRODUCT: ["NVIDIA-L4"]}
    assert asked(found["Tesla-T4"]) == {PRODUCT: ["Tesla-T4"]}


def test_without_a_common_label_they_are_two_pools() -> None:
    stock = hardware.inventory([node("a", sets.GKE_L4), nodes.gpu_node("b", "NVIDIA-L4", 2)], [])
    assert sorted((pool.product, pool.total, *asked(pool)) for pool in stock.accelerators) == [
        ("NVIDIA-L4", 1, GKE),
        ("NVIDIA-L4", 2, PRODUCT),
    ]
    assert len({pool.key for pool in stock.accelerators}) == 2


def test_whole_cards_and_shares_of_one_name_are_told_apart_on_gke() -> None:
    found = pools(node("a", sets.GKE_L4), node("b", sets.GKE_L4_SHARED, count=4))
    assert asked(found["NVIDIA-L4"]) == {
        GKE: ["nvidia-l4"],
        "cloud.google.com/gke-max-shared-clients-per-gpu": None,
    }
    assert asked(found["NVIDIA-L4-SHARED"]) == {
        GKE: ["nvidia-l4"],
        "cloud.google.com/gke-max-shared-clients-per-gpu": ["4"],
    }
    assert found["NVIDIA-L4-SHARED"].partial
    assert not found["NVIDIA-L4"].partial


def test_cards_that_only_gkes_plugin_shares_are_no_whole_cards() -> None:
    # The labeller sees one card and no sharing; the plugin offers it four times.
    shared = node("a", sets.GFD_L4, sets.GKE_L4_SHARED, count=4)
    found = pools(shared, node("b", sets.GFD_L4, sets.GKE_L4))
    assert (found["NVIDIA-L4-SHARED"].replicas, found["NVIDIA-L4-SHARED"].total) == (4, 4)
    assert "cloud.google.com/gke-max-shared-clients-per-gpu" in asked(found["NVIDIA-L4"])


def test_cards_of_one_name_and_another_memory_are_other_accelerators() -> None:
    def rtx_3080(name: str, mib: str) -> nodes.Raw:
        labels = {"nvidia.com/gpu.product": "NVIDIA-GeForce-RTX-3080", "nvidia.com/gpu.memory": mib}
        return node(name, labels)

    stock = hardware.inventory([rtx_3080("a", "12288"), rtx_3080("b", "10240"), rtx_3080("c", "10230")], [])
    assert [(pool.total, asked(pool)["nvidia.com/gpu.memory"]) for pool in stock.accelerators] == [
        (2, ["10230", "10240"]),
        (1, ["12288"]),
    ]


def test_what_drivers_show_differently_is_one_kind_of_card() -> None:
    stock = hardware.inventory(
        [
            nodes.gpu_node("a", "NVIDIA-A100-SXM4-40GB"),
            nodes.gpu_node("b", "NVIDIA-A100-SXM4-40GB", label_mib=40_536),
        ],
        [],
    )
    assert [pool.total for pool in stock.accelerators] == [2]


def test_shares_in_other_numbers_are_other_accelerators() -> None:
    four, two = sets.GFD_TIME_SLICED, {**sets.GFD_TIME_SLICED, "nvidia.com/gpu.replicas": "2"}
    stock = hardware.inventory([node("a", four, count=4), node("b", two, count=2)], [])
    assert [(pool.replicas, pool.total) for pool in stock.accelerators] == [(2, 2), (4, 4)]
    assert [asked(pool)["nvidia.com/gpu.replicas"] for pool in stock.accelerators] == [["2"], ["4"]]


def test_slices_with_resources_of_their_own_are_pools_of_their_own() -> None:
    sliced = nodes.node(
        "a",
        labels=sets.GFD_MIG_MIXED,
        allocatable={
            "nvidia.com/gpu": "0",
            "nvidia.com/mig-1g.10gb": "1",
            "nvidia.com/mig-2g.20gb": "1",
            "nvidia.com/mig-3g.40gb": "1",
        },
    )
    stock = hardware.inventory([sliced], [nodes.pod("a", **{"nvidia.com/mig-2g.20gb": "1"})])
    assert [(pool.product, pool.resource, pool.free, pool.sliced) for pool in stock.accelerators] == [
        (f"NVIDIA-A100-80GB-PCIe-MIG-{profile}", f"nvidia.com/mig-{profile}", free, True)
        for profile, free in (("1g.10gb", 1), ("2g.20gb", 0), ("3g.40gb", 1))
    ]


def test_cards_of_several_makers_in_one_cluster() -> None:
    stock = hardware.inventory(
        [
            node("a", sets.GFD_L4),
            node("b", sets.AMD_MI300X, resource="amd.com/gpu", count=8),
            node("c", sets.INTEL_MAX, resource="gpu.intel.com/i915", count=2),
            nodes.node("d"),
        ],
        [],
    )
    assert [(pool.product, pool.vendor, pool.total) for pool in stock.accelerators] == [
        ("AMD_Instinct_MI300X_OAM", "amd", 8),
        ("Max_1550", "intel", 2),
        ("NVIDIA-L4", "nvidia", 1),
    ]
    assert len(stock.nodes) == 4
    assert stock.notes == ()


def test_nodes_with_two_kinds_of_cards_are_left_out_and_said() -> None:
    stock = hardware.inventory([node("a", sets.GFD_L4, count=3), node("b", sets.GFD_L4)], [])
    assert [(pool.product, pool.total) for pool in stock.accelerators] == [("NVIDIA-L4", 1)]
    assert stock.unreadable == {"nvidia.com/gpu"}
    assert "node a has 3 x nvidia.com/gpu" in stock.notes[0]


def test_labels_that_contradict_each_other_are_told() -> None:
    stock = hardware.inventory([node("a", sets.GFD_L4, {GKE: "nvidia-tesla-t4"})], [])
    assert [pool.product for pool in stock.accelerators] == ["NVIDIA-L4"]
    assert stock.remarks == (
        f"node a: {PRODUCT}=NVIDIA-L4 and {GKE}=nvidia-tesla-t4 name different cards; the first is believed",
    )


KINDS = (
    (sets.GFD_L4, sets.GKE_L4),
    (sets.GFD_L4,),
    (sets.GKE_L4,),
    (sets.GKE_L4_SHARED,),
    (sets.GFD_TIME_SLICED,),
    (sets.EKS_KARPENTER,),
    (sets.EKS_NODE_GROUP,),
    (sets.GFD_MIG_SINGLE,),
    (sets.AKS,),
    ({},),
)


@pytest.mark.parametrize("seed", range(8))
def test_neither_the_order_of_nodes_nor_of_pods_matters(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    there = [node(f"n{number}", *chance.choice(KINDS)) for number in range(12)]
    running = [nodes.pod(f"n{chance.randrange(12)}", gpu="1", cpu="500m") for _ in range(6)]
    expected = hardware.inventory(there, running)
    chance.shuffle(there)
    chance.shuffle(running)
    assert hardware.inventory(there, running) == expected


@pytest.mark.parametrize("seed", range(8))
def test_every_accelerator_is_in_one_pool_or_in_a_note(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    there = [node(f"n{number}", *chance.choice(KINDS)) for number in range(12)]
    stock = hardware.inventory(there, [])
    in_pools = [each.name for pool in stock.accelerators for each in pool.nodes]
    assert len(set(in_pools)) == len(in_pools)
    assert len(in_pools) + len(stock.notes) == 12
    for pool in stock.accelerators:
        for each in pool.nodes:
            for requirement in pool.node_requirements:
                present = each.room.labels.get(requirement["key"])
                assert (
                    present in requirement["values"] if requirement["operator"] == "In" else present is None
                )


@pytest.mark.parametrize(
    ("labels", "product", "expected"),
    [
        pytest.param(
            {"cloud.google.com/gke-nodepool": "x"}, "NVIDIA-L4", {GKE: ["nvidia-l4"]}, id="GKE's own label"
        ),
        pytest.param(
            {"cloud.google.com/gke-nodepool": "x"},
            "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb",
            {GKE: ["nvidia-tesla-a100"], "cloud.google.com/gke-gpu-partition-size": ["1g.5gb"]},
            id="GKE's label of a slice",
        ),
        pytest.param(
            {"karpenter.k8s.aws/instance-family": "m7i"},
            "NVIDIA-A100-SXM4-80GB",
            {
                "karpenter.k8s.aws/instance-gpu-name": ["a100"],
                "karpenter.k8s.aws/instance-gpu-memory": ["81920"],
            },
            id="Karpenter's, with the memory that tells two cards apart",
        ),
        pytest.param({}, "NVIDIA-L4", {PRODUCT: ["NVIDIA-L4"]}, id="a cluster of no known cloud"),
        pytest.param(
            {"karpenter.k8s.aws/instance-family": "m7i"},
            "NVIDIA-A40",
            {PRODUCT: ["NVIDIA-A40"]},
            id="a card that the cloud has no name for",
        ),
        pytest.param(
            {}, "AMD_Instinct_MI300X_OAM", {"amd.com/gpu.product-name": ["AMD_Instinct_MI300X_OAM"]}, id="AMD"
        ),
    ],
)
def test_accelerators_that_no_node_has_yet(
    labels: dict[str, str], product: str, expected: dict[str, list[str]]
) -> None:
    stock = hardware.inventory([nodes.node("plain", labels=labels)], [])
    pool = hardware.awaited(product, stock)
    assert pool is not None
    assert (pool.product, pool.nodes, pool.total) == (product, (), 0)
    assert asked(pool) == expected


@pytest.mark.parametrize("product", ["L4", "NVIDIA-X1", "Gaudi2"])
def test_what_cannot_be_awaited(product: str) -> None:
    assert hardware.awaited(product, hardware.inventory([], [])) is None
