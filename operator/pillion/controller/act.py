"""How are decisions carried out?

Every write of the operator is here, apart from the status. What the API server answers goes into the store at once, so
that the next pass sees it and the watch's echo wakes nobody. A refusal that people can mend becomes a finding that the
status shows; everything else is an error that the work queue tries again.
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pillion import injection
from pillion.api import names
from pillion.api.reasons import Reason
from pillion.controller import pods as pod_facts
from pillion.controller.briefs import mounted_config_maps
from pillion.controller.decide import Actions, Instruct, Mark
from pillion.controller.store import Store
from pillion.controller.world import Finding, World
from pillion.kube import resources
from pillion.kube.client import Cluster, Conflict, Forbidden, Invalid, KubeError, NotFound
from pillion.kube.events import EventRecorder
from pillion.kube.resources import Resource

__all__ = ["Act", "Result"]

logger = logging.getLogger(__name__)

Raw = dict[str, Any]

# For so long what the API server accepted is not tried again in the same form: many applications are alike. Not for
# longer, because an upgrade, a quota or somebody's webhook may change its mind.
ACCEPTED_SECONDS = 60.0
MOST_ACCEPTED = 256  # forms

LEFTOVER_ATTEMPTS = 5  # each lost to somebody who changed the same workload at that very moment


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What came of it."""

    sidecar: Raw | None = None  # as written
    sidecar_written: bool = False
    target: Raw | None = None  # as marked
    evicted: bool = False
    problem: Finding | None = None

    def world(self, before: World) -> World:
        """The world with what was written in it."""
        changes: Raw = {}
        if self.sidecar_written:
            changes["sidecar"] = self.sidecar
        if self.target is not None:
            changes["target"] = self.target
        return dataclasses.replace(before, **changes) if changes else before


