"""What does a target's pod template say about where an engine can run?"""

import math
from collections.abc import Sequence
from typing import Any

from pillion.api import names
from pillion.hardware import Raw
from pillion.hardware import pods as pod_requests
from pillion.planner.model import TargetShape

_SMALL = frozenset({pod_requests.CPU, pod_requests.MEMORY, pod_requests.EPHEMERAL})
_DEFAULT_SURGE = "25%"  # of a Deployment's rolling update, as Kubernetes has it


def target_shape(
    pod_spec: Raw,
    *,
    pods: int,
    surge_pods: int = 0,
    max_pods: int | None = None,
    one_pod_per_node: bool = False,
    beside: Sequence[str] = (),
    awaited: int = 0,
) -> TargetShape:
    """The shape of a target from its pod template's spec; engines that stand in it are left out.

    Args:
        pod_spec: `spec` of the pod template, or of a pod.
        pods: that should exist now.
        surge_pods: further ones during a rollout.
        max_pods: an autoscaler's maximum.
        one_pod_per_node: a DaemonSet.
        beside: the models whose engines stand in the spec and stay: the new engine shares the pod with them.
        awaited: accelerators for models of the same pods that are yet to be planned.
    """
    staying = {names.container_name(model) for model in beside}
    requested = pod_requests.requests(
        pod_spec, leave_out=lambda name: _is_engine(name) and name not in staying
    )
    return TargetShape(
        pods=pods,
        surge_pods=surge_pods,
        max_pods=max_pods,
        node_selector=dict(pod_spec.get("nodeSelector") or {}),
        affinity=pod_spec.get("affinity"),
        tolerations=tuple(pod_spec.get("tolerations") or ()),
        cpu_millis=requested.get(pod_requests.CPU, 0),
        memory_bytes=requested.get(pod_requests.MEMORY, 0),
        ephemeral_bytes=requested.get(pod_requests.EPHEMERAL, 0),
        accelerators={name: number for name, number in sorted(requested.items()) if name not in _SMALL},
        one_pod_per_node=one_pod_per_node,
        guaranteed=_is_guaranteed(pod_spec),
        beside=tuple(beside),
        awaited=awaited,
    )


def rollout_surge(workload: Raw) -> int:
    """Pods that a rollout makes beyond the wanted number before it removes old ones."""
    spec = workload.get("spec") or {}
    replicas = spec.get("replicas", 1)
    match workload.get("kind"):
        case "Deployment":
            strategy = spec.get("strategy") or {}
            if strategy.get("type") == "Recreate":
                return 0
            return _share((strategy.get("rollingUpdate") or {}).get("maxSurge", _DEFAULT_SURGE), replicas)
        case "DaemonSet":
            update = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
            return _share(update.get("maxSurge", 0), replicas)
        case _:
            return 0


def _share(surge: int | str, replicas: int) -> int:
    """A number, or a percentage of the replicas, rounded up as Kubernetes does."""
    if isinstance(surge, str) and surge.endswith("%"):
        return math.ceil(replicas * int(surge[:-1]) / 100)
    return int(surge)


def _is_engine(container_name: str) -> bool:
    return container_name.startswith(names.CONTAINER_PREFIX)


def _is_guaranteed(pod_spec: Raw) -> bool:
    """Whether each container has limits for CPU and memory, and requests no less."""
    containers: list[dict[str, Any]] = [
        container
        for container in (*(pod_spec.get("containers") or ()), *(pod_spec.get("initContainers") or ()))
        if not _is_engine(container.get("name", ""))
    ]
    return bool(containers) and all(_requests_its_limits(container) for container in containers)


def _requests_its_limits(container: Raw) -> bool:
    resources = container.get("resources") or {}
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return all(
        name in limits and str(requests.get(name, limits[name])) == str(limits[name])
        for name in (pod_requests.CPU, pod_requests.MEMORY)
    )
