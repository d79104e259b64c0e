"""Are the definitions in `crds/` those of the models, and as the API conventions want them?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pillion.api import crds
from tests.unit.api import cases, sidecar_cases

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[3] / "crds"
GENERATED = crds.generate()
SCHEMAS = {
    yaml.safe_load(text)["spec"]["names"]["kind"]: yaml.safe_load(text)["spec"]["versions"][0]["schema"][
        "openAPIV3Schema"
    ]
    for text in GENERATED.values()
}
FORBIDDEN = {
    "$ref", "$defs", "definitions", "allOf", "anyOf", "const", "nullable", "oneOf", "prefixItems", "propertyNames",
    "title", "uniqueItems", "x-kubernetes-preserve-unknown-fields",
}  # fmt: skip # not structural, or a way around the types


def nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of a schema that describes a value."""
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from nodes(field, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")
    if "additionalProperties" in schema:
        yield from nodes(schema["additionalProperties"], f"{path}{{}}")


ALL = [(path, node) for kind, schema in SCHEMAS.items() for path, node in nodes(schema, kind)]
FIELDS = [(path, node) for path, node in ALL if not path.endswith((".apiVersion", ".kind", ".metadata"))]


def test_the_files_are_what_the_models_give() -> None:
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yaml")}
    assert found == GENERATED, "run `python -m pillion.api.crds crds/` and review the difference"


def test_the_same_models_give_the_same_bytes() -> None:
    assert crds.generate() == GENERATED


def test_nothing_in_them_is_a_template_for_helm() -> None:
    assert [name for name, text in GENERATED.items() if "{{" in text or "}}" in text] == []


def test_the_walk_sees_fields_at_every_depth() -> None:
    paths = {path for path, _ in ALL}
    assert "ModelDeployment.spec.engine.env[].valueFrom.secretKeyRef.key" in paths
    assert "ModelSidecar.spec.container.resources.limits{}" in paths


def test_they_are_structural_and_typed_to_the_last_field() -> None:
    assert [(path, FORBIDDEN & set(node)) for path, node in ALL if FORBIDDEN & set(node)] == []
    untyped = [
        path for path, node in ALL if "type" not in node and not node.get("x-kubernetes-int-or-string")
    ]
    assert untyped == []
    open_objects = [
        path
        for path, node in FIELDS
        if node.get("type") == "object" and not node.get("properties") and "additionalProperties" not in node
    ]
    assert open_objects == []


def test_every_field_has_a_sentence() -> None:
    named = [(path, node) for path, node in ALL if not path.endswith(("[]", "{}", ".metadata"))]
    assert [path for path, node in named if not node.get("description", "").endswith(".")] == []


def test_every_list_says_how_it_is_merged() -> None:
    lists = [(path, node) for path, node in ALL if node.get("type") == "array"]
    assert [path for path, node in lists if "x-kubernetes-list-type" not in node] == []
    for path, node in lists:
        for key in node.get("x-kubernetes-list-map-keys", ()):
            assert key in node["items"]["required"], f"{path} is a map by {key}, which may be absent"


@pytest.mark.parametrize(
    ("kind", "bound"),
    [("array", "maxItems"), ("string", "maxLength")],
)
def test_everything_that_can_grow_is_bounded(kind: str, bound: str) -> None:
    grows = [(path, node) for path, node in FIELDS if node.get("type") == kind and "enum" not in node]
    assert [path for path, node in grows if bound not in node and node.get("format") != "date-time"] == []


def test_maps_are_bounded() -> None:
    maps = [(path, node) for path, node in ALL if "additionalProperties" in node]
    assert [path for path, node in maps if "maxProperties" not in node] == []


def test_integers_have_bounds_that_their_width_can_hold() -> None:
    for path, node in FIELDS:
        if node.get("type") == "integer":
            assert {"minimum", "maximum"} <= set(node), path
            width = {"int32": 2**31, "int64": 2**53}[node["format"]]  # the API server keeps bounds as doubles
            assert node["maximum"] < width, path


def test_fractions_stand_only_where_generation_knows_them() -> None:
    assert sorted(path.rpartition(".")[2] for path, node in ALL if node.get("type") == "number") == [
        "temperature",
        "topP",
    ]


def paths(value: object, at: str) -> Iterator[str]:
    """The path of every field that a value has, as `nodes` writes it."""
    yield at
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from paths(inner, f"{at}.{name}")
    if isinstance(value, list):
        for inner in value:
            yield from paths(inner, f"{at}[]")


@pytest.mark.parametrize(
    ("part", "whole"),
    [
        ("ModelDeployment.status", cases.STATUS),
        (
            "ModelSidecar.spec",
            cases.changed(sidecar_cases.SIDECAR, sidecar_cases.EVERYTHING_OF_A_SIDECAR)["spec"],
        ),
    ],
)
def test_the_examples_of_everything_have_every_field(part: str, whole: Any) -> None:
    ends = ("{}", ".exec", ".exec.command", ".exec.command[]")  # a probe is one of two
    wanted = {path for path, _ in ALL if path.startswith(part) and not path.endswith(ends)}
    assert wanted - set(paths(whole, part)) == set()
