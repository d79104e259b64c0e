"""Which kinds of Kubernetes objects does Pillion speak about, and under which paths?"""

from dataclasses import dataclass

from pillion.api import names

__all__ = [
    "AUTOSCALERS",
    "BY_KIND",
    "CONFIG_MAPS",
    "DAEMON_SETS",
    "DEPLOYMENTS",
    "EVENTS",
    "MODEL_DEPLOYMENTS",
    "MODEL_SIDECARS",
    "MUTATING_POLICIES",
    "MUTATING_POLICY_BINDINGS",
    "NAMESPACES",
    "NODES",
    "PODS",
    "POD_TEMPLATES",
    "STATEFUL_SETS",
    "WORKLOADS",
    "Resource",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resource:
    """One kind under one version of its API group; `group` is empty for the core group."""

    group: str = ""
    version: str = "v1"
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As objects write it: `apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """Path on the API server of the collection, of one object, or of its subresource."""
        parts = ["/apis", self.group, self.version] if self.group else ["/api", self.version]
        if self.namespaced and namespace is not None:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part is not None]
        return "/".join(parts)


MODEL_DEPLOYMENTS = Resource(
    group=names.GROUP, version=names.VERSION, plural="modeldeployments", kind="ModelDeployment"
)
MODEL_SIDECARS = Resource(
    group=names.GROUP, version=names.VERSION, plural="modelsidecars", kind="ModelSidecar"
)
DEPLOYMENTS = Resource(group="apps", plural="deployments", kind="Deployment")
STATEFUL_SETS = Resource(group="apps", plural="statefulsets", kind="StatefulSet")
DAEMON_SETS = Resource(group="apps", plural="daemonsets", kind="DaemonSet")
PODS = Resource(plural="pods", kind="Pod")
POD_TEMPLATES = Resource(plural="podtemplates", kind="PodTemplate")
CONFIG_MAPS = Resource(plural="configmaps", kind="ConfigMap")
NODES = Resource(plural="nodes", kind="Node", namespaced=False)
NAMESPACES = Resource(plural="namespaces", kind="Namespace", namespaced=False)
AUTOSCALERS = Resource(
    group="autoscaling", version="v2", plural="horizontalpodautoscalers", kind="HorizontalPodAutoscaler"
)
EVENTS = Resource(group="events.k8s.io", plural="events", kind="Event")

MUTATING_POLICIES = Resource(
    group="admissionregistration.k8s.io",
    plural="mutatingadmissionpolicies",
    kind="MutatingAdmissionPolicy",
    namespaced=False,
)
MUTATING_POLICY_BINDINGS = Resource(
    group="admissionregistration.k8s.io",
    plural="mutatingadmissionpolicybindings",
    kind="MutatingAdmissionPolicyBinding",
    namespaced=False,
)

WORKLOADS = (DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS)
BY_KIND = {resource.kind: resource for resource in WORKLOADS}
