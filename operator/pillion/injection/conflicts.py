"""What about a target's pod template stands against an engine, or deserves a word?

Asked before the target is marked, while the answer still changes nobody's pods. A conflict keeps the marker
away; a notice does not.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pillion.api import names
from pillion.api.reasons import Reason
from pillion.injection import pod_security, pods, sidecars
from pillion.injection.findings import Finding

INJECT_NEVER = "false"  # on a namespace: the policies leave all of its pods alone
_PROBES = ("startupProbe", "readinessProbe", "livenessProbe")


def conflicts(
    pod_spec: Mapping[str, Any],
    sidecar: Mapping[str, Any],
    *,
    others: Iterable[Mapping[str, Any]] = (),
    namespace_labels: Mapping[str, str] | None = None,
) -> list[Finding]:
    """All reasons against this engine in these pods; the order is the order of the checks.

    Args:
        pod_spec: of the target's pod template, as its owner wrote it.
        sidecar: the ModelSidecar.
        others: the ModelSidecars of other engines beside the same application.
        namespace_labels: the namespace's, for its Pod Security level and whether it keeps engines out; None where
            they are not known.
    """
    return [
        *_namespace(namespace_labels or {}),
        *_left_alone(pod_spec),
        *_names_taken(pod_spec, sidecar),
        *_ports_in_use(pod_spec, sidecar),
        *_runtime_class(pod_spec, sidecar),
        *_pod_security(pod_spec, sidecar, namespace_labels or {}),
        *(finding for other in others for finding in _between(sidecar, other)),
    ]


def notices(pod_spec: Mapping[str, Any], sidecar: Mapping[str, Any]) -> list[Finding]:
    """What the application's owner should know about the variables, container by container."""
    chosen = sidecars.environment(sidecar).get("containers") or []
    application = [container for container in pods.containers(pod_spec) if not pods.is_engine(container)]
    have = [container["name"] for container in application]
    found = [
        Finding(
            Reason.CONTAINER_NOT_FOUND,
            f"spec.environment.containers names {name}, which is no container of the target; it has "
            f"{', '.join(have)}.",
        )
        for name in chosen
        if name not in have
    ]
    for container in application:
        if not chosen or container["name"] in chosen:
            found += _overlaps(container, sidecar)
    return found


def _namespace(namespace_labels: Mapping[str, str]) -> list[Finding]:
    if namespace_labels.get(names.INJECT_LABEL) != INJECT_NEVER:
        return []
    return [
        Finding(
            Reason.NAMESPACE_EXCLUDED,
            f'The namespace has the label {names.INJECT_LABEL}: "{INJECT_NEVER}", which keeps engines out of its pods. '
            "Take the label away, or choose a target in another namespace.",
        )
    ]


def _left_alone(pod_spec: Mapping[str, Any]) -> list[Finding]:
    found = []
    if pods.uses_host_network(pod_spec):
        found.append(
            Finding(
                Reason.HOST_NETWORK,
                "The target's pods use the host network: an engine would listen on the node's own loopback, "
                "open to whatever else does. Take hostNetwork away, or choose another target.",
            )
        )
    if pods.is_windows(pod_spec):
        found.append(
            Finding(Reason.WINDOWS, "The target's pods are for Windows; the engines' images are for Linux.")
        )
    if pods.has_resources(pod_spec):
        found.append(
            Finding(
                Reason.POD_LEVEL_RESOURCES,
                "The target's pods have resources as a whole (spec.resources of the pod template), which the "
                "engine's requests would pass. Give the resources to the containers instead.",
            )
        )
    return found


def _names_taken(pod_spec: Mapping[str, Any], sidecar: Mapping[str, Any]) -> list[Finding]:
    found = []
    container = sidecars.container_name(sidecar)
    if pods.has_container(pod_spec, container):
        found.append(
            Finding(
                Reason.NAME_TAKEN,
                f"The target has a container named {container} already, which is what the engine's would "
                "be called. "
                "Rename the container or the ModelDeployment.",
            )
        )
    taken = pods.named(pod_spec.get("volumes") or []) & pods.named(sidecars.items(sidecar, "volumes"))
    if taken:
        found.append(
            Finding(
                Reason.NAME_TAKEN,
                f"The target has volumes with the names of the engine's: {', '.join(sorted(taken))}. "
                "Rename the volumes or the ModelDeployment.",
            )
        )
    return found


