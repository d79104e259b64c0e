"""What have the watches shown so far, and who has to look again when an object changes?

The store holds the newest known version of our own objects, of marked workloads and of marked pods. What the operator
writes is put in as well, so the watch's echo of its own write changes nothing and wakes nobody. The echo often comes
before the answer: so events about an object that is being written wait for it.
"""

import contextlib
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from pillion import injection
from pillion.api import names
from pillion.kube import resources
from pillion.kube.resources import Resource

__all__ = ["Key", "Store", "controller_of", "models_of", "mounted_config_maps"]

Raw = dict[str, Any]

INDEXED_BY_MODEL = (resources.PODS, *resources.WORKLOADS)
CLUSTER = ""  # in the place of a namespace, for objects that have none
REMEMBERED_ENDS = 10_000  # far more than can end while one write is under way


@dataclass(slots=True)
class _Writing:
    """Writes of one object that are under way, and the last event about it meanwhile."""

    writers: int = 0
    event: Raw | None = None


class Key(NamedTuple):
    """A ModelDeployment by its name, whether it exists or not."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Store:
    """Objects by kind and namespace. Objects are never changed in place."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, dict[str, Raw]]] = defaultdict(lambda: defaultdict(dict))
        # Version at which an object ended or left the watch's selector, by uid: a workload that is marked again comes
        # back under the same uid, with a later one.
        self._gone: OrderedDict[str, int] = OrderedDict()
        self._by_model: dict[str, dict[Key, dict[str, Raw]]] = defaultdict(dict)  # pods and marked workloads
        self._targets: dict[tuple[str, str, str], set[Key]] = defaultdict(set)
        self._target_of: dict[Key, tuple[str, str, str]] = {}
        self._writing: dict[tuple[str, str, str], _Writing] = {}
        self.on_late: Callable[[Resource, Raw], None] = lambda _resource, _obj: (
            None
        )  # told the events that waited

    @contextlib.contextmanager
    def writing(self, resource: Resource, namespace: str, name: str) -> Iterator[None]:
        """An object is being written, and what is answered will be put in before this ends."""
        place = (resource.kind, namespace, name)
        under_way = self._writing.setdefault(place, _Writing())
        under_way.writers += 1
        try:
            yield
        finally:
            under_way.writers -= 1
            if not under_way.writers:
                del self._writing[place]
                if under_way.event is not None:
                    self.on_late(resource, under_way.event)

    def hold(self, resource: Resource, obj: Raw) -> bool:
        """Whether an event waits, because its object is being written; of several the last one says everything."""
        metadata = obj["metadata"]
        under_way = self._writing.get((resource.kind, metadata.get("namespace", CLUSTER), metadata["name"]))
        if under_way is not None:
            under_way.event = obj
        return under_way is not None

    def put(self, resource: Resource, obj: Raw) -> bool:
        """Keep an object; False where this version, or a newer one, is known already."""
        metadata = obj["metadata"]
        namespace, name = metadata.get("namespace", CLUSTER), metadata["name"]
        if _version(obj) <= self._gone.get(metadata["uid"], 0):
            return False  # the answer to a write that came after the object went
        known = self._objects[resource.kind][namespace].get(name)
        same = known is not None and known["metadata"].get("uid") == metadata.get("uid")
        # Versions of one object are ordered numbers since Kubernetes 1.35 (KEP-5504).
        if known is not None and same and _version(known) >= _version(obj):
            return False
        obj = _kept(resource, obj)
        self._objects[resource.kind][namespace][name] = obj
        if resource is resources.MODEL_DEPLOYMENTS:
            self._index_target(Key(namespace, name), obj)
        elif resource in INDEXED_BY_MODEL:
            self._index_models(resource, known, obj)
        return True

    def remove(self, resource: Resource, obj: Raw) -> bool:
        """Forget an object; False where another object took its name meanwhile, or it was not known."""
        metadata = obj["metadata"]
        namespace, name = metadata.get("namespace", CLUSTER), metadata["name"]
        known = self._objects[resource.kind][namespace].get(name)
        if known is None or known["metadata"].get("uid") != metadata.get("uid"):
            return False
        del self._objects[resource.kind][namespace][name]
        self._gone[metadata["uid"]] = _version(obj)
        while len(self._gone) > REMEMBERED_ENDS:
            self._gone.popitem(last=False)
        if resource is resources.MODEL_DEPLOYMENTS:
            self._forget_target(Key(namespace, name))
        elif resource in INDEXED_BY_MODEL:
            self._index_models(resource, known, None)
        return True

    def get(self, resource: Resource, namespace: str, name: str) -> Raw | None:
        """The newest known version, or None."""
        return self._objects[resource.kind][namespace].get(name)

    def all(self, resource: Resource, namespace: str | None = None) -> Iterator[Raw]:
        """All known objects of a kind, in a namespace or everywhere, by name."""
        folders = self._objects[resource.kind]
        for folder in [namespace] if namespace is not None else sorted(folders):
            objects = folders[folder]
            for name in sorted(objects):
                yield objects[name]

    def namespace_labels(self, namespace: str) -> Raw | None:
        """A namespace's labels; None where it was not seen yet."""
        found = self.get(resources.NAMESPACES, CLUSTER, namespace)
        return None if found is None else found["metadata"].get("labels") or {}

    def pods_of(self, key: Key) -> list[Raw]:
        """Pods that carry the model's marker."""
        return self._of_model(resources.PODS, key)

    def marked_with(self, key: Key) -> list[tuple[Resource, Raw]]:
        """Workloads that carry a marker which the operator wrote for this model."""
        return [
            (resource, workload)
            for resource in resources.WORKLOADS
            for workload in self._of_model(resource, key)
        ]

    def keys_for_target(self, namespace: str, kind: str, name: str) -> set[Key]:
        """ModelDeployments that name this workload as their target."""
        return set(self._targets.get((namespace, kind, name), ()))

    def beside(self, key: Key) -> set[Key]:
        """The other ModelDeployments of the same target."""
        place = self._target_of.get(key)
        return set() if place is None else self._targets[place] - {key}

    def interested(self, resource: Resource, obj: Raw) -> Iterable[Key]:
        """The ModelDeployments that have to look at a changed object."""
        if resource is resources.NAMESPACES:
            return ()  # its labels are read where a plan is made
        namespace, name = obj["metadata"]["namespace"], obj["metadata"]["name"]
        if resource in (resources.MODEL_DEPLOYMENTS, resources.MODEL_SIDECARS):
            return {Key(namespace, name)}
        if resource is resources.PODS:
            return set(_models(resource, obj))
        if resource is resources.CONFIG_MAPS:
            return {
                Key(namespace, sidecar["metadata"]["name"])
                for sidecar in self.all(resources.MODEL_SIDECARS, namespace)
                if name in mounted_config_maps(sidecar)
            }
        return set(_models(resource, obj)) | self.keys_for_target(namespace, resource.kind, name)

    def _of_model(self, resource: Resource, key: Key) -> list[Raw]:
        found = self._by_model[resource.kind].get(key, {})
        return [found[name] for name in sorted(found)]

    def _index_models(self, resource: Resource, before: Raw | None, after: Raw | None) -> None:
        index = self._by_model[resource.kind]
        if before is not None:
            for key in _models(resource, before):
                index[key].pop(before["metadata"]["name"])
                if not index[key]:
                    del index[key]
        if after is not None:
            for key in _models(resource, after):
                index.setdefault(key, {})[after["metadata"]["name"]] = after

    def _index_target(self, key: Key, deployment: Raw) -> None:
        self._forget_target(key)
        reference = deployment.get("spec", {}).get("targetRef")
        if reference:
            place = (key.namespace, reference.get("kind", resources.DEPLOYMENTS.kind), reference["name"])
            self._targets[place].add(key)
            self._target_of[key] = place

    def _forget_target(self, key: Key) -> None:
        place = self._target_of.pop(key, None)
        if place is not None:
            self._targets[place].discard(key)
            if not self._targets[place]:
                del self._targets[place]


