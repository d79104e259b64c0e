"""What does a pod, or a pod template, say about itself?

Objects of Kubernetes stay plain mappings. Each function here reads one thing and says what its absence means,
so that the rest of the package never meets a missing key. A pod template has the same `metadata` and `spec`
as a pod.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, cast

from pillion.api import names

Raw: TypeAlias = dict[str, Any]
Json = TypeVar("Json")

MIRROR_ANNOTATION = "kubernetes.io/config.mirror"  # the kubelet's, on the API object of a static pod
DEFAULT_CONTAINER_ANNOTATION = "kubectl.kubernetes.io/default-container"
OS_LABEL = "kubernetes.io/os"


def copied(value: Json) -> Json:
    """A copy of plain JSON, all the way down; `copy.deepcopy` takes four times as long, for its bookkeeping."""
    found: object = value
    if isinstance(value, dict):
        found = {key: copied(item) for key, item in value.items()}
    elif isinstance(value, list):
        found = [copied(item) for item in value]
    return cast("Json", found)


def labels(pod: Mapping[str, Any]) -> Mapping[str, str]:
    """Labels; a pod without any has an empty mapping."""
    return pod.get("metadata", {}).get("labels") or {}


def annotations(pod: Mapping[str, Any]) -> Mapping[str, str]:
    """Annotations; a pod without any has an empty mapping."""
    return pod.get("metadata", {}).get("annotations") or {}


def spec(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """The pod's spec; empty where there is none."""
    return pod.get("spec") or {}


def containers(pod_spec: Mapping[str, Any]) -> Sequence[Raw]:
    """The containers that run for as long as the pod does."""
    return pod_spec.get("containers") or []


def init_containers(pod_spec: Mapping[str, Any]) -> Sequence[Raw]:
    """Init containers, native sidecars among them."""
    return pod_spec.get("initContainers") or []


def all_containers(pod_spec: Mapping[str, Any]) -> list[Raw]:
    """Containers and init containers."""
    return [*containers(pod_spec), *init_containers(pod_spec)]


def has_container(pod_spec: Mapping[str, Any], name: str) -> bool:
    """Whether a container or an init container has this name."""
    return any(container.get("name") == name for container in all_containers(pod_spec))


def is_engine(container: Mapping[str, Any]) -> bool:
    """Whether the container's name is one of ours; such a container never gets variables."""
    return str(container.get("name", "")).startswith(names.CONTAINER_PREFIX)


def runs_to_completion(pod_spec: Mapping[str, Any]) -> bool:
    """Whether the pod ends by itself: any restart policy but `Always`, which is Kubernetes' default."""
    return bool((pod_spec.get("restartPolicy") or "Always") != "Always")


def uses_host_network(pod_spec: Mapping[str, Any]) -> bool:
    """Whether the pod shares the node's network, and with it the node's loopback."""
    return bool(pod_spec.get("hostNetwork"))


def is_windows(pod_spec: Mapping[str, Any]) -> bool:
    """Whether the pod says that it is for Windows, by `os` or by a node selector."""
    by_os = (pod_spec.get("os") or {}).get("name")
    by_selector = (pod_spec.get("nodeSelector") or {}).get(OS_LABEL)
    return "windows" in (by_os, by_selector)


def is_mirror(pod: Mapping[str, Any]) -> bool:
    """Whether the object mirrors a static pod, which only the kubelet can change."""
    return MIRROR_ANNOTATION in annotations(pod)


def has_resources(pod_spec: Mapping[str, Any]) -> bool:
    """Whether the pod has resources as a whole, which all of its containers' requests must fit into."""
    return pod_spec.get("resources") is not None


def is_labelled(pod: Mapping[str, Any]) -> bool:
    """Whether the marker's label is there with a value that is acted on."""
    return labels(pod).get(names.INJECT_LABEL) in (names.INJECT_WANTED, names.INJECT_REQUIRED)


def models(pod: Mapping[str, Any]) -> frozenset[str]:
    """The models that the marker's annotations name."""
    prefix = names.MODEL_ANNOTATION_PREFIX
    return frozenset(key.removeprefix(prefix) for key in annotations(pod) if key.startswith(prefix))


def named(items: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """The names in a list of named things: volumes, variables, containers."""
    return frozenset(str(item.get("name", "")) for item in items)
