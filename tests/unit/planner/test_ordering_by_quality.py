"""The table of what quantizations lose keeps the order that its sources have."""

import pytest

from pillion import engines
from pillion.facts import Basis
from pillion.planner import quality

BILLION = 10**9


def loss(
    scheme: str,
    *,
    bits: int = 4,
    calibrated: bool = True,
    parameters: int | None = 8 * BILLION,
    kv: bool = False,
) -> int:
    return quality.loss_permille(
        scheme, bits=bits, calibrated=calibrated, parameters=parameters, kv_cache_quantized=kv
    )


def test_16_bit_loses_nothing_and_8_bit_less_than_4() -> None:
    assert loss("None", bits=16) == 0
    assert 0 < loss("FP8", bits=8) < loss("INT8", bits=8) < loss("AWQ") < loss("NVFP4")


@pytest.mark.parametrize("scheme", ["AWQ", "GPTQ", "W4A16", "NVFP4"])
def test_small_models_lose_more(scheme: str) -> None:
    assert loss(scheme, parameters=BILLION) > loss(scheme) > loss(scheme, parameters=70 * BILLION)


def test_a_size_that_is_not_known_counts_as_small() -> None:
    assert loss("AWQ", parameters=None) == loss("AWQ", parameters=BILLION)


def test_made_while_loading_comes_after_a_checkpoint() -> None:
    assert loss("FP8", bits=8, calibrated=False) > loss("FP8", bits=8)


def test_what_nobody_knows_comes_last_and_fewer_bits_later_still() -> None:
    assert loss("from-tomorrow") >= max(
        loss(scheme, parameters=BILLION) for scheme in ("AWQ", "MXFP4", "W4A8")
    )
    assert loss("GPTQ", bits=2) > loss("GPTQ", bits=3) > loss("GPTQ", bits=4) > loss("GPTQ", bits=8)


def test_4_bit_made_while_loading_comes_after_every_calibrated_form() -> None:
    for parameters in (BILLION, 8 * BILLION, 70 * BILLION):
        made = loss("MXFP4", calibrated=False, parameters=parameters)
        assert made > max(
            loss(scheme, parameters=parameters) for scheme in ("AWQ", "GPTQ", "W4A16", "NVFP4", "MXFP4")
        )


def test_every_form_that_the_engine_loads_has_a_row_and_every_row_a_source() -> None:
    profile = engines.profile("vLLM")
    known = {(row.scheme, row.calibrated) for row in quality.rows()}
    assert {(label, True) for label in profile.minimum_capability} <= known
    assert {(label, False) for label in profile.on_the_fly} <= known
    assert all(
        row.basis is Basis.ASSUMED or "arXiv" in row.source or row.bits == 16 for row in quality.rows()
    )


def test_an_8_bit_kv_cache_that_nobody_declared_costs_something() -> None:
    assert loss("None", bits=16, kv=True) > loss("None", bits=16)
