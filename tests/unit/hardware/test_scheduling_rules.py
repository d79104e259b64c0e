"""The scheduler's rules on labels and taints, as its documentation states them."""

from typing import Any

import pytest

from pillion.hardware import scheduling

GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("toleration", "kept_away"),
    [
        pytest.param({"key": "nvidia.com/gpu", "operator": "Exists"}, False, id="any value"),
        pytest.param(
            {"key": "nvidia.com/gpu", "value": "present"}, False, id="the value; Equal is the default"
        ),
        pytest.param({"operator": "Exists"}, False, id="every key"),
        pytest.param(
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}, False, id="the effect"
        ),
        pytest.param({"key": "nvidia.com/gpu", "value": "absent"}, True, id="another value"),
        pytest.param(
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoExecute"}, True, id="another effect"
        ),
        pytest.param({"key": "team", "operator": "Exists"}, True, id="another key"),
        pytest.param({}, True, id="an empty toleration"),
    ],
)
def test_a_toleration_for_a_taint(toleration: dict[str, Any], kept_away: bool) -> None:
    assert (scheduling.untolerated([GPU_TAINT], [toleration]) is GPU_TAINT) == kept_away


def test_every_taint_needs_its_toleration() -> None:
    team = {"key": "team", "value": "a", "effect": "NoSchedule"}
    tolerated = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    assert scheduling.untolerated([GPU_TAINT, team], tolerated) is team
    assert scheduling.described(team) == "team=a:NoSchedule"


def required(*terms: dict[str, Any]) -> dict[str, Any]:
    return {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    }


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


LABELS = {"zone": "a", "size": "10"}


@pytest.mark.parametrize(
    ("affinity", "allowed"),
    [
        pytest.param(None, True, id="no affinity"),
        pytest.param({"podAntiAffinity": {}}, True, id="none for nodes"),
        pytest.param(required(expression("zone", "In", "a", "b")), True, id="In"),
        pytest.param(required(expression("zone", "In", "b")), False, id="not In"),
        pytest.param(required(expression("zone", "NotIn", "b")), True, id="NotIn"),
        pytest.param(required(expression("rack", "NotIn", "b")), True, id="NotIn holds without the label"),
        pytest.param(required(expression("rack", "Exists")), False, id="Exists"),
        pytest.param(required(expression("rack", "DoesNotExist")), True, id="DoesNotExist"),
        pytest.param(required(expression("size", "Gt", "9")), True, id="Gt compares numbers"),
        pytest.param(required(expression("size", "Lt", "9")), False, id="Lt compares numbers"),
        pytest.param(required(expression("zone", "Gt", "9")), False, id="a word is no number"),
        pytest.param(
            required(expression("zone", "In", "b"), expression("zone", "In", "a")), True, id="one term of two"
        ),
        pytest.param(required(), False, id="an empty list of terms matches nothing"),
        pytest.param(required({}), False, id="an empty term matches nothing"),
        pytest.param(
            required(expression("zone", "Sideways", "a")), False, id="an operator of a later Kubernetes"
        ),
        pytest.param(
            required({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}),
            True,
            id="the node's name, as a DaemonSet writes it",
        ),
    ],
)
def test_required_node_affinity(affinity: dict[str, Any] | None, allowed: bool) -> None:
    assert scheduling.affinity_allows(affinity, labels=LABELS, node_name="n1") is allowed


def test_a_node_selector_asks_for_all_of_its_labels() -> None:
    assert scheduling.lacking(LABELS, {"zone": "a"}) is None
    assert scheduling.lacking(LABELS, {"zone": "a", "rack": "1"}) == "rack=1"
    assert scheduling.lacking(LABELS, {"zone": "b"}) == "zone=b"
