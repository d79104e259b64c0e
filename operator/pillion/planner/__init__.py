"""Candidates and policies in, one plan and every rejected candidate with its reason out."""

from pillion.planner.model import (
    Device,
    MemoryBudget,
    NotPlanned,
    Outcome,
    Plan,
    Planned,
    PlanRequest,
    Rejected,
    TargetShape,
    Warned,
)
from pillion.planner.resources import container_sizes
from pillion.planner.serialization import plan_from_json, plan_to_json
from pillion.planner.targets import rollout_surge, target_shape
from pillion.planner.together import plan
from pillion.planner.unsupported import unsupported

__all__ = [
    "Device",
    "MemoryBudget",
    "NotPlanned",
    "Outcome",
    "Plan",
    "PlanRequest",
    "Planned",
    "Rejected",
    "TargetShape",
    "Warned",
    "container_sizes",
    "plan",
    "plan_from_json",
    "plan_to_json",
    "rollout_surge",
    "target_shape",
    "unsupported",
]
