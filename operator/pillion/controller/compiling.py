"""Which ModelSidecar makes a plan true? Pure: a plan, the facts and the spec in, the object out."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pillion import engines, injection, planner
from pillion.api import names
from pillion.api.modeldeployment import (
    Modalities,
    ModelDeployment,
    ModelDeploymentSpec,
    Task,
    UpdateStrategyType,
)
from pillion.controller.briefs import port_pair
from pillion.facts import ModelFacts

__all__ = [
    "age",
    "compile_sidecar",
    "free_port",
    "plain_policy",
    "port_pair",
    "task_of",
    "with_engines",
]

Raw = dict[str, Any]

AUTO = "Auto"


def task_of(spec: ModelDeploymentSpec, facts: ModelFacts) -> Task:
    """What the model is used for: as asked, or as its configuration says."""
    return spec.model.task if spec.model.task is not Task.AUTO else facts.task


def free_port(wanted: int | None, *, taken: Iterable[int], present: int | None = None) -> int:
    """The engine's port: the user's own, the present one, or the first free pair (engine, supervisor) from 18000 up.

    A new port needs new pods, so that a model keeps its pair as long as nobody else has it.

    Args:
        wanted: the user's own.
        taken: every port in use, of other engines, of their supervisors and of the target's own containers.
        present: of the model's ModelSidecar.
    """
    if wanted is not None:
        return wanted
    in_use = set(taken)
    if present is not None and not in_use & {present, names.supervisor_port(present)}:
        return present
    port = names.FIRST_PORT
    while in_use & {port, names.supervisor_port(port)}:
        port += 2
    return port


def age(deployment: ModelDeployment) -> tuple[str, str]:
    """Smaller is older; of two of one second the name decides."""
    return (deployment.metadata.creation_timestamp or "", deployment.metadata.name)


def with_engines(pod_spec: Raw, sidecars: Sequence[Raw]) -> Raw:
    """The spec of a template's pods with the engines of some models in them."""
    models = [sidecar["metadata"]["name"] for sidecar in sidecars]
    pod: Raw = {
        "metadata": {
            "labels": {names.INJECT_LABEL: names.INJECT_WANTED},
            "annotations": {names.model_annotation(model): "planned" for model in models},
        },
        "spec": pod_spec,
    }
    injected: Raw = injection.inject(pod, sidecars, excluded_namespaces=())["spec"] if models else pod_spec
    return injected


def plain_policy(
    deployment: ModelDeployment, task: Task, *, neighbours: Iterable[tuple[ModelDeployment, Task | None]]
) -> str:
    """Which pods get `OPENAI_*` from this model: of several beside one target, the oldest that generates text.

    `neighbours` are those that may get them too, and what they do, where that is known.
    Where pods opt in by themselves nobody knows which models they name, so only a pod with a single model gets them.
    """
    spec = deployment.spec
    if spec.target_ref is None:
        return "SingleModel"

    same_target = [
        (other, other_task) for other, other_task in neighbours if other.spec.target_ref == spec.target_ref
    ]
    if task is Task.TEXT_GENERATION:
        older = [
            other
            for other, its in same_target
            if its in (Task.TEXT_GENERATION, None) and age(other) < age(deployment)
        ]
        return "Never" if older else "Always"
    generating = [other for other, its in same_target if its in (Task.TEXT_GENERATION, None)]
    older = [other for other, _ in same_target if age(other) < age(deployment)]
    return "Never" if generating or older else "Always"


def compile_sidecar(
    deployment: ModelDeployment,
    *,
    plan: planner.Plan,
    facts: ModelFacts,
    port: int,
    policy: str,
    spec_hash: str,
    hub_endpoint: str | None,
    limit_disk: bool,
) -> Raw:
    """The ModelSidecar of a plan.

    Args:
        deployment: the ModelDeployment.
        plan: what was chosen.
        facts: of the chosen checkpoint.
        port: the engine's.
        policy: Always, SingleModel or Never: who gets the plain variables.
        spec_hash: what the plan answers.
        hub_endpoint: a Hub other than huggingface.co.
        limit_disk: whether the engine's container gets an ephemeral-storage limit; right only where every container
            of the pod has one, because the kubelet holds the whole pod to the sum.
    """
    spec = deployment.spec
    task = task_of(spec, facts)
    settings = _settings(deployment, plan=plan, facts=facts, port=port, task=task, hub_endpoint=hub_endpoint)
    if not limit_disk:
        settings = dataclasses.replace(
            settings, resources=dataclasses.replace(settings.resources, ephemeral_limit_bytes=None)
        )
    return injection.compile_sidecar(
        name=deployment.metadata.name,
        namespace=deployment.metadata.namespace or "",
        uid=deployment.metadata.uid or "",
        rendering=engines.render(settings, engine=plan.engine),
        port=port,
        served_name=deployment.served_names[0],
        gate=spec.model_gate.value,
        plain_policy=policy,
        environment_containers=spec.environment.containers if spec.environment is not None else None,
        node_requirements=[*map(dict, plan.node_requirements), *_selector(spec.hardware.node_selector)],
        tolerations=[*map(dict, plan.tolerations), *(entry.to_raw() for entry in spec.hardware.tolerations)],
        runtime_class_name=spec.hardware.runtime_class_name,
        plan_json=planner.plan_to_json(plan),
        spec_hash=spec_hash,
        revision_covers_instruction=spec.update_strategy.type is not UpdateStrategyType.IN_PLACE_IF_POSSIBLE,
    )


