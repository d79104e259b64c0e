"""How much memory does a hardware slice (MIG) of a card have?

`mig_profiles.csv` lists the profiles that each card can be cut into. A label says the exact memory
(`nvidia.com/mig-1g.5gb.memory`, or `nvidia.com/gpu.memory` where the strategy is single); the table stands in where
there is none.
"""

import functools
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from pillion.hardware import tables

RESOURCE_PREFIX: Final = "nvidia.com/mig-"

# Labels over nominal size: A100 1g.5gb 4,864 of 5,120 MiB and 1g.10gb 9,728 of 10,240 (0.950), 2g.20gb 19,968 of
# 20,480 (0.975), 3g.40gb 40,192 of 40,960 (0.981): node labels in public repositories. The lowest share stands for all.
_SHARE_OF_NOMINAL: Final = Fraction(95, 100)


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One way to cut a slice from a card."""

    name: str  # "1g.5gb"
    nominal_gb: int
    cards: frozenset[str]  # products that can be cut so
    source: str

    @property
    def label_mib(self) -> int:
        """What a label would say at least."""
        return self.nominal_gb * 1024 * _SHARE_OF_NOMINAL.numerator // _SHARE_OF_NOMINAL.denominator


@functools.cache
def known() -> tuple[Profile, ...]:
    """All rows of the table."""
    return tuple(
        Profile(
            name=row["profile"],
            nominal_gb=int(row["nominal_gb"]),
            cards=frozenset(row["cards"].split()),
            source=row["source"],
        )
        for row in tables.rows("mig_profiles.csv")
    )


def of_card(card: str) -> tuple[Profile, ...]:
    """The profiles that a card can be cut into."""
    return tuple(profile for profile in known() if card in profile.cards)


def profile(card: str, name: str) -> Profile | None:
    """A card's profile by its name."""
    return next((each for each in of_card(card) if each.name == name), None)
