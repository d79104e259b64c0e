"""What do the models look like to an API server?

pydantic's JSON schema is not a structural one: it has references, nulls, titles and keywords that a
CustomResourceDefinition may not have. `generate` gives the definitions as YAML, `python -m pillion.api.crds
FOLDER` writes them, and a test fails where the files differ from the models.

Source: Kubernetes 1.36, apiextensions-apiserver, pkg/apis/apiextensions/validation.
"""

import argparse
from pathlib import Path
from typing import Final, cast

import yaml
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from pillion.api import names
from pillion.api.modeldeployment import ModelDeployment
from pillion.api.modelsidecar import ModelSidecar
from pillion.api.shape import ApiModel, Raw

HEADER: Final = (
    "# Generated from operator/pillion/api by `python -m pillion.api.crds crds/`. Change the models"
    " instead.\n"
)

# Keywords of JSON schema that say nothing a structural schema could hold, or say it in another way.
_DROPPED: Final = ("title", "additionalProperties", "propertyNames", "const", "discriminator")

Column = tuple[str, str, str, str, int]  # name, type, path, description, priority (1: only with -o wide)

DEPLOYMENT_COLUMNS: Final[tuple[Column, ...]] = (
    ("Model", "string", ".spec.model.repo", "The model's repository.", 0),
    ("Quantization", "string", ".status.plan.quantization", "The quantization that was chosen.", 0),
    ("Accelerator", "string", ".status.plan.accelerator", "What one pod takes.", 0),
    ("Target", "string", ".spec.targetRef.name", "The workload whose pods get the engine.", 0),
    ("Pods", "string", ".status.pods.summary", "Pods that serve, of those wanted.", 0),
    (
        "Ready",
        "string",
        '.status.conditions[?(@.type=="Ready")].status',
        "Whether the model serves in every pod.",
        0,
    ),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', "Why, or why not, in one word.", 0),
    ("Age", "date", ".metadata.creationTimestamp", "Since when the object exists.", 0),
    ("Context", "integer", ".status.plan.contextLength", "Tokens that one request may have.", 1),
    ("Endpoint", "string", ".status.endpoint", "What applications in the pods talk to.", 1),
    (
        "Message",
        "string",
        '.status.conditions[?(@.type=="Ready")].message',
        "Why, or why not, in a sentence.",
        1,
    ),
)
SIDECAR_COLUMNS: Final[tuple[Column, ...]] = (
    ("Revision", "string", ".spec.revision", "What the marker of new pods names.", 0),
    ("Gate", "string", ".spec.modelGate", "What waits for the model.", 0),
    ("Image", "string", ".spec.container.image", "The engine's image.", 0),
    ("Age", "date", ".metadata.creationTimestamp", "Since when the object exists.", 0),
    ("Format", "integer", ".spec.formatVersion", "The version of the form.", 1),
)


class StructuralSchema(GenerateJsonSchema):
    """pydantic's schema, with absence in place of null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """A field may be absent; it is never null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """A default that means absence is not published: null, and the empty list or map."""
        published = super().default_schema(schema)
        if published.get("default", ...) in (None, [], {}):
            published.pop("default")
        return published


def generate() -> dict[str, str]:
    """The text of each definition by its file's name; the same models give the same bytes."""
    deployment = _definition(
        ModelDeployment,
        plural=names.MODEL_DEPLOYMENTS,
        short=names.MODEL_DEPLOYMENT_SHORT,
        columns=DEPLOYMENT_COLUMNS,
        description="ModelDeployment puts an LLM beside an application that already runs: it names a public"
        " model and a workload, and the operator chooses quantization and hardware and has an inference"
        " engine injected into the workload's pods.",
    )
    sidecar = _definition(
        ModelSidecar,
        plural=names.MODEL_SIDECARS,
        short=names.MODEL_SIDECAR_SHORT,
        columns=SIDECAR_COLUMNS,
        description="ModelSidecar is what admission adds to the pods that are marked for a ModelDeployment."
        " The operator writes it; changes by hand are undone.",
    )
    return {
        f"{names.GROUP}_{plural}.yaml": HEADER + _yaml(definition)
        for plural, definition in ((names.MODEL_DEPLOYMENTS, deployment), (names.MODEL_SIDECARS, sidecar))
    }


