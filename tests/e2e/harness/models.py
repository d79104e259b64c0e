"""How is a model asked for, and when is it there?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.e2e.harness.application import NAME as APPLICATION
from tests.e2e.harness.application import condition
from tests.e2e.harness.waiting import NotYet, until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.e2e.harness.cluster import Sight, Space, Watch

Raw = dict[str, Any]

KIND = "modeldeployments.pillion.dev"
SIDECAR = "modelsidecars.pillion.dev"
ALL_CONDITIONS = ("Planned", "Injected", "ModelReady", "Ready")
SERVE_SECONDS = 120

# What the stand-in needs; a real model's needs are computed.
SMALL = {
    "requests": {"cpu": "50m", "memory": "128Mi"},
    "limits": {"cpu": "1", "memory": "512Mi"},
}


def model_deployment(name: str, *, repo: str, **spec: Any) -> Raw:
    """A ModelDeployment beside the example application, small enough for many of them on one machine."""
    wanted = {
        "model": {"repo": repo},
        "targetRef": {"name": APPLICATION},
        "serving": {"contextLength": 1024, "concurrency": 1},
        "engine": {"resources": SMALL},
        **spec,
    }
    return {
        "apiVersion": "pillion.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {key: value for key, value in wanted.items() if value is not None},
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """A ModelDeployment in a namespace."""

    space: Space
    name: str = "chat"

    @property
    def container(self) -> str:
        """The engine's container."""
        return f"pillion-{self.name}"

    def apply(self, *, repo: str, **spec: Any) -> None:
        """Ask for it."""
        self.space.apply(model_deployment(self.name, repo=repo, **spec))

    def change(self, **spec: Any) -> None:
        """Change some fields of its spec."""
        self.space.patch(KIND, self.name, {"spec": spec})

    def delete(self) -> None:
        """Delete it, and wait until it is gone."""
        self.space.delete(KIND, self.name)

    def await_no_sidecar(self) -> None:
        """Wait until garbage collection has taken its ModelSidecar."""

        def look() -> None:
            if self.space.get(SIDECAR, self.name) is not None:
                raise NotYet("it is there")

        until(f"ModelSidecar {self.name} to be gone", look, seconds=60, more=self.space.circumstances)

    def await_serving_pods(self, number: int) -> None:
        """Wait until status counts that many pods that serve, of as many that are wanted."""

        def look() -> None:
            counted = self.object().get("status", {}).get("pods", {})
            if counted.get("summary") != f"{number}/{number}":
                raise NotYet(f"status.pods {counted}")

        until(f"{number} pods to serve", look, seconds=SERVE_SECONDS, more=self.space.circumstances)

    def object(self) -> Raw:
        """It, as it is now."""
        return self.space.the(KIND, self.name)

    def condition(self, kind: str) -> Raw:
        """One of its conditions."""
        return condition(self.object(), kind)

    def await_condition(
        self,
        kind: str = "Ready",
        status: str = "True",
        *,
        reason: str | Sequence[str] = (),
        seconds: float = SERVE_SECONDS,
    ) -> Raw:
        """The object, once a condition that was written for its present generation is as wanted."""
        reasons = (reason,) if isinstance(reason, str) else tuple(reason)

        def look() -> Raw:
            found = self.object()
            if stands(found, kind, status, reasons=reasons):
                return found
            shown = {
                entry["type"]: f"{entry['status']} {entry['reason']}: {entry['message']}"
                for entry in found.get("status", {}).get("conditions", ())
            }
            raise NotYet(f"generation {found['metadata']['generation']}, conditions {shown}")

        wanted = f"{kind}={status}" + (f" ({' or '.join(reasons)})" if reasons else "")
        return until(
            f"ModelDeployment {self.name} to have {wanted}",
            look,
            seconds=seconds,
            more=self.space.circumstances,
        )

    def when(self, watch: Watch, kind: str, status: str, *, generation: int, seconds: float) -> Sight:
        """The first moment in a watch at which a condition of a generation was as wanted."""

        def look() -> Sight:
            return watch.first(
                sight
                for sight in watch.sights
                if sight.object["metadata"]["generation"] == generation and stands(sight.object, kind, status)
            )

        return until(
            f"ModelDeployment {self.name} to have {kind}={status}",
            look,
            seconds=seconds,
            more=self.space.circumstances,
        )


def stands(found: Raw, kind: str, status: str, *, reasons: Sequence[str] = ()) -> bool:
    """Whether a condition is as wanted, and speaks of the present generation."""
    shown = condition(found, kind)
    return (
        shown.get("status") == status
        and shown.get("observedGeneration") == found["metadata"]["generation"]
        and (not reasons or shown.get("reason") in reasons)
    )
