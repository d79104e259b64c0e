"""How does an engine come into a pod, and how does it leave no trace?

Pure functions over plain Kubernetes objects: a plan becomes a ModelSidecar, a pod becomes a pod with engines
or a reason why not, a workload becomes a marked one and its old self again. The admission policies that do
the same in the API server are here too.
"""

from pillion.engines import instruction_hash
from pillion.injection.compilation import (
    compile_sidecar,
    dry_run_template,
    plan_json,
    shape_differs,
    spec_hash,
    with_instruction,
)
from pillion.injection.conflicts import conflicts, notices
from pillion.injection.findings import Finding
from pillion.injection.inject import EXCLUDED_NAMESPACES, inject, why_not
from pillion.injection.markers import (
    Marker,
    can_be_marked,
    cannot_mark,
    leftover_patch,
    marked_models,
    marker,
    marker_patch,
    pod_template,
    unmark_patch,
)
from pillion.injection.missed import Missed, injected_revision, missed_pods
from pillion.injection.policy import DEFAULT_OPERATOR_NAMESPACE, POLICY_NAME, policies
from pillion.injection.sidecars import FORMAT_VERSION, revision
from pillion.injection.supervisor_source import SUPERVISOR_SELECTOR, config_map, config_map_name
from pillion.injection.trials import form_of_trial

__all__ = [
    "DEFAULT_OPERATOR_NAMESPACE",
    "EXCLUDED_NAMESPACES",
    "FORMAT_VERSION",
    "POLICY_NAME",
    "SUPERVISOR_SELECTOR",
    "Finding",
    "Marker",
    "Missed",
    "can_be_marked",
    "cannot_mark",
    "compile_sidecar",
    "config_map",
    "config_map_name",
    "conflicts",
    "dry_run_template",
    "form_of_trial",
    "inject",
    "injected_revision",
    "instruction_hash",
    "leftover_patch",
    "marked_models",
    "marker",
    "marker_patch",
    "missed_pods",
    "notices",
    "plan_json",
    "pod_template",
    "policies",
    "revision",
    "shape_differs",
    "spec_hash",
    "unmark_patch",
    "why_not",
    "with_instruction",
]
