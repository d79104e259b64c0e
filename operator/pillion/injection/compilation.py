"""What does admission have to know about one ModelDeployment?

A ModelSidecar is the injection of one ModelDeployment, compiled: values that the admission policy copies into
pods without thinking. Two hashes keep apart what a change costs. The *revision* covers all that new pods are
needed for, and stands in the workload's pod template; the *instruction* can be changed in running pods.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pillion import engines
from pillion.api import names
from pillion.injection import sidecars
from pillion.injection.inject import inject
from pillion.injection.pods import Raw, copied

PLACEHOLDER_KEY = "pillion"  # SDKs of OpenAI refuse to start without a key; the engine asks for none


def compile_sidecar(
    *,
    name: str,
    namespace: str,
    uid: str,
    rendering: engines.Rendering,
    port: int,
    served_name: str,
    gate: str,
    plain_policy: str,
    plan_json: str,
    spec_hash: str,
    environment_containers: Sequence[str] | None = None,
    node_requirements: Sequence[Mapping[str, Any]] = (),
    tolerations: Sequence[Mapping[str, Any]] = (),
    runtime_class_name: str | None = None,
    revision_covers_instruction: bool = False,
) -> Raw:
    """The whole ModelSidecar of one ModelDeployment, owned by it.

    Args:
        name: of the ModelDeployment, and so of the ModelSidecar.
        namespace: of both.
        uid: of the ModelDeployment.
        rendering: what the engine makes of the plan.
        port: the engine's; the application is told about it.
        served_name: the name to ask for.
        gate: a value of `spec.modelGate`.
        plain_policy: which pods get `OPENAI_*`: `Always`, `SingleModel` or `Never`.
        plan_json: the plan, kept beside what was made from it.
        spec_hash: of the spec that the plan answers.
        environment_containers: the containers that get variables; None for all of the pod's own.
        node_requirements: for each term of the pod's required node affinity.
        tolerations: for the nodes that the engine may run on.
        runtime_class_name: for pods that have none.
        revision_covers_instruction: whether another instruction alone takes new pods too, so that the
            workload's own rollout brings it and no running pod is changed.
    """
    environment: Raw = {
        "own": [
            {"name": names.base_url_variable(name), "value": names.base_url(port)},
            {"name": names.model_variable(name), "value": served_name},
        ],
        "plain": [
            {"name": variable, "value": value}
            for variable, value in zip(
                names.PLAIN_VARIABLES, (names.base_url(port), PLACEHOLDER_KEY, served_name), strict=True
            )
        ],
        "plainPolicy": plain_policy,
    }
    if environment_containers:
        environment["containers"] = list(environment_containers)
    spec: Raw = {
        "formatVersion": sidecars.FORMAT_VERSION,
        "modelGate": str(gate),
        "container": copied(rendering.container),
        "startupProbe": copied(rendering.startup_probe),
        "volumes": copied(list(rendering.volumes)),
        "environment": environment,
    }
    if tolerations:
        spec["tolerations"] = [dict(toleration) for toleration in tolerations]
    if node_requirements:
        spec["nodeRequirements"] = [dict(requirement) for requirement in node_requirements]
    if runtime_class_name:
        spec["runtimeClassName"] = runtime_class_name
    told = {"told": dict(rendering.instruction)} if revision_covers_instruction else {}
    spec["revision"] = _revision({**spec, **told})
    spec["instruction"] = rendering.instruction_text(spec["revision"])
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.MODEL_SIDECAR,
        "metadata": {
            "name": name,
            "namespace": namespace,
            "annotations": {names.PLAN_ANNOTATION: plan_json, names.SPEC_HASH_ANNOTATION: spec_hash},
            # No blockOwnerDeletion: where that is guarded, it takes the right to update the owner's
            # finalizers.
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": names.MODEL_DEPLOYMENT,
                    "name": name,
                    "uid": uid,
                    "controller": True,
                }
            ],
        },
        "spec": spec,
    }


def with_instruction(sidecar: Mapping[str, Any], instruction: str) -> Raw:
    """The same ModelSidecar with another instruction, in which its own revision stands."""
    told = {**json.loads(instruction), "revision": sidecars.revision(sidecar)}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"))
    return {
        **copied(dict(sidecar)),
        "spec": {**copied(dict(sidecars.spec(sidecar))), "instruction": text},
    }


def shape_differs(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether going from one ModelSidecar to the other takes new pods."""
    return sidecars.revision(old) != sidecars.revision(new)


def plan_json(sidecar: Mapping[str, Any]) -> str | None:
    """The plan that it was compiled from; None where somebody took it away."""
    return _annotation(sidecar, names.PLAN_ANNOTATION)


def spec_hash(sidecar: Mapping[str, Any]) -> str | None:
    """The hash of the spec that the plan answers; None where somebody took it away."""
    return _annotation(sidecar, names.SPEC_HASH_ANNOTATION)


def dry_run_template(sidecar: Mapping[str, Any], pod_template: Mapping[str, Any] | None = None) -> Raw:
    """A PodTemplate for a server-side dry run: the API server checks it as it checks a pod with the engine.

    What the policy makes of a ModelSidecar with a bad value is not covered by its failurePolicy: every marked
    pod would be refused. So nothing is written before this was accepted.

    Args:
        sidecar: as it is to be written.
        pod_template: the target's own, so that exactly the pods to come are tried. Without it a pod that ends
            by itself is, because the engine has the most fields there: the init container's, and its startup
            probe.
    """
    template: Raw = dict(pod_template) if pod_template else {}
    template.setdefault(
        "spec", {"restartPolicy": "Never", "containers": [{"name": "application", "image": "application"}]}
    )
    name = sidecars.name(sidecar)
    metadata = template.get("metadata") or {}
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    template["metadata"] = {
        **metadata,
        "labels": {**labels, names.INJECT_LABEL: names.INJECT_WANTED},
        "annotations": {**annotations, names.model_annotation(name): sidecars.revision(sidecar)},
    }
    return {
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": {"generateName": names.CONTAINER_PREFIX, "namespace": sidecar["metadata"]["namespace"]},
        "template": inject(template, [sidecar], excluded_namespaces=()),
    }


def _revision(spec: Mapping[str, Any]) -> str:
    shape = {key: value for key, value in spec.items() if key not in ("instruction", "revision")}
    text = json.dumps(shape, sort_keys=True, separators=(",", ":"))
    return f"r-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _annotation(sidecar: Mapping[str, Any], key: str) -> str | None:
    found: str | None = (sidecar["metadata"].get("annotations") or {}).get(key)
    return found