def _settings(
    deployment: ModelDeployment,
    *,
    plan: planner.Plan,
    facts: ModelFacts,
    port: int,
    task: Task,
    hub_endpoint: str | None,
) -> engines.EngineSettings:
    spec = deployment.spec
    profile = engines.profile(plan.engine)
    generation = spec.serving.generation
    claim = spec.cache.persistent_volume_claim if spec.cache is not None else None
    secret = spec.model.token_secret_ref
    return engines.EngineSettings(
        name=deployment.metadata.name,
        image=plan.image,
        device=plan.device.value,
        model=engines.HubModel(repo=plan.checkpoint, commit=plan.commit, files=facts.files),
        served_names=deployment.served_names,
        task=task,
        port=port,
        resources=_resources(spec, plan),
        cache=engines.CacheVolume(size_limit_bytes=plan.cache_bytes)
        if claim is None
        else engines.CacheVolume(
            size_limit_bytes=None, claim_name=claim.claim_name, claim_sub_path=claim.sub_path
        ),
        startup_timeout_seconds=plan.startup_timeout_seconds,
        context_tokens=plan.context_tokens,
        max_num_seqs=plan.max_num_seqs,
        max_num_batched_tokens=plan.max_num_batched_tokens,
        gpu_memory_utilization=plan.gpu_memory_utilization,
        kv_cache_bytes=plan.kv_cache_bytes,
        kv_cache_dtype=plan.kv_cache_dtype,
        dtype=plan.dtype,
        tensor_parallel=plan.tensor_parallel,
        on_the_fly=plan.on_the_fly,
        trust_remote_code=spec.model.trust_remote_code,
        text_only=spec.serving.modalities is Modalities.TEXT and facts.multimodal,
        generation=engines.Generation()
        if generation is None
        else engines.Generation(
            temperature=generation.temperature, top_p=generation.top_p, output_limit=generation.output_limit
        ),
        tool_parser=_parser(
            spec.serving.tool_calls, profile.tool_parser(facts.architecture or "", facts.repo), task
        ),
        reasoning_parser=_parser(
            spec.serving.reasoning, profile.reasoning_parser(facts.architecture or "", facts.repo), task
        ),
        token_secret=None if secret is None else engines.SecretKey(name=secret.name, key=secret.key),
        hub_endpoint=hub_endpoint,
        supervisor_config_map=injection.config_map_name(),
        extra_args=spec.engine.extra_args,
        env=tuple(variable.to_raw() for variable in spec.engine.env),
    )


def _parser(wanted: str, found: str | None, task: Task) -> str | None:
    if wanted == AUTO:
        return found if task is Task.TEXT_GENERATION else None
    return None if wanted == "None" else wanted


def _resources(spec: ModelDeploymentSpec, plan: planner.Plan) -> engines.Resources:
    """What the plan counted on, with what the user set in its place."""
    sizes = planner.container_sizes(plan, spec.engine.resources)
    return engines.Resources(
        cpu_request_millis=sizes.cpu_request_millis,
        cpu_limit_millis=sizes.cpu_limit_millis,
        memory_request_bytes=sizes.memory_request_bytes,
        memory_limit_bytes=sizes.memory_limit_bytes,
        shm_bytes=sizes.shm_bytes,
        ephemeral_request_bytes=sizes.ephemeral_request_bytes,
        ephemeral_limit_bytes=sizes.ephemeral_limit_bytes,
        accelerator_resource=plan.resource,
        accelerator_count=plan.count if plan.resource is not None else 0,
    )


def _selector(labels: Mapping[str, str]) -> list[Raw]:
    """A node selector as requirements, so that it stands beside the plan's own in every affinity term."""
    return [{"key": key, "operator": "In", "values": [labels[key]]} for key in sorted(labels)]
