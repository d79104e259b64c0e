"""What is answered to a question about one model on one accelerator."""

from typing import Any

import pytest

from pillion import sizing
from pillion.sizing import EstimateRequest, Verdict
from tests.unit.facts import checkpoints

GIB = 2**30


def ask(**question: Any) -> sizing.Estimate:
    question.setdefault("model", checkpoints.llama_8b())
    return sizing.estimate(EstimateRequest(**question))


def test_a_model_without_an_accelerator_has_weights_and_a_size_of_tokens() -> None:
    found = ask()
    assert found.weights_bytes == pytest.approx(14.99 * GIB, rel=0.001)
    assert found.kv_bytes_per_token == 131_072
    assert found.fits is None
    assert found.kv_cache_tokens is None


def test_a_given_kv_cache_needs_no_accelerator() -> None:
    found = ask(kv_cache_memory_bytes=GIB, max_model_len=4096)
    assert found.kv_cache_tokens == 8192  # as the engine prints it: with the one block that is never usable
    assert found.fits


@pytest.mark.parametrize(
    ("memory_gib", "context", "verdict"),
    [
        pytest.param(79, 8192, None, id="room to spare"),
        pytest.param(22, 131_072, Verdict.CONTEXT_DOES_NOT_FIT, id="too long a request"),
        pytest.param(16, 1024, Verdict.WEIGHTS_EXCEED_MEMORY, id="too small a card"),
    ],
)
def test_a_verdict_has_its_reason(memory_gib: int, context: int, verdict: Verdict | None) -> None:
    found = ask(gpu_memory_bytes=memory_gib * GIB, max_model_len=context)
    assert found.fits is (verdict is None)
    assert [finding.reason for finding in found.reasons] == ([verdict] if verdict else [])


@pytest.mark.parametrize(
    "nonsense",
    [
        {"tensor_parallel": 0},
        {"gpu_memory_bytes": -1},
        {"gpu_memory_utilization": 1.2},
        {"max_model_len": 0},
        {"engine": "ollama"},
    ],
    ids=str,
)
def test_nonsense_is_refused_with_what_is_accepted(nonsense: dict[str, Any]) -> None:
    with pytest.raises(sizing.SizingError, match=r"it is|estimates are made"):
        ask(**nonsense)
