"""How is one ModelDeployment brought to what its spec says?

    observe     every read
    decide      what is due, as data
    act         every write, in order
    describe    the status, written once and last

What the watches show is read from the store; the API server is asked only where a target carries no marker yet, and
where a plan is needed.
"""

import asyncio
import datetime
import logging
from collections.abc import Callable, Iterable
from typing import Any

from pillion import injection
from pillion.api import names
from pillion.api.modeldeployment import ModelDeployment
from pillion.api.reasons import Reason
from pillion.api.shape import InvalidObjectError
from pillion.controller import pods as pod_facts
from pillion.controller import status as status_of
from pillion.controller import swap
from pillion.controller.act import Act, Result
from pillion.controller.decide import Actions, decide
from pillion.controller.metrics import Metrics
from pillion.controller.planning import Checkpoints, Planning
from pillion.controller.probes import Place, Probes
from pillion.controller.queue import WorkQueue
from pillion.controller.settings import Settings
from pillion.controller.store import Key, Store
from pillion.controller.watching import forget
from pillion.controller.world import Proposed, Refused, World
from pillion.kube import resources
from pillion.kube.client import Cluster, KubeError, NotFound
from pillion.kube.events import EventRecorder
from pillion.kube.resources import Resource

__all__ = ["Reconciler"]

# Each of a model's pods raises some events while it starts, and a look goes through all of them. Where they are many, a
# status that counts them is written for many events at once.
FEW_PODS = 20
REST_SECONDS_A_POD = 0.005
LONGEST_REST_SECONDS = 5.0

logger = logging.getLogger(__name__)

Raw = dict[str, Any]


