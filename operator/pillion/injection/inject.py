"""What does a pod look like with its engines in it, and why would one be left out?

The same decisions as the admission policy's, in the same order, as a function of values: for the dry run, for
the command line, and for everybody who asks why a pod has no engine. A test on a real API server holds both
to one result.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeAlias

from pillion.api import names
from pillion.api.reasons import Reason
from pillion.injection import pods, sidecars
from pillion.injection.pods import Raw

EXCLUDED_NAMESPACES = frozenset({"kube-system", "pillion-system"})  # the second is the chart's default

Check: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, Any]], Reason | None]


def _marked(pod: Mapping[str, Any], sidecar: Mapping[str, Any]) -> Reason | None:
    named = sidecars.name(sidecar) in pods.models(pod)
    return None if pods.is_labelled(pod) and named else Reason.NOT_MARKED


def _same_format(pod: Mapping[str, Any], sidecar: Mapping[str, Any]) -> Reason | None:
    del pod
    same = sidecars.spec(sidecar).get("formatVersion") == sidecars.FORMAT_VERSION
    return None if same else Reason.FORMAT_MISMATCH


def _changeable(pod: Mapping[str, Any], sidecar: Mapping[str, Any]) -> Reason | None:
    del sidecar
    return Reason.MIRROR_POD if pods.is_mirror(pod) else None


def _linux(pod: Mapping[str, Any], sidecar: Mapping[str, Any]) -> Reason | None:
    del sidecar
    return Reason.WINDOWS if pods.is_windows(pods.spec(pod)) else None


def _own_network(pod: Mapping[str, Any], sidecar: Mapping[str, Any]) -> Reason | None:
    del sidecar
    return Reason.HOST_NETWORK if pods.uses_host_network(pods.spec(pod)) else None


def _no_budget_for_the_pod(pod: Mapping[str, Any], sidecar: Mapping[str, Any]) -> Reason | None:
    # The API server refuses a pod whose containers ask for more than the pod has: the application would not
    # start.
    del sidecar
    return Reason.POD_LEVEL_RESOURCES if pods.has_resources(pods.spec(pod)) else None


def _first_time(pod: Mapping[str, Any], sidecar: Mapping[str, Any]) -> Reason | None:
    there = pods.has_container(pods.spec(pod), sidecars.container_name(sidecar))
    return Reason.ALREADY_INJECTED if there else None


CHECKS: tuple[Check, ...] = (
    _marked,  # the others mean nothing for a pod that did not ask
    _same_format,
    _changeable,
    _linux,
    _own_network,
    _no_budget_for_the_pod,
    _first_time,
)


def why_not(
    pod: Mapping[str, Any],
    sidecar: Mapping[str, Any],
    *,
    excluded_namespaces: Collection[str] = EXCLUDED_NAMESPACES,
) -> Reason | None:
    """The first reason for which this pod does not get this engine; None where it gets it.

    Args:
        pod: a pod as its creator sent it, or a pod template. Where it names a namespace, the ModelSidecar has
            to be of it.
        sidecar: the ModelSidecar.
        excluded_namespaces: namespaces that are left alone, the operator's own among them.
    """
    namespace = pod.get("metadata", {}).get("namespace")
    if namespace is not None and namespace in excluded_namespaces:
        return Reason.NAMESPACE_EXCLUDED
    if namespace is not None and namespace != sidecar["metadata"].get("namespace", namespace):
        return Reason.NOT_MARKED
    for check in CHECKS:
        reason = check(pod, sidecar)
        if reason is not None:
            return reason
    return None


def inject(
    pod: Mapping[str, Any],
    sidecars_of_namespace: Iterable[Mapping[str, Any]],
    *,
    excluded_namespaces: Collection[str] = EXCLUDED_NAMESPACES,
) -> Raw:
    """A copy of the pod with the engines that its marker asks for; an equal copy where it asks for none.

    The order of the ModelSidecars changes nothing but the order of what is added (the API server's is
    random).
    """
    result: Raw = pods.copied(dict(pod))
    for sidecar in sidecars_of_namespace:
        if why_not(result, sidecar, excluded_namespaces=excluded_namespaces) is None:
            _add_engine(result, pods.copied(dict(sidecar)))
    return result


def _add_engine(pod: Raw, sidecar: Raw) -> None:
    """Change `pod`, a copy that nobody else has."""
    spec: Raw = pod["spec"]
    additions = [_variables(pod, container, sidecar) for container in spec["containers"]]
    for container, added in zip(spec["containers"], additions, strict=True):
        if added:
            # Ahead of the container's own: a variable can refer only to those before it, as
            # `$(PILLION_CHAT_BASE_URL)`.
            container["env"] = [*added, *(container.get("env") or [])]
    _add_container(spec, sidecar)
    _add_new(spec, "volumes", sidecars.items(sidecar, "volumes"), key="name")
    _add_new(spec, "tolerations", sidecars.items(sidecar, "tolerations"))
    if sidecars.gates_readiness(sidecar, spec):
        _add_new(spec, "readinessGates", [{"conditionType": names.MODEL_READY_CONDITION}])
    runtime_class = sidecars.spec(sidecar).get("runtimeClassName")
    if runtime_class and not spec.get("runtimeClassName"):
        spec["runtimeClassName"] = runtime_class
    _require_nodes(spec, sidecars.items(sidecar, "nodeRequirements"))
    _annotate(pod, sidecar)


def _add_container(spec: Raw, sidecar: Raw) -> None:
    container = sidecars.container(sidecar)
    if not sidecars.is_native(sidecar, spec):
        spec["containers"] = [*spec["containers"], container]
        return
    container = {**container, "restartPolicy": "Always"}
    probe = sidecars.spec(sidecar).get("startupProbe")
    if probe and sidecars.holds_application(sidecar, spec):
        container["startupProbe"] = probe
    spec["initContainers"] = [*pods.init_containers(spec), container]


def _add_new(spec: Raw, field: str, items: Iterable[Raw], *, key: str | None = None) -> None:
    """Append what the list does not have yet, by its key or as a whole; no list is made for nothing."""
    have: list[Raw] = spec.get(field) or []
    known = [item.get(key) for item in have] if key else have
    added = [item for item in items if (item.get(key) if key else item) not in known]
    if added:
        spec[field] = [*have, *added]


def _require_nodes(spec: Raw, requirements: Iterable[Raw]) -> None:
    """Add the requirements to each node selector term, because terms are alternatives."""
    wanted = list(requirements)
    if not wanted:
        return
    affinity: Raw = spec.get("affinity") or {}
    node_affinity: Raw = affinity.get("nodeAffinity") or {}
    required: Raw = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms: list[Raw] = required.get("nodeSelectorTerms") or []
    narrowed = [_narrowed(term, wanted) for term in terms]
    required["nodeSelectorTerms"] = narrowed or [{"matchExpressions": wanted}]
    node_affinity["requiredDuringSchedulingIgnoredDuringExecution"] = required
    affinity["nodeAffinity"] = node_affinity
    spec["affinity"] = affinity


def _narrowed(term: Raw, wanted: list[Raw]) -> Raw:
    have: list[Raw] = term.get("matchExpressions") or []
    if not have and not term.get("matchFields"):
        return term  # an empty term selects no node; with a requirement in it, it would select some
    added = [requirement for requirement in wanted if requirement not in have]
    return {**term, "matchExpressions": [*have, *added]} if added else term


def _variables(pod: Raw, container: Raw, sidecar: Raw) -> list[Raw]:
    """The variables that one container of the application gets."""
    environment = sidecars.environment(sidecar)
    chosen = environment.get("containers") or []
    if pods.is_engine(container) or (chosen and container.get("name") not in chosen):
        return []
    have = pods.named(container.get("env") or [])
    own = [variable for variable in environment.get("own") or [] if variable["name"] not in have]
    plain: list[Raw] = environment.get("plain") or []
    if not _wants_plain(environment.get("plainPolicy"), pod) or have.intersection(names.PLAIN_VARIABLES):
        plain = []
    return [*own, *plain]


def _wants_plain(policy: str | None, pod: Raw) -> bool:
    return policy == "Always" or (policy == "SingleModel" and len(pods.models(pod)) == 1)


def _annotate(pod: Raw, sidecar: Raw) -> None:
    found: Raw = pod["metadata"]["annotations"]
    found[names.engine_annotation(sidecars.name(sidecar))] = sidecars.instruction(sidecar)
    application = [container for container in pod["spec"]["containers"] if not pods.is_engine(container)]
    if pods.DEFAULT_CONTAINER_ANNOTATION not in found and application:
        # kubectl logs and exec go on meaning the application.
        found[pods.DEFAULT_CONTAINER_ANNOTATION] = application[0]["name"]
