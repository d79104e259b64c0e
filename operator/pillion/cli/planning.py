"""How do the ModelDeployments of a file become plans, as the operator would make them?

One after the other, because each has to see what the ones before it count on: accelerators that their pods do not hold
yet, and the room in the pods of a target that they share.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pillion import planner
from pillion.api.modeldeployment import Accelerator, ModelDeployment
from pillion.api.reasons import Reason
from pillion.cli.deployments import Given
from pillion.cli.documents import Raw
from pillion.cli.exits import BadInputError
from pillion.cli.models import Models
from pillion.cli.surroundings import MALFORMED, Surroundings, WorkloadKey, pods_of, shape_of, workload_key
from pillion.controller import compiling
from pillion.facts import FactsError, ModelFacts

__all__ = ["Answer", "answers"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came out for one ModelDeployment."""

    deployment: ModelDeployment
    namespace: str
    outcome: planner.Outcome
    facts: ModelFacts | None  # of the chosen checkpoint, or of the model that was asked for
    pods: int
    notes: tuple[str, ...]  # what was assumed, in sentences


@dataclass(kw_only=True, slots=True)
class _Before:
    """What the plans before this one count on. A target of None is a place of its own: pods that opt in."""

    reserved: list[tuple[WorkloadKey | None, str, int]] = field(
        default_factory=list
    )  # target, product, number
    sidecars: list[tuple[WorkloadKey | None, Raw]] = field(default_factory=list)  # by target
    to_come: list[WorkloadKey | None] = field(
        default_factory=list
    )  # targets of the models that are planned later

    def awaited(self, place: WorkloadKey | None) -> int:
        """Accelerators that later models of the same target will want."""
        return 0 if place is None else self.to_come.count(place)

    def beside(self, place: WorkloadKey | None) -> list[Raw]:
        """Engines that stand in the pods of the same target."""
        return [sidecar for other, sidecar in self.sidecars if place is not None and other == place]

    def reserved_from(self, place: WorkloadKey | None) -> Counter[str]:
        """Accelerators of other targets, by product: those of the same one are part of the pod that is planned."""
        found: Counter[str] = Counter()
        for other, product, number in self.reserved:
            if place is None or other != place:
                found[product] += number
        return found

    def count_on(
        self,
        plan: planner.Plan,
        *,
        place: WorkloadKey | None,
        pods: int,
        own: Mapping[str, Mapping[str, int]],
    ) -> None:
        """Have the next plans leave to this one what it takes. What its pods hold already, the inventory knows."""
        if plan.product is not None and plan.resource is not None:
            held = sum(amounts.get(plan.resource, 0) for amounts in own.values())
            self.reserved.append((place, plan.product, max(0, plan.count * pods - held)))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Knowledge:
    """What is the same for all plans of one run."""

    surroundings: Surroundings
    workloads: Mapping[WorkloadKey, Raw]  # of the file itself
    models: Models
    pods: int | None

    def target(self, deployment: ModelDeployment) -> Raw | None:
        """The target's workload: as the file would have it, else as the cluster does."""
        place = self.place(deployment)
        return None if place is None else self.workloads.get(place) or self.surroundings.workloads.get(place)

    def place(self, deployment: ModelDeployment) -> WorkloadKey | None:
        """How the target is found; None where pods opt in by themselves."""
        reference = deployment.spec.target_ref
        if reference is None:
            return None
        return (self.surroundings.namespace_of(deployment), reference.kind, reference.name)


def answers(given: Given, surroundings: Surroundings, models: Models, *, pods: int | None) -> list[Answer]:
    """A plan, or why there is none, for each ModelDeployment of a file.

    Args:
        given: the file.
        surroundings: nodes, and what is known of targets.
        models: where facts come from.
        pods: of every target, in place of what is known of it.
    """
    knowledge = _Knowledge(
        surroundings=surroundings,
        workloads={workload_key(each, surroundings.namespace): each for each in given.workloads},
        models=models,
        pods=pods,
    )
    before = _Before(to_come=[_awaits(deployment, knowledge) for deployment in given.deployments])
    return [_answer(deployment, knowledge, before) for deployment in given.deployments]


def _awaits(deployment: ModelDeployment, knowledge: _Knowledge) -> WorkloadKey | None:
    """The target in whose pods an accelerator is to be left for a model; None where it takes none of a known one."""
    on_cpu = deployment.spec.hardware.accelerator is Accelerator.CPU
    return None if on_cpu or deployment.spec.suspend else knowledge.place(deployment)


