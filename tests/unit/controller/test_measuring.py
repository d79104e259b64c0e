"""What the operator's own metrics show."""

from typing import Any

from pillion.controller.metrics import Metrics

RATIO = "pillion_kv_cache_tokens_ratio"
WHERE = {"namespace": "shop", "name": "chat", "product": "NVIDIA-L4"}


def status(*, tokens: int | None, planned: int | None, product: str | None = "NVIDIA-L4") -> dict[str, Any]:
    observed = {"kvCacheTokens": tokens, "plannedKvCacheTokens": planned}
    return {
        "plan": {} if product is None else {"product": product},
        "observed": {key: value for key, value in observed.items() if value is not None},
    }


def ratio(metrics: Metrics, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(RATIO, {**WHERE, **labels})


def test_the_engine_is_compared_with_its_plan() -> None:
    metrics = Metrics()
    metrics.kv_cache_of("shop", "chat", status(tokens=90_000, planned=100_000))
    assert ratio(metrics) == 0.9


def test_nothing_is_shown_where_an_engine_or_its_plan_says_nothing() -> None:
    metrics = Metrics()
    for tokens, planned in ((None, 100), (100, None), (0, 100)):
        metrics.kv_cache_of("shop", "chat", status(tokens=tokens, planned=planned))
        assert ratio(metrics) is None


def test_an_engine_that_is_gone_is_shown_no_more() -> None:
    metrics = Metrics()
    metrics.kv_cache_of("shop", "chat", status(tokens=90, planned=100))
    metrics.kv_cache_of("shop", "chat", {})
    assert ratio(metrics) is None
    metrics.kv_cache_of("shop", "chat", status(tokens=90, planned=100))
    metrics.forget("shop", "chat")
    metrics.forget("shop", "chat")
    assert ratio(metrics) is None


def test_another_product_takes_the_place_of_the_one_before() -> None:
    metrics = Metrics()
    metrics.kv_cache_of("shop", "chat", status(tokens=90, planned=100))
    metrics.kv_cache_of("shop", "chat", status(tokens=100, planned=100, product=None))
    assert ratio(metrics) is None
    assert ratio(metrics, product="CPU") == 1.0
