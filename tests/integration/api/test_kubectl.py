"""What does somebody see who has nothing but kubectl?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pillion.api import crds
from tests.unit.api import cases, sidecar_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

from tests.integration.api.conftest import FOLDER, GROUP, VERSION, Objects

NARROW = ["NAME", "MODEL", "QUANTIZATION", "ACCELERATOR", "TARGET", "PODS", "READY", "REASON", "AGE"]
WIDE = [*NARROW, "CONTEXT", "ENDPOINT", "MESSAGE"]


@pytest.fixture
def served(objects: Objects, namespace: str) -> str:
    """A namespace with a ModelDeployment that has a status, and a ModelSidecar."""
    of = (GROUP, VERSION, namespace)
    made = objects.create_namespaced_custom_object(*of, "modeldeployments", cases.SMALLEST)
    objects.replace_namespaced_custom_object_status(
        *of, "modeldeployments", "chat", made | {"status": cases.STATUS}
    )
    objects.create_namespaced_custom_object(*of, "modelsidecars", sidecar_cases.SIDECAR)
    return namespace


def table(text: str) -> dict[str, str]:
    """The one row that kubectl prints, by its columns."""
    head, row = text.rstrip("\n").splitlines()
    starts = [
        index for index in range(len(head)) if head[index] != " " and (index == 0 or head[index - 1] == " ")
    ]
    ends = [*starts[1:], None]
    return {head[start:end].strip(): row[start:end].strip() for start, end in zip(starts, ends, strict=True)}


def test_the_columns(served: str, kubectl: Callable[..., str]) -> None:
    row = table(kubectl("get", "pmd", "--namespace", served))
    assert list(row) == NARROW
    assert {name: value for name, value in row.items() if name != "AGE"} == {
        "NAME": "chat", "MODEL": "Qwen/Qwen3-0.6B", "QUANTIZATION": "None", "ACCELERATOR": "1 x NVIDIA-L4",
        "TARGET": "web", "PODS": "1/3", "READY": "False", "REASON": "Loading",
    }  # fmt: skip


def test_the_wide_columns(served: str, kubectl: Callable[..., str]) -> None:
    row = table(kubectl("get", "pmd", "--namespace", served, "--output", "wide"))
    assert list(row) == WIDE
    assert row["CONTEXT"] == "8192"
    assert row["ENDPOINT"] == "http://127.0.0.1:18000/v1"
    assert row["MESSAGE"] == "web-1 loads the weights."


def test_the_columns_of_an_object_that_nobody_has_looked_at(
    objects: Objects, namespace: str, kubectl: Callable[..., str]
) -> None:
    objects.create_namespaced_custom_object(GROUP, VERSION, namespace, "modeldeployments", cases.SMALLEST)
    row = table(kubectl("get", "pmd", "--namespace", namespace, "--output", "wide"))
    assert (row["MODEL"], row["TARGET"], row["PODS"], row["READY"]) == ("Qwen/Qwen3-0.6B", "web", "", "")


def test_the_columns_of_a_sidecar(served: str, kubectl: Callable[..., str]) -> None:
    row = table(kubectl("get", "psc", "--namespace", served))
    assert list(row) == ["NAME", "REVISION", "GATE", "IMAGE", "AGE"]
    assert (row["REVISION"], row["GATE"], row["IMAGE"]) == ("r-0123456789ab", "None", "example.com/engine:1")


def test_both_kinds_are_found_by_the_category(served: str, kubectl: Callable[..., str]) -> None:
    assert kubectl("get", "pillion", "--namespace", served, "--output", "name").split() == [
        "modeldeployment.pillion.dev/chat",
        "modelsidecar.pillion.dev/chat",
    ]


def test_neither_kind_is_shown_by_get_all(served: str, kubectl: Callable[..., str]) -> None:
    assert "pillion.dev" not in kubectl("get", "all", "--namespace", served, "--output", "name")


def test_describe_tells_what_status_knows(served: str, kubectl: Callable[..., str]) -> None:
    said = kubectl("describe", "pmd", "chat", "--namespace", served)
    for told in ("OrderedAfter", "16 bit fits as well.", "NoChatTemplate", "9.88Gi", "apache-2.0"):
        assert told in said


def fields(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field that has a path of its own, as `kubectl explain` takes it."""
    for name, field in schema.get("properties", {}).items():
        at = f"{path}.{name}"
        yield at, field
        yield from fields(field.get("items", field), at)


def explained() -> list[tuple[str, str]]:
    """Each field's path, and the sentence that the models give it."""
    found = []
    for text in crds.generate().values():
        definition = yaml.safe_load(text)["spec"]
        schema = definition["versions"][0]["schema"]["openAPIV3Schema"]
        for part in ("spec", "status"):
            if part in schema["properties"]:
                inner = schema["properties"][part]
                found.append((f"{definition['names']['plural']}.{part}", inner["description"]))
                found += [
                    (at, field["description"])
                    for at, field in fields(inner, f"{definition['names']['plural']}.{part}")
                ]
    return found


def test_explain_has_a_sentence_for_every_field(objects: Objects, kubectl: Callable[..., str]) -> None:
    """All of them at once as kubectl reads them: from the OpenAPI document of the group."""
    assert objects
    served = json.loads(kubectl("get", "--raw", f"/openapi/v3/apis/{GROUP}/{VERSION}"))["components"][
        "schemas"
    ]
    whole = {
        "modeldeployments": served["dev.pillion.v1alpha1.ModelDeployment"],
        "modelsidecars": served["dev.pillion.v1alpha1.ModelSidecar"],
    }
    told = {
        at: field.get("description", "")
        for plural, schema in whole.items()
        for at, field in fields(schema, plural)
    }
    wanted = explained()
    assert len(wanted) > 250
    assert [at for at, _ in wanted if not told.get(at, "").endswith(".")] == []
    assert {at: told[at] for at, _ in wanted} == dict(wanted)


@pytest.mark.parametrize(
    "path",
    [
        "modeldeployments.pillion.dev",
        "pmd.spec.model.repo",
        "pmd.spec.engine.env.valueFrom.secretKeyRef.key",
        "pmd.spec.engine.resources.limits.ephemeral-storage",
        "pmd.status.plan.memory.headroom",
        "psc.spec.volumes.downwardAPI.items.fieldRef.fieldPath",
    ],
)
def test_kubectl_itself_explains(path: str, objects: Objects, kubectl: Callable[..., str]) -> None:
    assert objects
    said = kubectl("explain", path)
    assert "DESCRIPTION:" in said
    assert "<empty>" not in said


def test_a_mistake_reads_well_where_kubectl_prints_it(objects: Objects, kubectl: Callable[..., str]) -> None:
    assert objects
    wrong = json.dumps(cases.changed(cases.SMALLEST, {"spec.model.repo": "qwen3:8b"}))
    with pytest.raises(
        Exception, match=r'spec\.model\.repo: Invalid value: "qwen3:8b": must be owner/name'
    ) as refused:
        kubectl("apply", "--namespace", "default", "--dry-run=server", "-f", "-", stdin=wrong)
    assert "write Qwen/Qwen3-8B" in str(refused.value)


def test_the_definitions_are_established_and_without_complaint(
    objects: Objects, kubectl: Callable[..., str]
) -> None:
    assert objects
    for definition in json.loads(kubectl("get", "-f", str(FOLDER), "--output", "json"))["items"]:
        states = {one["type"]: one["status"] for one in definition["status"]["conditions"]}
        assert states.items() >= {"Established": "True", "NamesAccepted": "True"}.items()
        assert states.get("NonStructuralSchema", "False") == "False"
