"""Which pods has the API server accepted already, but for names, ports and texts that it does not look into?

Before a ModelSidecar is written, the API server tries the pods to come. What it checks there is each container by
itself, that names meet nowhere, and what pods say as a whole. So two trials of one form in one namespace have one
answer:

    the application's pods    the very same spec; labels and annotations were checked with the workload that has them
    the engine's container    the same but for its name, its arguments, and the numbers of its ports, which the schema
                              of a ModelSidecar holds to what is accepted
    its volumes               the same but for the model's name in their names
    the variables             the same but for their values, and the model's name in their names

Names that would meet are conflicts, and found before (Source: Kubernetes 1.36, pkg/apis/core/validation,
ValidatePodTemplateSpec).
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pillion.api import names
from pillion.injection import pods, sidecars
from pillion.injection.pods import Raw

# All annotations of a pod together may have 256 KiB; the instruction is one of them.
SMALL_BYTES = 65_536


def form_of_trial(sidecar: Mapping[str, Any], pod_template: Mapping[str, Any] | None = None) -> str | None:
    """A hash that two trials share where the API server's answer to both is the same.

    Args:
        sidecar: as it is to be written.
        pod_template: the target's own; None where pods opt in by themselves.

    Returns:
        None where this one has to be tried whatever was accepted before: with annotations that might be too large or
        keep the engine out, or with names of an engine's in the application's own pods.
    """
    template = pod_template or {}
    own = json.dumps(template.get("spec") or {}, sort_keys=True)
    annotations = pods.annotations(template)
    if len(json.dumps(annotations)) + len(sidecars.instruction(sidecar)) > SMALL_BYTES:
        return None
    if names.CONTAINER_PREFIX in own or pods.MIRROR_ANNOTATION in annotations:
        return None
    added = json.dumps(_added(sidecar), sort_keys=True)
    name = sidecars.name(sidecar)
    for of_this_model, of_any in (
        (f'"{names.container_name(name)}', f'"{names.container_name("*")}'),
        (names.engine_annotation(name), names.engine_annotation("*")),
    ):
        added = added.replace(of_this_model, of_any)
    return hashlib.sha256(f"{own}\n{added}".encode()).hexdigest()


def _added(sidecar: Mapping[str, Any]) -> Raw:
    """What comes into the pods, without what differs from model to model."""
    spec = sidecars.spec(sidecar)
    container = {key: value for key, value in sidecars.container(sidecar).items() if key != "args"}
    container["ports"] = [{**port, "containerPort": None} for port in container.get("ports") or []]
    probe: Raw = spec.get("startupProbe") or {}
    if "httpGet" in probe:
        probe = {**probe, "httpGet": {**probe["httpGet"], "port": None}}
    variables: Mapping[str, Any] = sidecars.environment(sidecar)
    return {
        **{key: value for key, value in spec.items() if key not in ("instruction", "revision")},
        "container": container,
        "startupProbe": probe,
        "environment": {
            **variables,
            "own": len(variables.get("own") or ()),
            "plain": len(variables.get("plain") or ()),
        },
    }