def _ports_in_use(pod_spec: Mapping[str, Any], sidecar: Mapping[str, Any]) -> list[Finding]:
    wanted = sidecars.ports(sidecar)
    return [
        Finding(
            Reason.PORT_IN_USE,
            f"The target's container {container['name']} uses port {port}, and the engine takes "
            f"{' and '.join(map(str, wanted))}. Choose another pair with spec.engine.port.",
        )
        for container in pods.all_containers(pod_spec)
        if container.get("name") != sidecars.container_name(sidecar)
        for port in sorted(_ports(container).intersection(wanted))
    ]


def _ports(container: Mapping[str, Any]) -> set[int]:
    """The ports that a container declares, or is probed on (which it listens on as surely)."""
    found = {int(port["containerPort"]) for port in container.get("ports") or []}
    for probe in _PROBES:
        for action in ("httpGet", "tcpSocket", "grpc"):
            port = ((container.get(probe) or {}).get(action) or {}).get("port")
            if isinstance(port, int):
                found.add(port)
    return found


def _runtime_class(pod_spec: Mapping[str, Any], sidecar: Mapping[str, Any]) -> list[Finding]:
    has, wants = pod_spec.get("runtimeClassName"), sidecars.spec(sidecar).get("runtimeClassName")
    if not has or not wants or has == wants:
        return []
    return [
        Finding(
            Reason.RUNTIME_CLASS_CONFLICT,
            f"The target's pods have runtimeClassName {has} and the engine asks for {wants}; a pod has one. "
            "Change spec.hardware.runtimeClassName or the target.",
        )
    ]


def _pod_security(
    pod_spec: Mapping[str, Any], sidecar: Mapping[str, Any], namespace_labels: Mapping[str, str]
) -> list[Finding]:
    level = namespace_labels.get(pod_security.ENFORCE_LABEL, "privileged")
    broken = pod_security.violations(
        sidecars.container(sidecar), sidecars.items(sidecar, "volumes"), pod_spec, level=level
    )
    if not broken:
        return []
    return [
        Finding(
            Reason.POD_SECURITY_VIOLATION,
            f"The namespace enforces the Pod Security level {level}, and the engine's container "
            f"{', '.join(broken)}: "
            "every pod of the target would be refused.",
        )
    ]


def _between(sidecar: Mapping[str, Any], other: Mapping[str, Any]) -> list[Finding]:
    found = []
    shared = sorted(set(sidecars.ports(sidecar)).intersection(sidecars.ports(other)))
    if shared:
        found.append(
            Finding(
                Reason.PORT_CONFLICT,
                f"The engine of {sidecars.name(other)} beside the same application has port "
                f"{' and '.join(map(str, shared))} already. Choose another pair with spec.engine.port.",
            )
        )
    mine, theirs = (sidecars.spec(one).get("runtimeClassName") for one in (sidecar, other))
    if mine and theirs and mine != theirs:
        found.append(
            Finding(
                Reason.RUNTIME_CLASS_CONFLICT,
                f"The engine of {sidecars.name(other)} beside the same application asks for "
                f"runtimeClassName {theirs}, "
                f"and this one for {mine}; a pod has one. Change spec.hardware.runtimeClassName.",
            )
        )
    return found


def _overlaps(container: Mapping[str, Any], sidecar: Mapping[str, Any]) -> list[Finding]:
    environment = sidecars.environment(sidecar)
    have = pods.named(container.get("env") or [])
    found = []
    wants_plain = environment.get("plainPolicy") in ("Always", "SingleModel")
    plain = sorted(have.intersection(names.PLAIN_VARIABLES)) if wants_plain else []
    if plain:
        found.append(
            Finding(
                Reason.ENVIRONMENT_OVERLAP,
                f"The container {container['name']} sets {', '.join(plain)} itself and keeps it; so it "
                "gets none of "
                f"{', '.join(names.PLAIN_VARIABLES)}. The engine's address is in "
                f"{names.base_url_variable(sidecars.name(sidecar))}.",
            )
        )
    own = sorted(have & pods.named(environment.get("own") or []))
    if own:
        found.append(
            Finding(
                Reason.ENVIRONMENT_OVERLAP,
                f"The container {container['name']} sets {', '.join(own)} itself and keeps it.",
            )
        )
    if container.get("envFrom") and wants_plain and not plain:
        found.append(
            Finding(
                Reason.ENVIRONMENT_OVERLAP,
                f"The container {container['name']} takes variables from a ConfigMap or Secret (envFrom), "
                "which cannot be "
                f"looked into; {', '.join(names.PLAIN_VARIABLES)} are set to this engine's and win over "
                "them. Where that is "
                "not wanted, leave the container out of spec.environment.containers.",
            )
        )
    return found