def _models(resource: Resource, obj: Raw) -> list[Key]:
    """The models that a pod asks for, or whose marker a workload carries."""
    found = models_of(obj) if resource is resources.PODS else sorted(injection.marked_models(obj))
    return [Key(obj["metadata"]["namespace"], model) for model in found]


def _kept(resource: Resource, obj: Raw) -> Raw:
    """An object without what nobody reads again: who wrote which field, except on workloads, is half of its size."""
    if resource is resources.NAMESPACES:
        return {"metadata": obj["metadata"]}
    if resource is resources.CONFIG_MAPS:
        return {key: value for key, value in obj.items() if key != "data"}
    if resource in resources.WORKLOADS or "managedFields" not in obj["metadata"]:
        return obj
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata}


def _version(obj: Raw) -> int:
    return int(obj["metadata"]["resourceVersion"])


def mounted_config_maps(obj: Raw) -> set[str]:
    """Names of the ConfigMaps among the volumes of a pod or of a ModelSidecar."""
    volumes = obj.get("spec", {}).get("volumes") or []
    return {volume["configMap"]["name"] for volume in volumes if "configMap" in volume}


def models_of(pod: Raw) -> list[str]:
    """Names of the models whose marker a pod carries."""
    annotations = pod["metadata"].get("annotations") or {}
    return [
        key.removeprefix(names.MODEL_ANNOTATION_PREFIX)
        for key in annotations
        if key.startswith(names.MODEL_ANNOTATION_PREFIX)
    ]


def controller_of(obj: Raw) -> Raw | None:
    """The owner reference of the controller that made an object, or None for one that nobody would make again."""
    for reference in obj["metadata"].get("ownerReferences") or []:
        if reference.get("controller"):
            return dict(reference)
    return None
