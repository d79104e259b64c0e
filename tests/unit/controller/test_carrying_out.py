"""In which order are decisions written, and what ends them?"""

import dataclasses
from typing import Any

from pillion import injection
from pillion.api import names
from pillion.api.reasons import Reason
from pillion.controller.act import Act
from pillion.controller.decide import Actions, Instruct, Mark
from pillion.controller.store import Key, Store
from pillion.kube import resources
from pillion.kube.client import Conflict, Forbidden, Invalid, KubeError, NotFound
from pillion.kube.resources import Resource
from tests.unit.controller import worlds

Raw = dict[str, Any]

RIVER = worlds.deployment()
SIDECAR = worlds.sidecar(RIVER)
REVISION = injection.revision(SIDECAR)


class FakeCluster:
    """Remembers what was written, and refuses what it is told to refuse."""

    def __init__(self, *, objects: dict[tuple[str, str], Raw] | None = None) -> None:
        self.calls: list[tuple[str, str, str]] = []
        self.bodies: list[Any] = []
        self.refusals: dict[tuple[str, str], list[KubeError]] = {}
        self.objects = objects or {}
        self.version = 100

    def refuse(self, verb: str, kind: str, *errors: KubeError) -> None:
        self.refusals[verb, kind] = list(errors)

    def _call(self, verb: str, resource: Resource, name: str, body: Any) -> Raw:
        self.calls.append((verb, resource.kind, name))
        self.bodies.append(body)
        waiting = self.refusals.get((verb, resource.kind))
        if waiting:
            raise waiting.pop(0)
        self.version += 1
        known = self.objects.get((resource.kind, name), {})
        metadata = {"namespace": "shop", "uid": "u", **known.get("metadata", {}), "name": name}
        metadata["resourceVersion"] = str(self.version)
        base = {"apiVersion": resource.api_version, "kind": resource.kind}
        return {**base, **known, "metadata": metadata}

    async def apply(self, resource: Resource, body: Raw, **_: Any) -> Raw:
        return self._call("apply", resource, body["metadata"]["name"], body)

    async def create(self, resource: Resource, body: Raw, *, dry_run: bool = False, **_: Any) -> Raw:
        return self._call(
            "try" if dry_run else "create", resource, body["metadata"].get("name", "generated"), body
        )

    async def create_subresource(self, resource: Resource, name: str, subresource: str, body: Raw) -> Raw:
        return self._call(subresource, resource, name, body)

    async def patch(self, resource: Resource, _namespace: str, name: str, patch: Any, **_: Any) -> Raw:
        return self._call("patch", resource, name, patch)

    async def get(self, resource: Resource, _namespace: str | None, name: str) -> Raw:
        return self._call("get", resource, name, None)

    async def delete(self, resource: Resource, _namespace: str, name: str) -> None:
        self._call("delete", resource, name, None)


