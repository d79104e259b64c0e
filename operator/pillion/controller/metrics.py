"""Which numbers does the operator give to Prometheus?"""

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

    def exposition(self) -> bytes:
        """The text that `/metrics` answers."""
        return generate_latest(self.registry)
