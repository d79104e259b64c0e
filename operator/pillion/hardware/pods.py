"""What does a pod take from its node?

The rule of Kubernetes: containers and native sidecars (init containers that always restart) add up; another init
container runs before them, beside the sidecars that started earlier, so the larger of the two counts. Requests of the
pod as a whole, where it has them, stand in place of the containers'; the runtime's overhead comes on top.

Source: Kubernetes 1.36, component-helpers/resource/helpers.go, PodRequests.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from pillion.hardware import quantities
from pillion.hardware.model import Raw

CPU: Final = "cpu"
MEMORY: Final = "memory"
EPHEMERAL: Final = "ephemeral-storage"
PODS: Final = "pods"

_FINISHED: Final = frozenset({"Succeeded", "Failed"})


def finished(pod: Raw) -> bool:
    """Whether a pod's containers will never run again, so that it takes nothing."""
    return (pod.get("status") or {}).get("phase") in _FINISHED


def taken_by_node(pods: Iterable[Raw]) -> dict[str, dict[str, int]]:
    """What the pods of each node take together; finished ones, and those without a node, take nothing."""
    taken: dict[str, dict[str, int]] = {}
    for pod in pods:
        spec = pod.get("spec") or {}
        node = spec.get("nodeName")
        if not node or finished(pod):
            continue
        of_node = taken.get(node)
        if of_node is None:
            of_node = taken[node] = {PODS: 0}
        of_node[PODS] += 1
        if _only_containers(spec):
            # Most pods: what their containers request adds up, on the node as in the pod.
            for container in spec.get("containers") or ():
                _add(of_node, _container_requests(container))
        else:
            _add(of_node, requests(spec))
    return taken


def _only_containers(spec: Raw) -> bool:
    return not (spec.get("initContainers") or spec.get("overhead") or spec.get("resources"))


def requests(spec: Raw, *, leave_out: Callable[[str], bool] | None = None) -> Mapping[str, int]:
    """What the scheduler counts for a pod: millis of CPU, bytes, and pieces of everything else.

    Args:
        spec: a pod's spec, or that of a pod template.
        leave_out: says by name which containers are not counted.
    """
    total: dict[str, int] = {}
    for container in spec.get("containers") or ():
        if leave_out is None or not leave_out(container.get("name", "")):
            _add(total, _container_requests(container))
    if spec.get("initContainers"):
        total = _with_init_containers(total, spec["initContainers"], leave_out)
    whole_pod = spec.get("resources")
    if whole_pod:
        total.update(_amounts(whole_pod.get("requests") or {}))
    if spec.get("overhead"):
        _add(total, _amounts(spec["overhead"]))
    return total


def _with_init_containers(
    running: dict[str, int], containers: Iterable[Raw], leave_out: Callable[[str], bool] | None
) -> dict[str, int]:
    sidecars: dict[str, int] = {}
    peak: dict[str, int] = {}
    for container in containers:
        if leave_out is not None and leave_out(container.get("name", "")):
            continue
        wanted = dict(_container_requests(container))
        if container.get("restartPolicy") == "Always":
            _add(sidecars, wanted)
        else:
            _add(wanted, sidecars)
            _raise_to(peak, wanted)
    _add(running, sidecars)
    _raise_to(running, peak)
    return running


def _container_requests(container: Raw) -> Mapping[str, int]:
    resources = container.get("resources")
    if not resources:
        return {}
    # A limit without a request is the request: the API server fills it in, a template may not show it yet.
    limits, wanted = resources.get("limits"), resources.get("requests")
    if limits and wanted:
        return _amounts({**limits, **wanted})
    return _amounts(wanted or limits or {})


def _amounts(resources: Raw) -> dict[str, int]:
    return {
        name: quantities.millis(value) if name == CPU else quantities.whole(value)
        for name, value in resources.items()
    }


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _raise_to(total: dict[str, int], least: Mapping[str, int]) -> None:
    for name, amount in least.items():
        if amount > total.get(name, 0):
            total[name] = amount
