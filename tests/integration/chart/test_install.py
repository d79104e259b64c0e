"""Real helm and real kubectl install Pillion on a real API server; simulated nodes play the operator's pod."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.cluster import ClusterError, binaries, controlplane, processes
from tools import generated

NAMESPACE = generated.NAMESPACE
ACCOUNT = f"system:serviceaccount:{NAMESPACE}:pillion"

Helm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[controlplane.ControlPlane]:
    """A control plane of its own: definitions and policies of other tests would be in the way."""
    if controlplane.use_existing():
        pytest.skip("installs for the whole cluster, which one that is not ours is spared")
    try:
        started = controlplane.start(f"chart-{os.getpid()}", nodes=1, progress=lambda _: None)
    except ClusterError as error:
        pytest.skip(f"no control plane to test on: {error}")
    try:
        started.kubectl("create", "namespace", NAMESPACE)
        started.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
        yield started
    finally:
        started.stop()


@pytest.fixture
def helm(cluster: controlplane.ControlPlane) -> Iterator[Helm]:
    """Real helm; what it installed is gone after the test, the definitions too."""
    program = binaries.ensure(["helm"]) / "helm"

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        result = subprocess.run(
            [program, *arguments, f"--namespace={NAMESPACE}", f"--kubeconfig={cluster.kubeconfig}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result

    yield run
    run("uninstall", "pillion", "--ignore-not-found", "--wait")
    cluster.kubectl("delete", "customresourcedefinitions", "--all", "--timeout=30s")


def may(cluster: controlplane.ControlPlane, verb: str, resource: str, *more: str) -> bool:
    try:
        answer = cluster.kubectl("auth", "can-i", verb, resource, f"--as={ACCOUNT}", *more)
    except ClusterError:  # kubectl says no by its exit status
        return False
    return answer.strip() == "yes"


def test_the_chart_is_installed_upgraded_and_removed(cluster: controlplane.ControlPlane, helm: Helm) -> None:
    installed = helm("install", "pillion", str(generated.CHART), "--wait", "--timeout=60s")

    assert "STATUS: deployed" in installed.stdout
    # The namespace enforces the restricted Pod Security Standard, and the pod was let in.
    ready = cluster.kubectl(
        "-n", NAMESPACE, "get", "deployment", "pillion", "-o=jsonpath={.status.readyReplicas}"
    )
    assert ready == "1"
    for definition in ("modeldeployments", "modelsidecars"):
        cluster.kubectl(
            "wait", "--for=condition=Established", f"crd/{definition}.pillion.dev", "--timeout=10s"
        )
    assert "inject.v1.pillion.dev" in cluster.kubectl("get", "mutatingadmissionpolicies", "-o=name")

    cluster.kubectl("apply", "-f", str(generated.REPOSITORY / "examples" / "smallest.yaml"))
    helm("upgrade", "pillion", str(generated.CHART), "--set=replicas=2", "--wait", "--timeout=60s")
    assert "chat" in cluster.kubectl("get", "pmd", "-o=name")

    helm("uninstall", "pillion", "--wait")
    assert "chat" in cluster.kubectl("get", "pmd", "-o=name"), "crds.keep leaves what users wrote"
    assert cluster.kubectl("get", "mutatingadmissionpolicies", "-o=name").strip() == ""
    assert (
        cluster.kubectl("get", "clusterroles", "-l=app.kubernetes.io/name=pillion", "-o=name").strip() == ""
    )


def test_the_operators_account_may_do_its_work_and_reads_no_secret(
    cluster: controlplane.ControlPlane, helm: Helm
) -> None:
    helm("install", "pillion", str(generated.CHART))

    assert may(cluster, "patch", "deployments.apps", "--namespace=default")
    assert may(
        cluster, "patch", "modeldeployments.pillion.dev", "--subresource=status", "--namespace=default"
    )
    assert may(cluster, "create", "pods", "--subresource=eviction", "--namespace=default")
    for verb in ("get", "create", "patch"):
        assert may(cluster, verb, "leases.coordination.k8s.io", f"--namespace={NAMESPACE}")
    assert not may(cluster, "update", "leases.coordination.k8s.io", f"--namespace={NAMESPACE}")

    assert not may(cluster, "get", "secrets", "--namespace=default")
    assert not may(cluster, "get", "secrets", f"--namespace={NAMESPACE}")
    assert not may(cluster, "create", "pods", "--namespace=default")
    assert not may(cluster, "update", "leases.coordination.k8s.io", "--namespace=default")
    assert not may(cluster, "patch", "modeldeployments.pillion.dev", "--namespace=default")
    assert not may(cluster, "create", "pods", "--subresource=exec", "--namespace=default")


def test_a_namespace_grants_one_secret_as_the_security_page_says(
    cluster: controlplane.ControlPlane, helm: Helm
) -> None:
    helm("install", "pillion", str(generated.CHART))
    page = (generated.REPOSITORY / "docs" / "security.md").read_text("utf-8")
    shown = page.split("```yaml\n")[1].split("```")[0]
    kinds = [document["kind"] for document in yaml.safe_load_all(shown)]
    assert kinds == ["Role", "RoleBinding"]

    cluster.kubectl("--namespace=default", "apply", "-f", "-", stdin=shown)

    def granted() -> bool:
        return may(cluster, "get", "secrets/hf", "--namespace=default")

    assert processes.wait_until(granted, seconds=10)
    assert not may(cluster, "get", "secrets/another", "--namespace=default")
    assert not may(cluster, "list", "secrets", "--namespace=default")


def test_who_may_edit_a_namespace_may_put_models_beside_its_workloads(
    cluster: controlplane.ControlPlane, helm: Helm
) -> None:
    helm("install", "pillion", str(generated.CHART))
    for role in ("edit", "view"):
        cluster.kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--user={role}or")

    def can(who: str, verb: str, resource: str) -> bool:
        try:
            return "yes" in cluster.kubectl("auth", "can-i", verb, resource, f"--as={who}")
        except ClusterError:
            return False

    # The controller manager gathers aggregated roles.
    assert processes.wait_until(lambda: can("editor", "create", "modeldeployments.pillion.dev"), seconds=15)
    assert processes.wait_until(lambda: can("viewor", "get", "modelsidecars.pillion.dev"), seconds=15)
    assert can("editor", "list", "modelsidecars.pillion.dev")
    assert not can("editor", "patch", "modelsidecars.pillion.dev")
    assert not can("viewor", "create", "modeldeployments.pillion.dev")


def test_the_manifests_are_applied_by_kubectl_and_removed_again(cluster: controlplane.ControlPlane) -> None:
    cluster.kubectl("apply", "--server-side", "-f", str(generated.MANIFEST))
    cluster.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/pillion", "--timeout=60s")
    # Again, as an upgrade would.
    again: Any = cluster.kubectl("apply", "--server-side", "-f", str(generated.MANIFEST))
    assert "serverside-applied" in again

    cluster.kubectl("delete", "-f", str(generated.MANIFEST), "--timeout=60s", "--wait=false")
    assert cluster.kubectl("get", "mutatingadmissionpolicies", "-o=name").strip() == ""
