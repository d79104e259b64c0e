"""Worlds for tests: values that read as sentences, made from the same functions that make the real ones."""

import dataclasses
from typing import Any

from pillion import engines, injection
from pillion.api import names
from pillion.api.modeldeployment import ModelDeployment, Task
from pillion.controller.engine import EngineReport, EngineState, Failure
from pillion.controller.store import Key
from pillion.controller.world import World, spec_hash
from pillion.kube import resources

Raw = dict[str, Any]

KEY = Key("shop", "chat")
UID = "6b1d7f50-0000-4000-8000-000000000001"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIB = 2**30


def deployment(repo: str = "pillion-test/tiny-river", *, status: Raw | None = None, **spec: Any) -> Raw:
    """A ModelDeployment as the API server stores it."""
    raw: Raw = {
        "apiVersion": names.API_VERSION,
        "kind": names.MODEL_DEPLOYMENT,
        "metadata": {
            "name": KEY.name,
            "namespace": KEY.namespace,
            "uid": UID,
            "generation": 1,
            "resourceVersion": "1",
            "creationTimestamp": "2026-11-01T00:00:00Z",
        },
        "spec": {"model": {"repo": repo}, "targetRef": {"name": "web"}, **spec},
    }
    if status is not None:
        raw["status"] = status
    return raw


def sidecar(
    raw: Raw, *, repo: str | None = None, port: int = 18000, memory_gib: int = 2, covers: bool = False
) -> Raw:
    """The ModelSidecar that a plan for `raw` would give, of one size of container."""
    settings = engines.EngineSettings(
        name=KEY.name,
        image="localhost/engine:1",
        device="CPU",
        model=engines.HubModel(
            repo=repo or raw["spec"]["model"]["repo"], commit=COMMIT, files=("*.safetensors",)
        ),
        served_names=(KEY.name,),
        task=Task.TEXT_GENERATION,
        port=port,
        resources=engines.Resources(
            cpu_request_millis=100,
            cpu_limit_millis=1000,
            memory_request_bytes=memory_gib * GIB,
            memory_limit_bytes=memory_gib * GIB,
            shm_bytes=GIB // 4,
            ephemeral_request_bytes=GIB,
        ),
        cache=engines.CacheVolume(size_limit_bytes=GIB),
        startup_timeout_seconds=60,
        supervisor_config_map=injection.config_map_name(),
    )
    made = injection.compile_sidecar(
        name=KEY.name,
        namespace=KEY.namespace,
        uid=UID,
        rendering=engines.render(settings),
        port=port,
        served_name=KEY.name,
        gate="Auto",
        plain_policy="Always",
        plan_json="",
        spec_hash=spec_hash(raw),
        revision_covers_instruction=covers,
    )
    return stored(made)


def stored(sidecar: Raw) -> Raw:
    """As it is read again."""
    return {**sidecar, "metadata": {**sidecar["metadata"], "uid": "s-1", "resourceVersion": "5"}}


def workload(
    *, revision: str | None = None, replicas: int = 1, rolling: bool = False, **template: Any
) -> Raw:
    """The Deployment `web`, marked with a revision or not."""
    metadata: Raw = {"labels": {"app": "web"}}
    labels: Raw = {}
    fields: list[Raw] = []
    if revision is not None:
        metadata["annotations"] = {names.model_annotation(KEY.name): revision}
        metadata["labels"] = {"app": "web", names.INJECT_LABEL: names.INJECT_WANTED}
        labels = {names.MARKED_LABEL: names.MARKED}
        held = {
            "f:metadata": {"f:labels": {f"f:{names.MARKED_LABEL}": {}}},
            "f:spec": {
                "f:template": {
                    "f:metadata": {
                        "f:annotations": {f"f:{names.model_annotation(KEY.name)}": {}},
                        "f:labels": {f"f:{names.INJECT_LABEL}": {}},
                    }
                }
            },
        }
        fields.append({"manager": names.marker_manager(KEY.name), "operation": "Apply", "fieldsV1": held})
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": KEY.namespace,
            "uid": "w-1",
            "generation": 2,
            "labels": labels,
            "managedFields": fields,
            "resourceVersion": "9",
        },
        "spec": {
            "replicas": replicas,
            "template": {
                "metadata": metadata,
                "spec": {"containers": [{"name": "app", "image": "app:1"}], **template},
            },
        },
        "status": {
            "observedGeneration": 2,
            "replicas": replicas,
            "updatedReplicas": 0 if rolling else replicas,
            "readyReplicas": replicas,
        },
    }


def pod(
    name: str,
    *,
    engine: Raw | None = None,
    marked: str | None = None,
    ready: bool = True,
    owned: bool = True,
    terminating: bool = False,
    instruction: str | None = None,
) -> Raw:
    """A running pod; `engine` is the ModelSidecar it was made with, `marked` the revision in its own marker."""
    revision = marked if marked is not None else (injection.revision(engine) if engine is not None else "")
    raw: Raw = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": KEY.namespace,
            "uid": f"uid-{name}",
            "resourceVersion": "3",
            "labels": {"app": "web", names.INJECT_LABEL: names.INJECT_WANTED},
            "annotations": {names.model_annotation(KEY.name): revision},
        },
        "spec": {"containers": [{"name": "app", "image": "app:1"}]},
        "status": {
            "phase": "Running",
            "podIP": "127.64.0.9",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        },
    }
    if owned:
        raw["metadata"]["ownerReferences"] = [
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "name": "web-1",
                "uid": "rs-1",
                "controller": True,
            }
        ]
    if terminating:
        raw["metadata"]["deletionTimestamp"] = "2026-11-01T00:00:00Z"
    if engine is not None:
        raw = injection.inject(raw, [engine])
        raw["status"]["containerStatuses"] = [
            {"name": names.container_name(KEY.name), "state": {"running": {}}}
        ]
        if instruction is not None:
            raw["metadata"]["annotations"][names.engine_annotation(KEY.name)] = instruction
    return raw


def text(sidecar: Raw) -> str:
    """The instruction of a ModelSidecar."""
    return str(sidecar["spec"]["instruction"])


def hashed(sidecar: Raw) -> str:
    """Its hash."""
    return injection.instruction_hash(text(sidecar))


def serving(instruction_hash: str, *, serial: int = 1) -> EngineReport:
    """An engine that serves an instruction."""
    return EngineReport(
        serial=serial,
        state=EngineState.SERVING,
        hash=instruction_hash,
        serving=instruction_hash,
        kv_cache_tokens=4096,
    )


def loading(instruction_hash: str) -> EngineReport:
    """An engine that was told, and loads."""
    return EngineReport(serial=1, state=EngineState.LOADING, hash=instruction_hash, serving=None)


def failed(instruction_hash: str, *, reason: str = "EngineExited", still: str | None = None) -> EngineReport:
    """An engine that cannot serve what it was told; `still` is what it serves meanwhile."""
    failure = Failure(
        reason=reason, message="The engine ended with exit code 1.", hash=instruction_hash, exit_code=1
    )
    return EngineReport(
        serial=1, state=EngineState.FAILED, hash=instruction_hash, serving=still, failure=failure
    )


def world(raw: Raw, **known: Any) -> World:
    """A world around a ModelDeployment; everything that is not told is absent."""
    given: Raw = {"target_resource": resources.DEPLOYMENTS, **known}
    return World(key=KEY, deployment=raw, spec=ModelDeployment.from_raw(raw).spec, **given)


def changed(before: World, **known: Any) -> World:
    """The same world with something else in it."""
    return dataclasses.replace(before, **known)
