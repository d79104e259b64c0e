"""Are the policies what makes them safe to install?"""

from __future__ import annotations

import re

import pytest

from pillion import injection

POLICIES = {(one["kind"], one["metadata"]["name"]): one for one in injection.policies()}
INJECT = POLICIES["MutatingAdmissionPolicy", "inject.v1.pillion.dev"]["spec"]
REQUIRED = POLICIES["ValidatingAdmissionPolicy", "required.v1.pillion.dev"]["spec"]


def test_each_policy_comes_before_its_binding() -> None:
    assert [kind for kind, _ in POLICIES] == [
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    ]
    for kind, name in POLICIES:
        if kind.endswith("Binding"):
            assert POLICIES[kind, name]["spec"]["policyName"] == name


def test_a_pod_is_changed_whole_or_not_at_all() -> None:
    """After an error in one mutation the API server goes on with the next one."""
    assert len(INJECT["mutations"]) == 1
    assert INJECT["failurePolicy"] == "Ignore"


def test_the_version_in_the_name_is_the_format_that_it_acts_on() -> None:
    (condition,) = INJECT["matchConditions"]
    acts_on = re.findall(r"formatVersion\S* == (\d+)", condition["expression"])
    (named,) = [name for kind, name in POLICIES if kind == "MutatingAdmissionPolicy"]
    assert acts_on == re.findall(r"\.v(\d+)\.", named) == [str(injection.FORMAT_VERSION)]


@pytest.mark.parametrize("spec", [INJECT, REQUIRED], ids=["inject", "required"])
def test_pods_that_did_not_ask_are_never_looked_at(spec: dict[str, dict[str, object]]) -> None:
    assert "pillion.dev/inject" in str(spec["matchConstraints"]["objectSelector"])


def test_an_operator_elsewhere_leaves_its_own_namespace_alone() -> None:
    for policy in injection.policies(operator_namespace="elsewhere"):
        if not policy["kind"].endswith("Binding"):
            (named, labelled) = policy["spec"]["matchConstraints"]["namespaceSelector"]["matchExpressions"]
            assert named["values"] == ["elsewhere", "kube-system"]
            assert labelled["values"] == ["false"]


def test_without_a_model_sidecar_pods_are_created() -> None:
    binding = POLICIES["MutatingAdmissionPolicyBinding", "inject.v1.pillion.dev"]["spec"]
    assert binding["paramRef"] == {"selector": {}, "parameterNotFoundAction": "Allow"}
