"""How does a spec become a proposal: facts from the Hub, the nodes' inventory, one plan after the other?

This is the only place that reads the Hub and the nodes, and it does so only where a plan is needed. Plans are made
one at a time, because each reserves what it counted on until its pods exist.
"""

import asyncio
import contextlib
import dataclasses
import functools
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from pillion import hardware, injection, planner
from pillion.api import names
from pillion.api.modeldeployment import Checkpoints, ModelDeployment, Task
from pillion.api.reasons import Reason
from pillion.api.shape import InvalidObjectError
from pillion.controller import compiling
from pillion.controller import pods as pod_facts
from pillion.controller.settings import Settings
from pillion.controller.store import Key, Store
from pillion.controller.workloads import desired_pods
from pillion.controller.world import Finding, Proposal, Proposed, Refused, World
from pillion.facts import FactsError, ModelFacts, tokens
from pillion.facts import hub as facts_hub
from pillion.facts.cache import FactsCache
from pillion.kube import resources
from pillion.kube.client import Cluster, Forbidden, NotFound
from pillion.kube.resources import Resource

__all__ = ["Planning"]

logger = logging.getLogger(__name__)

Raw = dict[str, Any]

SECRETS = Resource(plural="secrets", kind="Secret")

# Nodes and namespaces change slowly, and reservations cover what changes fast: a burst of plans reads them once.
INVENTORY_SECONDS = 1.0


