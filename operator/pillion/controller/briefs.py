"""What is asked of all objects of a kind at once, without reading each of them again?

A plan looks at the ports and at the accelerators of every other model. With hundreds of them that must not mean
hundreds of objects that are read for each plan, so what it asks is noted when an object is kept.
"""

from dataclasses import dataclass
from typing import Any

from pillion import injection
from pillion.api import names
from pillion.controller.workloads import desired_pods
from pillion.kube import resources
from pillion.kube.resources import Resource

__all__ = [
    "Brief",
    "DeploymentBrief",
    "SidecarBrief",
    "WorkloadBrief",
    "brief",
    "controller_of",
    "mounted_config_maps",
    "port_pair",
]

Raw = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class DeploymentBrief:
    """Of a ModelDeployment."""

    living: bool  # to be injected: neither about to go nor suspended
    target: tuple[str, str] | None  # kind and name; None where pods opt in by themselves


@dataclass(frozen=True, kw_only=True, slots=True)
class SidecarBrief:
    """Of a ModelSidecar."""

    owner_uid: str | None
    ports: tuple[int, int]
    plan_json: str | None
    config_maps: frozenset[str]  # that its volumes mount


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkloadBrief:
    """Of a marked workload."""

    desired_pods: int


Brief = DeploymentBrief | SidecarBrief | WorkloadBrief


def brief(resource: Resource, obj: Raw) -> Brief | None:
    """What is noted of an object; None for kinds of which nothing is."""
    if resource is resources.MODEL_SIDECARS:
        owner = controller_of(obj)
        return SidecarBrief(
            owner_uid=None if owner is None else str(owner["uid"]),
            ports=port_pair(obj),
            plan_json=injection.plan_json(obj),
            config_maps=mounted_config_maps(obj),
        )
    if resource is resources.MODEL_DEPLOYMENTS:
        spec = obj.get("spec") or {}
        reference = spec.get("targetRef")
        kind = resources.DEPLOYMENTS.kind
        return DeploymentBrief(
            living="deletionTimestamp" not in obj["metadata"] and not spec.get("suspend"),
            target=(reference.get("kind", kind), reference["name"]) if reference else None,
        )
    return WorkloadBrief(desired_pods=desired_pods(obj)) if resource in resources.WORKLOADS else None


def controller_of(obj: Raw) -> Raw | None:
    """The owner reference of the controller that made an object, or None for one that nobody would make again."""
    for reference in obj["metadata"].get("ownerReferences") or []:
        if reference.get("controller"):
            return dict(reference)
    return None


def mounted_config_maps(obj: Raw) -> frozenset[str]:
    """Names of the ConfigMaps among the volumes of a pod or of a ModelSidecar."""
    volumes = obj.get("spec", {}).get("volumes") or []
    return frozenset(volume["configMap"]["name"] for volume in volumes if "configMap" in volume)


def port_pair(sidecar: Raw) -> tuple[int, int]:
    """The ports of the engine and of its supervisor. Only the supervisor's is declared: it is reached from outside."""
    container = (sidecar.get("spec") or {}).get("container") or {}
    declared = max(
        (int(port["containerPort"]) for port in container.get("ports") or []),
        default=names.supervisor_port(names.FIRST_PORT),
    )
    return declared - 1, declared
