"""Nodes that are alike are asked once: the answer is the one that each of them would have had."""

import random
from typing import Any

import pytest

from pillion import engines, hardware, planner
from pillion.planner import obstacles, placement
from tests.unit.hardware import nodes
from tests.unit.planner import worlds
from tests.unit.planner.worlds import QWEN3_8B

Raw = dict[str, Any]


def affinity(*expressions: Raw, fields: tuple[Raw, ...] = ()) -> Raw:
    term = {"matchExpressions": list(expressions), "matchFields": list(fields)}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


TARGETS = (
    planner.TargetShape(pods=1),
    planner.TargetShape(pods=1, node_selector={"pool": "a"}),
    planner.TargetShape(pods=1, affinity=affinity({"key": "zone", "operator": "In", "values": ["1", "2"]})),
    planner.TargetShape(pods=1, affinity=affinity({"key": "rack", "operator": "DoesNotExist"})),
    planner.TargetShape(
        pods=1, affinity=affinity(fields=({"key": "metadata.name", "operator": "In", "values": ["n3"]},))
    ),
    planner.TargetShape(pods=1, tolerations=({"key": "team", "operator": "Exists"},)),
    planner.TargetShape(pods=1, accelerators={"amd.com/gpu": 1}),
)


def some_nodes(chance: random.Random) -> list[nodes.Raw]:
    def one(number: int) -> nodes.Raw:
        labels = {
            "pool": chance.choice("ab"),
            "zone": chance.choice("123"),
            **({"rack": "7"} if chance.random() < 0.5 else {}),
        }
        taints = [{"key": "team", "value": chance.choice("xy"), "effect": "NoSchedule"}]
        return nodes.gpu_node(
            f"n{number}",
            "NVIDIA-L4",
            chance.choice((1, 2)),
            labels=labels,
            allocatable={"amd.com/gpu": "1"} if chance.random() < 0.5 else {},
            taints=taints if chance.random() < 0.3 else None,
            ready=chance.choice(("True", "True", "False")),
            memory=chance.choice(("8Gi", "64Gi")),
        )

    amd = nodes.node("amd", labels={"amd.com/gpu.product-name": "MI300X"}, allocatable={"amd.com/gpu": "1"})
    return [*(one(number) for number in range(20)), amd]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("selector", [{}, {"zone": "1"}])
def test_each_node_is_open_as_it_would_be_alone(
    seed: int, target: planner.TargetShape, selector: dict[str, str]
) -> None:
    chance = random.Random(seed)  # noqa: S311
    request = worlds.request(
        QWEN3_8B, on=some_nodes(chance), target=target, hardware={"nodeSelector": selector}
    )
    pool = next(each for each in request.inventory.accelerators if each.product == "NVIDIA-L4")
    found = placement.Places(request, engines.profile("vLLM")).open_to(pool)
    tolerated = obstacles.tolerations(request.spec, target, pool)

    def alone(room: hardware.NodeRoom) -> list[obstacles.Obstacle]:
        return [
            *obstacles.of_rules(room, request.spec, target, tolerated),
            *obstacles.of_other_accelerators(room, target, request.inventory, engines=pool.resource),
        ]

    assert [room.name for room in found.rooms] == [
        there.name for there in pool.nodes if not alone(there.room)
    ]
    assert list(found.closed) == [alone(there.room)[0] for there in pool.nodes if alone(there.room)]
