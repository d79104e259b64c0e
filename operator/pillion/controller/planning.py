"""How does a spec become a proposal: facts from the Hub, the nodes' inventory, one plan after the other?

The Hub is asked by many at once. From the inventory on plans are made one at a time, because each has to see what the
ones before it count on.
"""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

from pillion import injection, planner
from pillion.api.modeldeployment import ModelDeployment
from pillion.api.reasons import Reason
from pillion.controller import compiling
from pillion.controller.checkpoints import CheckpointFacts
from pillion.controller.others import Others, planned_task, read_plan
from pillion.controller.settings import Settings
from pillion.controller.store import Key, Store
from pillion.controller.surroundings import Snapshot, Surroundings
from pillion.controller.workloads import desired_pods
from pillion.controller.world import Finding, Proposal, Proposed, Refused, World
from pillion.facts import FactsError, ModelFacts
from pillion.facts import hub as facts_hub
from pillion.kube import resources
from pillion.kube.client import Cluster

__all__ = ["Checkpoints", "Planning"]

Raw = dict[str, Any]
Checkpoints = asyncio.Task[tuple[ModelFacts, ...]]


class Planning:
    """Makes proposals, and remembers the last one of each ModelDeployment."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        settings: Settings,
        clock: Callable[[], float],
        *,
        read: Callable[..., ModelFacts] = facts_hub.read,
        trusted: Callable[..., tuple[ModelFacts, ...]] = facts_hub.trusted_quantizations,
    ) -> None:
        self._settings = settings
        self._surroundings = Surroundings(cluster, store, clock)
        self._checkpoint_facts = CheckpointFacts(settings, clock, read=read, trusted=trusted)
        self._remembered: dict[Key, Proposal] = {}
        self._planned_pods: dict[Key, int] = {}
        self._others = Others(store, self._remembered, self._planned_pods)
        self._one_at_a_time = asyncio.Lock()

    def remembered(self, key: Key, plan_key: str) -> Proposal | None:
        """The proposal that was made for this very spec and target, if one was."""
        proposal = self._remembered.get(key)
        return proposal if proposal is not None and proposal.plan_key == plan_key else None

    def forget(self, key: Key) -> None:
        """The proposal was carried out, or its ModelDeployment is gone."""
        self._remembered.pop(key, None)
        self._planned_pods.pop(key, None)

    def answers(self, world: World, deployment: ModelDeployment) -> bool:
        """Whether the ModelSidecar that is there answers the present spec beside its present neighbours.

        A spec that no pod could serve is answered by the one that served before, whatever changes around it: to
        propose it again would roll out what is known to fail. What stands against the target now is told all the same.
        """
        if _failed(world):
            return True
        if not world.settled() or world.sidecar is None or world.deployment is None:
            return False
        task = planned_task(world.deployment)
        if task is None:
            return True
        policy = compiling.plain_policy(
            deployment, task, neighbours=self._others.sharing_plain_variables(world.key)
        )
        return bool(world.sidecar["spec"]["environment"].get("plainPolicy") == policy)

    async def look_ahead(self, key: Key, deployment: ModelDeployment) -> Checkpoints | None:
        """Have ready what a first plan needs, while its target is read; what goes wrong is told where it is used."""
        if key in self._remembered or planner.unsupported(deployment.spec):
            return None
        checkpoints = asyncio.create_task(self._checkpoints(key, deployment))
        await asyncio.gather(checkpoints, self._surroundings.snapshot(), return_exceptions=True)
        return checkpoints

    async def propose(
        self, world: World, deployment: ModelDeployment, *, ahead: Checkpoints | None = None
    ) -> Proposal:
        """A proposal for the present spec. Bad input ends in a `Refused`, never in an exception.

        Args:
            world: what is known, but for the proposal.
            deployment: the same object, read.
            ahead: its checkpoints, where they were looked for ahead.

        Raises:
            KubeError: the API server did not answer, or refused what every operator may do.
        """
        unsupported = planner.unsupported(deployment.spec)
        if unsupported:
            sentences = "; ".join(f"{path}: {message}" for path, message in unsupported)
            return self._refuse(world, Reason.FIELD_NOT_SUPPORTED, sentences)
        try:
            checkpoints, namespace_labels, missing = await asyncio.gather(
                ahead or self._checkpoints(world.key, deployment),
                self._surroundings.namespace_labels(world.key.namespace),
                self._surroundings.missing_policy(),
            )
        except FactsError as error:
            return self._refuse(world, error.reason, error.message)
        async with self._one_at_a_time:
            snapshot = await self._surroundings.snapshot()
            proposal = self._decide(world, deployment, checkpoints, snapshot, namespace_labels)
            if missing is not None and isinstance(proposal, Proposed):
                proposal = dataclasses.replace(proposal, obstacle=missing)
            self._remembered[world.key] = proposal
            self._planned_pods[world.key] = desired_pods(world.target) if world.target is not None else 1
        return proposal

    def _refuse(self, world: World, reason: Reason, message: str) -> Refused:
        refused = Refused(plan_key=world.plan_key, reason=reason, message=message)
        self._remembered[world.key] = refused
        return refused

    def _decide(
        self,
        world: World,
        deployment: ModelDeployment,
        checkpoints: tuple[ModelFacts, ...],
        snapshot: Snapshot,
        namespace_labels: dict[str, str],
    ) -> Proposal:
        template = injection.pod_template(world.target) if world.target is not None else {}
        pod_spec: Raw = template.get("spec") or {}
        outcome = planner.plan(
            planner.PlanRequest(
                spec=deployment.spec,
                name=world.name,
                checkpoints=checkpoints,
                inventory=snapshot.inventory,
                target=self._target_shape(world, pod_spec, snapshot),
                reserved=self._others.reserved(world.key, snapshot)
                if snapshot.inventory.accelerators
                else {},
                own=self._others.own(world.key, snapshot),
                previous=read_plan(world.sidecar) if world.sidecar is not None else None,
                images=self._settings.engine_images,
            )
        )
        warnings = tuple(Finding(reason=warned.reason, message=warned.message) for warned in outcome.warnings)
        if isinstance(outcome, planner.NotPlanned):
            return Refused(
                plan_key=world.plan_key,
                reason=outcome.reason,
                message=outcome.message,
                rejected=outcome.rejected,
                warnings=warnings,
                facts=checkpoints[0],
            )
        chosen = next(found for found in checkpoints if found.repo == outcome.plan.checkpoint)
        other_ports = self._others.ports(world.key)  # of the whole namespace: gathered once
        sidecar = self._sidecar(
            world,
            deployment,
            plan=outcome.plan,
            facts=chosen,
            pod_spec=pod_spec,
            taken=_declared_ports(pod_spec) | other_ports.keys(),
        )
        notices = injection.notices(pod_spec, sidecar) if pod_spec else []
        return Proposed(
            plan_key=world.plan_key,
            planned=outcome,
            facts=chosen,
            sidecar=sidecar,
            warnings=(*warnings, *notices),
            obstacle=self._obstacle(
                world,
                deployment,
                sidecar=sidecar,
                pod_spec=pod_spec,
                other_ports=other_ports,
                namespace_labels=namespace_labels,
            ),
        )

    def _sidecar(
        self,
        world: World,
        deployment: ModelDeployment,
        *,
        plan: planner.Plan,
        facts: ModelFacts,
        pod_spec: Raw,
        taken: set[int],
    ) -> Raw:
        present = compiling.port_pair(world.sidecar)[0] if world.sidecar and world.own_sidecar() else None
        return compiling.compile_sidecar(
            deployment,
            plan=plan,
            facts=facts,
            port=compiling.free_port(deployment.spec.engine.port, taken=taken, present=present),
            policy=compiling.plain_policy(
                deployment,
                compiling.task_of(deployment.spec, facts),
                neighbours=self._others.sharing_plain_variables(world.key),
            ),
            spec_hash=world.hash,
            hub_endpoint=self._settings.hub_endpoint,
            limit_disk=_every_container_limits_disk(pod_spec),
        )

    def _obstacle(
        self,
        world: World,
        deployment: ModelDeployment,
        *,
        sidecar: Raw,
        pod_spec: Raw,
        other_ports: dict[int, Key],
        namespace_labels: dict[str, str],
    ) -> Finding | None:
        """What stands against the engine beside this target, whatever was planned; the first that is found."""
        found = _port_conflict(compiling.port_pair(sidecar), other_ports) or self._name_conflict(
            world.key, deployment
        )
        if found is not None:
            return found
        conflicts = injection.conflicts(
            pod_spec,
            sidecar,
            others=self._others.sidecars_beside(world.key),
            namespace_labels=namespace_labels,
        )
        if conflicts:
            return conflicts[0]
        if world.key.namespace in {"kube-system", self._settings.namespace}:
            return Finding(
                reason=Reason.NAMESPACE_EXCLUDED,
                message=f"pods of namespace {world.key.namespace} are left alone; put the application and its "
                "ModelDeployment into a namespace of their own",
            )
        return None

    def _name_conflict(self, key: Key, deployment: ModelDeployment) -> Finding | None:
        mine = set(deployment.served_names)
        for _, _, neighbour in self._others.beside(key):
            shared = mine & set(neighbour.served_names)
            if shared and compiling.age(neighbour) < compiling.age(deployment):
                return Finding(
                    reason=Reason.SERVED_NAME_CONFLICT,
                    message=f"spec.model.servedNames: ModelDeployment {neighbour.metadata.name} serves "
                    f"{min(shared)!r} beside the same application already; choose another name",
                )
        return None

    async def _checkpoints(self, key: Key, deployment: ModelDeployment) -> tuple[ModelFacts, ...]:
        secret = deployment.spec.model.token_secret_ref
        token = (
            await self._surroundings.token(key.namespace, name=secret.name, key=secret.key)
            if secret is not None
            else None
        )
        return await self._checkpoint_facts.of(deployment, token)

    def _target_shape(self, world: World, pod_spec: Raw, snapshot: Snapshot) -> planner.TargetShape | None:
        """The target's pods with the engines of the other models in them, as admission will make them."""
        if world.target is None:
            return None
        scaled = (world.key.namespace, world.target["kind"], world.target["metadata"]["name"])
        beside = self._others.sidecars_beside(world.key)
        return planner.target_shape(
            compiling.with_engines(pod_spec, beside),
            pods=desired_pods(world.target),
            surge_pods=planner.rollout_surge(world.target),
            max_pods=snapshot.most_pods.get(scaled),
            one_pod_per_node=world.target_resource is resources.DAEMON_SETS,
            beside=[sidecar["metadata"]["name"] for sidecar in beside],
            awaited=self._others.awaited(world.key),
        )


