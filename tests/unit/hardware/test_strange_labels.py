"""Labels are what somebody wrote: whatever they say, an inventory comes out, the same for every order of nodes."""

import random

import pytest

from pillion import hardware
from tests.unit.hardware import label_sets, nodes

SETS = tuple(
    value for name, value in sorted(vars(label_sets).items()) if name.isupper() and isinstance(value, dict)
)
STRANGE = (
    *("", "abc", "-1", "0", "1.5", "9" * 30, "None", "²", " 7", "true"),
    *("-MIG-", "-SHARED", "NVIDIA-L4-MIG-", "NVIDIA-L4-SHARED-SHARED", "NVIDIA-L4-MIG-1g", "1g.5gb+me"),
)
RESOURCES = (
    *("nvidia.com/gpu", "nvidia.com/gpu.shared", "nvidia.com/mig-1g.5gb", "nvidia.com/mig-1g.10gb.shared"),
    *("nvidia.com/mig-", "amd.com/gpu", "gpu.intel.com/i915", "gpu.intel.com/xe", "habana.ai/gaudi"),
)


def some_node(chance: random.Random, name: str) -> nodes.Raw:
    """A node with the labels of one or two installers, of which some are missing and some make no sense."""
    labels: dict[str, str] = {}
    for each in chance.sample(SETS, chance.randrange(1, 3)):
        labels |= each
    for key in sorted(labels):
        luck = chance.random()
        if luck < 0.15:
            labels[key] = chance.choice(STRANGE)
        elif luck < 0.25:
            del labels[key]
    offered = chance.sample(RESOURCES, chance.randrange(1, 3))
    return nodes.node(name, labels=labels, allocatable={each: str(chance.randrange(9)) for each in offered})


@pytest.mark.parametrize("seed", range(150))
def test_whatever_labels_say(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    there = [some_node(chance, f"n{number}") for number in range(chance.randrange(1, 5))]
    stock = hardware.inventory(there, [])
    chance.shuffle(there)
    assert hardware.inventory(there, []) == stock
    keys = [pool.key for pool in stock.accelerators]
    assert len(set(keys)) == len(keys)
    offered = sum(
        int(amount) > 0
        for node in there
        for resource, amount in node["status"]["allocatable"].items()
        if resource in RESOURCES
    )
    assert sum(len(pool.nodes) for pool in stock.accelerators) + len(stock.notes) == offered
