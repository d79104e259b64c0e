"""Why can a node not take the target's pods?

Rules come first (labels, affinity, taints), because no change of sizes helps against them; then what the node has
less of than a pod with its engine requests. Nodes are told of together: three nodes, one sentence.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pillion import engines
from pillion.api.modeldeployment import ModelDeploymentSpec
from pillion.hardware import AcceleratorPool, Inventory, NodeAccelerators, NodeRoom, Raw, scheduling
from pillion.planner import wording
from pillion.planner.model import TargetShape
from pillion.planner.resources import Needs

ACCELERATOR_TOLERATION: Raw = {
    "key": scheduling.NVIDIA_TAINT_KEY,
    "operator": "Exists",
    "effect": "NoSchedule",
}
SYSTEM_LABEL = "kubernetes.io/os"
LINUX = "linux"
_TOLD = 4  # kinds of obstacles that a sentence names; a large cluster has a taint for every team


@dataclass(frozen=True, kw_only=True, slots=True)
class Obstacle:
    """Why one node cannot take the pods, in words that are the same for nodes with the same obstacle."""

    verb: str  # for one node
    words: str  # what follows it, and what the node has of something
    has: int | None = None
    written: Callable[[int], str] = str


def plan_tolerations(pool: AcceleratorPool | None) -> tuple[Raw, ...]:
    """What a pod has to put up with on nodes that keep everybody else away: the taint by the resource's name."""
    if pool is None:
        return ()
    if pool.vendor == "nvidia":
        return (ACCELERATOR_TOLERATION,)  # also on nodes whose slices are resources of their own
    return ({**ACCELERATOR_TOLERATION, "key": pool.resource},)


def tolerations(
    spec: ModelDeploymentSpec, target: TargetShape, pool: AcceleratorPool | None
) -> tuple[Raw, ...]:
    """All tolerations of a pod with its engine: its own, the plan's and the spec's."""
    return (
        *target.tolerations,
        *plan_tolerations(pool),
        *(entry.model_dump(by_alias=True, exclude_none=True) for entry in spec.hardware.tolerations),
    )


def of_rules(
    room: NodeRoom, spec: ModelDeploymentSpec, target: TargetShape, tolerated: Sequence[Raw]
) -> Iterator[Obstacle]:
    """Who may go there, whatever the size."""
    if room.obstacle is not None:
        yield Obstacle(verb="is", words=room.obstacle)
    if not runs_linux(room):
        yield Obstacle(
            verb="runs", words=f"{room.labels[SYSTEM_LABEL]}, and the engines' images are for Linux"
        )
    lacking = scheduling.lacking(room.labels, spec.hardware.node_selector)
    if lacking is not None:
        yield Obstacle(verb="lacks", words=f"the label {lacking} of spec.hardware.nodeSelector")
    lacking = scheduling.lacking(room.labels, target.node_selector)
    if lacking is not None:
        yield Obstacle(verb="lacks", words=f"the label {lacking} of the target's own nodeSelector")
    if not scheduling.affinity_allows(target.affinity, labels=room.labels, node_name=room.name):
        beside = f", with ModelDeployment {wording.listed(target.beside)} beside it" if target.beside else ""
        yield Obstacle(verb="does", words=f"not match the target's own required node affinity{beside}")
    taint = scheduling.untolerated(room.taints, tolerated)
    if taint is not None:
        yield Obstacle(
            verb="has",
            words=f"the taint {scheduling.described(taint)}, which an entry in spec.hardware.tolerations would "
            "let the pods put up with",
        )


def runs_linux(room: NodeRoom) -> bool:
    """Whether the engines' images can run there; a node that does not tell its system is taken for one."""
    return room.labels.get(SYSTEM_LABEL, LINUX) == LINUX


def labels_of_rules(spec: ModelDeploymentSpec, target: TargetShape) -> Iterator[str]:
    """The labels that `of_rules` looks at."""
    yield SYSTEM_LABEL
    yield from spec.hardware.node_selector
    yield from target.node_selector
    yield from (each["key"] for each in scheduling.expressions(target.affinity) if each.get("key"))


