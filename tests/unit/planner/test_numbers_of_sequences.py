"""How many sequences an engine is tried with."""

import pytest

from pillion.planner import sequences

GIB = 2**30


@pytest.mark.parametrize(
    ("wanted", "usable_gib", "tried"),
    [
        pytest.param(8, 73, (128, 64, 32, 16, 8), id="a large card"),
        pytest.param(8, 4, (64, 32, 16, 8), id="a small card, whose sampler would take too much"),
        pytest.param(20, 73, (128, 64, 32), id="none below what is wanted"),
        pytest.param(200, 4, (256,), id="more wanted than usual, whatever it takes"),
    ],
)
def test_numbers_that_are_tried(wanted: int, usable_gib: int, tried: tuple[int, ...]) -> None:
    # 151,936 words of 14 bytes each: a sequence takes 2.03 MiB, and 4 % of 4 GiB are 164 MiB.
    found = sequences.to_try(wanted, on_cpu=False, usable_bytes=usable_gib * GIB, vocab_size=151_936)
    assert found == tried


@pytest.mark.parametrize(("wanted", "tried"), [(1, (16,)), (17, (32,))])
def test_on_cpu_there_is_one_number(wanted: int, tried: tuple[int, ...]) -> None:
    assert sequences.to_try(wanted, on_cpu=True, usable_bytes=0, vocab_size=151_936) == tried
