"""Which accelerators are alike, and by which labels are their nodes asked for?

Accelerators of one product, resource and memory are one pool, shares also of one number of parts where a label says it.
Its nodes are asked for by a label that all of them have: the cloud's own first, because its autoscaler knows it of
nodes that are not there yet, where it tells the pool from every other; then the labeller's. Where no label is on all of
them, they are several pools.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pillion.hardware.described import Described, Naming
from pillion.hardware.model import AcceleratorPool, NodeAccelerators, Raw

_Keys = tuple[str, ...]
_SAME_MEMORY: Final = 0.97  # drivers show 81,251 or 81,920 MiB of one A100 with 80 GB


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One node's accelerators, and what was said of them."""

    described: Described
    there: NodeAccelerators
    resource: str
    namings: tuple[Naming, ...]  # the ways in which the node's labels name them


def pools(members: Sequence[Member]) -> tuple[AcceleratorPool, ...]:
    """All pools, in an order that does not depend on the nodes'."""
    groups: defaultdict[tuple[str, str, Naming], list[Member]] = defaultdict(list)
    for member in members:
        groups[member.described.product, member.resource, _beside_product(member)].append(member)
    by_resource: defaultdict[str, list[Member]] = defaultdict(list)
    for member in members:
        by_resource[member.resource].append(member)
    made: list[AcceleratorPool] = []
    for key in sorted(groups):
        for alike in _by_memory(groups[key]):
            made += _split(alike, by_resource[key[1]])
    return tuple(made)


def _beside_product(member: Member) -> Naming:
    """What labels say beside the product's name: among how many pods it is shared, or which slice it is."""
    return tuple((key, value) for key, value in member.described.naming[1:] if value is not None)


def _by_memory(group: Sequence[Member]) -> Iterator[Sequence[Member]]:
    """Cards of one name that differ in memory by more than drivers do (an RTX 3080 has 10 or 12 GiB), smallest first.

    Otherwise a further node with less of it would take from a plan what the others have.
    """
    left = sorted(group, key=lambda member: (member.described.memory.bytes, member.there.name))
    if left[0].described.memory.bytes >= left[-1].described.memory.bytes * _SAME_MEMORY:
        yield group
        return
    while left:
        most = left[0].described.memory.bytes / _SAME_MEMORY
        alike = [member for member in left if member.described.memory.bytes <= most]
        yield [_named_with_memory(member) for member in alike]
        left = left[len(alike) :]


def _named_with_memory(member: Member) -> Member:
    """Named by the label of its memory too, where there is one."""
    key, _ = member.described.naming[0]
    memory_key = f"{key.removesuffix('.product')}.memory"
    told = member.there.room.labels.get(memory_key)
    if told is None:
        return member
    return replace(member, namings=((*member.described.naming, (memory_key, told)),))


def _split(group: Sequence[Member], all_of_resource: Sequence[Member]) -> Iterable[AcceleratorPool]:
    """The pools of a group: one for as many nodes as a label is common to, until none is left."""
    left = list(group)
    inside = {member.there.name for member in group}
    while left:
        ways: defaultdict[_Keys, list[tuple[Member, Naming]]] = defaultdict(list)
        for member in left:
            for naming in member.namings:
                ways[tuple(key for key, value in naming if value is not None)].append((member, naming))
        # Most nodes first, then the order in which a node's labels are listed: the cloud's before the labeller's.
        ordered = sorted(ways.values(), key=lambda found: -len(found))
        several = [found for found in ordered if len(found) == len(ordered[0])]
        chosen = next(
            (found for found in several if _tells_apart(found, inside, all_of_resource)), several[-1]
        )
        yield _pool(
            [member for member, _ in chosen], _requirements([naming for _, naming in chosen], all_of_resource)
        )
        taken = {member.there.name for member, _ in chosen}
        left = [member for member in left if member.there.name not in taken]


def _tells_apart(
    found: Sequence[tuple[Member, Naming]], inside: set[str], all_of_resource: Sequence[Member]
) -> bool:
    """Whether no other node with the resource has those labels with those values."""
    namings = {naming for _, naming in found}
    return not any(
        _has(other.there.room.labels, naming)
        for other in all_of_resource
        if other.there.name not in inside
        for naming in namings
    )


def _has(labels: Mapping[str, str], naming: Naming) -> bool:
    return all(labels.get(key) == value for key, value in naming)


def _requirements(namings: Sequence[Naming], all_of_resource: Sequence[Member]) -> tuple[Raw, ...]:
    """Labels as NodeSelectorRequirements; an absent one is asked for only where some node has it."""
    asked: list[Raw] = []
    for key in dict.fromkeys(key for naming in namings for key, _ in naming):
        values = sorted({value for naming in namings if (value := dict(naming).get(key)) is not None})
        if values:
            asked.append({"key": key, "operator": "In", "values": values})
        elif any(key in member.there.room.labels for member in all_of_resource):
            asked.append({"key": key, "operator": "DoesNotExist"})
    return tuple(asked)


def _pool(members: Sequence[Member], requirements: tuple[Raw, ...]) -> AcceleratorPool:
    # Drivers show slightly different totals of one product; a plan has to hold on each node.
    smallest = min((member.described for member in members), key=lambda each: each.memory.bytes)
    capabilities = [each.described.compute_capability for each in members]
    known = [each for each in capabilities if each is not None]
    return AcceleratorPool(
        product=smallest.product,
        resource=members[0].resource,
        vendor=smallest.vendor,
        memory_bytes=smallest.memory.bytes,
        memory_source=smallest.memory.source,
        memory_verified=smallest.memory.verified,
        compute_capability=min(known) if len(known) == len(members) else None,
        nodes=tuple(member.there for member in members),
        node_requirements=requirements,
        shared=smallest.shared,
        sliced=smallest.sliced,
        replicas=max(member.described.replicas for member in members),  # no label may tell them apart
    )
