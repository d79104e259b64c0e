"""What does a ModelSidecar say?

The mirror of reading pods: small functions over the raw object, each with what absence means. The admission
policy reads the same fields with the same defaults, so a change here is a change of the policy.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pillion.api import names
from pillion.injection.pods import Raw, runs_to_completion

FORMAT_VERSION = 1  # of the ModelSidecar's meaning; the policy of the same version acts on it


def name(sidecar: Mapping[str, Any]) -> str:
    """The name, which is the ModelDeployment's."""
    return str(sidecar["metadata"]["name"])


def spec(sidecar: Mapping[str, Any]) -> Mapping[str, Any]:
    """The spec; empty where there is none."""
    return sidecar.get("spec") or {}


def revision(sidecar: Mapping[str, Any]) -> str:
    """The hash of all that needs new pods; empty where there is none."""
    return str(spec(sidecar).get("revision") or "")


def instruction(sidecar: Mapping[str, Any]) -> str:
    """What the supervisor of a new pod is told; empty where there is none."""
    return str(spec(sidecar).get("instruction") or "")


def container(sidecar: Mapping[str, Any]) -> Raw:
    """The engine's container, without restart policy and probes."""
    found: Raw = spec(sidecar).get("container") or {}
    return found


def container_name(sidecar: Mapping[str, Any]) -> str:
    """The engine's container in a pod."""
    return str(container(sidecar).get("name") or names.container_name(name(sidecar)))


def items(sidecar: Mapping[str, Any], field: str) -> Sequence[Raw]:
    """A list of the spec (`volumes`, `tolerations`, `nodeRequirements`); empty where there is none."""
    found: Sequence[Raw] = spec(sidecar).get(field) or []
    return found


def environment(sidecar: Mapping[str, Any]) -> Mapping[str, Any]:
    """Which variables go to which of the application's containers."""
    return spec(sidecar).get("environment") or {}


def gate(sidecar: Mapping[str, Any]) -> str:
    """What waits for the model: nothing, the application's start, or the pod's readiness."""
    return str(spec(sidecar).get("modelGate") or "Auto")


def ports(sidecar: Mapping[str, Any]) -> tuple[int, ...]:
    """The ports that the engine takes: its own, on the loopback and so not declared, and the supervisor's."""
    declared = {int(port["containerPort"]) for port in container(sidecar).get("ports") or []}
    try:
        own = int(json.loads(instruction(sidecar))["port"])
    except (ValueError, KeyError, TypeError):
        return tuple(sorted(declared))
    return tuple(sorted(declared | {own, names.supervisor_port(own)}))


def is_native(sidecar: Mapping[str, Any], pod_spec: Mapping[str, Any]) -> bool:
    """Whether the engine becomes an init container that goes on running (a native sidecar).

    A regular container would keep a pod that ends by itself from ending; and only after an init container's
    startup probe does the kubelet start the application.
    """
    return runs_to_completion(pod_spec) or gate(sidecar) == "Startup"


def holds_application(sidecar: Mapping[str, Any], pod_spec: Mapping[str, Any]) -> bool:
    """Whether the application starts only when the model serves.

    | gate      | pod that goes on | pod that ends |
    |-----------|------------------|---------------|
    | Auto      | no               | yes           |
    | None      | no               | no            |
    | Startup   | yes              | yes           |
    | Readiness | no               | no            |
    """
    return gate(sidecar) == "Startup" or (gate(sidecar) == "Auto" and runs_to_completion(pod_spec))


def gates_readiness(sidecar: Mapping[str, Any], pod_spec: Mapping[str, Any]) -> bool:
    """Whether the pod is ready only when the model is; nobody waits for the readiness of a pod that ends."""
    return gate(sidecar) == "Readiness" and not runs_to_completion(pod_spec)