def rules_name_nodes(target: TargetShape) -> bool:
    """Whether the target's affinity names nodes themselves, as a DaemonSet's does."""
    return scheduling.names_nodes(target.affinity)


def of_driver(room: NodeRoom, cuda: engines.Cuda | None) -> Iterator[Obstacle]:
    """A driver that is too old for the engine's image, where both are known."""
    if cuda is None or room.driver is None:
        return
    if not room.driver.runs(minimum_major=cuda.minimum_driver, cuda=cuda.version):
        yield Obstacle(
            verb="has",
            words=f"the driver {room.driver.version}, and the engine's image (CUDA {cuda.text}) needs "
            f"{cuda.minimum_driver} or newer",
        )


def of_size(room: NodeRoom, target: TargetShape, needs: Needs) -> Iterator[Obstacle]:
    """What an empty node has too little of."""
    cpu = target.cpu_millis + needs.cpu_millis
    if room.allocatable_cpu_millis < cpu:
        yield Obstacle(
            verb="has",
            words=f"of CPU where a pod with its engine requests {wording.cores(cpu)}",
            has=room.allocatable_cpu_millis,
            written=wording.cores,
        )
    memory = target.memory_bytes + needs.memory_bytes
    if room.allocatable_memory_bytes < memory:
        yield Obstacle(
            verb="has",
            words=f"of memory where a pod with its engine requests {wording.gib(memory)}",
            has=room.allocatable_memory_bytes,
            written=wording.gib,
        )
    ephemeral = target.ephemeral_bytes + needs.ephemeral_bytes
    # A node that does not report its disk is not held against it: the kubelet always does.
    if 0 < room.allocatable_ephemeral_bytes < ephemeral:
        yield Obstacle(
            verb="has",
            words=f"of disk where a pod with its engine requests {wording.gib(ephemeral)}",
            has=room.allocatable_ephemeral_bytes,
            written=wording.gib,
        )


def of_accelerators(there: NodeAccelerators, *, per_pod: int) -> Iterator[Obstacle]:
    """Accelerators of one pod are on one node."""
    if there.total < per_pod:
        yield Obstacle(verb="has", words=f"of the {per_pod} accelerators that a pod takes", has=there.total)


def of_other_accelerators(
    room: NodeRoom, target: TargetShape, inventory: Inventory, *, engines: str | None
) -> Iterator[Obstacle]:
    """Accelerators that the pod's other containers take, and the new engine does not (`engines` is its resource)."""
    for resource in sorted(set(target.accelerators) - {engines}):
        pools = [pool for pool in inventory.accelerators if pool.resource == resource]
        there = sum(node.total for pool in pools for node in pool.nodes if node.name == room.name)
        # Other vendors' resources are not counted, so that nobody knows which node has them.
        if pools and there < target.accelerators[resource]:
            yield Obstacle(
                verb="has",
                words=f"of the {target.accelerators[resource]} x {resource} that the pod's other containers take",
                has=there,
            )


def told(found: Iterable[Obstacle]) -> str:
    """Obstacles in one sentence, the most frequent first; "" where there are none.

    Of what nodes have too little of, the most that one of them has is told.
    """
    groups: defaultdict[tuple[str, str], list[Obstacle]] = defaultdict(list)
    for each in found:
        groups[each.verb, each.words].append(each)
    ordered = sorted(groups.values(), key=lambda group: (-len(group), group[0].verb, group[0].words))
    parts = [_told_of_group(group) for group in ordered[:_TOLD]]
    others = sum(len(group) for group in ordered[_TOLD:])
    if others:
        parts.append(f"{wording.count(others, 'node')} for other reasons")
    return "; ".join(parts)


def _told_of_group(group: Sequence[Obstacle]) -> str:
    first = group[0]
    subject = wording.doing(len(group), "node", first.verb)
    if first.has is None:
        return f"{subject} {first.words}"
    amounts = {each.has or 0 for each in group}
    at_most = "at most " if len(amounts) > 1 else ""
    return f"{subject} {at_most}{first.written(max(amounts))} {first.words}"
