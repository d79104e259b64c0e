"""What is known of an accelerator product: memory, compute capability, and what clouds call it?

`gpus.csv` is the table, a source beside each row. `label_mib` is what GPU Feature Discovery writes into
`nvidia.com/gpu.memory`, `framework_mib` the total that an engine has seen on such a card (the lowest, where
several were seen). `reserve.csv` says what to expect of cards that nobody has looked at.
"""

import csv
import difflib
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources

MIB = 2**20

# A label further from the table's than this is another card (a slice, a virtual GPU) by the same name.
_SAME_CARD_WITHIN = Fraction(3, 100)


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuModel:
    """One row of the table."""

    product: str  # as GPU Feature Discovery spells it
    vendor: str
    label_mib: int
    framework_mib: int | None
    compute_capability: tuple[int, int] | None
    verified: bool  # False: no log or device dump has shown this card's memory
    cloud_labels: frozenset[str]  # "gke=nvidia-l4", "karpenter=l4"
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class UsableMemory:
    """The memory that a framework sees of one accelerator, and how that was found."""

    bytes: int
    source: str
    verified: bool


@functools.cache
def known() -> tuple[GpuModel, ...]:
    """All rows of the table."""
    return tuple(_rows())


def by_product(product: str) -> GpuModel | None:
    """The row of a product name."""
    return next((row for row in known() if row.product == product), None)


def by_cloud_label(label: str) -> GpuModel | None:
    """The row of what a cloud calls it ("gke=nvidia-l4"), or None where that is nobody's name."""
    return next((row for row in known() if label in row.cloud_labels), None)


def nearest_names(product: str) -> tuple[str, ...]:
    """Up to three known product names that contain this one or look like it, for a helping message."""
    names = sorted(row.product for row in known())
    containing = [name for name in names if product.lower() in name.lower().split("-")]
    return tuple(containing[:3] or difflib.get_close_matches(product, names, n=3, cutoff=0.5))


def usable_memory(product: str, *, label_mib: int) -> UsableMemory:
    """What a framework sees of a card whose label says `label_mib`.

    Where the card is known, the difference between label and framework is taken from it: drivers change the
    label by a few hundred MiB, and the reserve hardly. Otherwise a fraction by size, the lowest seen.
    """
    row = by_product(product)
    if row is not None and row.framework_mib is not None:
        difference = abs(label_mib - row.label_mib)
        if difference <= row.label_mib * _SAME_CARD_WITHIN:
            reserved = row.label_mib - row.framework_mib
            return UsableMemory(
                bytes=(label_mib - reserved) * MIB,
                source=f"label {label_mib} MiB less {reserved} MiB that the driver keeps",
                verified=row.verified,
            )
    fraction = _expected_fraction(label_mib)
    return UsableMemory(
        bytes=label_mib * MIB * fraction.numerator // fraction.denominator,
        source=f"label {label_mib} MiB x {float(fraction):.3f}, the share seen on cards of this size",
        verified=False,
    )


def _expected_fraction(label_mib: int) -> Fraction:
    for limit, fraction in _reserve_table():
        if label_mib <= limit:
            return fraction
    return _reserve_table()[-1][1]


@functools.cache
def _reserve_table() -> tuple[tuple[int, Fraction], ...]:
    return tuple((int(row["up_to_label_mib"]), Fraction(row["fraction"])) for row in _read("reserve.csv"))


def _rows() -> Iterator[GpuModel]:
    for row in _read("gpus.csv"):
        major, _, minor = row["compute_capability"].partition(".")
        yield GpuModel(
            product=row["product"],
            vendor=row["vendor"],
            label_mib=int(row["label_mib"]),
            framework_mib=int(row["framework_mib"]) if row["framework_mib"] else None,
            compute_capability=(int(major), int(minor)) if major else None,
            verified=row["verified"] == "yes",
            cloud_labels=frozenset(row["cloud_labels"].split()),
            source=row["source"],
        )


def _read(name: str) -> list[dict[str, str]]:
    text = resources.files("pillion.hardware").joinpath(name).read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    for number, row in enumerate(rows, start=2):
        if not row["source"].strip():
            raise ValueError(f"{name}, line {number}: a number without a source is a rumour")
    return rows
