"""Are quantities read as Kubernetes reads them?"""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pillion.api import quantities

# By hand, from the rules in the documentation of apimachinery's resource.Quantity.
READ = [
    ("0", "0"), ("2", "2"), ("500m", "0.5"), ("1.5", "1.5"), (".5", "0.5"), ("5.", "5"), ("100n", "0.0000001"),
    ("3u", "0.000003"), ("1k", "1000"), ("2M", "2000000"), ("1G", "1000000000"), ("1Ki", "1024"),
    ("16Gi", "17179869184"), ("1.5Gi", "1610612736"), ("1Ei", "1152921504606846976"), ("12e6", "12000000"),
    ("1E3", "1000"), ("1E", "1000000000000000000"), ("5e-1", "0.5"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), READ)
def test_a_quantity_is_read_exactly(text: str, expected: str) -> None:
    assert quantities.parse(text) == Decimal(expected)


@pytest.mark.parametrize(
    "text", ["", "-1", "16 Gi", "16GB", "1K", "1gi", "e3", "1e", "0x10", "1Gi\n", "1e1.5", "٣"]
)
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity; write it as 500m, 2 or 16Gi"):
        quantities.parse(text)


@given(st.text(alphabet="0123456789.mkKMGTPEinue+-", max_size=8))
def test_the_schemas_pattern_lets_through_what_is_read(text: str) -> None:
    assert (quantities.parse_or_none(text) is not None) == (re.search(quantities.PATTERN, text) is not None)
