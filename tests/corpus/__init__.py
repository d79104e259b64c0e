"""Which pods, and which ModelSidecars, does injection have to get right?

One file a situation; its first line says what is in question. The unit tests hold the Python function to golden
files over this corpus, the integration tests hold the admission policy to the Python function.
"""

from __future__ import annotations

import json
import re
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Raw = dict[str, Any]

FOLDER = Path(__file__).parent
# Given by the API server, different each time, and no business of injection.
SERVER_METADATA = ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
TOKEN_VOLUME = re.compile(r"kube-api-access-[a-z0-9]{5}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """One pod of the corpus."""

    name: str
    question: str
    pod: Raw

    def models(self) -> list[str]:
        """The models that the pod's annotations name, sorted."""
        prefix = "model.pillion.dev/"
        annotations = self.pod["metadata"].get("annotations", {})
        return sorted(key.removeprefix(prefix) for key in annotations if key.startswith(prefix))


def situations() -> list[Situation]:
    """All pods of the corpus, by name."""
    return [_situation(path) for path in sorted((FOLDER / "pods").glob("*.yaml"))]


def situation(name: str) -> Situation:
    """One pod of the corpus."""
    return _situation(FOLDER / "pods" / f"{name}.yaml")


def sidecars(namespace: str | None = None) -> list[Raw]:
    """The ModelSidecars of the corpus, in the order of the file, as objects of the namespace."""
    found = deepcopy(_documents(FOLDER / "sidecars.yaml"))
    if namespace is not None:
        for sidecar in found:
            sidecar["metadata"]["namespace"] = namespace
    return found


def sidecar(name: str, namespace: str | None = None) -> Raw:
    """One ModelSidecar of the corpus."""
    return next(found for found in sidecars(namespace) if found["metadata"]["name"] == name)


def canonical(pod: Raw, original: Raw) -> Raw:
    """The pod without what is free: the order of what was added to the original, and what the API server makes up."""
    result: Raw = json.loads(TOKEN_VOLUME.sub("kube-api-access", json.dumps(deepcopy(pod))))
    metadata = result["metadata"]
    for key in SERVER_METADATA:
        metadata.pop(key, None)
    if "generateName" in metadata:
        metadata.pop("name", None)
    spec, before = result["spec"], original["spec"]
    for field in ("containers", "initContainers"):
        if field in spec:
            kept = len(before.get(field) or [])
            spec[field] = spec[field][:kept] + sorted(spec[field][kept:], key=_name)
    for container, unchanged in zip(spec["containers"], before["containers"], strict=False):
        if "env" in container:
            added = len(container["env"]) - len(unchanged.get("env") or [])
            container["env"] = sorted(container["env"][:added], key=_name) + container["env"][added:]
    for field in ("volumes", "tolerations", "readinessGates"):
        if field in spec:
            spec[field] = sorted(spec[field], key=_text)
    for term in _terms(spec):
        if "matchExpressions" in term:
            term["matchExpressions"] = sorted(term["matchExpressions"], key=_text)
    return result


@cache
def _documents(path: Path) -> list[Raw]:
    return list(yaml.safe_load_all(path.read_text("utf-8")))


def _situation(path: Path) -> Situation:
    text = path.read_text("utf-8")
    return Situation(
        name=path.stem, question=text.splitlines()[0].removeprefix("# "), pod=yaml.safe_load(text)
    )


def _terms(spec: Raw) -> list[Raw]:
    node_affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    return list(required.get("nodeSelectorTerms") or [])


def _name(item: Raw) -> str:
    return str(item["name"])


def _text(item: Raw) -> str:
    return json.dumps(item, sort_keys=True)
