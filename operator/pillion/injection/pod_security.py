"""Which rules of a Pod Security level would an engine break?

The namespace's level is enforced on the whole pod, so one bad field of the engine would keep the application
from starting. Only what an engine brings is looked at: the application passes already.

Source: k8s.io/pod-security-admission v0.36.3, policy/check_*.go.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

ENFORCE_LABEL = "pod-security.kubernetes.io/enforce"

_BASELINE_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
_RESTRICTED_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)


def violations(
    container: Mapping[str, Any],
    volumes: Iterable[Mapping[str, Any]],
    pod_spec: Mapping[str, Any],
    *,
    level: str,
) -> list[str]:
    """What breaks the level, each as half a sentence; nothing for `privileged` and for unknown levels.

    Args:
        container: the engine's.
        volumes: the engine's.
        pod_spec: the application's, whose security context is the default for the engine's.
        level: `privileged`, `baseline` or `restricted`.
    """
    if level not in ("baseline", "restricted"):
        return []
    found = list(_baseline(container, volumes, pod_spec))
    if level == "restricted":
        found += _restricted(container, volumes, pod_spec)
    return found


def _baseline(
    container: Mapping[str, Any], volumes: Iterable[Mapping[str, Any]], pod_spec: Mapping[str, Any]
) -> Iterator[str]:
    context = container.get("securityContext") or {}
    if context.get("privileged"):
        yield "is privileged"
    added = set((context.get("capabilities") or {}).get("add") or []) - _BASELINE_CAPABILITIES
    if added:
        yield f"adds the capabilities {', '.join(sorted(added))}"
    if any(port.get("hostPort") for port in container.get("ports") or []):
        yield "has a hostPort"
    if any("hostPath" in volume for volume in volumes):
        yield "has a hostPath volume"
    if _effective(context, pod_spec, "seccompProfile", {}).get("type") == "Unconfined":
        yield "has an unconfined seccompProfile"


def _restricted(
    container: Mapping[str, Any], volumes: Iterable[Mapping[str, Any]], pod_spec: Mapping[str, Any]
) -> Iterator[str]:
    context = container.get("securityContext") or {}
    capabilities = context.get("capabilities") or {}
    if context.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges (allowPrivilegeEscalation is not false)"
    if "ALL" not in (capabilities.get("drop") or []):
        yield "does not drop all capabilities"
    if set(capabilities.get("add") or []) & (_BASELINE_CAPABILITIES - {"NET_BIND_SERVICE"}):
        yield "adds capabilities"
    if _effective(context, pod_spec, "runAsNonRoot", False) is not True:
        yield "may run as root (runAsNonRoot is not true)"
    if _effective(context, pod_spec, "runAsUser", None) == 0:
        yield "runs as root (runAsUser is 0)"
    if _effective(context, pod_spec, "seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "has no seccompProfile"
    kinds = {key for volume in volumes for key in volume if key != "name"} - _RESTRICTED_VOLUMES
    if kinds:
        yield f"has volumes of the kind {', '.join(sorted(kinds))}"


def _effective(context: Mapping[str, Any], pod_spec: Mapping[str, Any], field: str, absent: object) -> Any:  # noqa: ANN401 - a field of JSON may hold anything
    """A field of the container's security context, else of the pod's."""
    if context.get(field) is not None:
        return context[field]
    found = (pod_spec.get("securityContext") or {}).get(field)
    return absent if found is None else found
