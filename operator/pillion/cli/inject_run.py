"""What does `pillion inject` read, and what does it print?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pillion import injection
from pillion.api import names
from pillion.api.modelsidecar import ModelSidecar
from pillion.api.reasons import Reason
from pillion.api.shape import InvalidObjectError
from pillion.cli import documents, exits
from pillion.cli.documents import Raw
from pillion.cli.exits import BadInputError

if TYPE_CHECKING:
    from pillion.kube.client import Cluster

__all__ = ["run"]

_WITH_TEMPLATE = frozenset({"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"})
_MALFORMED = (AttributeError, KeyError, TypeError, ValueError)


def run(
    filename: str,
    *,
    sidecars: str | None,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
) -> None:
    """Print the file's objects with engines in their pods; what stands against one goes to standard error.

    Raises:
        BadInputError: a file is wrong.
        FailedError: the cluster does not answer.
    """
    if sidecars is not None and (kubeconfig is not None or context is not None):
        raise BadInputError(
            "--sidecars and --context exclude each other: the ModelSidecars come from one of them"
        )
    given = documents.objects(filename)
    if sidecars is not None:
        known = _of_file(sidecars)
    else:
        from pillion.cli import cluster

        namespace = namespace or cluster.default_namespace(
            kubeconfig, context, without="--sidecars FILE (kubectl get psc -o yaml)"
        )
        known = _of_cluster(kubeconfig, context, _namespaces(given, namespace))
    import yaml

    refused = False
    for number, (where, raw) in enumerate(given):
        changed, problems = _injected(where, raw, known, namespace)
        for problem in problems:
            typer.echo(f"pillion: {where}: {problem}", err=True)
        refused = refused or bool(problems)
        text = yaml.dump(changed, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110)
        typer.echo(("---\n" if number else "") + str(text), nl=False)
    if refused:
        raise typer.Exit(exits.FAILED)


def _injected(where: str, raw: Raw, known: Sequence[Raw], namespace: str | None) -> tuple[Raw, list[str]]:
    """The object as admission would make its pods, and why a pod does not get what it asks for."""
    path = _pod_path(raw)
    if path is None:
        return raw, []
    pod, containers = _at(raw, path), _at(raw, (*path, "spec", "containers"))
    if (
        not isinstance(pod, dict)
        or not isinstance(containers, list)
        or not isinstance(raw.get("metadata"), dict)
    ):
        what = ".".join((*path, "spec", "containers"))
        raise BadInputError(f"{where}: metadata and {what}, a list of containers, are required")
    own_namespace = raw["metadata"].get("namespace") or namespace
    try:
        seen = {**pod, "metadata": {**(pod.get("metadata") or {})}}
        if own_namespace is not None:
            seen["metadata"]["namespace"] = own_namespace
        asked = [
            key.removeprefix(names.MODEL_ANNOTATION_PREFIX) for key in _annotations(seen) if _is_model(key)
        ]
        mine = [
            sidecar
            for sidecar in known
            if sidecar["metadata"].get("namespace") in (None, own_namespace) or own_namespace is None
        ]
        problems = _against(asked, seen, mine)
        result = injection.inject(seen, mine)
    except _MALFORMED as error:
        raise BadInputError(
            f"{where}: the pod is not as Kubernetes takes it ({type(error).__name__}: {error})"
        ) from error
    if own_namespace is not None and (pod.get("metadata") or {}).get("namespace") is None:
        del result["metadata"]["namespace"]
    if not result["metadata"] and "metadata" not in pod:
        del result["metadata"]
    return _with(raw, path, result), problems


def _against(asked: Sequence[str], pod: Raw, known: Sequence[Raw]) -> list[str]:
    """For each engine that the pod asks for and does not get: why."""
    if not asked:
        return [
            f"the pod asks for no model: it has no annotation {names.MODEL_ANNOTATION_PREFIX}<name> beside the label "
            f"{names.INJECT_LABEL}"
        ]
    by_name = {sidecar["metadata"]["name"]: sidecar for sidecar in known}
    problems = []
    for model in asked:
        sidecar = by_name.get(model)
        if sidecar is None:
            there = ", ".join(sorted(by_name)) or "none"
            problems.append(
                f"the pod asks for model {model}, and there is no such ModelSidecar; there are: {there}"
            )
            continue
        reason = injection.why_not(pod, sidecar)
        if reason is Reason.NOT_MARKED:
            problems.append(f"model {model}: {reason.value}: the pod has no label {names.INJECT_LABEL}")
        elif reason is not None:
            problems.append(f"model {model}: {reason.value}: {reason.meaning}")
    return problems


def _annotations(pod: Raw) -> Mapping[str, str]:
    return (pod.get("metadata") or {}).get("annotations") or {}


def _is_model(key: str) -> bool:
    return key.startswith(names.MODEL_ANNOTATION_PREFIX)


def _pod_path(raw: Raw) -> tuple[str, ...] | None:
    """Where in an object its pod, or its template, stands; None for one that makes no pods."""
    kind = raw.get("kind")
    if kind in ("Pod", "PodTemplate"):
        return () if kind == "Pod" else ("template",)
    if kind == "CronJob":
        return ("spec", "jobTemplate", "spec", "template")
    return ("spec", "template") if kind in _WITH_TEMPLATE else None


def _at(raw: Raw, path: Sequence[str]) -> object:
    value: object = raw
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _with(raw: Raw, path: Sequence[str], pod: Raw) -> Raw:
    """A copy of the object with another pod in it."""
    if not path:
        return pod
    first, *rest = path
    return {**raw, first: _with(raw[first], rest, pod)}


def _of_file(path: str) -> list[Raw]:
    found, problems = [], []
    for where, raw in documents.objects(path):
        if raw.get("kind") != names.MODEL_SIDECAR:
            continue
        try:
            ModelSidecar.from_raw(raw)
        except InvalidObjectError as error:
            problems += [f"{where}: {problem}" for problem in error.problems]
        found.append(raw)
    if problems:
        raise BadInputError(problems)
    if not found:
        raise BadInputError(
            f"{documents.shown_name(path)}: holds no {names.MODEL_SIDECAR}; save them with: kubectl get "
            "modelsidecars.pillion.dev -o yaml"
        )
    return found


def _namespaces(given: Sequence[tuple[str, Raw]], default: str) -> set[str]:
    """Namespaces of the pods; what has no metadata is refused later, with where it stands."""
    return {
        (raw.get("metadata") or {}).get("namespace") or default
        for _, raw in given
        if _pod_path(raw) is not None
    }


def _of_cluster(kubeconfig: Path | None, context: str | None, namespaces: set[str]) -> list[Raw]:
    from pillion.cli import cluster
    from pillion.kube import resources
    from pillion.kube.client import NotFound

    async def read(api: "Cluster") -> list[Raw]:
        try:
            lists = [await api.list(resources.MODEL_SIDECARS, namespace) for namespace in sorted(namespaces)]
            return [sidecar for found in lists for sidecar in found]
        except NotFound as error:
            told = await cluster.not_installed(api, resources.MODEL_SIDECARS, min(namespaces))
            if told is None:
                raise
            raise told from error

    return cluster.asked(kubeconfig, context, read)
