"""What is there to plan with: a saved list of nodes and pods, a cluster, or accelerators that are only imagined?

Each answers with the same value. What nobody knows (the target, the pods) is assumed, and the assumption is told.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pillion import hardware, planner
from pillion.api.modeldeployment import ModelDeployment
from pillion.cli import documents
from pillion.cli.documents import Raw
from pillion.cli.exits import BadInputError
from pillion.controller import compiling, workloads
from pillion.controller.surroundings import most_pods

__all__ = [
    "MALFORMED",
    "Neighbours",
    "Surroundings",
    "WorkloadKey",
    "imagined",
    "pods_of",
    "said_of",
    "saved",
    "shape_of",
    "workload_key",
    "workload_problems",
]

# What reading an object raises that no API server would have let in.
MALFORMED = (AttributeError, IndexError, KeyError, TypeError, ValueError)
_TARGETS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
WorkloadKey = tuple[str, str, str]  # namespace, kind, name


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbours:
    """What a cluster already has for one ModelDeployment and counts on for the others."""

    reserved: Mapping[str, int] = field(default_factory=dict)
    own: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    previous: planner.Plan | None = None
    beside: tuple[Raw, ...] = ()  # ModelSidecars of other models beside the same target


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """Everything that a plan depends on beside the ModelDeployment and its model."""

    inventory: hardware.Inventory
    namespace: str  # of a ModelDeployment that names none
    workloads: Mapping[WorkloadKey, Raw] = field(default_factory=dict)
    most_pods: Mapping[WorkloadKey, int] = field(default_factory=dict)  # autoscalers' maxima
    neighbours: Callable[[ModelDeployment], Neighbours] = lambda _: Neighbours()
    notes: tuple[str, ...] = ()  # what was assumed of all

    def namespace_of(self, deployment: ModelDeployment) -> str:
        """The ModelDeployment's namespace."""
        return deployment.metadata.namespace or self.namespace


def workload_key(workload: Raw, default_namespace: str) -> WorkloadKey:
    """How a workload is found again."""
    metadata = workload.get("metadata") or {}
    return (metadata.get("namespace") or default_namespace, workload["kind"], str(metadata.get("name")))


def workload_problems(workload: Raw) -> list[str]:
    """Why a workload of a file cannot be a target; empty where it can, as far as its own reading tells."""
    metadata = workload.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        return [f"{workload['kind']}: metadata.name: is required"]
    if not isinstance(metadata.get("namespace", ""), str):
        return [f"{workload['kind']} {metadata['name']}: metadata.namespace: must be a text"]
    try:
        shape_of(workload, pods=pods_of(workload))
    except MALFORMED as error:
        what = f"{workload['kind']} {metadata['name']} is not as Kubernetes takes it"
        return [f"{what} ({type(error).__name__}: {error})"]
    return []


def shape_of(
    workload: Raw | None,
    *,
    pods: int,
    beside: Sequence[Raw] = (),
    max_pods: int | None = None,
    awaited: int = 0,
) -> planner.TargetShape:
    """The shape of a target, as the operator sees it.

    Args:
        workload: the target; None is one that asks for nothing.
        pods: that should exist.
        beside: ModelSidecars of other models in the same pods.
        max_pods: an autoscaler's maximum.
        awaited: accelerators for models of the same pods that are planned later.
    """
    template = ((workload or {}).get("spec") or {}).get("template") or {}
    return planner.target_shape(
        compiling.with_engines(template.get("spec") or {"containers": []}, beside),
        pods=pods,
        surge_pods=planner.rollout_surge(workload) if workload is not None else 0,
        max_pods=max_pods,
        one_pod_per_node=(workload or {}).get("kind") == "DaemonSet",
        beside=[sidecar["metadata"]["name"] for sidecar in beside],
        awaited=awaited,
    )


def pods_of(workload: Raw) -> int:
    """Pods that a workload should have."""
    return workloads.desired_pods(workload)


