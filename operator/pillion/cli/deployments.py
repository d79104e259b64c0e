"""Which ModelDeployments does a file hold, and does each fit the API?

Other objects of the file are no mistake: applications keep a ModelDeployment beside their Deployment, which is then
the target that is planned for. A field that the API does not have is one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pillion.api import names
from pillion.api.modeldeployment import ModelDeployment
from pillion.api.shape import InvalidObjectError, Problem
from pillion.cli import documents, surroundings
from pillion.cli.documents import Raw
from pillion.cli.exits import BadInputError

__all__ = ["Given", "read"]

_WORKLOADS = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """What a file asks for."""

    deployments: tuple[ModelDeployment, ...]
    workloads: tuple[Raw, ...]  # of the same file: targets that may be meant


def read(path: str) -> Given:
    """The ModelDeployments of a file, and the workloads beside them.

    Raises:
        BadInputError: every problem of every document, each with its path.
    """
    problems: list[str] = []
    deployments: list[ModelDeployment] = []
    workloads: list[Raw] = []
    others: list[str] = []
    for where, raw in documents.objects(path):
        kind = raw.get("kind")
        if kind == names.MODEL_DEPLOYMENT:
            try:
                deployments.append(ModelDeployment.from_user(raw))
            except InvalidObjectError as error:
                problems += [f"{where}: {_told(problem, raw)}" for problem in error.problems]
        elif isinstance(kind, str) and kind in _WORKLOADS:
            problems += [f"{where}: {problem}" for problem in surroundings.workload_problems(raw)]
            workloads.append(raw)
        elif not isinstance(kind, str):
            problems.append(
                f"{where}: kind: is required; a ModelDeployment begins with apiVersion: {names.API_VERSION} and "
                f"kind: {names.MODEL_DEPLOYMENT}"
            )
        else:
            others.append(kind)
    if problems:
        raise BadInputError(problems)
    if not deployments:
        there = sorted({*others, *(workload["kind"] for workload in workloads)})
        raise BadInputError(
            f"{documents.shown_name(path)}: holds no {names.MODEL_DEPLOYMENT} of {names.API_VERSION}; it holds "
            f"{', '.join(there)}"
        )
    _refuse_twice(path, deployments)
    return Given(deployments=tuple(deployments), workloads=tuple(workloads))


def _refuse_twice(path: str, deployments: Sequence[ModelDeployment]) -> None:
    seen = set()
    for deployment in deployments:
        key = (deployment.metadata.namespace, deployment.metadata.name)
        if key in seen:
            raise BadInputError(
                f"{documents.shown_name(path)}: {names.MODEL_DEPLOYMENT} {deployment.metadata.name} stands twice in it"
            )
        seen.add(key)


def _told(problem: Problem, raw: Raw) -> str:
    """The problem, with what was found where its sentence does not say it."""
    if (
        "found" in problem.message
        or "is not accepted" in problem.message
        or "no such field" in problem.message
    ):
        return str(problem)
    value = _value(raw, problem.path)
    return str(problem) if value is None else f"{problem}; found {value!r}"


def _value(raw: object, path: str) -> object:
    """The plain value at a path; None where there is none, or where it is an object."""
    value = raw
    for name, index in _STEP.findall(path):
        if name and isinstance(value, dict):
            value = value.get(name)
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            return None
    return value if isinstance(value, str | int | float) else None
