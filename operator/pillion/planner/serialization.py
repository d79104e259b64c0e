"""How is a plan kept, and read again by a later version?

As JSON with sorted keys: the same plan is the same text. A text that this version cannot read is an error, not a
guess; whoever reads it makes a new plan.
"""

import dataclasses
import json
from typing import Any

from pillion.planner.model import Device, MemoryBudget, Plan

_LISTS = ("node_requirements", "tolerations")


def plan_to_json(plan: Plan) -> str:
    """The plan as compact JSON."""
    return json.dumps(
        {**_fields(plan), "memory": _fields(plan.memory)}, sort_keys=True, separators=(",", ":")
    )


def plan_from_json(text: str) -> Plan:
    """The plan that a text holds.

    Raises:
        ValueError: the text is no plan of this version.
    """
    values = json.loads(text)
    if not isinstance(values, dict):
        raise ValueError(f"a plan is a JSON object, not {type(values).__name__}")
    try:
        return Plan(**_restored(values))
    except (TypeError, KeyError) as error:
        raise ValueError(f"this is no plan of this version: {error}") from error


def _fields(value: Plan | MemoryBudget) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _restored(values: dict[str, Any]) -> dict[str, Any]:
    return {
        **values,
        "device": Device(values["device"]),
        "memory": MemoryBudget(**values["memory"]),
        **{name: tuple(values[name]) for name in _LISTS},
    }
