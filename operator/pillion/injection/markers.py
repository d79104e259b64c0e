"""How does a workload ask for an engine, and how does it stop asking?

The marker is all that is ever written to somebody else's object: a label and an annotation on the pod
template, and a label on the workload to find it again. Each ModelDeployment writes it by server-side apply
with a field manager of its own, so that several share the labels and each can leave alone; the last one
leaves the template as it was.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pillion.api import names
from pillion.api.reasons import Reason
from pillion.injection import pods
from pillion.injection.findings import Finding
from pillion.injection.pods import Raw

# A Job's template cannot change, a ReplicaSet's does not reach its pods: their pods carry the marker from the
# start.
_TEMPLATE_PATHS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps", "Deployment"): ("spec", "template"),
    ("apps", "StatefulSet"): ("spec", "template"),
    ("apps", "DaemonSet"): ("spec", "template"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Marker:
    """One model's marker on a workload, as it is found."""

    label: str | None  # of the pod template: `true`, `required`, or something that is not acted on
    value: str | None  # of the model's annotation: a revision, or whatever the user wrote
    ours: bool  # our field manager for this model holds something on the workload
    others: tuple[str, ...]  # other field managers that hold the model's annotation, sorted

    marked: bool  # the workload has the label that the operator finds it by

    def is_stale(self, revision: str) -> bool:
        """Whether a part is missing, or another revision is asked for; a value that a user wrote is never stale."""
        if self.value is None or self.label is None or not self.marked:
            return True
        return names.is_revision(self.value) and self.value != revision


def can_be_marked(api_version: str, kind: str) -> bool:
    """Whether a change of the kind's pod template reaches its pods."""
    return (api_version.partition("/")[0], kind) in _TEMPLATE_PATHS


def pod_template(workload: Mapping[str, Any]) -> Raw:
    """The workload's pod template; empty where the kind has none that we know."""
    found: Any = workload
    for key in _template_path(workload) or ():
        found = found.get(key) or {}
    return dict(found) if found is not workload else {}


def marker(workload: Mapping[str, Any], model: str) -> Marker:
    """What the workload says about one model now."""
    template = pod_template(workload)
    holders = set(_holders(workload, names.model_annotation(model)))
    manager = names.marker_manager(model)
    return Marker(
        label=pods.labels(template).get(names.INJECT_LABEL),
        value=pods.annotations(template).get(names.model_annotation(model)),
        ours=any(entry.get("manager") == manager for entry in _managed_fields(workload)),
        others=tuple(sorted(holders - {manager})),
        marked=pods.labels(workload).get(names.MARKED_LABEL) == names.MARKED,
    )


def cannot_mark(workload: Mapping[str, Any]) -> Finding | None:
    """Why the marker would not bring an engine to this workload's pods; None where it would."""
    kind, name = str(workload.get("kind")), workload["metadata"]["name"]
    if _template_path(workload) is None:
        return Finding(
            Reason.TARGET_NOT_MARKABLE,
            f"The pod template of a {kind} cannot be changed so that its pods follow. Write the marker "
            "into it yourself, "
            f'before it is created: label {names.INJECT_LABEL}: "{names.INJECT_WANTED}" and annotation '
            f'{names.MODEL_ANNOTATION_PREFIX}<name>: "", and leave spec.targetRef out.',
        )
    label = pods.labels(pod_template(workload)).get(names.INJECT_LABEL)
    if label not in (None, names.INJECT_WANTED, names.INJECT_REQUIRED):
        return Finding(
            Reason.MARKER_CONFLICT,
            f"The pod template of {kind} {name} has the label {names.INJECT_LABEL}: {json.dumps(label)}, "
            f'which keeps engines out. "{names.INJECT_WANTED}" and "{names.INJECT_REQUIRED}" let them in; '
            "so does no label at all.",
        )
    return None


def marker_patch(workload: Mapping[str, Any], *, model: str, revision: str) -> Raw:
    """The body of the server-side apply that marks, for the model's field manager and without force.

    What a user has set to another value stays theirs and is left out: `required` on the label, a value that
    is no revision on the annotation. Another manager that holds an older revision (an exported live object
    was applied) makes the API server answer 409.

    Raises:
        ValueError: the kind cannot be marked; `cannot_mark` says so in a sentence.
    """
    path = _template_path(workload)
    if path is None:
        raise ValueError(f"the pod template of a {workload.get('kind')} cannot be marked")
    found = marker(workload, model)
    metadata: Raw = {}
    if found.label in (None, names.INJECT_WANTED):
        metadata["labels"] = {names.INJECT_LABEL: names.INJECT_WANTED}
    if found.value is None or names.is_revision(found.value):
        metadata["annotations"] = {names.model_annotation(model): revision}
    body = unmark_patch(workload)
    body["metadata"]["labels"] = {names.MARKED_LABEL: names.MARKED}
    below: Raw = body
    for key in path:
        below = below.setdefault(key, {})
    below["metadata"] = metadata
    return body


