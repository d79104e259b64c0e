"""How are results shown? A table for people, one JSON document for programs."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich import table as tables
from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.consumption import Machine
    from benchmarks.results import Load, Outcome, Requests


COLUMNS = 120  # in a file, whose width nobody knows


def as_json(machine: Machine, kubernetes_version: str, outcomes: Sequence[Outcome]) -> str:
    """For programs."""
    told = {
        "machine": asdict(machine),
        "kubernetes": kubernetes_version,
        "scenarios": [outcome.to_json() for outcome in outcomes],
    }
    return json.dumps(told, indent=2)


class Table:
    """For people: each scenario as soon as it was measured."""

    def __init__(self) -> None:
        self._console = Console()
        if not self._console.is_terminal:
            self._console = Console(width=COLUMNS)

    def head(self, machine: Machine, kubernetes_version: str) -> None:
        """On what it is measured."""
        self._console.print(
            f"{machine.cores} cores ({machine.processor}), {machine.memory_gib} GiB, Linux {machine.kernel}, "
            f"Python {machine.python}, Kubernetes {kubernetes_version} (etcd without fsync, all on this machine)"
        )

    def add(self, outcome: Outcome) -> None:
        """What one scenario came to."""
        self._console.print()
        self._console.print(_figures(outcome))
        notes = [*outcome.notes, _beside(outcome.load)]
        if outcome.requests is not None:
            notes.insert(0, f"requests for {outcome.requests.per}: {_told(outcome.requests)}")
        for note in notes:
            self._console.print(f"  {note}", highlight=False)


def _figures(outcome: Outcome) -> tables.Table:
    table = tables.Table(title=f"{outcome.scenario}: {outcome.about}", title_justify="left")
    table.add_column("measure", no_wrap=True)
    for column in ("Pillion", "floor", "x floor"):
        table.add_column(column, justify="right")
    for measure in outcome.measures:
        table.add_row(
            measure.name,
            _number(measure.value, measure.unit),
            "" if measure.floor is None else _number(measure.floor, measure.unit),
            "" if measure.ratio is None else f"{measure.ratio:.1f}",
        )
    return table


def _told(requests: Requests) -> str:
    listed = ", ".join(f"{count:.2f} {kind}" for kind, count in requests.counted.items()) or "none"
    apart = ", ".join(f"{count:.2f} {kind}" for kind, count in requests.apart.items()) or "none"
    return (
        f"{requests.total:.2f}, of which {requests.writes:.2f} writes ({listed})\n"
        f"  apart (leases, watches, events, dry runs): {apart}"
    )


def _beside(load: Load) -> str:
    return (
        f"load average {load.average_before:.1f} before, {load.average_after:.1f} after; "
        f"other processes took {load.others_cores:.2f} cores"
    )


def _number(value: float, unit: str) -> str:
    digits = 2 if value < 100 else 0
    return f"{value:,.{digits}f} {unit}".rstrip()
