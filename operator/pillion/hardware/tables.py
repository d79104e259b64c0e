"""How is one of the hardware tables read?"""

import csv
from importlib import resources


def rows(name: str) -> list[dict[str, str]]:
    """All rows of a table beside this module.

    Raises:
        ValueError: a row has no source.
    """
    text = resources.files("pillion.hardware").joinpath(name).read_text(encoding="utf-8")
    found = list(csv.DictReader(text.splitlines()))
    for number, row in enumerate(found, start=2):
        if not row["source"].strip():
            raise ValueError(f"{name}, line {number}: a number without a source is a rumour")
    return found