def unmark_patch(workload: Mapping[str, Any]) -> Raw:
    """The empty apply: with the model's field manager it takes away all that only this manager held.

    The uid keeps it from a later object of the same name (422) and from making one anew (409).
    """
    metadata = workload["metadata"]
    return {
        "apiVersion": workload["apiVersion"],
        "kind": workload["kind"],
        "metadata": {key: metadata[key] for key in ("name", "namespace", "uid")},
    }


def leftover_patch(workload: Mapping[str, Any], *, model: str) -> list[Raw] | None:
    """A JSON patch for what stayed after the model left; None where nothing did.

    Whoever applies an exported live object holds our values too, and then they survive our leaving. A value
    of our form is ours wherever it came from; a label goes with the last annotation of that form. Emptied
    maps need no operation: the API server drops them. Each removal is guarded by a test, and all of them by
    the generation, because another ModelDeployment may be marking the same workload (which changes the
    template; a status that changes would change the resourceVersion). A failed test is a 422: read again.
    """
    path = _template_path(workload)
    if path is None:
        return None
    template = pod_template(workload)
    key = names.model_annotation(model)
    value = pods.annotations(template).get(key)
    stayed = value is not None and names.is_revision(value)
    others = [
        other
        for other, text in pods.annotations(template).items()
        if other != key and other.startswith(names.MODEL_ANNOTATION_PREFIX) and names.is_revision(text)
    ]
    free = [other for other in pods.models(template) if names.model_annotation(other) not in (key, *others)]
    base = "/" + "/".join(path) + "/metadata"
    operations: list[Raw] = []
    if stayed:
        operations += _removal(f"{base}/annotations", key, value)
    label = pods.labels(template).get(names.INJECT_LABEL)
    if stayed and not others and not free and label == names.INJECT_WANTED:
        operations += _removal(f"{base}/labels", names.INJECT_LABEL, label)
    marked = pods.labels(workload).get(names.MARKED_LABEL)
    if marked is not None and not others and not _other_managers(workload, model):
        operations += _removal("/metadata/labels", names.MARKED_LABEL, marked)
    if not operations:
        return None
    generation = workload["metadata"]["generation"]
    return [{"op": "test", "path": "/metadata/generation", "value": generation}, *operations]


def marked_models(workload: Mapping[str, Any]) -> frozenset[str]:
    """The models that have something of ours on the workload: for the sweep after the operator was away.

    A marker that a user wrote is not among them, and neither is one that a user's tool puts back again and
    again.
    """
    return frozenset(_manager_models(workload))


def _template_path(workload: Mapping[str, Any]) -> tuple[str, ...] | None:
    group = str(workload.get("apiVersion", "")).partition("/")[0]
    return _TEMPLATE_PATHS.get((group, str(workload.get("kind"))))


def _removal(path: str, key: str, value: object) -> Iterator[Raw]:
    pointer = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
    yield {"op": "test", "path": pointer, "value": value}
    yield {"op": "remove", "path": pointer}


def _managed_fields(workload: Mapping[str, Any]) -> list[Raw]:
    found: list[Raw] = workload["metadata"].get("managedFields") or []
    return found


def _holders(workload: Mapping[str, Any], annotation: str) -> Iterator[str]:
    """The field managers that hold an annotation of the pod template."""
    path = _template_path(workload) or ()
    for entry in _managed_fields(workload):
        fields: Any = entry.get("fieldsV1") or {}
        for key in (*path, "metadata", "annotations", annotation):
            fields = fields.get(f"f:{key}") if isinstance(fields, Mapping) else None
        if fields is not None:
            yield str(entry.get("manager"))


def _manager_models(workload: Mapping[str, Any]) -> Iterator[str]:
    prefix = f"{names.FIELD_MANAGER}/"
    for entry in _managed_fields(workload):
        manager = str(entry.get("manager", ""))
        if manager.startswith(prefix) and not entry.get("subresource"):
            yield manager.removeprefix(prefix)


def _other_managers(workload: Mapping[str, Any], model: str) -> bool:
    return any(other != model for other in _manager_models(workload))
