"""What does a decision about one ModelDeployment depend on?

Everything that was read stands in a `World`; deciding is a function of it. What planning said for the present spec is
part of the world too: a plan is made once for a spec and then kept, so it is remembered rather than made again.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pillion import injection, planner
from pillion.api import names
from pillion.api.modeldeployment import ModelDeploymentSpec, UpdateStrategyType
from pillion.api.reasons import Reason
from pillion.controller.briefs import controller_of
from pillion.controller.engine import EngineReport
from pillion.controller.store import Key
from pillion.facts import ModelFacts
from pillion.injection import Finding
from pillion.kube.resources import Resource

__all__ = ["Finding", "Proposal", "Proposed", "Refused", "World", "spec_hash"]

Raw = dict[str, Any]

# They say how and when, not what: a change of these needs no new plan.
NOT_PLANNED_WITH = ("suspend", "updateStrategy")

FAILED_HASH_ANNOTATION = f"{names.GROUP}/failed-spec-hash"
FAILED_MESSAGE_ANNOTATION = f"{names.GROUP}/failed-message"


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposed:
    """A plan for the present spec, and the ModelSidecar that would make it true."""

    plan_key: str
    planned: planner.Planned
    facts: ModelFacts
    sidecar: Raw
    warnings: tuple[Finding, ...] = ()
    obstacle: Finding | None = None  # why it cannot be injected beside this target


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    """There is no plan for the present spec."""

    plan_key: str
    reason: Reason
    message: str
    rejected: tuple[planner.Rejected, ...] = ()
    warnings: tuple[Finding, ...] = ()
    facts: ModelFacts | None = None


Proposal = Proposed | Refused


@dataclass(frozen=True, kw_only=True)  # no slots: what is asked for again and again is worked out once
class World:
    """What is known when a ModelDeployment is looked at."""

    key: Key
    deployment: Raw | None  # None: deleted, and what it left has to go
    spec: ModelDeploymentSpec | None = None
    sidecar: Raw | None = None
    target_resource: Resource | None = None
    target: Raw | None = None  # None where there is none yet, or pods opt in themselves
    marked: tuple[tuple[Resource, Raw], ...] = ()  # every workload that carries this model's marker
    pods: tuple[Raw, ...] = ()  # marked pods, whether they have the engine or not
    engines: Mapping[str, EngineReport] = field(default_factory=dict)  # by pod uid
    # Uids of the pods that were there when one was evicted; None while no replacement is being watched.
    evicted_beside: frozenset[str] | None = None
    config_maps: frozenset[str] = frozenset()  # the supervisors' ConfigMaps of the namespace
    asking: bool = False  # engines are asked for the first time: what they do will be known in a moment
    unreachable: frozenset[str] = frozenset()  # uids of pods whose supervisor has not answered for a while
    models_serve: Mapping[str, bool] = field(
        default_factory=dict
    )  # by pod uid: whether all of its models serve
    proposal: Proposal | None = None  # None: the ModelSidecar answers the spec as it is

    @functools.cached_property
    def hash(self) -> str:
        """The hash of the spec that a plan answers."""
        assert self.deployment is not None
        return spec_hash(self.deployment)

    @property
    def plan_key(self) -> str:
        """What a proposal answers: the spec, and the very target that it was made for."""
        return f"{self.hash}/{self.target['metadata']['uid'] if self.target is not None else ''}"

    @functools.cached_property
    def obstacle(self) -> Finding | None:
        """Why the engine cannot be injected beside this target although there is a plan."""
        if isinstance(self.proposal, Proposed) and self.proposal.obstacle is not None:
            return self.proposal.obstacle
        sidecar = self.proposal.sidecar if isinstance(self.proposal, Proposed) else self.sidecar
        if self.target is None or sidecar is None:
            return None
        unmarkable = injection.cannot_mark(self.target)
        if unmarkable is not None:
            return unmarkable
        template = injection.pod_template(self.target)
        return next(iter(injection.conflicts(template.get("spec") or {}, sidecar)), None)

    def with_proposal(self, proposal: Proposal) -> "World":
        """The same world, with what planning said."""
        return dataclasses.replace(self, proposal=proposal)

    @property
    def name(self) -> str:
        """The ModelDeployment's name."""
        return self.key.name

    @property
    def uid(self) -> str:
        """The ModelDeployment's uid."""
        assert self.deployment is not None
        return str(self.deployment["metadata"]["uid"])

    @property
    def suspended(self) -> bool:
        """Whether nothing is to be injected."""
        return self.spec is not None and bool(self.spec.suspend)

    @property
    def strategy(self) -> UpdateStrategyType:
        """How running pods get a new model."""
        assert self.spec is not None
        return self.spec.update_strategy.type

    @property
    def opts_in(self) -> bool:
        """Whether pods carry the marker by themselves, with no target named."""
        return self.spec is not None and self.spec.target_ref is None

    def settled(self) -> bool:
        """Whether the ModelSidecar answers the present spec, so that no plan is needed.

        A spec that was tried on a pod and went back counts as answered, until it changes.
        """
        if self.sidecar is None or self.suspended:
            return False
        if not self.own_sidecar() or "plan" not in (self.deployment or {}).get("status", {}):
            return False
        if self.hash not in (injection.spec_hash(self.sidecar), self.failed_hash):
            return False
        return not self.port_taken()

    def own_sidecar(self) -> bool:
        """Whether the ModelSidecar belongs to this very object, and not to one of the same name before it."""
        if self.sidecar is None:
            return False
        owner = controller_of(self.sidecar)
        return owner is not None and owner["uid"] == self.uid

    def port_taken(self) -> bool:
        """Whether a container of the target declares a port now that Pillion chose by itself."""
        if self.sidecar is None or self.target is None or self.spec is None:
            return False
        if self.spec.engine.port is not None:
            return False
        template = injection.pod_template(self.target)
        found = injection.conflicts(template.get("spec", {}), self.sidecar)
        return any(finding.reason is Reason.PORT_IN_USE for finding in found)

    @property
    def failed_hash(self) -> str | None:
        """The hash of a spec that was tried on a pod and that no pod could serve."""
        if self.sidecar is None:
            return None
        annotations: Mapping[str, str] = self.sidecar["metadata"].get("annotations") or {}
        return annotations.get(FAILED_HASH_ANNOTATION)

    @property
    def swap_failure(self) -> str | None:
        """What went wrong with the present spec, where a swap to it went back."""
        if self.sidecar is None or self.failed_hash != self.hash:
            return None
        return str(self.sidecar["metadata"]["annotations"].get(FAILED_MESSAGE_ANNOTATION, ""))


def spec_hash(deployment: Raw) -> str:
    """What a plan answers: the spec, less what says how and when, and the user's wish for a new plan."""
    spec = {key: value for key, value in deployment["spec"].items() if key not in NOT_PLANNED_WITH}
    annotations: Mapping[str, str] = deployment["metadata"].get("annotations") or {}
    wish = annotations.get(names.REPLAN_ANNOTATION)
    text = json.dumps([spec, wish], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
