"""What does a pod take from its node?"""

from collections import Counter
from collections.abc import Callable, Mapping

from pillion.hardware import quantities
from pillion.hardware.model import Raw

CPU, MEMORY, EPHEMERAL = "cpu", "memory", "ephemeral-storage"


def finished(pod: Raw) -> bool:
    """Whether a pod's containers will never run again, so that it takes nothing."""
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def requests(spec: Raw, *, leave_out: Callable[[str], bool] = lambda _: False) -> Mapping[str, int]:
    """What the scheduler counts for a pod: millis of CPU, bytes, and pieces of everything else.

    The rule of Kubernetes: containers and native sidecars (init containers that always restart) add up;
    another init container runs before them, beside the sidecars that started earlier, so the larger of the
    two counts. Requests of the pod as a whole, where it has them, stand in place of the containers'.

    Args:
        spec: a pod's spec, or that of a pod template.
        leave_out: says by name which containers are not counted.
    """
    running: Counter[str] = Counter()
    for container in spec.get("containers") or ():
        if not leave_out(container.get("name", "")):
            running.update(_container_requests(container))
    sidecars: Counter[str] = Counter()
    peak: Counter[str] = Counter()
    for container in spec.get("initContainers") or ():
        if leave_out(container.get("name", "")):
            continue
        wanted = _container_requests(container)
        if container.get("restartPolicy") == "Always":
            sidecars.update(wanted)
        else:
            peak |= Counter(wanted) + sidecars
    total = (running + sidecars) | peak
    total.update(_amounts(spec.get("overhead") or {}))
    total_requests = dict(total)
    total_requests.update(_amounts((spec.get("resources") or {}).get("requests") or {}))
    return total_requests


def _container_requests(container: Raw) -> dict[str, int]:
    resources = container.get("resources") or {}
    # A limit without a request is the request: the API server fills it in, a template may not show it yet.
    return _amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _amounts(resources: Raw) -> dict[str, int]:
    return {
        name: quantities.millis(value) if name == CPU else quantities.whole(value)
        for name, value in resources.items()
    }