def _failed(world: World) -> bool:
    """Whether the present spec was tried on a pod and went back."""
    return (
        world.deployment is not None
        and not world.suspended
        and world.own_sidecar()
        and world.failed_hash == world.hash
    )


def _port_conflict(pair: tuple[int, int], others: dict[int, Key]) -> Finding | None:
    found = [others[port] for port in pair if port in others]
    if not found:
        return None
    other = min(found)
    theirs = sorted(port for port, whose in others.items() if whose == other)
    return Finding(
        reason=Reason.PORT_CONFLICT,
        message=f"spec.engine.port: {pair[0]} and {pair[1]} are asked for, and ModelDeployment "
        f"{other.name} has {' and '.join(map(str, theirs))}; choose another pair, or leave "
        "the field away and a free one is taken",
    )


def _declared_ports(pod_spec: Raw) -> set[int]:
    containers = (pod_spec.get("containers") or []) + (pod_spec.get("initContainers") or [])
    return {int(port["containerPort"]) for container in containers for port in container.get("ports") or []}


def _every_container_limits_disk(pod_spec: Raw) -> bool:
    containers = pod_spec.get("containers") or []
    return bool(containers) and all(
        "ephemeral-storage" in ((container.get("resources") or {}).get("limits") or {})
        for container in containers
    )
