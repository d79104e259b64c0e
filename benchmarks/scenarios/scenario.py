"""What is a scenario, and on what does it stand?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from benchmarks.acting import Eyes
from benchmarks.api import Api
from benchmarks.bench import Bench
from benchmarks.results import Outcome

OnCluster = Callable[[Bench, Api, Eyes], Awaitable[Outcome]]
Alone = Callable[[], Outcome]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """One situation that is measured.

    Attributes:
        name: how the command line calls it.
        about: what happens in it, as half a sentence.
        on_cluster: what is done on a control plane with an operator, or None.
        alone: what is done where the scenario starts what it needs itself, or None.
        by_default: whether it runs where no scenario is named; what takes many minutes does not.
    """

    name: str
    about: str
    on_cluster: OnCluster | None = None
    alone: Alone | None = None
    by_default: bool = True

    def __post_init__(self) -> None:
        if (self.on_cluster is None) == (self.alone is None):
            raise ValueError(f"scenario {self.name}: either on a cluster or alone")