class Reconciler:
    """Looks at one key at a time for each worker."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        store: Store,
        queue: WorkQueue,
        recorder: EventRecorder,
        metrics: Metrics,
        settings: Settings,
        clock: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._queue = queue
        self._recorder = recorder
        self._metrics = metrics
        self._settings = settings
        self._clock = clock
        self._planning = Planning(cluster, store, settings, clock)
        self._act = Act(cluster, store, recorder, clock)
        self._evicted_at: dict[Key, float] = {}
        self._evicted_beside: dict[Key, frozenset[str]] = {}
        self._plan_again_at: dict[Key, float] = {}
        self.probes = Probes(changed=queue.add)

    async def reconcile(self, key: Key) -> float:
        """Do everything that is due for a key; answers the seconds until it is worth a look again.

        Errors of the API server are logged and tried again with a back-off; what people can mend is in the status.
        """
        started = self._clock()
        try:
            await self._reconcile(key)
        except KubeError as error:
            self._metrics.failed.inc()
            logger.warning("%s: %s", key, error)
            self._queue.wait(key)
        self._metrics.duration.observe(self._clock() - started)
        pods = self._store.count_pods(key)
        return 0.0 if pods <= FEW_PODS else min(pods * REST_SECONDS_A_POD, LONGEST_REST_SECONDS)

    async def _reconcile(self, key: Key) -> None:
        world = await self._observe(key)
        allowed_in = (
            self._evicted_at.get(key, float("-inf"))
            + self._settings.eviction_interval_seconds
            - self._clock()
        )
        actions = decide(world, eviction_allowed_in=allowed_in)
        result = await self._act.carry_out(world, actions)
        self._watch_replacements(world, result)
        if world.deployment is None:
            if result.problem is not None:
                raise KubeError(403, result.problem.message)
            self._forget(key)
            if not self._store.pods_of(key):
                await self._act.sweep(key.namespace)
            return
        await self._report(world, actions, result)
        if result.sidecar_written:
            # What one pod has room for, and who gets the plain variables, depends on who is injected beside it.
            for neighbour in self._store.beside(key):
                self._queue.add(neighbour)
        if isinstance(world.proposal, Proposed) and result.sidecar_written and result.problem is None:
            self._planning.forget(key)
        self._schedule(key, actions, result)

    async def _observe(self, key: Key) -> World:
        deployment = self._store.get(resources.MODEL_DEPLOYMENTS, *key)
        marked = tuple(self._store.marked_with(key))
        if deployment is None or "deletionTimestamp" in deployment["metadata"]:
            self.probes.follow(key, set())
            left = tuple(self._store.pods_of(key))
            return World(
                key=key, deployment=None, marked=marked, pods=left, models_serve=self._models_serve(left)
            )
        pods = tuple(self._store.pods_of(key))
        sidecar = self._store.get(resources.MODEL_SIDECARS, *key)
        self.probes.follow(key, _places(key, pods))
        try:
            # Its status is read as it stands, and a schema check of it would take longer than that of the spec.
            parsed = ModelDeployment.from_raw(
                {part: value for part, value in deployment.items() if part != "status"}
            )
        except InvalidObjectError as error:
            # Stored by an older or a newer version: the API server holds present ones to the same rules.
            refused = Refused(plan_key="", reason=Reason.SPEC_INVALID, message=str(error))
            return World(
                key=key, deployment=deployment, sidecar=sidecar, marked=marked, pods=pods, proposal=refused
            )
        (resource, target), ahead = await asyncio.gather(
            self._target(key, parsed), self._look_ahead(key, parsed, sidecar)
        )
        world = World(
            key=key,
            deployment=deployment,
            spec=parsed.spec,
            sidecar=sidecar,
            target_resource=resource,
            target=target,
            marked=marked,
            pods=pods,
            engines=self.probes.reports(key),
            asking=self.probes.asking(key),
            unreachable=self.probes.unreachable(key),
            evicted_beside=self._evicted_beside.get(key),
            config_maps=frozenset(
                config_map["metadata"]["name"]
                for config_map in self._store.all(resources.CONFIG_MAPS, key.namespace)
            ),
            models_serve=self._models_serve(pods),
        )
        if self._planning.answers(world, parsed):
            return world
        return world.with_proposal(await self._proposal(world, parsed, ahead))

    async def _proposal(
        self, world: World, deployment: ModelDeployment, ahead: Checkpoints | None
    ) -> Proposed | Refused:
        """The remembered proposal for this spec and target, or a new one where it is time to ask again."""
        remembered = self._planning.remembered(world.key, world.plan_key)
        due = self._clock() >= self._plan_again_at.get(world.key, float("-inf"))
        if remembered is not None and not (due and _may_change(remembered)):
            return remembered
        return await self._planning.propose(world, deployment, ahead=ahead)

    async def _target(self, key: Key, deployment: ModelDeployment) -> tuple[Resource | None, Raw | None]:
        """The target: as the watch shows it where it is marked, else as the API server has it."""
        reference = deployment.spec.target_ref
        if reference is None:
            return None, None
        resource = resources.BY_KIND[reference.kind]
        known = self._store.get(resource, key.namespace, reference.name)
        if known is not None:
            return resource, known
        try:
            return resource, await self._cluster.get(resource, key.namespace, reference.name)
        except NotFound:
            return resource, None

    async def _look_ahead(
        self, key: Key, deployment: ModelDeployment, sidecar: Raw | None
    ) -> Checkpoints | None:
        if sidecar is not None or deployment.spec.suspend:
            return None
        return await self._planning.look_ahead(key, deployment)

    def _watch_replacements(self, world: World, result: Result) -> None:
        """After an eviction its replacement is watched, until no pod is missed any more."""
        key = world.key
        if result.evicted:
            self._evicted_at[key] = self._clock()
            self._evicted_beside[key] = frozenset(pod["metadata"]["uid"] for pod in world.pods)
        elif world.sidecar is not None and not injection.missed_pods(world.pods, world.sidecar):
            self._evicted_beside.pop(key, None)

    def _models_serve(self, pods: Iterable[Raw]) -> dict[str, bool]:
        found = ((pod["metadata"]["uid"], self._serves(pod)) for pod in pods)
        return {uid: serve for uid, serve in found if serve is not None}

    def _serves(self, pod: Raw) -> bool | None:
        """Whether all models of a pod serve; None where one of them has not said.

        A model whose ModelDeployment is gone is asked no more, and must not keep the pod from its Service.
        """
        annotations = pod["metadata"].get("annotations") or {}
        namespace = pod["metadata"]["namespace"]
        engines = [
            name.removeprefix(names.ENGINE_ANNOTATION_PREFIX)
            for name in annotations
            if name.startswith(names.ENGINE_ANNOTATION_PREFIX)
        ]
        models = [
            model
            for model in engines
            if self._store.get(resources.MODEL_DEPLOYMENTS, namespace, model) is not None
        ]
        if engines and not models:
            return True
        reports = [self.probes.reports(Key(namespace, model)).get(pod["metadata"]["uid"]) for model in models]
        if not reports or any(report is None for report in reports):
            return None
        return all(report is not None and report.serving is not None for report in reports)

    async def _report(self, world: World, actions: Actions, result: Result) -> None:
        assert world.deployment is not None
        if world.asking and result.problem is None:
            return  # the answer, or its absence, brings the key here again; until then the status stands
        after = result.world(world)
        verdicts = status_of.verdicts(after, actions, result.problem)
        status = status_of.describe(after, actions, verdicts, now=_now())
        self._metrics.kv_cache_of(*world.key, status)
        before: Raw = world.deployment.get("status") or {}
        if not status_of.changed(before, status):
            return
        metadata = world.deployment["metadata"]
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.MODEL_DEPLOYMENT,
            "metadata": {
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
            },
            "status": status,
        }
        with self._store.writing(resources.MODEL_DEPLOYMENTS, *world.key):
            try:
                written = await self._cluster.apply(
                    resources.MODEL_DEPLOYMENTS,
                    body,
                    field_manager=names.FIELD_MANAGER,
                    force=True,
                    subresource="status",
                )
            except NotFound:
                # It is gone, and its event may have been lost with a watch: what it left is swept.
                for key in forget(self._store, resources.MODEL_DEPLOYMENTS, world.deployment):
                    self._queue.add(key)
                return
            self._store.put(resources.MODEL_DEPLOYMENTS, written)
        self._tell(world, before, status)

    def _tell(self, world: World, before: Raw, after: Raw) -> None:
        """An event for each condition that says something new, on the ModelDeployment and, for bad news, its target."""
        assert world.deployment is not None
        known = {
            entry["type"]: (entry["status"], entry["reason"]) for entry in before.get("conditions") or []
        }
        said = {entry["message"] for entry in before.get("conditions") or []}
        for entry in after["conditions"]:
            another_plan = entry["reason"] == Reason.PLANNED.value and entry["message"] not in said
            same = known.get(entry["type"]) == (entry["status"], entry["reason"])
            if entry["type"] == "Ready" or (same and not another_plan):
                continue
            first = entry["type"] not in known
            if first and (entry["status"] == "Unknown" or entry["reason"] in TOLD_BY_THE_MARK):
                continue
            bad = entry["status"] == "False" and entry["reason"] in BAD_NEWS
            about = (
                [world.deployment] if world.target is None or not bad else [world.deployment, world.target]
            )
            swapped = entry["status"] == "True" and known.get(entry["type"]) in SWAPPING
            for obj in about:
                self._recorder.emit(
                    obj,
                    kind="Warning" if bad else "Normal",
                    reason=Reason.SWAPPED if swapped else entry["reason"],
                    note=f"The model was changed in place. {entry['message']}"
                    if swapped
                    else entry["message"],
                    action=entry["type"],
                )
        known_warnings = {entry["reason"] for entry in before.get("warnings") or []}
        for warning in after.get("warnings") or []:
            if warning["reason"] not in known_warnings:
                self._recorder.emit(
                    world.deployment,
                    kind="Warning",
                    reason=warning["reason"],
                    note=warning["message"],
                    action="Plan",
                )

    def _schedule(self, key: Key, actions: Actions, result: Result) -> None:
        if actions.wait or result.problem is not None:
            if self._clock() >= self._plan_again_at.get(key, float("-inf")):
                self._plan_again_at[key] = self._clock() + self._queue.wait(key)
        else:
            self._plan_again_at.pop(key, None)
            self._queue.settle(key)
        if isinstance(actions.step, swap.Change | swap.Promote | swap.GoBack) and result.problem is None:
            self._queue.add(key)  # the next step of a swap may be due at once
        if actions.again_seconds is not None:
            self._queue.add_after(key, actions.again_seconds)
        if actions.evict is not None:
            # A disruption budget that refuses raises no event.
            self._queue.add_after(key, self._settings.eviction_interval_seconds)

    def _forget(self, key: Key) -> None:
        self._planning.forget(key)
        self._metrics.forget(*key)
        self._evicted_at.pop(key, None)
        self._evicted_beside.pop(key, None)
        self._plan_again_at.pop(key, None)
        self._queue.settle(key)


# A condition that was so, and now holds, tells of a swap that is done.
SWAPPING = (("False", Reason.SWAP_IN_PROGRESS.value),)

# When the target was marked in this very pass, that was told.
TOLD_BY_THE_MARK = frozenset({Reason.INJECTED.value, Reason.WAITING_FOR_PODS.value})

# Progress is no bad news: only these make a Warning.
BAD_NEWS = frozenset(Reason) - {
    Reason.SUSPENDED,
    Reason.OPT_IN,
    Reason.WAITING_FOR_PODS,
    Reason.NOT_INJECTED,
    Reason.NO_PODS,
    Reason.FETCHING,
    Reason.LOADING,
    Reason.SWAP_IN_PROGRESS,
    Reason.TARGET_NOT_FOUND,
}


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _may_change(proposal: Proposed | Refused) -> bool:
    """Whether the same spec could be answered differently later: nodes, the Hub and neighbours change."""
    return isinstance(proposal, Refused) or proposal.obstacle is not None


def _places(key: Key, pods: tuple[Raw, ...]) -> set[Place]:
    """Where the supervisors of a model listen, as soon as their containers run."""
    found = set()
    for pod in pods:
        address, port = pod_facts.address(pod), pod_facts.supervisor_port(pod, key.name)
        if address is not None and port is not None and pod_facts.engine_runs(pod, key.name):
            found.add(Place(key=key, uid=pod["metadata"]["uid"], address=address, port=port))
    return found
