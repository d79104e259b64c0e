"""Slices, shares, other makers' cards, old drivers, and nodes to come: when they are planned with, and what is said."""

import itertools
import random
from typing import Any

import pytest

from pillion import planner
from pillion.api.reasons import Reason
from tests.unit.hardware import label_sets as sets
from tests.unit.hardware import nodes
from tests.unit.planner import worlds
from tests.unit.planner.worlds import A100, L4, LLAMA_8B, PLAIN, QWEN3_8B, T4, TINY

Raw = dict[str, Any]

SLICE = "NVIDIA-A100-80GB-PCIe-MIG-3g.40gb"
SLICED = nodes.node(
    "sliced",
    labels={
        key: value
        for key, value in sets.GFD_MIG_MIXED.items()
        if "driver" not in key and "runtime" not in key
    },
    allocatable={"nvidia.com/gpu": "0", "nvidia.com/mig-1g.10gb": "1", "nvidia.com/mig-3g.40gb": "1"},
    memory="64Gi",
)
MI300X = nodes.node(
    "mi300x", labels=sets.AMD_MI300X, allocatable={"amd.com/gpu": "8"}, memory="512Gi", cpu="64"
)
MAX_1550 = nodes.node(
    "max", labels=sets.INTEL_MAX, allocatable={"gpu.intel.com/xe": "2"}, memory="512Gi", cpu="64"
)


def driver(major: str, name: str = "old") -> nodes.Raw:
    """A node with an L4 and that driver."""
    labels = {
        "nvidia.com/cuda.driver-version.major": major,
        "nvidia.com/cuda.driver-version.full": f"{major}.10.01",
    }
    return nodes.gpu_node(name, "NVIDIA-L4", labels=labels)


def reasons(answer: planner.Planned) -> set[Reason]:
    return {warned.reason for warned in answer.warnings}


def test_a_slice_that_is_named() -> None:
    answer = worlds.planned(QWEN3_8B, on=[SLICED], hardware={"products": [SLICE]})
    plan = answer.plan
    assert (plan.product, plan.resource, plan.count) == (SLICE, "nvidia.com/mig-3g.40gb", 1)
    assert plan.memory.total == 40_192 * 2**20
    # Its memory is its own, so that the engine may use all of it as on a whole card.
    assert plan.gpu_memory_utilization == pytest.approx(0.92)
    assert plan.kv_cache_bytes is None
    assert plan.memory.unverified
    assert Reason.ESTIMATE_UNVERIFIED in reasons(answer)


def test_a_slice_that_is_not_named() -> None:
    refusal = worlds.refused(QWEN3_8B, on=[SLICED])
    assert refusal.reason is Reason.SHARED_ACCELERATOR
    assert "is a slice of a GPU; name it in spec.hardware.products" in refusal.message


def test_one_process_uses_one_slice() -> None:
    two = nodes.node(
        "two", labels=sets.GFD_MIG_SINGLE, allocatable={"nvidia.com/gpu": "7"}, memory="64Gi", cpu="16"
    )
    hardware = {"products": ["NVIDIA-A100-SXM4-40GB-MIG-1g.5gb"], "maxPerPod": 4}
    refusal = worlds.refused(QWEN3_8B, on=[two], hardware=hardware)
    assert {each.count for each in refusal.rejected} == {1}


def test_slices_of_two_cards_are_told_apart() -> None:
    other = nodes.node(
        "other",
        labels={**sets.GFD_MIG_SINGLE, "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3-MIG-3g.40gb"},
        allocatable={"nvidia.com/gpu": "2"},
    )
    hardware = {"products": ["NVIDIA-A100-SXM4-40GB-MIG-1g.5gb"]}
    mine = nodes.node("mine", labels=sets.GFD_MIG_SINGLE, allocatable={"nvidia.com/gpu": "7"})
    plan = worlds.planned(TINY, on=[mine, other], hardware=hardware).plan
    assert plan.node_requirements == (
        {
            "key": "nvidia.com/gpu.product",
            "operator": "In",
            "values": ["NVIDIA-A100-SXM4-40GB-MIG-1g.5gb"],
        },
    )


def test_a_share_counts_on_its_part_and_says_that_nothing_keeps_the_others_to_theirs() -> None:
    shared = nodes.node("shared", labels=sets.GFD_TIME_SLICED, allocatable={"nvidia.com/gpu": "4"})
    answer = worlds.planned(TINY, on=[shared], hardware={"products": ["NVIDIA-L4-SHARED"]})
    assert answer.plan.kv_cache_bytes is not None
    assert answer.plan.memory.usable <= answer.plan.memory.total / 4
    assert any("shared among 4 pods" in each.message for each in answer.warnings)


