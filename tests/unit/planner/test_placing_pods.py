"""Pods and accelerators counted together: who is in the way, what a rollout needs, what an autoscaler adds."""

from typing import Any

import pytest

from pillion import planner
from pillion.api.reasons import Reason
from tests.unit.hardware import nodes
from tests.unit.planner import worlds
from tests.unit.planner.worlds import L4, PLAIN, QWEN3_8B, T4, TINY

TWO = [nodes.gpu_node("a", "NVIDIA-L4"), nodes.gpu_node("b", "NVIDIA-L4")]
BLOCKED = {Reason.ROLLOUT_WILL_BLOCK}


def reasons(answer: planner.Planned) -> set[Reason]:
    return {warned.reason for warned in answer.warnings}


def test_what_is_told_of_the_product() -> None:
    answer = worlds.planned(QWEN3_8B, on=[*TWO, T4], beside=[nodes.pod("a", gpu="1")])
    assert answer.plan.product == "NVIDIA-L4"
    assert (answer.accelerators_total, answer.accelerators_free) == (2, 1)


@pytest.mark.parametrize(
    ("more", "fits"),
    [
        pytest.param({"pods": 2}, True, id="as many accelerators as pods"),
        pytest.param({"pods": 3}, False, id="one too few"),
        pytest.param({"pods": 0}, True, id="a target that is scaled to nothing"),
        pytest.param({"pods": 2, "reserved": {"NVIDIA-L4": 1}}, False, id="another plan counts on one"),
        pytest.param(
            {"pods": 2, "reserved": {"Tesla-T4": 1}}, True, id="another plan counts on another product"
        ),
        pytest.param({"pods": 2, "beside": [nodes.pod("a", gpu="1")]}, False, id="another pod has one"),
        pytest.param(
            {"pods": 2, "beside": [nodes.pod("a", gpu="1")], "own": {"a": {"nvidia.com/gpu": 1}}},
            True,
            id="the target's own engine has it",
        ),
        pytest.param(
            {"pods": 3, "hardware": {"capacity": "Autoscaled"}}, True, id="an autoscaler adds nodes"
        ),
    ],
)
def test_pods_times_accelerators(more: dict[str, Any], fits: bool) -> None:
    answer = planner.plan(worlds.request(QWEN3_8B, on=TWO, **more))
    assert isinstance(answer, planner.Planned) is fits
    if isinstance(answer, planner.NotPlanned):
        assert answer.reason is Reason.INSUFFICIENT_ACCELERATORS


def test_accelerators_of_one_pod_are_on_one_node() -> None:
    worlds.refused(QWEN3_8B, on=TWO, quantization={"method": "None"}, serving={"concurrency": 8, "contextLength": 8192},
                   hardware={"maxPerPod": 2})  # fmt: skip
    together = [nodes.gpu_node("a", "NVIDIA-L4", 2)]
    answer = worlds.planned(
        QWEN3_8B,
        on=together,
        quantization={"method": "None"},
        serving={"concurrency": 8, "contextLength": 8192},
        hardware={"maxPerPod": 2},
    )
    assert answer.plan.count == 2


def test_the_pods_own_accelerators_come_on_top() -> None:
    target = planner.TargetShape(pods=1, accelerators={"nvidia.com/gpu": 1})
    refusal = worlds.refused(QWEN3_8B, on=[L4], target=target)
    assert "has 1 of the 2 accelerators that a pod takes" in refusal.message
    worlds.planned(QWEN3_8B, on=[nodes.gpu_node("two", "NVIDIA-L4", 2)], target=target)


