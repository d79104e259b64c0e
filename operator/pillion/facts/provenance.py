"""Where does a number come from?

A number that somebody measured, fitted or assumed is a `Fact`: it can be printed, tested and questioned.
What follows from other facts is written as a formula of them, and is no `Fact` itself.
"""

from dataclasses import dataclass
from enum import StrEnum


class Basis(StrEnum):
    """How a number came to be known, from the firmest to the softest."""

    PUBLISHED = "Published"  # the engine's source or its documentation says so
    MEASURED = "Measured"  # read from one or more runs
    FITTED = "Fitted"  # chosen so that a formula agrees with several runs
    ASSUMED = "Assumed"  # a guess on the safe side; it tells what to measure next


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """A number with its unit and its source."""

    value: float
    unit: str
    basis: Basis
    source: str
    holds_for: str = "everything"

    def __post_init__(self) -> None:
        for name in ("unit", "source", "holds_for"):
            if not str(getattr(self, name)).strip():
                raise ValueError(f"a Fact needs its {name}: a number without one is a rumour")
