"""Does a file's reader hold to the API server's rules, and does each rule have an object that breaks it?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pillion.api import crds
from pillion.api.modeldeployment import ModelDeployment
from pillion.api.modelsidecar import ModelSidecar
from pillion.api.shape import ApiModel, InvalidObjectError
from tests.unit.api import cases, sidecar_cases

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES: tuple[tuple[type[ApiModel], tuple[cases.Good, ...], tuple[cases.Bad, ...]], ...] = (
    (ModelDeployment, cases.GOOD_DEPLOYMENTS, cases.BAD_DEPLOYMENTS),
    (ModelSidecar, sidecar_cases.GOOD_SIDECARS, sidecar_cases.BAD_SIDECARS),
)


@pytest.mark.parametrize(
    ("model", "case"),
    [
        pytest.param(model, case, id=f"{model.__name__}: {case.why}")
        for model, good, _ in TABLES
        for case in good
    ],
)
def test_a_good_object_is_read(model: type[ApiModel], case: cases.Good) -> None:
    assert model.from_user(case.raw)


@pytest.mark.parametrize(
    ("model", "case"),
    [
        pytest.param(model, case, id=f"{model.__name__}: {case.why}")
        for model, _, bad in TABLES
        for case in bad
    ],
)
def test_a_bad_object_is_refused_at_the_same_path(model: type[ApiModel], case: cases.Bad) -> None:
    with pytest.raises(InvalidObjectError) as caught:
        model.from_user(case.raw)
    (problem,) = caught.value.problems  # one mistake, one message
    assert problem.path == case.path
    if case.ours:
        assert problem.message.startswith(case.says)


def rules(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Each rule of a schema: where it is, and its message."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield path + rule.get("fieldPath", ""), rule["message"]
    for name, field in schema.get("properties", {}).items():
        yield from rules(field, f"{path}.{name}".lstrip("."))
    for inner in ("items", "additionalProperties"):
        if inner in schema:
            yield from rules(schema[inner], path)


@pytest.mark.parametrize("model", [ModelDeployment, ModelSidecar])
def test_every_rule_has_an_object_that_breaks_it(model: type[ApiModel]) -> None:
    bad = next(table for kind, _, table in TABLES if kind is model)
    broken = {
        (path.lstrip("."), message)
        for path, message in rules(crds.schema_of(model))
        for case in bad
        if case.ours and message.startswith(case.says) and _below(case.path, path.lstrip("."))
    }
    assert [
        rule for rule in rules(crds.schema_of(model)) if (rule[0].lstrip("."), rule[1]) not in broken
    ] == []


def _below(case: str, rule: str) -> bool:
    """Whether the path of a case, with its indexes and keys, is that of a rule."""
    parts = [part.split("[")[0] for part in case.split(".")]
    wanted = rule.split(".")
    return parts == wanted or parts[: len(wanted)] == wanted


def test_several_mistakes_are_told_together() -> None:
    raw = cases.changed(
        cases.SMALLEST, {"spec.model.repo": "qwen3:8b", "spec.modelGate": "Wait", "spec.sevring": {}}
    )
    with pytest.raises(InvalidObjectError) as caught:
        ModelDeployment.from_user(raw)
    assert [problem.path for problem in caught.value.problems] == [
        "spec.sevring",
        "spec.model.repo",
        "spec.modelGate",
    ]
