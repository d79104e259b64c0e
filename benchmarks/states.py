"""What is true of an object? Small questions to what a watch showed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.api import Raw


def marker(target: Raw, name: str) -> str | None:
    """The revision that a Deployment's pod template is marked with."""
    annotations: Raw = target["spec"]["template"]["metadata"].get("annotations") or {}
    return annotations.get(f"model.pillion.dev/{name}")


def is_told(model: Raw) -> bool:
    """Whether the status answers the present spec, all of it."""
    return bool(
        model.get("status", {}).get("observedGeneration") == model["metadata"]["generation"]
        and condition(model, "Planned") == "True"
        and condition(model, "Injected") in {"True", "False"}
    )


def is_refused(model: Raw) -> bool:
    """Whether the status says that there is no plan for the present spec."""
    return bool(
        model.get("status", {}).get("observedGeneration") == model["metadata"]["generation"]
        and condition(model, "Planned") == "False"
    )


def is_ready(model: Raw) -> bool:
    """Whether the model serves everywhere."""
    return condition(model, "Ready") == "True"


def condition(model: Raw, kind: str) -> str | None:
    """Status of one condition."""
    conditions = model.get("status", {}).get("conditions") or []
    return next((entry["status"] for entry in conditions if entry["type"] == kind), None)


def is_observed(target: Raw) -> bool:
    """Whether the Deployment's controller has seen its present spec."""
    return bool(target.get("status", {}).get("observedGeneration") == target["metadata"]["generation"])