def imagined(gpu: str, *, per_node: int, nodes: int, namespace: str) -> Surroundings:
    """Nodes that have nothing but accelerators of one product.

    Raises:
        BadInputError: nobody knows the product.
    """
    try:
        inventory = hardware.imagined(gpu, per_node, nodes=nodes)
    except hardware.UnknownProductError as error:
        raise BadInputError(f"--gpu: {error}") from error
    return Surroundings(
        inventory=inventory,
        namespace=namespace,
        notes=("The nodes are imagined: empty, and with more CPU, memory and disk than any plan takes.",),
    )


def saved(path: str, *, namespace: str) -> Surroundings:
    """What `kubectl get nodes,pods -A -o json` (or yaml) wrote.

    Raises:
        BadInputError: it holds no nodes, or something that kubectl would not write.
    """
    by_kind: dict[str, list[Raw]] = {}
    problems = []
    for where, raw in documents.objects(path):
        kind = raw.get("kind")
        metadata = raw.get("metadata")
        if not isinstance(kind, str):
            problems.append(f"{where}: kind: is required")
        elif not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
            problems.append(f"{where}: {kind}: metadata.name: is required")
        else:
            if kind in _TARGETS:
                problems += [f"{where}: {problem}" for problem in workload_problems(raw)]
            by_kind.setdefault(kind, []).append(raw)
    if problems:
        raise BadInputError(problems[:10])
    name = documents.shown_name(path)
    if not by_kind.get("Node"):
        raise BadInputError(
            f"{name}: holds no Node, but {_counted(by_kind)}; save one with: kubectl get nodes,pods -A -o json"
        )
    pods = by_kind.get("Pod", [])
    notes = (
        () if pods else (f"{name} holds no pods, so everything counts as free (kubectl get nodes,pods -A).",)
    )
    inventory = _inventory(by_kind["Node"], pods, name)
    return Surroundings(
        inventory=inventory,
        namespace=namespace,
        workloads={
            workload_key(workload, namespace): workload
            for kind in _TARGETS
            for workload in by_kind.get(kind, ())
        },
        most_pods=_autoscaled(by_kind, namespace, name),
        notes=(*notes, *said_of(inventory)),
    )


def _autoscaled(by_kind: Mapping[str, Sequence[Raw]], namespace: str, name: str) -> dict[WorkloadKey, int]:
    try:
        return most_pods(by_kind.get("HorizontalPodAutoscaler", ()), default_namespace=namespace)
    except MALFORMED as error:
        what = "a HorizontalPodAutoscaler is not as Kubernetes writes one"
        raise BadInputError(f"{name}: {what} ({type(error).__name__}: {error})") from error


def said_of(inventory: hardware.Inventory, *, told: int = 5) -> tuple[str, ...]:
    """What was seen of the nodes' accelerators and cannot be planned with, or contradicts itself: the first few."""
    found = (*inventory.notes, *inventory.remarks)
    more = (f"and {len(found) - told} more nodes like these",) if len(found) > told else ()
    return (*found[:told], *more)


def _counted(by_kind: Mapping[str, Sequence[Raw]]) -> str:
    return ", ".join(f"{len(found)} {kind}" for kind, found in sorted(by_kind.items()))


def _inventory(nodes: Sequence[Raw], pods: Sequence[Raw], name: str) -> hardware.Inventory:
    try:
        return hardware.inventory(nodes, pods)
    except MALFORMED as error:
        # Objects of a cluster are read without checks, because an API server wrote them. This file may be anybody's.
        raise BadInputError(f"{name}: {_culprit(nodes, pods)} ({type(error).__name__}: {error})") from error


def _culprit(nodes: Sequence[Raw], pods: Sequence[Raw]) -> str:
    """The first object that cannot be read by itself."""
    for node in nodes:
        try:
            hardware.inventory([node], ())
        except MALFORMED:
            return f"Node {node['metadata']['name']} is not as Kubernetes writes one"
    for pod in pods:
        try:
            hardware.inventory((), [pod])
        except MALFORMED:
            return f"Pod {pod['metadata']['name']} is not as Kubernetes writes one"
    return "its objects are not as Kubernetes writes them"
