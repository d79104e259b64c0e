"""What does a cluster need so that its API server injects engines?

The admission policies are written once, as YAML beside this module; the chart, the manifests and the tests
take them from here. Only the operator's own namespace, which is left alone, differs between installations.
"""

from importlib.resources import files
from typing import Any

import yaml

from pillion.injection.pods import Raw

DEFAULT_OPERATOR_NAMESPACE = "pillion-system"
POLICY_FILES = ("inject.v1.yaml", "required.v1.yaml")
POLICY_NAME = "inject.v1.pillion.dev"  # of the policy that injects, and of its binding
_NAMESPACE_LABEL = "kubernetes.io/metadata.name"


def policies(*, operator_namespace: str = DEFAULT_OPERATOR_NAMESPACE) -> list[Raw]:
    """The policies with their bindings, each policy before its binding.

    Args:
        operator_namespace: where the operator runs, instead of the `pillion-system` that is written in the
            files.
    """
    folder = files("pillion.injection") / "policies"
    documents = [
        document
        for name in POLICY_FILES
        for document in yaml.safe_load_all((folder / name).read_text("utf-8"))
    ]
    for document in documents:
        constraints: dict[str, Any] = document["spec"].get("matchConstraints", {})
        for expression in constraints.get("namespaceSelector", {}).get("matchExpressions", []):
            if expression["key"] == _NAMESPACE_LABEL:
                expression["values"] = sorted({"kube-system", operator_namespace})
    return documents