class Recorder:
    """Keeps the reasons of events."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    def emit(self, _regarding: Raw, *, reason: str, **_: Any) -> None:
        self.reasons.append(reason)


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def acting(cluster: FakeCluster, clock: Clock | None = None) -> tuple[Act, Recorder, Store]:
    recorder, store = Recorder(), Store()
    # The fakes stand in for the cluster and the recorder.
    return Act(cluster, store, recorder, clock or Clock()), recorder, store  # type: ignore[arg-type]


def first_time() -> Actions:
    mark = Mark(resource=resources.DEPLOYMENTS, workload=worlds.workload(), revision=REVISION)
    return Actions(config_map=True, sidecar=SIDECAR, dry_run=True, mark=mark)


async def test_it_is_tried_before_it_is_written_and_written_before_it_is_marked() -> None:
    cluster = FakeCluster()
    act, recorder, store = acting(cluster)
    result = await act.carry_out(worlds.world(RIVER, target=worlds.workload()), first_time())
    kinds = [(verb, kind) for verb, kind, _ in cluster.calls]
    assert set(kinds[:2]) == {("create", "ConfigMap"), ("try", "PodTemplate")}
    assert kinds[2:] == [("create", "ModelSidecar"), ("apply", "Deployment")]
    assert result.problem is None
    assert store.get(resources.MODEL_SIDECARS, *worlds.KEY) is not None
    assert recorder.reasons == ["TargetMarked", "TargetMarked"]


async def test_a_first_modelsidecar_that_is_there_already_is_applied() -> None:
    cluster = FakeCluster()
    cluster.refuse("create", "ModelSidecar", Conflict(409, "already exists"))
    act, _, store = acting(cluster)
    result = await act.carry_out(worlds.world(RIVER, target=worlds.workload()), first_time())
    assert result.problem is None
    assert ("apply", "ModelSidecar", "chat") in cluster.calls
    assert store.get(resources.MODEL_SIDECARS, *worlds.KEY) is not None


async def test_what_was_accepted_is_not_tried_again_for_a_while() -> None:
    cluster, clock = FakeCluster(), Clock()
    act, _, _ = acting(cluster, clock)
    world = worlds.world(RIVER, target=worlds.workload())
    trials = []
    for now in (0.0, 59.0, 61.0):
        clock.now = now
        await act.carry_out(world, first_time())
        trials.append(len([call for call in cluster.calls if call[0] == "try"]))
    assert trials == [1, 1, 2]


async def test_what_one_namespace_accepts_is_tried_in_another() -> None:
    cluster = FakeCluster()
    act, _, _ = acting(cluster)
    world = worlds.world(RIVER, target=worlds.workload())
    await act.carry_out(world, first_time())
    await act.carry_out(dataclasses.replace(world, key=Key("elsewhere", "chat")), first_time())
    assert len([call for call in cluster.calls if call[0] == "try"]) == 2


async def test_what_belonged_to_an_object_of_the_same_name_is_taken_over_before_it_is_applied() -> None:
    cluster = FakeCluster()
    act, _, _ = acting(cluster)
    (owner,) = SIDECAR["metadata"]["ownerReferences"]
    old = {**SIDECAR, "metadata": {**SIDECAR["metadata"], "ownerReferences": [{**owner, "uid": "old"}]}}
    world = dataclasses.replace(worlds.world(RIVER, target=worlds.workload()), sidecar=old)
    await act.carry_out(world, first_time())
    written = [call[:2] for call in cluster.calls if call[1] == "ModelSidecar"]
    assert written == [("patch", "ModelSidecar"), ("apply", "ModelSidecar")]
    assert {"metadata": {"ownerReferences": [owner]}} in cluster.bodies


async def test_what_was_refused_is_tried_again_each_time() -> None:
    cluster = FakeCluster()
    cluster.refuse("try", "PodTemplate", *[Forbidden(403, "exceeded quota")] * 2)
    act, _, _ = acting(cluster)
    world = worlds.world(RIVER, target=worlds.workload())
    for _ in range(3):
        await act.carry_out(world, first_time())
    assert len([call for call in cluster.calls if call[0] == "try"]) == 3


async def test_what_the_api_server_refuses_in_the_trial_is_neither_written_nor_marked() -> None:
    cluster = FakeCluster()
    cluster.refuse("try", "PodTemplate", Invalid(422, 'quantity "1x" is invalid'))
    act, _, _ = acting(cluster)
    result = await act.carry_out(worlds.world(RIVER, target=worlds.workload()), first_time())
    assert result.problem is not None
    assert result.problem.reason is Reason.DRY_RUN_FAILED
    assert 'quantity "1x" is invalid' in result.problem.message
    assert not [call for call in cluster.calls if call[0] == "apply"]


async def test_a_quota_that_says_no_is_a_reason_and_no_error() -> None:
    cluster = FakeCluster()
    cluster.refuse("try", "PodTemplate", Forbidden(403, "exceeded quota"))
    act, _, _ = acting(cluster)
    result = await act.carry_out(worlds.world(RIVER, target=worlds.workload()), first_time())
    assert result.problem is not None
    assert "exceeded quota" in result.problem.message


async def test_a_marker_that_somebody_else_holds_is_a_reason() -> None:
    cluster = FakeCluster()
    cluster.refuse("apply", "Deployment", Conflict(409, 'conflict with "argocd"'))
    act, _, _ = acting(cluster)
    result = await act.carry_out(worlds.world(RIVER, target=worlds.workload()), first_time())
    assert result.problem is not None
    assert result.problem.reason is Reason.MARKER_CONFLICT
    assert "argocd" in result.problem.message
    assert result.sidecar_written


async def test_a_supervisors_source_that_somebody_else_wrote_at_that_moment_is_fine() -> None:
    cluster = FakeCluster()
    cluster.refuse("create", "ConfigMap", Conflict(409, "already exists"))
    act, _, _ = acting(cluster)
    result = await act.carry_out(worlds.world(RIVER, target=worlds.workload()), first_time())
    assert result.problem is None
    assert result.sidecar_written


async def test_an_unmarking_that_is_forbidden_is_said_and_holds_nothing_else_up() -> None:
    cluster = FakeCluster()
    cluster.refuse("apply", "Deployment", Forbidden(403, "a policy says no"))
    act, _, _ = acting(cluster)
    actions = Actions(
        unmark=((resources.DEPLOYMENTS, worlds.workload(revision=REVISION)),), delete_sidecar=True
    )
    result = await act.carry_out(worlds.world(RIVER, sidecar=SIDECAR), actions)
    assert result.problem is not None
    assert result.problem.reason is Reason.MARKER_CONFLICT
    assert "a policy says no" in result.problem.message
    assert ("delete", "ModelSidecar", "chat") in cluster.calls


async def test_what_was_read_is_applied_without_the_api_servers_own_fields() -> None:
    cluster = FakeCluster()
    act, _, _ = acting(cluster)
    live = {**SIDECAR, "metadata": {**SIDECAR["metadata"], "managedFields": [{}], "generation": 3}}
    await act.carry_out(worlds.world(RIVER, sidecar=SIDECAR), Actions(sidecar=live))
    applied = next(
        body for call, body in zip(cluster.calls, cluster.bodies, strict=True) if call[1] == "ModelSidecar"
    )
    assert set(applied["metadata"]) == {"name", "namespace", "annotations", "ownerReferences"}


async def test_leaving_takes_away_again_what_somebody_changed_in_between() -> None:
    marked = worlds.workload(revision=REVISION)
    marked["metadata"]["managedFields"] = [{"manager": "kubectl", "operation": "Apply", "fieldsV1": {}}]
    cluster = FakeCluster(objects={("Deployment", "web"): marked})
    cluster.refuse("patch", "Deployment", Invalid(422, "the test failed"))
    act, recorder, _ = acting(cluster)
    await act.carry_out(worlds.world(RIVER), Actions(unmark=((resources.DEPLOYMENTS, marked),)))
    verbs = [verb for verb, kind, _ in cluster.calls if kind == "Deployment"]
    assert verbs == ["apply", "patch", "get", "patch"]
    assert recorder.reasons == ["TargetUnmarked"]


async def test_a_pod_that_went_away_is_no_error() -> None:
    cluster = FakeCluster()
    cluster.refuse("patch", "Pod", Conflict(409, "uid mismatch"))
    act, _, _ = acting(cluster)
    pod = worlds.pod("a", engine=SIDECAR)
    actions = Actions(instruct=(Instruct(pod=pod, instruction="{}"),))
    result = await act.carry_out(worlds.world(RIVER, sidecar=SIDECAR), actions)
    assert result.problem is None
    patch = cluster.bodies[0]
    assert patch["metadata"]["uid"] == pod["metadata"]["uid"]
    assert patch["metadata"]["annotations"] == {names.engine_annotation("chat"): "{}"}


async def test_a_disruption_budget_is_obeyed() -> None:
    cluster = FakeCluster()
    cluster.refuse("eviction", "Pod", KubeError(429, "Cannot evict pod as it would violate the budget"))
    act, recorder, _ = acting(cluster)
    [missed] = injection.missed_pods([worlds.pod("a", marked=REVISION)], SIDECAR)
    result = await act.carry_out(worlds.world(RIVER, sidecar=SIDECAR), Actions(evict=missed))
    assert not result.evicted
    assert recorder.reasons == []


async def test_no_pod_is_evicted_where_the_policy_is_gone() -> None:
    cluster = FakeCluster()
    cluster.refuse("get", "MutatingAdmissionPolicyBinding", NotFound(404, "not found"))
    act, _, _ = acting(cluster)
    [missed] = injection.missed_pods([worlds.pod("a", marked=REVISION)], SIDECAR)
    result = await act.carry_out(worlds.world(RIVER, sidecar=SIDECAR), Actions(evict=missed))
    assert not result.evicted
    assert not [call for call in cluster.calls if call[0] == "eviction"]