@pytest.mark.parametrize(
    ("node", "product", "image"),
    [
        pytest.param(MI300X, "AMD_Instinct_MI300X_OAM", "example.com/vllm-rocm:v0.33.0", id="AMD"),
        pytest.param(MAX_1550, "Max_1550", "example.com/vllm-xpu:v0.33.0", id="Intel"),
    ],
)
def test_another_makers_card_where_it_and_an_image_for_it_are_named(
    node: nodes.Raw, product: str, image: str
) -> None:
    answer = worlds.planned(
        QWEN3_8B, on=[node, L4], hardware={"products": [product]}, engine={"image": image}
    )
    assert (answer.plan.product, answer.plan.image, answer.plan.memory.unverified) == (product, image, True)
    assert Reason.ESTIMATE_UNVERIFIED in reasons(answer)
    assert {each["key"] for each in answer.plan.tolerations} == {answer.plan.resource}
    for missing, words in (
        ({"hardware": {"products": [product]}}, "set spec.engine.image to one"),
        ({"engine": {"image": image}}, "name it in spec.hardware.products"),
    ):
        refusal = worlds.refused(QWEN3_8B, on=[node], **missing)
        assert refusal.reason is Reason.ENGINE_IMAGE_MISSING
        assert words in refusal.message


def test_an_image_for_the_clusters_nvidia_cards_is_no_reason_to_take_another_makers() -> None:
    answer = worlds.planned(QWEN3_8B, on=[MI300X, L4], engine={"image": "example.com/vllm:v0.33.0"})
    assert answer.plan.product == "NVIDIA-L4"


def test_a_driver_that_the_image_does_not_start_on() -> None:
    refusal = worlds.refused(QWEN3_8B, on=[driver("535")])
    assert refusal.reason is Reason.DRIVER_TOO_OLD
    assert "1 node has NVIDIA-L4 with the driver 535.10.01" in refusal.message
    assert "(CUDA 13.0) needs 580 or newer" in refusal.message


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"engine": {"image": "vllm/vllm-openai:v0.33.0-cu129"}}, id="another image"),
        pytest.param({"images": {"GPU": "example.com/vllm:v0.33.0"}}, id="the operator's own image"),
        pytest.param(
            {"engine": {"env": [{"name": "VLLM_ENABLE_CUDA_COMPATIBILITY", "value": "1"}]}},
            id="the image's own libraries for older drivers",
        ),
    ],
)
def test_an_old_driver_is_no_gate_where_nobody_knows_what_the_image_needs(more: Raw) -> None:
    assert worlds.planned(QWEN3_8B, on=[driver("535")], **more).plan.product == "NVIDIA-L4"


def test_a_variable_that_is_off_changes_nothing() -> None:
    env = [{"name": "VLLM_ENABLE_CUDA_COMPATIBILITY", "value": "0"}]
    refusal = worlds.refused(QWEN3_8B, on=[driver("535")], engine={"env": env})
    assert refusal.reason is Reason.DRIVER_TOO_OLD


def test_nodes_with_an_old_driver_are_not_counted_and_kept_away_from() -> None:
    on = [driver("535"), driver("550", "older"), driver("580", "new")]
    plan = worlds.planned(QWEN3_8B, on=on).plan
    assert plan.node_requirements == (
        {"key": "nvidia.com/cuda.driver-version.major", "operator": "NotIn", "values": ["535", "550"]},
    )
    refusal = worlds.refused(QWEN3_8B, on=on, pods=2)
    assert refusal.reason is Reason.INSUFFICIENT_ACCELERATORS
    assert "1 of 1 are free" in refusal.message
    assert "has the driver 535.10.01" in refusal.message


def test_new_drivers_everywhere_are_not_asked_for() -> None:
    on = [driver("580"), driver("595", "newer")]
    assert worlds.planned(QWEN3_8B, on=on, pods=2).plan.node_requirements == ()


def test_the_engines_lowest_capability_is_compared_as_a_number() -> None:
    def card(major: int, minor: int) -> nodes.Raw:
        labels = {"nvidia.com/gpu.compute.major": str(major), "nvidia.com/gpu.compute.minor": str(minor)}
        return nodes.gpu_node("n", "NVIDIA-L4", labels=labels)

    worlds.planned(QWEN3_8B, on=[card(10, 0)])  # "10.0" as a word is less than "7.5"
    refusal = worlds.refused(QWEN3_8B, on=[card(7, 0)])
    assert [each.reason for each in refusal.rejected] == [Reason.COMPUTE_CAPABILITY_TOO_LOW] * len(
        refusal.rejected
    )