def _answer(deployment: ModelDeployment, knowledge: _Knowledge, before: _Before) -> Answer:
    before.to_come.pop(0)
    target = knowledge.target(deployment)
    about_target = () if target is not None else (_about_target(deployment),)
    try:
        _refuse_unsupported(deployment)
        checkpoints, about_models = knowledge.models.checkpoints(deployment.spec)
    except FactsError as error:
        return Answer(
            deployment=deployment,
            namespace=knowledge.surroundings.namespace_of(deployment),
            outcome=planner.NotPlanned(reason=error.reason, message=_told(error, deployment)),
            facts=None,
            pods=_pods(target, knowledge.pods),
            notes=about_target,
        )
    pods = _pods(target, knowledge.pods)
    neighbours = knowledge.surroundings.neighbours(deployment)
    place = knowledge.place(deployment)
    beside = [*neighbours.beside, *before.beside(place)]
    request = planner.PlanRequest(
        spec=deployment.spec,
        name=deployment.metadata.name,
        checkpoints=checkpoints,
        inventory=knowledge.surroundings.inventory,
        target=shape_of(
            target,
            pods=pods,
            beside=beside,
            max_pods=None if place is None else knowledge.surroundings.most_pods.get(place),
            awaited=before.awaited(place),
        ),
        reserved=Counter(neighbours.reserved) + before.reserved_from(place),
        own=neighbours.own,
        previous=neighbours.previous,
    )
    outcome = _outcome(request, target)
    facts = checkpoints[0]
    if isinstance(outcome, planner.Planned):
        facts = next(each for each in checkpoints if each.repo == outcome.plan.checkpoint)
        if not deployment.spec.suspend:  # a suspended one is planned and takes nothing
            before.sidecars.append((place, _sidecar(deployment, outcome.plan, facts)))
            before.count_on(outcome.plan, place=place, pods=pods, own=neighbours.own)
    return Answer(
        deployment=deployment,
        namespace=knowledge.surroundings.namespace_of(deployment),
        outcome=outcome,
        facts=facts,
        pods=pods,
        notes=(*about_target, *about_models, *_about_facts(facts)),
    )


def _outcome(request: planner.PlanRequest, target: Raw | None) -> planner.Outcome:
    """The planner's answer.

    Raises:
        BadInputError: the target of a file has something, an affinity say, that no API server would let in.
    """
    try:
        return planner.plan(request)
    except MALFORMED as error:
        if target is None:
            raise
        planner.plan(
            replace(request, target=planner.TargetShape(pods=1))
        )  # fails again where it was not the target
        what = f"{target['kind']} {target['metadata']['name']} is not as Kubernetes takes it"
        raise BadInputError(f"{what} ({type(error).__name__}: {error})") from error


def _refuse_unsupported(deployment: ModelDeployment) -> None:
    """Before the Hub is asked for anything, as the operator does.

    Raises:
        FactsError: a field asks for what this version cannot do.
    """
    found = planner.unsupported(deployment.spec)
    if found:
        message = "; ".join(f"{path}: {message}" for path, message in found)
        raise FactsError(Reason.FIELD_NOT_SUPPORTED, message)


def _told(error: FactsError, deployment: ModelDeployment) -> str:
    """The failure, and what the operator would need beside this command."""
    if error.reason is not Reason.MODEL_GATED or deployment.spec.model.token_secret_ref is not None:
        return error.message
    return (
        f"{error.message} The operator needs a Secret with such a token, named in spec.model.tokenSecretRef."
    )


def _pods(target: Raw | None, wanted: int | None) -> int:
    if wanted is not None:
        return wanted
    return pods_of(target) if target is not None else 1


def _about_target(deployment: ModelDeployment) -> str:
    reference = deployment.spec.target_ref
    if reference is None:
        return (
            "No target is named (pods opt in by the marker): planned for one pod that asks for nothing else."
        )
    return f"Nothing is known of {reference.kind} {reference.name}: planned for one pod that asks for nothing else."


def _sidecar(deployment: ModelDeployment, plan: planner.Plan, facts: ModelFacts) -> Raw:
    """The ModelSidecar that would be written, for what it takes of the pod's room."""
    return compiling.compile_sidecar(
        deployment,
        plan=plan,
        facts=facts,
        port=compiling.free_port(deployment.spec.engine.port, taken=()),
        policy="Never",
        spec_hash="",
        hub_endpoint=None,
        limit_disk=False,
    )


def _about_facts(facts: ModelFacts) -> tuple[str, ...]:
    return tuple(f"{facts.repo}: {note}" for note in facts.notes)