def schema_of(model: type[ApiModel], *, mode: JsonSchemaMode = "validation") -> Raw:
    """The structural schema of one model, references resolved."""
    published = model.model_json_schema(by_alias=True, schema_generator=StructuralSchema, mode=mode)
    return cast("Raw", _structural(published, published.get("$defs", {})))


def _definition(
    model: type[ApiModel], *, plural: str, short: str, columns: tuple[Column, ...], description: str
) -> Raw:
    kind = model.__name__
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{names.GROUP}"},
        "spec": {
            "group": names.GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
                "shortNames": [short],
                "categories": [names.CATEGORY],
            },
            "versions": [
                {
                    "name": names.VERSION,
                    "served": True,
                    "storage": True,
                    **({"subresources": {"status": {}}} if "status" in model.model_fields else {}),
                    "additionalPrinterColumns": [_column(*column) for column in columns],
                    "schema": {"openAPIV3Schema": _whole(model, description)},
                }
            ],
        },
    }


def _column(name: str, kind: str, path: str, description: str, priority: int) -> Raw:
    column: Raw = {"name": name, "type": kind, "jsonPath": path, "description": description}
    return {**column, "priority": priority} if priority else column


def _whole(model: type[ApiModel], description: str) -> Raw:
    """The root has Kubernetes' own fields, and a schema may say next to nothing about metadata."""
    schema = schema_of(model)
    schema["description"] = description
    schema["required"] = ["spec"]
    schema["properties"] = {
        "apiVersion": {"type": "string", "description": f"The group and version: {names.API_VERSION}."},
        "kind": {"type": "string", "description": f"The kind: {model.__name__}."},
        "metadata": {"type": "object"},
        **{name: field for name, field in schema["properties"].items() if name in ("spec", "status")},
    }
    return schema


def _structural(node: object, definitions: Raw) -> object:
    """A part of pydantic's schema as a structural one."""
    if isinstance(node, list):
        return [_structural(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].removeprefix("#/$defs/")]
        return _structural(
            {**target, **{key: value for key, value in node.items() if key != "$ref"}}, definitions
        )
    out: Raw = {}
    for key, value in node.items():
        if key == "properties":
            out[key] = {name: _structural(field, definitions) for name, field in value.items()}
        elif key == "additionalProperties" and isinstance(value, dict):
            out[key] = _structural(value, definitions)
        elif key in ("default", "enum", "x-kubernetes-validations"):
            out[key] = value
        elif key == "exclusiveMinimum":
            out |= {"minimum": value, "exclusiveMinimum": True}  # OpenAPI 3.0 has a flag beside the bound
        elif key == "$defs" or (key in _DROPPED and not isinstance(value, dict)):
            continue
        elif key not in _DROPPED:
            out[key] = _structural(value, definitions)
    return _typed(out, node)


def _typed(out: Raw, node: Raw) -> Raw:
    """What only a look at the whole node tells: a single value's enum, an integer's width."""
    if "const" in node:
        out["enum"] = [node["const"]]
    if out.get("type") == "integer":
        out["format"] = "int64" if out.get("maximum", 2**63) > 2**31 - 1 else "int32"
    if out.get("type") == "number":
        out["format"] = "double"
    return {key: out[key] for key in sorted(out, key=_position)}


_ORDER: Final = ("description", "type", "format", "enum", "default", "minimum", "exclusiveMinimum", "maximum")


def _position(key: str) -> tuple[int, str]:
    """What a reader looks for first stands first; nested fields stand last."""
    if key in _ORDER:
        return (_ORDER.index(key), "")
    return (len(_ORDER) + (key in ("properties", "items", "additionalProperties", "required")), key)


class _Plain(yaml.SafeDumper):
    """Without anchors, so that each part can be read alone."""

    def ignore_aliases(self, data: object) -> bool:
        """Always."""
        del data
        return True


def _yaml(definition: Raw) -> str:
    return yaml.dump(definition, Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True)


def main() -> None:
    """Write the definitions into a folder."""
    parser = argparse.ArgumentParser(
        description="Write the CustomResourceDefinitions that the models describe."
    )
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in generate().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