@pytest.mark.parametrize(
    ("target", "node"),
    [
        pytest.param({"node_selector": {"zone": "b"}}, {}, id="the pods' node selector"),
        pytest.param(
            {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [
                                {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["b"]}]}
                            ]
                        }
                    }
                }
            },
            {},
            id="the pods' affinity",
        ),
        pytest.param({"cpu_millis": 7500}, {}, id="the pods' own CPU beside the engine's"),
        pytest.param({"memory_bytes": 28 * 2**30}, {}, id="the pods' own memory beside the engine's"),
        pytest.param({}, {"unschedulable": True}, id="a cordoned node"),
        pytest.param({}, {"ready": "False"}, id="a node that is not ready"),
        pytest.param({}, {"labels": {"kubernetes.io/os": "windows"}}, id="a node with Windows"),
        pytest.param({}, {"taints": [{"key": "team", "effect": "NoSchedule"}]}, id="a taint"),
    ],
)
def test_a_node_that_pods_cannot_go_to_does_not_count(target: dict[str, Any], node: dict[str, Any]) -> None:
    refusal = worlds.refused(
        QWEN3_8B, on=[nodes.gpu_node("n", "NVIDIA-L4", **node)], target=planner.TargetShape(pods=1, **target)
    )
    assert refusal.reason is Reason.NO_NODE_FITS
    assert "1 node " in refusal.message


@pytest.mark.parametrize(
    ("target", "hardware"),
    [
        pytest.param({"tolerations": ({"key": "team", "operator": "Exists"},)}, {}, id="by the pods"),
        pytest.param({}, {"tolerations": [{"key": "team", "operator": "Exists"}]}, id="by the spec"),
    ],
)
def test_a_taint_that_is_tolerated(target: dict[str, Any], hardware: dict[str, Any]) -> None:
    tainted = nodes.gpu_node("n", "NVIDIA-L4", taints=[{"key": "team", "effect": "NoSchedule"}])
    worlds.planned(QWEN3_8B, on=[tainted], target=planner.TargetShape(pods=1, **target), hardware=hardware)


