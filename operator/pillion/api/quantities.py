"""How much is `1500m`, `16Gi` or `2e3`?

Source: Kubernetes 1.36, apimachinery/pkg/api/resource/quantity.go: decimal numbers with a binary suffix (Ki
to Ei), a decimal one (n, u, m, k, M, G, T, P, E) or an exponent.
"""

import re
from decimal import Decimal
from typing import Final

PATTERN: Final = r"^([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?$"
_FORM: Final = re.compile(
    r"(?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?P<suffix>[KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?"
)
_FACTORS: Final[dict[str, Decimal]] = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{suffix: Decimal(1000**power) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(1024**power) for power, suffix in enumerate("KMGTPE", start=1)},
}


def parse_or_none(text: str) -> Decimal | None:
    """The exact value in base units (cores, bytes), or None where `text` is no quantity."""
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    number, suffix = Decimal(form["number"]), form["suffix"] or ""
    if suffix in _FACTORS:
        return number * _FACTORS[suffix]
    return number * Decimal(10) ** int(suffix[1:]) if suffix else number


def parse(text: str | int) -> Decimal:
    """The exact value in base units (cores, bytes).

    Raises:
        ValueError: `text` is no quantity.
    """
    value = parse_or_none(str(text))
    if value is None:
        raise ValueError(f"{text!r} is not a quantity; write it as 500m, 2 or 16Gi")
    return value