class Act:
    """Writes to one cluster."""

    def __init__(
        self, cluster: Cluster, store: Store, recorder: EventRecorder, clock: Callable[[], float]
    ) -> None:
        self._cluster = cluster
        self._store = store
        self._recorder = recorder
        self._clock = clock
        # When the API server accepted a trial, by namespace and form.
        self._accepted: OrderedDict[tuple[str, str | None], float] = OrderedDict()

    async def carry_out(self, world: World, actions: Actions) -> Result:
        """Write everything that is due, in order; the first refusal ends what builds on it."""
        refusals = [
            found for each in actions.unmark if (found := await self._unmark(world, *each)) is not None
        ]
        result = Result(problem=refusals[0] if refusals else None)
        if actions.delete_sidecar:
            await self._cluster.delete(resources.MODEL_SIDECARS, *world.key)
            result = dataclasses.replace(result, sidecar=None, sidecar_written=True)
        try:
            if actions.sidecar is not None:
                written = await self._write_sidecar(world, actions)
                result = dataclasses.replace(result, sidecar=written, sidecar_written=True)
            elif actions.config_map:
                await self._write_config_map(world.key.namespace)
            if actions.mark is not None:
                # Admission misses a pod that is made within a millisecond or two of its ModelSidecar's first write.
                # Two more writes come before a pod, the marker and its workload's own, and take longer: of 750
                # rollouts of Deployments none missed its engine (one kube-apiserver, 1.36).
                result = dataclasses.replace(result, target=await self._mark(world, actions.mark))
            for instruct in actions.instruct:
                await self._instruct(world, instruct)
        except Refusal as refusal:
            return dataclasses.replace(result, problem=refusal.finding)
        await asyncio.gather(*(self._tell_pod(pod, serves=serves) for pod, serves in actions.pod_ready))
        if actions.evict is not None:
            result = dataclasses.replace(result, evicted=await self._evict(world, actions.evict))
        return result

    async def _write_sidecar(self, world: World, actions: Actions) -> Raw:
        assert actions.sidecar is not None
        preparations = []
        if actions.config_map:
            preparations.append(self._write_config_map(world.key.namespace))
        if actions.dry_run:
            preparations.append(self._try(world, actions.sidecar))
        await asyncio.gather(*preparations)
        with self._store.writing(resources.MODEL_SIDECARS, *world.key):
            written = await self._create_or_apply(world, _applicable(actions.sidecar))
            self._store.put(resources.MODEL_SIDECARS, written)
        return written

    async def _create_or_apply(self, world: World, sidecar: Raw) -> Raw:
        """Of the two the API server works less for a creation, and whoever waits for a first one waits for that."""
        if world.sidecar is None:
            with contextlib.suppress(Conflict):  # one is there that was not shown yet
                return await self._cluster.create(
                    resources.MODEL_SIDECARS, sidecar, field_manager=names.FIELD_MANAGER
                )
        if not world.own_sidecar():
            await self._take_over(sidecar)
        return await self._cluster.apply(
            resources.MODEL_SIDECARS, sidecar, field_manager=names.FIELD_MANAGER, force=True
        )

    async def _take_over(self, sidecar: Raw) -> None:
        """Make ours what belongs to an object of the same name before it, and would go with that.

        What was created is not taken away by an apply, and an object cannot have two controllers.
        """
        metadata = sidecar["metadata"]
        owners = {"metadata": {"ownerReferences": metadata["ownerReferences"]}}
        with contextlib.suppress(NotFound):
            await self._cluster.patch(
                resources.MODEL_SIDECARS,
                metadata["namespace"],
                metadata["name"],
                owners,
                field_manager=names.FIELD_MANAGER,
            )

    async def _try(self, world: World, sidecar: Raw) -> None:
        template = injection.pod_template(world.target) if world.target is not None else None
        form, now = injection.form_of_trial(sidecar, template), self._clock()
        # Quotas, policies and webhooks differ between namespaces.
        place = (world.key.namespace, form)
        if form is not None and now - self._accepted.get(place, float("-inf")) < ACCEPTED_SECONDS:
            return
        attempt = injection.dry_run_template(sidecar, template)
        try:
            await self._cluster.create(
                resources.POD_TEMPLATES, attempt, field_manager=names.FIELD_MANAGER, dry_run=True
            )
        except (Invalid, Forbidden) as error:
            raise Refusal(
                Reason.DRY_RUN_FAILED,
                f"The API server refuses a pod with the engine in it, so nothing was injected: {error.message}",
            ) from error
        if form is not None:
            self._accepted[place] = now
            self._accepted.move_to_end(place)
            if len(self._accepted) > MOST_ACCEPTED:
                self._accepted.popitem(last=False)

    async def _write_config_map(self, namespace: str) -> None:
        wanted = injection.config_map(namespace)
        try:
            written = await self._cluster.create(
                resources.CONFIG_MAPS, wanted, field_manager=names.FIELD_MANAGER
            )
        except Conflict:
            return  # another model's look at the same moment wrote it
        self._store.put(resources.CONFIG_MAPS, written)

    async def sweep(self, namespace: str) -> None:
        """Delete the supervisors' ConfigMaps of a namespace that no ModelSidecar and no pod mounts any more.

        One that is deleted under the hand of another model is written again: its end is an event for that model.
        """
        mounted = set().union(
            *(noted.config_maps for _, noted in self._store.sidecars(namespace)),
            *(mounted_config_maps(pod) for pod in self._store.all(resources.PODS, namespace)),
        )
        for config_map in list(self._store.all(resources.CONFIG_MAPS, namespace)):
            if config_map["metadata"]["name"] not in mounted:
                await self._cluster.delete(resources.CONFIG_MAPS, namespace, config_map["metadata"]["name"])

    async def _mark(self, world: World, mark: Mark) -> Raw:
        body = injection.marker_patch(mark.workload, model=world.name, revision=mark.revision)
        metadata = mark.workload["metadata"]
        try:
            with self._store.writing(mark.resource, metadata["namespace"], metadata["name"]):
                written = await self._cluster.apply(
                    mark.resource, body, field_manager=names.marker_manager(world.name)
                )
                self._store.put(mark.resource, written)
        except (Conflict, Invalid, Forbidden) as error:
            raise Refusal(
                Reason.FORBIDDEN if isinstance(error, Forbidden) else Reason.MARKER_CONFLICT,
                f"The marker could not be written to {mark.workload['kind']} "
                f"{mark.workload['metadata']['name']}: {error.message}",
            ) from error
        except NotFound as error:
            raise KubeError(404, "the target went away while it was marked") from error
        if world.deployment is not None:
            note = f"The pods get the engine of ModelDeployment {world.name} (revision {mark.revision})."
            for obj in (world.deployment, written):
                self._recorder.emit(
                    obj, kind="Normal", reason=Reason.TARGET_MARKED.value, note=note, action="Mark"
                )
        return written

    async def _unmark(self, world: World, resource: Resource, workload: Raw) -> Finding | None:
        """Leave a workload: what this model's manager owns goes, and what somebody copied from it goes too."""
        where = f"{resource.kind} {workload['metadata']['name']}"
        try:
            left = await self._cluster.apply(
                resource, injection.unmark_patch(workload), field_manager=names.marker_manager(world.name)
            )
            left = await self._take_leftovers(world, resource, left)
        except (NotFound, Conflict, Invalid) as error:
            # Gone (409), or another object took its name (422, a uid does not change): its own event tells.
            logger.info("%s: %s was not unmarked: %s", world.key, where, error)
            return None
        except Forbidden as error:
            return Finding(
                reason=Reason.MARKER_CONFLICT,
                message=f"The marker could not be taken from {where}, it is tried again: {error.message}",
            )
        self._store.put(resource, left)
        note = f"The marker of ModelDeployment {world.name} was taken away; new pods have no engine of it."
        self._recorder.emit(
            left, kind="Normal", reason=Reason.TARGET_UNMARKED.value, note=note, action="Unmark"
        )
        return None

    async def _take_leftovers(self, world: World, resource: Resource, left: Raw) -> Raw:
        """Remove what stayed of the marker because somebody applied an exported live object."""
        metadata = left["metadata"]
        for _ in range(LEFTOVER_ATTEMPTS):
            leftover = injection.leftover_patch(left, model=world.name)
            if not leftover:
                break
            try:
                return await self._cluster.patch(
                    resource,
                    metadata["namespace"],
                    metadata["name"],
                    leftover,
                    field_manager=names.marker_manager(world.name),
                )
            except Invalid:  # somebody changed it in between: a test of the patch failed
                left = await self._cluster.get(resource, metadata["namespace"], metadata["name"])
        return left

    async def _instruct(self, world: World, instruct: Instruct) -> None:
        metadata = instruct.pod["metadata"]
        patch = {
            "metadata": {
                "uid": metadata["uid"],  # another pod of that name is a conflict
                "annotations": {names.engine_annotation(world.name): instruct.instruction},
            }
        }
        try:
            written = await self._cluster.patch(
                resources.PODS,
                metadata["namespace"],
                metadata["name"],
                patch,
                field_manager=names.FIELD_MANAGER,
            )
        except (NotFound, Conflict) as error:
            logger.info(
                "%s: pod %s went away before its model was changed: %s", world.key, metadata["name"], error
            )
            return
        self._store.put(resources.PODS, written)

    async def _tell_pod(self, pod: Raw, *, serves: bool) -> None:
        metadata = pod["metadata"]
        condition = {
            "type": pod_facts.MODEL_READY,
            "status": "True" if serves else "False",
            "reason": "Serving" if serves else "NotServing",
            "message": "All models of the pod serve." if serves else "A model of the pod does not serve.",
        }
        patch = {"metadata": {"uid": metadata["uid"]}, "status": {"conditions": [condition]}}
        try:
            written = await self._cluster.patch(
                resources.PODS,
                metadata["namespace"],
                metadata["name"],
                patch,
                field_manager=names.FIELD_MANAGER,
                subresource="status",
                strategic=True,
            )
        except (NotFound, Conflict):
            return  # the pod went away
        self._store.put(resources.PODS, written)

    async def _evict(self, world: World, missed: injection.Missed) -> bool:
        """Whether the pod was evicted: not where admission would miss its replacement too, nor against a budget."""
        metadata = missed.pod["metadata"]
        if not await self._would_inject(metadata["namespace"]):
            logger.warning(
                "%s: pod %s is not replaced: admission injects nothing", world.key, metadata["name"]
            )
            return False
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"]},
            "deleteOptions": {"preconditions": {"uid": metadata["uid"]}},
        }
        try:
            await self._cluster.create_subresource(resources.PODS, metadata["name"], "eviction", body)
        except NotFound:
            return False
        except KubeError as error:
            # A disruption budget says no: it is asked again when something changes, or after the interval.
            logger.info("%s: pod %s is not replaced now: %s", world.key, metadata["name"], error)
            return False
        note = f"Pod {metadata['name']} ran without its engine ({missed.message}) and is replaced."
        for obj in (world.deployment, world.target):
            if obj is not None:
                self._recorder.emit(
                    obj, kind="Normal", reason=Reason.POD_EVICTED.value, note=note, action="Evict"
                )
        return True

    async def _would_inject(self, namespace: str) -> bool:
        """Whether the policy is there, and the namespace is none that is left alone."""
        found = await self._cluster.get(resources.NAMESPACES, None, namespace)
        if (found["metadata"].get("labels") or {}).get(names.INJECT_LABEL) == "false":
            return False
        try:
            for resource in (resources.MUTATING_POLICIES, resources.MUTATING_POLICY_BINDINGS):
                await self._cluster.get(resource, None, injection.POLICY_NAME)
        except (NotFound, Forbidden):
            return False
        return True


def _applicable(sidecar: Raw) -> Raw:
    """What of a ModelSidecar is ours to say; one that was read has the API server's own fields too."""
    metadata = {
        key: sidecar["metadata"][key]
        for key in ("name", "namespace", "labels", "annotations", "ownerReferences")
        if key in sidecar["metadata"]
    }
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.MODEL_SIDECAR,
        "metadata": metadata,
        "spec": sidecar["spec"],
    }


class Refusal(Exception):  # noqa: N818 - it is no error of the program
    """A write that was refused for a reason that the status shows; caught where the writes are made in order."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.finding = Finding(reason=reason, message=message)