class Planning:
    """Makes proposals, and remembers the last one of each ModelDeployment."""

    def __init__(
        self, cluster: Cluster, store: Store, settings: Settings, clock: Callable[[], float]
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._settings = settings
        self._clock = clock
        self._facts_cache = FactsCache()
        self._remembered: dict[Key, Proposal] = {}
        self._one_at_a_time = asyncio.Lock()
        self._reading: asyncio.Lock = asyncio.Lock()
        self._policy_seen = False
        self._inventory: tuple[float, hardware.Inventory] | None = None
        self._labels: dict[str, tuple[float, dict[str, str]]] = {}  # by namespace, and when they were read

    def remembered(self, key: Key, plan_key: str) -> Proposal | None:
        """The proposal that was made for this very spec and target, if one was."""
        proposal = self._remembered.get(key)
        return proposal if proposal is not None and proposal.plan_key == plan_key else None

    def forget(self, key: Key) -> None:
        """The proposal was carried out, or its ModelDeployment is gone."""
        self._remembered.pop(key, None)

    async def propose(self, world: World, deployment: ModelDeployment) -> Proposal:
        """A proposal for the present spec. Bad input ends in a `Refused`, never in an exception.

        Raises:
            KubeError: the API server did not answer, or refused what every operator may do.
        """
        try:
            proposal = await self._propose(world, deployment)
        except FactsError as error:
            proposal = Refused(plan_key=world.plan_key, reason=error.reason, message=error.message)
        self._remembered[world.key] = proposal
        return proposal

    async def _propose(self, world: World, deployment: ModelDeployment) -> Proposal:
        spec = deployment.spec
        unsupported = planner.unsupported(spec)
        if unsupported:
            sentences = "; ".join(f"{path}: {message}" for path, message in unsupported)
            return Refused(plan_key=world.plan_key, reason=Reason.FIELD_NOT_SUPPORTED, message=sentences)
        checkpoints, inventory, labels, missing = await asyncio.gather(
            self._checkpoints(world.key, deployment),
            self._read_inventory(),
            self._namespace_labels(world.key.namespace),
            self._missing_policy(),
        )
        async with self._one_at_a_time:
            proposal = self._decide(world, deployment, checkpoints, inventory, labels)
        if missing is not None and isinstance(proposal, Proposed):
            return dataclasses.replace(proposal, obstacle=missing)
        return proposal

    def _decide(
        self,
        world: World,
        deployment: ModelDeployment,
        checkpoints: tuple[ModelFacts, ...],
        inventory: hardware.Inventory,
        namespace_labels: dict[str, str],
    ) -> Proposal:
        template = injection.pod_template(world.target) if world.target is not None else {}
        pod_spec: Raw = template.get("spec") or {}
        previous = self._previous_plan(world)
        outcome = planner.plan(
            planner.PlanRequest(
                spec=deployment.spec,
                name=world.name,
                checkpoints=checkpoints,
                inventory=inventory,
                target=self._target_shape(world, pod_spec),
                reserved=self._reserved(world.key) if inventory.accelerators else {},
                own=self._held(world.key, previous),
                previous=previous,
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
        other_ports = self._other_ports(world.key)
        taken = _declared_ports(pod_spec).union(*other_ports.values())
        port = compiling.free_port(deployment.spec.engine.port, taken=taken)
        sidecar = compiling.compile_sidecar(
            deployment,
            plan=outcome.plan,
            facts=chosen,
            port=port,
            policy=compiling.plain_policy(
                deployment,
                compiling.task_of(deployment.spec, chosen),
                neighbours=self._neighbours_with_tasks(world.key),
            ),
            spec_hash=world.hash,
            hub_endpoint=self._settings.hub_endpoint,
            limit_disk=_every_container_limits_disk(pod_spec),
        )
        obstacle = self._obstacle(
            world=world,
            deployment=deployment,
            sidecar=sidecar,
            port=port,
            other_ports=other_ports,
            pod_spec=pod_spec,
            namespace_labels=namespace_labels,
        )
        notices = injection.notices(pod_spec, sidecar) if pod_spec else []
        return Proposed(
            plan_key=world.plan_key,
            planned=outcome,
            facts=chosen,
            sidecar=sidecar,
            served_names=compiling.served_names(deployment),
            warnings=(*warnings, *notices),
            obstacle=obstacle,
        )

    def answers(self, world: World, deployment: ModelDeployment) -> bool:
        """Whether the ModelSidecar that is there answers the present spec beside its present neighbours."""
        if not world.settled() or world.sidecar is None or world.deployment is None:
            return False
        task = _planned_task(world.deployment)
        if task is None:
            return True
        policy = compiling.plain_policy(deployment, task, neighbours=self._neighbours_with_tasks(world.key))
        return bool(world.sidecar["spec"]["environment"].get("plainPolicy") == policy)

    def _neighbours_with_tasks(self, key: Key) -> list[tuple[ModelDeployment, Task | None]]:
        return [(other, _planned_task(raw)) for raw, other in self._neighbours(key)]

    def _obstacle(
        self,
        *,
        world: World,
        deployment: ModelDeployment,
        sidecar: Raw,
        port: int,
        other_ports: dict[Key, set[int]],
        pod_spec: Raw,
        namespace_labels: dict[str, str],
    ) -> Finding | None:
        pair = {port, names.supervisor_port(port)}
        for other in sorted(other_ports):
            if pair & (ports := other_ports[other]):
                return Finding(
                    reason=Reason.PORT_CONFLICT,
                    message=f"spec.engine.port: {port} and {port + 1} are asked for, and ModelDeployment "
                    f"{other.name} has "
                    f"{min(ports)} and {max(ports)}; choose another pair, or leave the field away and a free "
                    "one is taken",
                )
        mine = set(compiling.served_names(deployment))
        for _, neighbour in self._neighbours(world.key):
            shared = mine & set(compiling.served_names(neighbour))
            if (
                shared
                and neighbour.spec.target_ref == deployment.spec.target_ref
                and _is_older(neighbour, deployment)
            ):
                name = sorted(shared)[0]
                return Finding(
                    reason=Reason.SERVED_NAME_CONFLICT,
                    message=f"spec.model.servedNames: ModelDeployment {neighbour.metadata.name} serves {name!r} "
                    "beside the same application already; choose another name",
                )
        # The namespace and the target decide alone, whatever else is there.
        for found in injection.conflicts(pod_spec, sidecar, namespace_labels=namespace_labels):
            return found
        if world.key.namespace in {"kube-system", self._settings.namespace}:
            return Finding(
                reason=Reason.NAMESPACE_EXCLUDED,
                message=f"pods of namespace {world.key.namespace} are left alone; put the application and its "
                "ModelDeployment into a namespace of their own",
            )
        return None

    async def _checkpoints(self, key: Key, deployment: ModelDeployment) -> tuple[ModelFacts, ...]:
        model = deployment.spec.model
        assert model.repo is not None
        token = await self._token(key, deployment)

        async def read(repo: str, revision: str | None) -> ModelFacts:
            return await asyncio.to_thread(
                facts_hub.read,
                repo,
                revision=revision,
                token=token,
                endpoint=self._settings.hub_endpoint,
                cache=self._facts_cache,
                timeout_seconds=self._settings.hub_timeout_seconds,
            )

        own = await read(model.repo, model.revision)
        variants = await asyncio.gather(*(read(variant, None) for variant in model.variants))
        found = [own, *variants]
        if deployment.spec.quantization.checkpoints is Checkpoints.TRUSTED_PUBLISHERS:
            known = {checkpoint.repo for checkpoint in found}
            trusted = await asyncio.to_thread(
                facts_hub.trusted_quantizations,
                own,
                token=token,
                endpoint=self._settings.hub_endpoint,
                cache=self._facts_cache,
                timeout_seconds=self._settings.hub_timeout_seconds,
            )
            found += [checkpoint for checkpoint in trusted if checkpoint.repo not in known]
        return tuple(found)

    async def _token(self, key: Key, deployment: ModelDeployment) -> str | None:
        secret_ref = deployment.spec.model.token_secret_ref
        if secret_ref is None:
            return None
        where = f"spec.model.tokenSecretRef: Secret {secret_ref.name}"
        try:
            secret = await self._cluster.get(SECRETS, key.namespace, secret_ref.name)
        except NotFound as error:
            raise FactsError(
                Reason.TOKEN_NOT_READABLE, f"{where} does not exist in namespace {key.namespace}"
            ) from error
        except Forbidden as error:
            raise FactsError(
                Reason.TOKEN_NOT_READABLE,
                f"{where} may not be read by the operator; grant it by a Role with verb get on this one Secret "
                "(docs/security.md has it)",
            ) from error
        value = (secret.get("data") or {}).get(secret_ref.key)
        if value is None:
            held = ", ".join(sorted(secret.get("data") or {})) or "nothing"
            raise FactsError(
                Reason.TOKEN_NOT_READABLE, f"{where} has no key {secret_ref.key!r}; it has {held}"
            )
        return tokens.token(value, where=f"{where}, key {secret_ref.key!r},")

    async def _missing_policy(self) -> Finding | None:
        """Whether the admission policy is there; asked until it was seen once."""
        if self._policy_seen:
            return None
        for resource in (resources.MUTATING_POLICIES, resources.MUTATING_POLICY_BINDINGS):
            try:
                await self._cluster.get(resource, None, injection.POLICY_NAME)
            except Forbidden:
                break  # rights that somebody cut down: nobody can tell, and pods that are missed are reported
            except NotFound:
                return Finding(
                    reason=Reason.POLICY_MISSING,
                    message=f"The cluster has no {resource.kind} {injection.POLICY_NAME}, so no pod would get an "
                    "engine; install the chart's policies (helm upgrade, or kubectl apply -f manifests/pillion.yaml).",
                )
        self._policy_seen = True
        return None

    async def _namespace_labels(self, namespace: str) -> dict[str, str]:
        read_at, labels = self._labels.get(namespace, (float("-inf"), {}))
        if self._clock() - read_at >= INVENTORY_SECONDS:
            found = await self._cluster.get(resources.NAMESPACES, None, namespace)
            labels = found["metadata"].get("labels") or {}
            self._labels[namespace] = (self._clock(), labels)
        return labels

    async def _read_inventory(self) -> hardware.Inventory:
        async with self._reading:
            if self._inventory is not None and self._clock() - self._inventory[0] < INVENTORY_SECONDS:
                return self._inventory[1]
            nodes = await self._cluster.list(resources.NODES)
            pods = await self._cluster.list(
                resources.PODS, fields="status.phase!=Succeeded,status.phase!=Failed"
            )
            read = hardware.inventory(nodes, pods)
            self._inventory = (self._clock(), read)
            return read

    def _target_shape(self, world: World, pod_spec: Raw) -> planner.TargetShape | None:
        if world.target is None:
            return None
        return planner.target_shape(
            pod_spec,
            pods=desired_pods(world.target),
            surge_pods=planner.rollout_surge(world.target),
            one_pod_per_node=world.target_resource is resources.DAEMON_SETS,
        )

    def _previous_plan(self, world: World) -> planner.Plan | None:
        text = injection.plan_json(world.sidecar) if world.sidecar is not None else None
        if text is None:
            return None
        return _plan(text)

    def _held(self, key: Key, plan: planner.Plan | None) -> dict[str, int]:
        """Accelerators that this model's own pods hold, by product."""
        if plan is None or plan.product is None:
            return {}
        bound = [
            pod
            for pod in self._store.pods_of(key)
            if pod_facts.instruction_of(pod, key.name) is not None and pod.get("spec", {}).get("nodeName")
        ]
        return {plan.product: plan.count * len(bound)}

    def _reserved(self, key: Key) -> dict[str, int]:
        """Accelerators by product that other plans count on and whose pods do not exist yet."""
        reserved: Counter[str] = Counter()
        for other, plan in self._other_plans(key):
            if plan.product is None:
                continue
            held = self._held(other, plan).get(plan.product, 0)
            deployment = self._store.get(resources.MODEL_DEPLOYMENTS, other.namespace, other.name)
            target = self._target_of(other, deployment)
            wanted = plan.count * (desired_pods(target) if target is not None else 1)
            reserved[plan.product] += max(0, wanted - held)
        return dict(reserved)

    def _other_plans(self, key: Key) -> Iterator[tuple[Key, planner.Plan]]:
        seen: set[Key] = set()
        for other, proposal in self._remembered.items():
            if other != key and isinstance(proposal, Proposed) and proposal.obstacle is None:
                seen.add(other)
                yield other, proposal.planned.plan
        for sidecar in self._store.all(resources.MODEL_SIDECARS):
            other = Key(sidecar["metadata"]["namespace"], sidecar["metadata"]["name"])
            text = injection.plan_json(sidecar)
            if other == key or other in seen or text is None:
                continue
            plan = _plan(text)
            if plan is not None:
                yield other, plan

    def _target_of(self, key: Key, deployment: Raw | None) -> Raw | None:
        reference = (deployment or {}).get("spec", {}).get("targetRef")
        if not reference:
            return None
        resource = resources.BY_KIND.get(reference.get("kind", resources.DEPLOYMENTS.kind))
        return None if resource is None else self._store.get(resource, key.namespace, reference["name"])

    def _other_ports(self, key: Key) -> dict[Key, set[int]]:
        """The port pairs that other models of the namespace have, or were just given."""
        sidecars = {
            Key(key.namespace, sidecar["metadata"]["name"]): sidecar
            for sidecar in self._store.all(resources.MODEL_SIDECARS, key.namespace)
        }
        for other, proposal in self._remembered.items():
            if (
                other.namespace == key.namespace
                and isinstance(proposal, Proposed)
                and proposal.obstacle is None
            ):
                sidecars[other] = proposal.sidecar
        return {
            other: set(compiling.port_pair(sidecar)) for other, sidecar in sidecars.items() if other != key
        }

    def _neighbours(self, key: Key) -> Iterator[tuple[Raw, ModelDeployment]]:
        """The other ModelDeployments of the same target that can be read."""
        for other in sorted(self._store.beside(key)):
            raw = self._store.get(resources.MODEL_DEPLOYMENTS, *other)
            if raw is not None:
                with contextlib.suppress(InvalidObjectError):
                    yield raw, ModelDeployment.from_raw(raw)


@functools.lru_cache(maxsize=2048)
def _plan(text: str) -> planner.Plan | None:
    """A plan that was written before; None where another version wrote it in a form that this one cannot read."""
    try:
        return planner.plan_from_json(text)
    except ValueError:
        return None


def _is_older(one: ModelDeployment, other: ModelDeployment) -> bool:
    def age(deployment: ModelDeployment) -> tuple[str, str]:
        return (deployment.metadata.creation_timestamp or "", deployment.metadata.name)

    return age(one) < age(other)


def _planned_task(raw: Raw) -> Task | None:
    text = ((raw.get("status") or {}).get("model") or {}).get("task")
    return Task(text) if text in set(Task) else None


def _declared_ports(pod_spec: Raw) -> set[int]:
    containers = (pod_spec.get("containers") or []) + (pod_spec.get("initContainers") or [])
    return {int(port["containerPort"]) for container in containers for port in container.get("ports") or []}


def _every_container_limits_disk(pod_spec: Raw) -> bool:
    containers = pod_spec.get("containers") or []
    return bool(containers) and all(
        "ephemeral-storage" in ((container.get("resources") or {}).get("limits") or {})
        for container in containers
    )
