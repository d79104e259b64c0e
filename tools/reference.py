"""What do the reference pages say: every field, reason, setting and metric, from the code that has them?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import yaml
from pydantic import AliasChoices

from pillion.api import crds
from pillion.api.reasons import About, ConditionType, Reason
from pillion.controller.metrics import Metrics
from pillion.controller.settings import Settings
from pillion.planner import quality, wording
from pillion.sizing import Verdict
from tools import choices, command_reference

Schema = Mapping[str, Any]
NOTE = "<!-- Written by `make generated`; change the code it comes from instead. -->\n"


def pages() -> dict[str, str]:
    """Name and text of each page."""
    return {
        "fields.md": fields(),
        "reasons.md": reasons(),
        "settings.md": settings(),
        "metrics.md": metrics(),
        "commands.md": command_reference.page(NOTE, _table),
        "quality.md": quality_of_weights(),
        "choices.md": f"{NOTE}\n{choices.page()}",
    }


def fields() -> str:
    """What users write and read, as `kubectl explain` knows it. A ModelSidecar is written by the operator alone."""
    parts = [
        NOTE,
        "# Fields\n",
        "As in `kubectl explain pmd.spec --recursive`. A field without a default stays absent: what is unset is a",
        "preference that the planner may give up, what is set is a requirement.\n",
    ]
    for text in crds.generate().values():
        definition = yaml.load(text, yaml.CSafeLoader)["spec"]
        if definition["names"]["kind"] != "ModelDeployment":
            continue
        (version,) = definition["versions"]
        schema = version["schema"]["openAPIV3Schema"]
        shorts = ", ".join(f"`{short}`" for short in definition["names"]["shortNames"])
        parts += [
            f"## {definition['names']['kind']}\n",
            f"`{definition['names']['plural']}.{definition['group']}`, {version['name']}, for short {shorts}."
            f" {schema['description']}\n",
        ]
        for part in ("spec", "status"):
            if part not in schema["properties"]:
                continue
            rows = list(_fields(part, schema["properties"][part]))
            parts += [
                f"### {definition['names']['kind']}: {part}\n",
                _table(("field", "form", "meaning"), rows),
            ]
        rules = [(f"`{path}`", message) for path, message in _rules("", schema)]
        if rules:
            parts += [
                f"### {definition['names']['kind']}: rules\n",
                "The API server refuses an object that breaks one of these, with this message.\n",
                _table(("field", "rule"), sorted(set(rules))),
            ]
    return "\n".join(parts)


def reasons() -> str:
    """Every word that says why."""
    parts = [
        NOTE,
        "# Reasons\n",
        "They stand in conditions, in `status.candidates`, in warnings and in events. What to do about each is in",
        "[troubleshooting](../troubleshooting.md).\n",
        "A ModelDeployment always has the conditions "
        + ", ".join(f"`{condition}`" for condition in ConditionType)
        + "; `Unknown` means that it has not been looked at.\n",
    ]
    for about in About:
        rows = [(f"`{reason.value}`", reason.meaning) for reason in Reason if reason.about is about]
        if rows:
            parts += [f"## {about.value}\n", _table(("reason", "meaning"), rows)]
    parts += [
        "## Estimates\n",
        "In `reasons` of `pillion estimate`: why the engine would not start ([the command](../commands.md)).\n",
        _table(("reason", "meaning"), [(f"`{verdict.value}`", verdict.meaning) for verdict in Verdict]),
    ]
    return "\n".join(parts)


def settings() -> str:
    """The operator's environment variables."""
    rows = []
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        variables = list(alias.choices) if isinstance(alias, AliasChoices) else [f"PILLION_{name.upper()}"]
        default = "" if field.default is None else f"`{str(field.default).lower()}`"
        rows.append(
            (" or ".join(f"`{variable}`" for variable in variables), default, field.description or "")
        )
    return "\n".join(
        (
            NOTE,
            "# Settings of the operator\n",
            "Environment variables of `pillion run`. The chart's values set them.\n",
            _table(("variable", "default", "meaning"), rows),
        )
    )


def metrics() -> str:
    """What `/metrics` of the operator has."""
    rows = []
    for metric in Metrics().registry.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        rows.append((f"`{name}`", metric.type, metric.documentation))
    return "\n".join(
        (
            NOTE,
            "# Metrics of the operator\n",
            "Prometheus text on port 8080, path `/metrics`.\n",
            _table(("metric", "type", "meaning"), sorted(rows)),
        )
    )


def quality_of_weights() -> str:
    """What each form of weights is expected to lose, and who says so."""
    rows = [
        (
            wording.weights_name(row.scheme),
            str(row.bits),
            "yes" if row.calibrated else "no",
            f"from {row.parameters_from / 1e9:g} billion" if row.parameters_from else "all",
            f"{row.loss_permille / 10:g} %",
            row.basis.value,
            row.source,
        )
        for row in quality.rows()
    ]
    beside = [
        f"- {what}: {fact.value / 10:g} % ({fact.basis.value}: {fact.source})."
        for what, fact in (
            ("An 8-bit KV cache that the checkpoint does not ask for, beside that", quality.KV_CACHE_LOSS),
            ("What no row knows", quality.UNKNOWN_LOSS),
        )
    ]
    return "\n".join(
        (
            NOTE,
            "# What quantization costs",
            "",
            "The planner's table of quality, as a share of a benchmark's score. It is an order more than a measure: it",
            "decides which of two candidates comes first. `Published` has a source for the number or its place in the",
            "order, `Assumed` is ours. [Planning](../planning.md) says where it is used.",
            "",
            _table(("weights", "bits", "calibrated", "parameters", "loss", "basis", "source"), rows),
            *beside,
            "",
        )
    )


def _fields(path: str, schema: Schema) -> Iterator[tuple[str, str, str]]:
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}"
        required = " Required." if name in schema.get("required", ()) else ""
        yield f"`{here}`", _form(field), field.get("description", "") + required
        item = field.get("items", {})
        if "properties" in item:
            yield from _fields(f"{here}[]", item)
        yield from _fields(here, field)


def _form(field: Schema) -> str:
    form = str(field.get("type", "any"))
    if form == "array":
        form = f"list of {field['items'].get('type', 'any')}"
    if "enum" in field:
        form = " \\| ".join(str(choice) for choice in field["enum"])
    if field.get("x-kubernetes-int-or-string"):
        form = "quantity"
    lowest, highest = field.get("minimum"), field.get("maximum")
    if lowest is not None and highest is not None:
        form += f", {lowest} to {highest}"
    elif lowest is not None:
        form += f", at least {lowest}"
    if "default" in field and not isinstance(field["default"], dict):
        form += (
            f"; default `{str(field['default']).lower() if field['type'] == 'boolean' else field['default']}`"
        )
    return form


def _rules(path: str, schema: Schema) -> Iterator[tuple[str, str]]:
    for rule in schema.get("x-kubernetes-validations", ()):
        yield (path + rule.get("fieldPath", "")).lstrip(".") or "metadata.name", rule.get("message", "")
    for name, field in schema.get("properties", {}).items():
        yield from _rules(f"{path}.{name}", field)
    if isinstance(schema.get("items"), dict):
        yield from _rules(f"{path}[]", schema["items"])


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(head)
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(' '.join(cell.split()) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"
