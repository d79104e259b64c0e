"""What is known of an accelerator product: memory, compute capability, and what clouds call it?

`gpus.csv` is the table, a source beside each row. `label_mib` is what GPU Feature Discovery writes into
`nvidia.com/gpu.memory`, `framework_mib` the total that an engine has seen on such a card (the lowest, where
several were seen). `reserve.csv` says what to expect of cards that nobody has looked at.
"""

import difflib
import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from pillion.hardware import mig, products, tables

MIB = 2**20

# A label further from the table's than this is another card (a slice, a virtual GPU) by the same name.
_SAME_CARD_WITHIN = Fraction(3, 100)

# What people leave out when they name a card.
_LEFT_OUT = ("NVIDIA-", "GeForce-", "Tesla-", "AMD-", "Intel-")


@dataclass(frozen=True, kw_only=True, slots=True)
class GpuModel:
    """One row of the table, or a slice or a share of such a card."""

    product: str  # as GPU Feature Discovery spells it, or the vendor's own labeller
    vendor: str
    label_mib: int
    framework_mib: int | None
    compute_capability: tuple[int, int] | None
    verified: bool  # False: no log or device dump has shown this card's memory
    cloud_labels: frozenset[str]  # "gke=nvidia-l4", "karpenter=l4"
    aliases: frozenset[str]  # shorter names that mean this card alone: "H100", "A100-80GB"
    source: str
    sliced: bool = False
    shared: bool = False


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


def find(name: str) -> GpuModel | None:
    """The card that a name means, or None where it is nobody's or several cards'.

    Accepted are the names of the table and of the label `nvidia.com/gpu.product`, with the suffixes that say slice
    (`-MIG-1g.5gb`) and share (`-SHARED`), in any case, and the same without the maker (L4, RTX-4090, H100). Of a
    name with a remark, "DGX Spark (GB10)", either part may be it.
    """
    outside, opened, inside = name.partition("(")
    if opened:
        return find(outside) or find(inside.partition(")")[0])
    named = products.parsed(name.strip().replace(" ", "-"))
    row = by_product(named.card) or _by_short_name(named.card)
    if row is None:
        return None
    named = replace(named, card=row.product)
    if named.profile is not None:
        cut = mig.profile(row.product, named.profile)
        if cut is None:
            return None
        row = replace(
            row, label_mib=cut.label_mib, framework_mib=None, verified=False, sliced=True, source=cut.source
        )
    return replace(row, product=named.name, shared=named.shared)


def nearest(name: str) -> tuple[str, ...]:
    """Up to three known product names that contain this one or look like it, for a helping message."""
    named = products.parsed(name.strip().replace(" ", "-"))
    row = by_product(named.card) or _by_short_name(named.card)
    if row is not None and named.profile is not None:
        return tuple(
            products.Product(card=row.product, profile=cut.name).name for cut in mig.of_card(row.product)[:3]
        )
    short = _short(named.card)
    shorts = {_short(each): row.product for row in known() for each in (row.product, *row.aliases)}
    containing = {product for each, product in shorts.items() if short in each.split("-")}
    alike = [shorts[each] for each in difflib.get_close_matches(short, sorted(shorts), n=6, cutoff=0.5)]
    return tuple(sorted(containing)[:3] or list(dict.fromkeys(alike))[:3])


def usable_bytes(gpu: GpuModel) -> int:
    """What a framework sees of the whole card or slice, by the table alone; a share's part is not taken off."""
    return usable_memory(gpu.product, label_mib=gpu.label_mib).bytes


def usable_memory(product: str, *, label_mib: int) -> UsableMemory:
    """What a framework sees of a card whose label says `label_mib`.

    A slice is seen whole (a 1g.5gb with a label of 4,864 MiB shows 4.75 GiB, a 2g.20gb with 19,968 shows 19.50: public
    out-of-memory messages of torch). Where a card is known, the difference between label and framework is taken from
    it: drivers change the label by a few hundred MiB, and the reserve hardly. Otherwise it is
    a fraction by size, the lowest seen.
    """
    named = products.parsed(product)
    if named.profile is not None:
        return UsableMemory(
            bytes=label_mib * MIB, source=f"a slice of {label_mib} MiB, seen whole", verified=False
        )
    row = by_product(named.card) or _by_short_name(named.card)
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
    return tuple(
        (int(row["up_to_label_mib"]), Fraction(row["fraction"])) for row in tables.rows("reserve.csv")
    )


def _by_short_name(name: str) -> GpuModel | None:
    """The one card that a name without its maker means."""
    short = _short(name)
    found = [row for row in known() if short in {_short(each) for each in (row.product, *row.aliases)}]
    return found[0] if len(found) == 1 else None


def _short(name: str) -> str:
    bare = name.replace("_", "-")
    for prefix in _LEFT_OUT:
        if bare.lower().startswith(prefix.lower()):
            bare = bare[len(prefix) :]
    return bare.lower()


def _rows() -> Iterator[GpuModel]:
    for row in tables.rows("gpus.csv"):
        major, _, minor = row["compute_capability"].partition(".")
        yield GpuModel(
            product=row["product"],
            vendor=row["vendor"],
            label_mib=int(row["label_mib"]),
            framework_mib=int(row["framework_mib"]) if row["framework_mib"] else None,
            compute_capability=(int(major), int(minor)) if major else None,
            verified=row["verified"] == "yes",
            cloud_labels=frozenset(row["cloud_labels"].split()),
            aliases=frozenset(row["aliases"].split()),
            source=row["source"],
        )