def test_the_usual_taint_of_accelerators_gets_its_toleration_with_the_plan() -> None:
    tainted = nodes.gpu_node(
        "n", "NVIDIA-L4", taints=[{"key": "nvidia.com/gpu", "value": "x", "effect": "NoSchedule"}]
    )
    plan = worlds.planned(QWEN3_8B, on=[tainted]).plan
    assert plan.tolerations == ({"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},)
    assert worlds.planned(TINY, on=[PLAIN]).plan.tolerations == ()


def test_the_products_label_only_where_products_differ() -> None:
    assert worlds.planned(QWEN3_8B, on=TWO).plan.node_requirements == ()
    assert worlds.planned(QWEN3_8B, on=[*TWO, T4]).plan.node_requirements == (
        {"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-L4"]},
    )
    unread = nodes.node("unread", allocatable={"nvidia.com/gpu": "1"})
    assert worlds.planned(QWEN3_8B, on=[*TWO, unread]).plan.node_requirements != ()


@pytest.mark.parametrize(
    ("pods", "surge", "warned"),
    [
        pytest.param(1, 1, False, id="one pod and one more on two cards"),
        pytest.param(2, 1, True, id="two pods and one more on two cards"),
        pytest.param(2, 0, False, id="two pods that are replaced one by one"),
    ],
)
def test_a_rollout_that_needs_one_more_accelerator_than_there_is(pods: int, surge: int, warned: bool) -> None:
    answer = worlds.planned(QWEN3_8B, on=TWO, pods=pods, surge=surge)
    assert (reasons(answer) & BLOCKED == BLOCKED) is warned
    if warned:
        message = next(each.message for each in answer.warnings if each.reason is Reason.ROLLOUT_WILL_BLOCK)
        assert "maxSurge: 0" in message


def test_an_autoscalers_maximum_is_told() -> None:
    target = planner.TargetShape(pods=1, max_pods=5)
    answer = worlds.planned(QWEN3_8B, on=TWO, target=target)
    message = next(each.message for each in answer.warnings if each.reason is Reason.AUTOSCALER_MAY_BLOCK)
    assert "5 pods" in message


def test_pods_that_opt_in_wait_for_a_busy_card() -> None:
    answer = worlds.planned(QWEN3_8B, on=[L4], beside=[nodes.pod("l4", gpu="1")], pods=None)
    assert Reason.ACCELERATORS_BUSY in reasons(answer)


def test_a_product_of_nodes_that_an_autoscaler_will_add() -> None:
    hardware = {"capacity": "Autoscaled", "products": ["NVIDIA-L4"]}
    answer = worlds.planned(QWEN3_8B, on=[PLAIN], hardware=hardware)
    assert answer.plan.product == "NVIDIA-L4"
    assert answer.plan.node_requirements
    assert Reason.NODE_AWAITED in reasons(answer)


@pytest.mark.parametrize(
    ("selector", "named_by_us"),
    [
        pytest.param({}, True, id="nothing names it but the product"),
        pytest.param({"cloud.google.com/gke-accelerator": "nvidia-l4"}, False, id="by the cloud's label"),
        pytest.param({"cloud.google.com/gke-accelerator": "nvidia-tesla-t4"}, True, id="of another product"),
        pytest.param({"pool": "gpus"}, True, id="by some label"),
    ],
)
def test_a_product_to_come_is_asked_for_by_a_label_that_the_autoscaler_knows(
    selector: dict[str, str], named_by_us: bool
) -> None:
    hardware = {"capacity": "Autoscaled", "products": ["NVIDIA-L4"], "nodeSelector": selector}
    answer = worlds.planned(QWEN3_8B, on=[PLAIN], hardware=hardware)
    assert bool(answer.plan.node_requirements) is named_by_us
    assert (Reason.AUTOSCALER_MAY_BLOCK in reasons(answer)) is named_by_us


def test_one_pod_on_each_node_of_a_daemon_set() -> None:
    two_on_one = [nodes.gpu_node("a", "NVIDIA-L4", 2)]
    target = planner.TargetShape(pods=2, one_pod_per_node=True)
    assert worlds.refused(QWEN3_8B, on=two_on_one, target=target).reason is Reason.INSUFFICIENT_ACCELERATORS
    worlds.planned(QWEN3_8B, on=TWO, target=target)


def test_on_cpu_pods_are_counted_by_memory_and_cores() -> None:
    small = nodes.node("small", memory="7Gi", cpu="2")  # room for two engines of 2.75 GiB
    worlds.planned(TINY, on=[small], pods=2)
    refusal = worlds.refused(TINY, on=[small], pods=3)
    assert refusal.reason is Reason.NO_NODE_FITS
    assert "3 pods" in refusal.message
    assert "2 pods" in refusal.message


def test_on_cpu_a_full_node_is_a_warning_because_its_pods_may_be_ours() -> None:
    small = nodes.node("small", memory="7Gi", cpu="2")
    answer = worlds.planned(TINY, on=[small], beside=[nodes.pod("small", memory="6Gi")])
    assert reasons(answer) & BLOCKED


def test_on_cpu_too_an_autoscaler_is_trusted_to_add_nodes_like_those_there_are() -> None:
    small = nodes.node("small", memory="7Gi", cpu="2")
    worlds.planned(TINY, on=[small], pods=9, hardware={"capacity": "Autoscaled"})
    tiny = nodes.node("tiny", memory="1Gi")
    assert worlds.refused(TINY, on=[tiny], hardware={"capacity": "Autoscaled"}).reason is Reason.NO_NODE_FITS


def test_many_nodes_with_the_same_obstacle_are_told_in_one_sentence() -> None:
    there = [nodes.gpu_node(f"n{number}", "NVIDIA-L4", memory=f"{number % 5 + 1}Gi") for number in range(200)]
    there += [
        nodes.gpu_node(f"t{number}", "NVIDIA-L4", taints=[{"key": f"team-{number}", "effect": "NoSchedule"}])
        for number in range(50)
    ]
    refusal = worlds.refused(QWEN3_8B, on=there)
    assert "200 nodes have at most 5.00 GiB of memory where" in refusal.message
    assert "47 nodes for other reasons" in refusal.message
    assert len(refusal.message) < 1000
