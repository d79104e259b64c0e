"""Which numbers does the operator give to Prometheus?"""

from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

__all__ = ["Metrics"]


class Metrics:
    """The operator's own metrics, in a registry of its own so that two operators can run in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.duration = Histogram(
            "pillion_reconcile_duration_seconds",
            "How long one look at a ModelDeployment took.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self.failed = Counter(
            "pillion_reconcile_errors_total",
            "Looks that ended with an error of the API server.",
            registry=self.registry,
        )
        self.due = Gauge(
            "pillion_queue_due", "ModelDeployments that are due or worked on.", registry=self.registry
        )
        self.waiting = Gauge(
            "pillion_queue_waiting",
            "ModelDeployments that wait for something without events.",
            registry=self.registry,
        )
        self.leader = Gauge("pillion_leader", "1 where this operator leads.", registry=self.registry)
        self.kv_cache = Gauge(
            "pillion_kv_cache_tokens_ratio",
            "Tokens that an engine reports for its KV cache, as a share of those that its plan expected.",
            ("namespace", "name", "product"),
            registry=self.registry,
        )
        self._products: dict[tuple[str, str], str] = {}  # of the ModelDeployments whose ratio is shown

    def kv_cache_of(self, namespace: str, name: str, status: Mapping[str, Any]) -> None:
        """Show how an engine's cache compares with its plan, or show nothing where no engine has said.

        Args:
            namespace: of the ModelDeployment.
            name: of the ModelDeployment.
            status: its status.
        """
        observed = status.get("observed") or {}
        tokens, planned = observed.get("kvCacheTokens"), observed.get("plannedKvCacheTokens")
        if not tokens or not planned:
            self.forget(namespace, name)
            return
        product = (status.get("plan") or {}).get("product") or "CPU"
        if self._products.get((namespace, name), product) != product:
            self.forget(namespace, name)
        self._products[namespace, name] = product
        self.kv_cache.labels(namespace, name, product).set(tokens / planned)

    def forget(self, namespace: str, name: str) -> None:
        """A ModelDeployment is gone, or its engines are."""
        product = self._products.pop((namespace, name), None)
        if product is not None:
            self.kv_cache.remove(namespace, name, product)

    def exposition(self) -> bytes:
        """The text that `/metrics` answers."""
        return generate_latest(self.registry)
