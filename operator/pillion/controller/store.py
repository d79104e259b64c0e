"""What have the watches shown so far, and who has to look again when an object changes?

The store holds the newest known version of our own objects, of marked workloads and of marked pods. What the operator
writes is put in as well, so the watch's echo of its own write changes nothing and wakes nobody. The echo often comes
before the answer: so events about an object that is being written wait for it.

Of each ModelDeployment three objects are kept. As Python's they take 62 KiB, as JSON text 12, and most of them are not
looked at for days: those that were are at hand as objects, the others are read again when somebody asks.
"""

import contextlib
import json
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pillion import injection
from pillion.api import names
from pillion.controller.briefs import Brief, DeploymentBrief, SidecarBrief, WorkloadBrief, brief
from pillion.kube import resources
from pillion.kube.resources import Resource

__all__ = ["CLUSTER", "INDEXED_BY_MODEL", "Key", "Store", "models_of"]

Raw = dict[str, Any]
Place = tuple[str, str, str]  # kind, namespace, name

KEPT_AS_TEXT = (resources.MODEL_DEPLOYMENTS, resources.MODEL_SIDECARS, *resources.WORKLOADS)
AT_HAND = 128  # objects that are not read again when they are asked for
INDEXED_BY_MODEL = (resources.PODS, *resources.WORKLOADS)
CLUSTER = ""  # in the place of a namespace, for objects that have none
REMEMBERED_ENDS = 10_000  # far more than can end while one write is under way


@dataclass(slots=True)
class _Writing:
    """Writes of one object that are under way, and the events about it meanwhile, by version."""

    writers: int = 0
    events: dict[int, Raw] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    """One object: itself, or its text."""

    uid: str
    version: int
    models: tuple["Key", ...]
    brief: Brief | None
    obj: Raw | None = None
    text: str = ""


