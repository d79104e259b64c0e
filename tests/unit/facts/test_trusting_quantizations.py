"""Another checkpoint stands in for a model only where it is the same model."""

import dataclasses
from typing import Any

import pytest

from pillion.facts import trusted
from tests.unit.facts import checkpoints

BASE = checkpoints.qwen3_8b()
AWQ = checkpoints.qwen3_8b_awq()


def test_the_same_model_in_4_bit_is_accepted() -> None:
    assert trusted.is_same_model(BASE, AWQ)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"vocab_size": 151_000}, id="another vocabulary"),
        pytest.param({"hidden_size": 2048}, id="another width"),
        pytest.param({"attention": dataclasses.replace(BASE.attention, layers=30)}, id="fewer layers"),
        pytest.param({"tokenizer_fingerprint": "another"}, id="another tokenizer"),
        pytest.param({"architecture": "Qwen2ForCausalLM"}, id="another architecture"),
        pytest.param({"quantization": None}, id="not quantized at all"),
    ],
)
def test_another_model_is_not(change: dict[str, Any]) -> None:
    assert not trusted.is_same_model(BASE, dataclasses.replace(AWQ, **change))


def test_a_tokenizer_that_nobody_can_compare_is_no_objection() -> None:
    assert trusted.is_same_model(BASE, dataclasses.replace(AWQ, tokenizer_fingerprint=None))
