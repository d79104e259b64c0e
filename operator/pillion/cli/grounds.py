"""Which numbers do plans rest on, and how well is each known?

Every module of the core keeps its numbers as facts with a source. They are found rather than listed, so that a new one
cannot be forgotten here.
"""

import importlib
import pkgutil
from dataclasses import dataclass

from pillion import hardware, planner, sizing
from pillion.facts import Basis, Fact
from pillion.planner import quality

__all__ = ["Ground", "about_plan", "all_grounds"]

_SOFTEST_FIRST = (Basis.ASSUMED, Basis.FITTED, Basis.MEASURED, Basis.PUBLISHED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """One number under its name."""

    name: str
    fact: Fact

    @property
    def is_about_cpu(self) -> bool:
        """Whether it counts for engines on CPU alone."""
        return self.name.startswith("cpu")


def all_grounds() -> tuple[Ground, ...]:
    """Every fact of the core, the softest first."""
    found: dict[str, Ground] = {}
    for package in (sizing, planner, hardware):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for name, value in vars(importlib.import_module(module.name)).items():
                if isinstance(value, Fact):
                    found[name] = Ground(name=name.lower().replace("_", " "), fact=value)
    return tuple(
        sorted(found.values(), key=lambda ground: (_SOFTEST_FIRST.index(ground.fact.basis), ground.name))
    )


def about_plan(plan: planner.Plan) -> tuple[str, ...]:
    """What the choice of a plan rests on beside the memory model: the accelerator's memory, the quality table's row."""
    sentences = []
    gpu = hardware.gpus.find(plan.product) if plan.product is not None else None
    if gpu is not None:
        seen = "seen on such a card" if gpu.verified else "not seen on such a card yet"
        sentences.append(f"Memory of {gpu.product}, {seen}: {gpu.source}")
    if plan.memory.unverified:
        sentences.append(
            "The estimate is unverified: no log of this hardware, or of this kind of model, was compared with the "
            "memory model."
        )
    row = next(
        (
            row
            for row in sorted(quality.rows(), key=lambda row: -row.parameters_from)
            if (row.scheme, row.bits, row.calibrated) == (plan.quantization, plan.bits, plan.calibrated)
        ),
        None,
    )
    if row is not None:
        sentences.append(f"Quality of {plan.quantization}, {row.basis.value.lower()}: {row.source}")
    return tuple(sentences)
