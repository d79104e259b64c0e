"""May a pod go to a node, as far as labels and taints decide?

The same rules as the scheduler's node selector, required node affinity, and taints; preferences are left out,
because they never keep a pod away.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pillion.hardware.model import Raw

NVIDIA_TAINT_KEY = "nvidia.com/gpu"


def untolerated(taints: Sequence[Raw], tolerations: Sequence[Raw]) -> Raw | None:
    """The first taint that keeps the pod away, or None."""
    return next((taint for taint in taints if not any(_tolerates(each, taint) for each in tolerations)), None)


def lacking(labels: Mapping[str, str], node_selector: Mapping[str, str]) -> str | None:
    """The first entry of a nodeSelector that a node does not have, as kubectl writes it; None: it is selected."""
    return next(
        (
            f"{key}={node_selector[key]}"
            for key in sorted(node_selector)
            if labels.get(key) != node_selector[key]
        ),
        None,
    )


def affinity_allows(affinity: Raw | None, *, labels: Mapping[str, str], node_name: str) -> bool:
    """Whether the required node affinity lets the pod onto the node: one of its terms has to match.

    An empty list of terms matches nothing, as in the scheduler.
    """
    node_affinity = (affinity or {}).get("nodeAffinity") or {}
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(_term_matches(term, labels, node_name) for term in _required_terms(affinity))


def expressions(affinity: Raw | None) -> Iterator[Raw]:
    """The requirements on labels in a required node affinity."""
    for term in _required_terms(affinity):
        yield from term.get("matchExpressions") or ()


def names_nodes(affinity: Raw | None) -> bool:
    """Whether a required node affinity looks at nodes' fields, of which there is their name."""
    return any(term.get("matchFields") for term in _required_terms(affinity))


def requirements_match(requirements: Iterable[Raw], labels: Mapping[str, str]) -> bool:
    """Whether labels meet all NodeSelectorRequirements."""
    return all(_requirement_matches(each, labels) for each in requirements)


def described(taint: Raw) -> str:
    """A taint as kubectl writes it."""
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint.get('key', '')}{value}:{taint.get('effect', '')}"


def _required_terms(affinity: Raw | None) -> Sequence[Raw]:
    node_affinity = (affinity or {}).get("nodeAffinity") or {}
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms: Sequence[Raw] = required.get("nodeSelectorTerms") or ()
    return terms


def _tolerates(toleration: Raw, taint: Raw) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    operator = toleration.get("operator") or "Equal"
    key = toleration.get("key")
    if not key:
        return operator == "Exists"
    if key != taint.get("key"):
        return False
    if operator == "Exists":
        return True
    return operator == "Equal" and (toleration.get("value") or "") == (taint.get("value") or "")


def _term_matches(term: Raw, labels: Mapping[str, str], node_name: str) -> bool:
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False
    own_fields = {"metadata.name": node_name}
    return requirements_match(expressions, labels) and requirements_match(fields, own_fields)


def _requirement_matches(requirement: Raw, labels: Mapping[str, str]) -> bool:
    operator = requirement.get("operator")
    values: Sequence[Any] = requirement.get("values") or ()
    present = labels.get(requirement.get("key", ""))
    match operator:
        case "In":
            return present is not None and present in values
        case "NotIn":
            return present is None or present not in values
        case "Exists":
            return present is not None
        case "DoesNotExist":
            return present is None
        case "Gt" | "Lt":
            return _compares(operator, present, values)
        case _:
            return False  # an operator of a later Kubernetes: nothing is known, so nothing is promised


def _compares(operator: str, present: str | None, values: Sequence[Any]) -> bool:
    try:
        left, right = int(present or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return left > right if operator == "Gt" else left < right
