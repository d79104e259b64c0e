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
]
