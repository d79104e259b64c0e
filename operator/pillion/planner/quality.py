"""How much of a model's answers does a quantization cost?

The table is an order more than a measure: it decides which of two candidates comes first. `quality.csv` has a
source beside each row; what no row knows loses as much as the worst that one knows.
"""

import csv
import functools
from dataclasses import dataclass
from importlib import resources
from typing import Final

from pillion.facts import Basis, Fact

KV_CACHE_LOSS: Final = Fact(
    value=3,
    unit="permille",
    basis=Basis.ASSUMED,
    source="one step behind an FP8 checkpoint: nobody chose scales for these keys and values",
    holds_for="FP8 keys and values that the checkpoint does not ask for",
)
UNKNOWN_LOSS: Final = Fact(
    value=200,
    unit="permille",
    basis=Basis.ASSUMED,
    source="behind every row of the table: what nobody has measured comes last",
)
_FEWEST_BITS_KNOWN = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """What one form of weights loses in models of one size."""

    scheme: str
    bits: int
    calibrated: bool
    parameters_from: int
    loss_permille: int
    basis: Basis
    source: str


@functools.cache
def rows() -> tuple[Row, ...]:
    """The table, as it stands in the file."""
    text = resources.files("pillion.planner").joinpath("quality.csv").read_text(encoding="utf-8")
    return tuple(_row(line, row) for line, row in enumerate(csv.DictReader(text.splitlines()), start=2))


def _row(line: int, row: dict[str, str]) -> Row:
    if not row["source"].strip():
        raise ValueError(f"quality.csv, line {line}: a number without a source is a rumour")
    return Row(
        scheme=row["scheme"],
        bits=int(row["bits"]),
        calibrated=row["calibrated"] == "yes",
        parameters_from=int(row["parameters_from"]),
        loss_permille=int(row["loss_permille"]),
        basis=Basis(row["basis"]),
        source=row["source"],
    )


@functools.cache
def _table() -> dict[tuple[str, int, bool], tuple[tuple[int, int], ...]]:
    """Rows by scheme, bits and calibration: (parameters from, loss), largest models first."""
    table: dict[tuple[str, int, bool], list[tuple[int, int]]] = {}
    for row in rows():
        key = (row.scheme, row.bits, row.calibrated)
        table.setdefault(key, []).append((row.parameters_from, row.loss_permille))
    return {key: tuple(sorted(found, reverse=True)) for key, found in table.items()}


def loss_permille(
    scheme: str, *, bits: int, calibrated: bool, parameters: int | None, kv_cache_quantized: bool
) -> int:
    """What is expected to be lost of a benchmark's score, in thousandths of it.

    Args:
        scheme: the quantization's label.
        bits: of a weight; below 4 every scheme loses far more.
        calibrated: whether it was made with sample data.
        parameters: of the model; None counts as a small one.
        kv_cache_quantized: whether keys and values are 8 bit without the checkpoint asking for it.
    """
    known = _table().get((scheme, bits, calibrated), ())
    unknown = round(UNKNOWN_LOSS.value) * max(1, 1 + _FEWEST_BITS_KNOWN - bits)
    loss = next((loss for start, loss in known if (parameters or 0) >= start), unknown)
    return loss + (round(KV_CACHE_LOSS.value) if kv_cache_quantized else 0)