def test_a_product_to_come_is_asked_for_by_the_label_of_the_clusters_cloud() -> None:
    plain = nodes.node("plain", labels={"cloud.google.com/gke-nodepool": "default"})
    hardware = {"capacity": "Autoscaled", "products": ["NVIDIA-L4"]}
    answer = worlds.planned(QWEN3_8B, on=[plain], hardware=hardware)
    assert answer.plan.node_requirements == (
        {"key": "cloud.google.com/gke-accelerator", "operator": "In", "values": ["nvidia-l4"]},
    )
    assert Reason.NODE_AWAITED in reasons(answer)
    assert Reason.AUTOSCALER_MAY_BLOCK not in reasons(answer)
    message = next(each.message for each in answer.warnings if each.reason is Reason.NODE_AWAITED)
    assert message.startswith("No node has NVIDIA-L4 yet")


def test_a_slice_to_come() -> None:
    hardware = {"capacity": "Autoscaled", "products": ["NVIDIA-A100-SXM4-40GB-MIG-3g.20gb"]}
    plan = worlds.planned(QWEN3_8B, on=[PLAIN], hardware=hardware).plan
    assert plan.product == "NVIDIA-A100-SXM4-40GB-MIG-3g.20gb"
    assert plan.memory.unverified


def test_a_node_to_come_may_have_a_newer_driver() -> None:
    hardware = {"capacity": "Autoscaled", "products": ["NVIDIA-L4"]}
    assert worlds.planned(QWEN3_8B, on=[driver("535")], hardware=hardware).plan.product == "NVIDIA-L4"


def test_a_free_card_beside_busy_cores_is_told() -> None:
    busy = nodes.pod("l4", cpu="7500m", memory="1Gi")
    answer = worlds.planned(QWEN3_8B, on=[L4], beside=[busy])
    assert Reason.ROLLOUT_WILL_BLOCK in reasons(answer)
    assert Reason.ROLLOUT_WILL_BLOCK not in reasons(worlds.planned(QWEN3_8B, on=[L4]))
    opting_in = worlds.planned(QWEN3_8B, on=[L4], beside=[busy], pods=None)
    assert Reason.ACCELERATORS_BUSY in reasons(opting_in)


def test_a_further_node_with_less_memory_under_the_same_name_takes_nothing_from_a_plan() -> None:
    def card(name: str, mib: int) -> nodes.Raw:
        return nodes.gpu_node(name, "NVIDIA-A100-SXM4-40GB", label_mib=mib)

    alone = worlds.planned(LLAMA_8B, on=[card("a", 40_960)]).plan
    beside = worlds.planned(LLAMA_8B, on=[card("a", 40_960), card("b", 20_480)], serving={}).plan
    assert alone.memory.total >= beside.memory.total
    large = {"contextLength": 65_536, "concurrency": 2}
    plan = worlds.planned(LLAMA_8B, on=[card("a", 40_960), card("b", 20_480)], serving=large).plan
    assert plan.memory.total == alone.memory.total
    assert {each["key"] for each in plan.node_requirements} == {
        "nvidia.com/gpu.product",
        "nvidia.com/gpu.memory",
    }


WORLD = (L4, T4, A100, SLICED, MI300X, PLAIN, driver("535"), driver("580", "new"))


@pytest.mark.parametrize("seed", range(6))
def test_a_plan_does_not_depend_on_the_order_of_nodes(seed: int) -> None:
    there = list(WORLD)
    expected = planner.plan(worlds.request(LLAMA_8B, on=there))
    random.Random(seed).shuffle(there)  # noqa: S311
    assert planner.plan(worlds.request(LLAMA_8B, on=there)) == expected


def fitting(on: list[nodes.Raw]) -> set[tuple[str, str, str | None, int]]:
    """The candidates that would do: the chosen one, and those that come after it."""
    answer = planner.plan(worlds.request(LLAMA_8B, on=on, hardware={"maxPerPod": 2}))
    if isinstance(answer, planner.NotPlanned):
        return set()
    plan = answer.plan
    return {
        (plan.checkpoint, plan.quantization, plan.product, plan.count),
        *(
            (each.checkpoint, each.quantization, each.product, each.count)
            for each in answer.rejected
            if each.reason is Reason.ORDERED_AFTER
        ),
    }


@pytest.mark.parametrize("left_out", range(len(WORLD)), ids=[node["metadata"]["name"] for node in WORLD])
def test_a_further_node_never_loses_a_candidate(left_out: int) -> None:
    fewer = [node for position, node in enumerate(WORLD) if position != left_out]
    assert fitting(fewer) <= fitting(list(WORLD))


def test_a_further_pair_of_nodes_never_loses_one_either() -> None:
    all_of_them = fitting(list(WORLD))
    for pair in itertools.combinations(WORLD, 2):
        assert fitting(list(pair)) <= all_of_them