class Key(NamedTuple):
    """A ModelDeployment by its name, whether it exists or not."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Store:
    """Objects by kind and namespace. Objects are never changed in place."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[str, dict[str, _Kept]]] = defaultdict(lambda: defaultdict(dict))
        self._at_hand: OrderedDict[Place, Raw] = OrderedDict()
        # Version at which an object ended or left the watch's selector, by uid: a workload that is marked again comes
        # back under the same uid, with a later one.
        self._gone: OrderedDict[str, int] = OrderedDict()
        # Names of pods and of marked workloads.
        self._by_model: dict[str, dict[Key, set[str]]] = defaultdict(dict)
        self._targets: dict[tuple[str, str, str], set[Key]] = defaultdict(set)
        self._target_of: dict[Key, tuple[str, str, str]] = {}
        self._writing: dict[Place, _Writing] = {}
        # Told the last event that waited, and whether the store's version has another's change in it already.
        self.on_late: Callable[[Resource, Raw, bool], None] = lambda _resource, _obj, _seen: None

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
                if under_way.events:
                    known = self._objects[resource.kind][namespace].get(name)
                    # The echo of the write has the answer's version; what is older than that is somebody else's.
                    overtaken = known is not None and min(under_way.events) < known.version
                    self.on_late(resource, under_way.events[max(under_way.events)], overtaken)

    def hold(self, resource: Resource, obj: Raw) -> bool:
        """Whether an event waits, because its object is being written."""
        metadata = obj["metadata"]
        place = (resource.kind, metadata.get("namespace", CLUSTER), metadata["name"])
        under_way = self._writing.get(place)
        if under_way is None or self._knows(resource, obj):
            return False
        under_way.events[_version(obj)] = obj
        return True

    def _knows(self, resource: Resource, obj: Raw) -> bool:
        """Whether this version of an object, or a newer one, was seen, or the object went since."""
        metadata = obj["metadata"]
        if _version(obj) <= self._gone.get(metadata["uid"], 0):
            return True
        known = self._objects[resource.kind][metadata.get("namespace", CLUSTER)].get(metadata["name"])
        # Versions of one object are ordered numbers since Kubernetes 1.35 (KEP-5504).
        return known is not None and known.uid == metadata["uid"] and known.version >= _version(obj)

    def put(self, resource: Resource, obj: Raw) -> bool:
        """Keep an object; False where this version, or a newer one, is known already."""
        metadata = obj["metadata"]
        namespace, name = metadata.get("namespace", CLUSTER), metadata["name"]
        if self._knows(resource, obj):
            return False
        known = self._objects[resource.kind][namespace].get(name)
        obj = _slim(resource, obj)
        as_text = resource in KEPT_AS_TEXT
        kept = _Kept(
            uid=metadata.get("uid", ""),
            version=_version(obj),
            models=tuple(_models(resource, obj)) if resource in INDEXED_BY_MODEL else (),
            brief=brief(resource, obj),
            obj=None if as_text else obj,
            text=json.dumps(obj, separators=(",", ":")) if as_text else "",
        )
        self._objects[resource.kind][namespace][name] = kept
        if as_text:
            self._have_at_hand((resource.kind, namespace, name), obj)
        if resource is resources.MODEL_DEPLOYMENTS:
            self._index_target(Key(namespace, name), kept)
        self._index_models(resource, name, known, kept)
        return True

    def remove(self, resource: Resource, obj: Raw) -> bool:
        """Forget an object; False where another object took its name meanwhile, or it was not known."""
        metadata = obj["metadata"]
        namespace, name = metadata.get("namespace", CLUSTER), metadata["name"]
        # Also of one that was not known: its first write may be under way, and be answered later.
        self._gone[metadata["uid"]] = max(_version(obj), self._gone.pop(metadata["uid"], 0))
        while len(self._gone) > REMEMBERED_ENDS:
            self._gone.popitem(last=False)
        known = self._objects[resource.kind][namespace].get(name)
        if known is None or known.uid != metadata.get("uid"):
            return False
        del self._objects[resource.kind][namespace][name]
        self._at_hand.pop((resource.kind, namespace, name), None)
        if resource is resources.MODEL_DEPLOYMENTS:
            self._forget_target(Key(namespace, name))
        self._index_models(resource, name, known, None)
        return True

    def get(self, resource: Resource, namespace: str, name: str) -> Raw | None:
        """The newest known version, or None."""
        kept = self._objects[resource.kind][namespace].get(name)
        if kept is None or kept.obj is not None:
            return None if kept is None else kept.obj
        place = (resource.kind, namespace, name)
        found = self._at_hand.get(place)
        if found is None:
            found = json.loads(kept.text)
        self._have_at_hand(place, found)
        return found

    def all(self, resource: Resource, namespace: str | None = None) -> Iterator[Raw]:
        """All known objects of a kind, in a namespace or everywhere, by name."""
        folders = self._objects[resource.kind]
        for folder in [namespace] if namespace is not None else sorted(folders):
            for name in sorted(folders[folder]):
                kept = folders[folder][name]
                yield kept.obj if kept.obj is not None else json.loads(kept.text)

    def deployment(self, key: Key) -> tuple[str, DeploymentBrief] | None:
        """Uid and brief of a ModelDeployment; None where there is none."""
        kept = self._objects[resources.MODEL_DEPLOYMENTS.kind][key.namespace].get(key.name)
        return (
            (kept.uid, kept.brief) if kept is not None and isinstance(kept.brief, DeploymentBrief) else None
        )

    def sidecars(self, namespace: str | None = None) -> Iterator[tuple[Key, SidecarBrief]]:
        """The briefs of all ModelSidecars of a namespace, or everywhere."""
        folders = self._objects[resources.MODEL_SIDECARS.kind]
        for folder in [namespace] if namespace is not None else list(folders):
            for name, kept in folders[folder].items():
                if isinstance(kept.brief, SidecarBrief):
                    yield Key(folder, name), kept.brief

    def workload(self, namespace: str, kind: str, name: str) -> WorkloadBrief | None:
        """The brief of a marked workload; None where it is not marked."""
        kept = self._objects[kind][namespace].get(name)
        return kept.brief if kept is not None and isinstance(kept.brief, WorkloadBrief) else None

    def namespace_labels(self, namespace: str) -> Raw | None:
        """A namespace's labels; None where it was not seen yet."""
        found = self.get(resources.NAMESPACES, CLUSTER, namespace)
        return None if found is None else found["metadata"].get("labels") or {}

    def pods_of(self, key: Key) -> list[Raw]:
        """Pods that carry the model's marker."""
        return self._of_model(resources.PODS, key)

    def count_pods(self, key: Key) -> int:
        """How many carry the model's marker."""
        return len(self._by_model[resources.PODS.kind].get(key, ()))

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
            return {key for key, noted in self.sidecars(namespace) if name in noted.config_maps}
        return set(_models(resource, obj)) | self.keys_for_target(namespace, resource.kind, name)

    def _of_model(self, resource: Resource, key: Key) -> list[Raw]:
        listed = self._by_model[resource.kind].get(key, ())
        found = (self.get(resource, key.namespace, name) for name in sorted(listed))
        return [obj for obj in found if obj is not None]

    def _have_at_hand(self, place: Place, obj: Raw) -> None:
        self._at_hand[place] = obj
        self._at_hand.move_to_end(place)
        if len(self._at_hand) > AT_HAND:
            self._at_hand.popitem(last=False)

    def _index_models(self, resource: Resource, name: str, before: _Kept | None, after: _Kept | None) -> None:
        index = self._by_model[resource.kind]
        for key in before.models if before is not None else ():
            index[key].discard(name)
            if not index[key]:
                del index[key]
        for key in after.models if after is not None else ():
            index.setdefault(key, set()).add(name)

    def _index_target(self, key: Key, deployment: _Kept) -> None:
        self._forget_target(key)
        if isinstance(deployment.brief, DeploymentBrief) and deployment.brief.target is not None:
            place = (key.namespace, *deployment.brief.target)
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


def _slim(resource: Resource, obj: Raw) -> Raw:
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


def models_of(pod: Raw) -> list[str]:
    """Names of the models whose marker a pod carries."""
    annotations = pod["metadata"].get("annotations") or {}
    return [
        key.removeprefix(names.MODEL_ANNOTATION_PREFIX)
        for key in annotations
        if key.startswith(names.MODEL_ANNOTATION_PREFIX)
    ]
