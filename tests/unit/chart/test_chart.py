"""The chart installs what the operator needs, and no more."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from pillion.controller.settings import Settings
from pillion.injection.policy import policies
from tools import generated

Raw = dict[str, Any]
Render = Callable[..., list[Raw]]
Helm = Callable[..., subprocess.CompletedProcess[str]]

# Every right that the operator has in the whole cluster. A line more here is a line for docs/security.md.
CLUSTER_RIGHTS = {
    "pillion.dev/modeldeployments": "list watch",
    "pillion.dev/modeldeployments/status": "patch",
    "pillion.dev/modelsidecars": "create delete list patch watch",
    "apps/deployments": "get list patch watch",
    "apps/statefulsets": "get list patch watch",
    "apps/daemonsets": "get list patch watch",
    "/pods": "list patch watch",
    "/pods/status": "patch",
    "/pods/eviction": "create",
    "/nodes": "list",
    "/namespaces": "get list watch",
    "autoscaling/horizontalpodautoscalers": "list",
    "/configmaps": "create delete list watch",
    "/podtemplates": "create",
    "events.k8s.io/events": "create",
    "admissionregistration.k8s.io/mutatingadmissionpolicies": "get",
    "admissionregistration.k8s.io/mutatingadmissionpolicybindings": "get",
}


def of_kind(objects: list[Raw], kind: str, name: str = "pillion") -> Raw:
    (found,) = (item for item in objects if item["kind"] == kind and item["metadata"]["name"] == name)
    return found


def container(objects: list[Raw]) -> Raw:
    spec: Raw = of_kind(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    return spec


def rights(role: Raw) -> dict[str, str]:
    return {
        f"{group}/{resource}": " ".join(sorted(rule["verbs"]))
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def test_helm_finds_nothing_to_say_about_the_chart(helm: Helm) -> None:
    result = helm("lint", "--strict", str(generated.CHART))

    assert result.returncode == 0, result.stdout + result.stderr
    assert "[WARNING]" not in result.stdout


def test_the_operator_has_these_rights_in_the_cluster_and_no_others(render: Render) -> None:
    objects = render()

    assert rights(of_kind(objects, "ClusterRole")) == CLUSTER_RIGHTS
    bound = [item["roleRef"]["name"] for item in objects if item["kind"] == "ClusterRoleBinding"]
    assert bound == ["pillion"]


def test_the_lease_is_a_right_in_the_operators_own_namespace_alone(render: Render) -> None:
    role = of_kind(render(namespace="ops"), "Role")

    assert role["metadata"]["namespace"] == "ops"
    assert rights(role) == {"coordination.k8s.io/leases": "create get patch"}


def test_the_operators_pod_passes_the_restricted_pod_security_standard(render: Render) -> None:
    objects = render()
    pod = of_kind(objects, "Deployment")["spec"]["template"]["spec"]
    operator = container(objects)

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert operator["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not pod.get("hostNetwork")
    assert all("hostPath" not in volume for volume in pod["volumes"])


def test_the_operator_has_limits_and_probes(render: Render) -> None:
    operator = container(render())

    assert operator["resources"]["limits"].keys() == {"cpu", "memory"}
    assert operator["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert operator["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert operator["ports"] == [{"name": "http", "containerPort": 8080}]


def test_every_variable_is_a_setting_that_the_operator_knows(render: Render) -> None:
    operator = container(
        render("hub.endpoint=https://hub.example", "engine.images.gpu=gpu:1", "engine.images.cpu=cpu:1")
    )
    given = {variable["name"] for variable in operator["env"]}

    known = {f"PILLION_{name.upper()}" for name in Settings.model_fields} | {"HF_ENDPOINT", "HF_HOME", "HOME"}
    assert given <= known
    assert {"HF_ENDPOINT", "PILLION_ENGINE_IMAGE_GPU", "PILLION_ENGINE_IMAGE_CPU"} <= given


def test_values_that_are_not_set_leave_the_operators_defaults(render: Render) -> None:
    given = {variable["name"] for variable in container(render())["env"]}

    assert given.isdisjoint({"HF_ENDPOINT", "PILLION_ENGINE_IMAGE_GPU", "PILLION_ENGINE_IMAGE_CPU"})


def test_the_charts_defaults_are_the_operators(render: Render, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {item["name"]: item["value"] for item in container(render())["env"] if "value" in item}
    plain = Settings()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert Settings() == plain


def test_the_policies_leave_the_operators_own_namespace_alone(render: Render) -> None:
    objects = render(namespace="ops")

    for policy in policies(operator_namespace="ops"):
        assert of_kind(objects, policy["kind"], policy["metadata"]["name"])["spec"] == policy["spec"]


def test_the_definitions_survive_an_uninstall_unless_told_otherwise(render: Render) -> None:
    def policy_of(objects: list[Raw]) -> set[str | None]:
        return {
            item["metadata"].get("annotations", {}).get("helm.sh/resource-policy")
            for item in objects
            if item["kind"] == "CustomResourceDefinition"
        }

    assert policy_of(render()) == {"keep"}
    assert policy_of(render("crds.keep=false")) == {None}
    assert policy_of(render("crds.enabled=false")) == set()


def test_the_definitions_are_the_ones_that_the_models_give(render: Render) -> None:
    rendered = {
        item["metadata"]["name"]: item["spec"]
        for item in render()
        if item["kind"] == "CustomResourceDefinition"
    }

    generated_ones = [
        yaml.load(text, yaml.CSafeLoader) for text in generated.folders()[generated.CRDS].values()
    ]
    assert rendered == {item["metadata"]["name"]: item["spec"] for item in generated_ones}


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        pytest.param("replica=2", "replica", id="a value that does not exist"),
        pytest.param("hub.endpoint=hub.example", "hub/endpoint", id="an endpoint without a scheme"),
        pytest.param("log.level=loud", "log/level", id="a log level that does not exist"),
        pytest.param("workers=0", "workers", id="nobody who works"),
    ],
)
def test_a_wrong_value_is_refused_by_name(helm: Helm, value: str, complaint: str) -> None:
    result = helm("template", "pillion", str(generated.CHART), "--kube-version=1.36.0", f"--set={value}")

    assert result.returncode != 0
    assert complaint in result.stderr.replace(".", "/")


def test_a_cluster_without_the_policy_api_is_refused(helm: Helm) -> None:
    result = helm("template", "pillion", str(generated.CHART), "--kube-version=1.35.2")

    assert result.returncode != 0
    assert "1.36" in result.stderr


@pytest.mark.parametrize(
    ("tag", "image"),
    [
        pytest.param("v2", "mirror.example/pillion:v2", id="a tag"),
        pytest.param("sha256:abc", "mirror.example/pillion@sha256:abc", id="a digest"),
    ],
)
def test_the_image_is_named_by_tag_or_digest(render: Render, tag: str, image: str) -> None:
    operator = container(render("image.repository=mirror.example/pillion", f"image.tag={tag}"))

    assert operator["image"] == image


def test_names_follow_the_release_and_everything_stays_connected(helm: Helm) -> None:
    result = helm("template", "team-a", str(generated.CHART), "--kube-version=1.36.0", "--namespace=ops")
    objects = [document for document in yaml.load_all(result.stdout, yaml.CSafeLoader) if document]

    name = "team-a-pillion"
    deployment = of_kind(objects, "Deployment", name)
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    for binding in ("ClusterRoleBinding", "RoleBinding"):
        found = of_kind(objects, binding, name)
        assert found["subjects"] == [{"kind": "ServiceAccount", "name": account, "namespace": "ops"}]
        assert of_kind(objects, found["roleRef"]["kind"], found["roleRef"]["name"])
    selector = deployment["spec"]["selector"]["matchLabels"]
    assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_the_notes_name_the_release(helm: Helm) -> None:
    result = helm(
        "install",
        "pillion",
        str(generated.CHART),
        "--dry-run=client",
        "--namespace=ops",
    )

    assert result.returncode == 0, result.stderr
    assert "kubectl -n ops rollout status deployment/pillion" in result.stdout
    assert "--serviceaccount=ops:pillion" in result.stdout
