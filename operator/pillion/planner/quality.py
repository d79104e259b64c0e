"""How much of a model's answers does a quantization cost?

The table is an order more than a measure: it decides which of two candidates comes first. `quality.csv` has a
source beside each row; what no row knows loses as much as the worst that one knows.
"""

import csv
import functools
from importlib import resources

from pillion.facts import Basis

_UNKNOWN_LOSS = 100
_KV_CACHE_LOSS = 3  # permille; FP8 keys and values without the checkpoint's own scales. ASSUMED


@functools.cache
def _table() -> dict[tuple[str, bool], tuple[tuple[int, int], ...]]:
    """Rows by scheme and calibration: (parameters from, loss), largest models first."""
    text = resources.files("pillion.planner").joinpath("quality.csv").read_text(encoding="utf-8")
    table: dict[tuple[str, bool], list[tuple[int, int]]] = {}
    for line, row in enumerate(csv.DictReader(text.splitlines()), start=2):
        if not row["source"].strip():
            raise ValueError(f"quality.csv, line {line}: a number without a source is a rumour")
        Basis(row["basis"])
        key = (row["scheme"], row["calibrated"] == "yes")
        table.setdefault(key, []).append((int(row["parameters_from"]), int(row["loss_permille"])))
    return {key: tuple(sorted(rows, reverse=True)) for key, rows in table.items()}


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
    rows = _table().get((scheme, calibrated), ())
    loss = next((row_loss for start, row_loss in rows if (parameters or 0) >= start), _UNKNOWN_LOSS)
    if scheme not in {"None"} and bits < 4:
        loss = _UNKNOWN_LOSS * (5 - bits)
    if scheme == "GPTQ" and bits == 8:
        loss = 2
    return loss + (_KV_CACHE_LOSS if kv_cache_quantized else 0)
