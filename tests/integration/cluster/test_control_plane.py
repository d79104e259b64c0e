"""Is what we call a control plane one?

Scheduling, garbage collection, admission, identities and the audit log are real.
"""

from __future__ import annotations

import json
import secrets
import socket
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client

from tests.cluster import audit, controlplane, processes, registry

if TYPE_CHECKING:
    from collections.abc import Callable

    Kubectl = Callable[..., str]


@pytest.fixture(autouse=True)
def only_on_a_cluster_of_ours(control_plane: controlplane.ControlPlane) -> None:
    if not control_plane.ours:
        pytest.skip("tests the control plane that we start, and runs on one that is not ours")


def eventually(condition: Callable[[], bool], *, seconds: float = 15.0) -> bool:
    return processes.wait_until(condition, seconds=seconds, poll_seconds=0.05)


def container(name: str = "app", **more: object) -> dict[str, Any]:
    return {"name": name, "image": "registry.invalid/app:1", **more}


def pod(name: str, spec: dict[str, Any], *, play: str | None = None) -> str:
    annotations = {"tests.pillion.dev/play": play} if play else {}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "annotations": annotations},
            "spec": {"containers": [container()], **spec},
        }
    )


def pods(kubectl: Kubectl, namespace: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(kubectl("get", "pods", "-n", namespace, "-o", "json"))["items"]
    return found


def ready(raw: dict[str, Any]) -> str | None:
    conditions = raw["status"].get("conditions", [])
    return next((condition["status"] for condition in conditions if condition["type"] == "Ready"), None)


def test_a_deployments_pods_are_scheduled_onto_simulated_nodes_and_become_ready(
    kubectl: Kubectl, namespace: str
) -> None:
    kubectl("create", "deployment", "web", "--image=registry.invalid/web:1", "--replicas=3", "-n", namespace)
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=15s", "-n", namespace)

    found = pods(kubectl, namespace)
    assert [ready(each) for each in found] == ["True"] * 3
    assert len({each["spec"]["nodeName"] for each in found}) > 1


def test_pods_go_when_their_deployment_goes(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "deployment", "web", "--image=registry.invalid/web:1", "-n", namespace)
    assert eventually(lambda: len(pods(kubectl, namespace)) == 1)

    kubectl("delete", "deployment", "web", "-n", namespace)

    assert eventually(lambda: pods(kubectl, namespace) == [])


def test_native_sidecars_run_and_plain_init_containers_complete(kubectl: Kubectl, namespace: str) -> None:
    spec = {"initContainers": [container("prepare"), container("engine", restartPolicy="Always")]}
    kubectl("apply", "-n", namespace, "-f", "-", stdin=pod("both", spec))

    assert eventually(lambda: ready(pods(kubectl, namespace)[0]) == "True")
    states = {
        each["name"]: each["state"] for each in pods(kubectl, namespace)[0]["status"]["initContainerStatuses"]
    }
    assert states["prepare"]["terminated"]["reason"] == "Completed"
    assert "running" in states["engine"]


def test_a_pod_told_to_hold_stays_pending(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=pod("held", {}, play="hold"))
    kubectl("apply", "-n", namespace, "-f", "-", stdin=pod("later", {}))

    # The second was created after the first: once it runs, the first has had its turn.
    assert eventually(
        lambda: {p["metadata"]["name"]: ready(p) for p in pods(kubectl, namespace)}["later"] == "True"
    )
    phases = {each["metadata"]["name"]: each["status"]["phase"] for each in pods(kubectl, namespace)}
    assert phases == {"held": "Pending", "later": "Running"}


@pytest.mark.parametrize(
    ("play", "condition"),
    [
        pytest.param("complete", "complete", id="told to complete"),
        pytest.param("fail", "failed", id="told to fail"),
    ],
)
def test_a_job_ends_as_its_pod_does(kubectl: Kubectl, namespace: str, play: str, condition: str) -> None:
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once"},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"annotations": {"tests.pillion.dev/play": play}},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [container()],
                    "initContainers": [container("engine", restartPolicy="Always")],
                },
            },
        },
    }
    kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(job))

    kubectl("wait", f"--for=condition={condition}", "job/once", "--timeout=20s", "-n", namespace)


def test_ready_follows_the_readiness_gate(kubectl: Kubectl, namespace: str) -> None:
    spec = {"readinessGates": [{"conditionType": "pillion.dev/ModelReady"}]}
    kubectl("apply", "-n", namespace, "-f", "-", stdin=pod("gated", spec))
    assert eventually(lambda: ready(pods(kubectl, namespace)[0]) == "False")

    for status in ("True", "False"):
        patch = {"status": {"conditions": [{"type": "pillion.dev/ModelReady", "status": status}]}}
        kubectl(
            "patch", "pod", "gated", "-n", namespace, "--subresource=status", f"--patch={json.dumps(patch)}"
        )
        assert eventually(lambda status=status: ready(pods(kubectl, namespace)[0]) == status)  # type: ignore[misc]


def test_a_test_can_answer_for_a_simulated_pod(
    kubectl: Kubectl, namespace: str, control_plane: controlplane.ControlPlane
) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=pod("played", {}))
    assert eventually(lambda: ready(pods(kubectl, namespace)[0]) == "True")
    address = pods(kubectl, namespace)[0]["status"]["podIP"]

    assert address.startswith(control_plane.pod_network.removesuffix(".0.0/16"))
    with socket.create_server((address, 0)) as server:
        place = server.getsockname()
        with socket.create_connection(place, timeout=2) as caller:
            assert caller.getpeername() == place
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place, timeout=2)


def test_a_gpu_node_takes_the_pods_that_ask_for_its_gpus_and_no_more(
    kubectl: Kubectl, namespace: str, control_plane: controlplane.ControlPlane
) -> None:
    name = f"gpu-{secrets.token_hex(3)}"
    control_plane.add_node(
        name, labels={"nvidia.com/gpu.product": "NVIDIA-L4"}, allocatable={"nvidia.com/gpu": "2"}
    )
    try:
        limits = {"limits": {"nvidia.com/gpu": "1"}}
        for number in range(3):
            kubectl(
                "apply",
                "-n",
                namespace,
                "-f",
                "-",
                stdin=pod(f"p{number}", {"containers": [container(resources=limits)]}),
            )

        assert eventually(lambda: sum(ready(each) == "True" for each in pods(kubectl, namespace)) == 2)
        running = [each for each in pods(kubectl, namespace) if ready(each) == "True"]
        assert {each["spec"]["nodeName"] for each in running} == {name}
        left = next(each for each in pods(kubectl, namespace) if ready(each) != "True")
        assert eventually(
            lambda: (
                "Insufficient nvidia.com/gpu"
                in kubectl(
                    "get",
                    "pod",
                    left["metadata"]["name"],
                    "-n",
                    namespace,
                    "-o",
                    "jsonpath={.status.conditions}",
                )
            )
        )
    finally:
        control_plane.remove_node(name)


def test_an_unmanaged_node_never_becomes_ready(
    kubectl: Kubectl, control_plane: controlplane.ControlPlane
) -> None:
    control_plane.add_node("nobody-plays-it", managed=False)
    try:
        taints = "jsonpath={.spec.taints[*].key}"
        not_ready = "node.kubernetes.io/not-ready"
        assert eventually(lambda: not_ready in kubectl("get", "node", "nobody-plays-it", "-o", taints))
    finally:
        control_plane.remove_node("nobody-plays-it")


@pytest.mark.parametrize("kind", ["mutatingadmissionpolicies", "mutatingadmissionpolicybindings"])
def test_mutating_policies_are_served_as_v1(kubectl: Kubectl, kind: str) -> None:
    served = kubectl("api-resources", "--api-group=admissionregistration.k8s.io", "--no-headers")

    line = next(each for each in served.splitlines() if each.startswith(f"{kind} "))
    assert "admissionregistration.k8s.io/v1 " in line


def test_pod_security_is_enforced(kubectl: Kubectl, namespace: str) -> None:
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")

    with pytest.raises(registry.ControlPlaneError, match='violates PodSecurity "restricted'):
        kubectl("apply", "-n", namespace, "-f", "-", stdin=pod("loose", {}))


def test_a_service_account_may_do_what_rbac_grants_and_the_log_tells_what_it_did(
    kubectl: Kubectl, namespace: str, control_plane: controlplane.ControlPlane, requests: audit.Log
) -> None:
    kubectl("create", "serviceaccount", "reader", "-n", namespace)
    kubectl("create", "role", "reader", "--verb=list", "--resource=configmaps", "-n", namespace)
    kubectl(
        "create",
        "rolebinding",
        "reader",
        "--role=reader",
        f"--serviceaccount={namespace}:reader",
        "-n",
        namespace,
    )
    reader = control_plane.service_account_kubeconfig(namespace, "reader")
    user = f"system:serviceaccount:{namespace}:reader"
    kubectl("get", "configmaps", "-n", namespace, kubeconfig=reader)
    before = requests.position()

    kubectl("get", "configmaps", "-n", namespace, kubeconfig=reader)
    kubectl("get", "configmaps", "-n", namespace, kubeconfig=reader)
    with pytest.raises(registry.ControlPlaneError, match=f'User "{user}" cannot list resource "secrets"'):
        kubectl("get", "secrets", "-n", namespace, kubeconfig=reader)

    done = requests.requests(user=user, namespace=namespace, since=before)
    assert audit.counts(done) == {("list", "configmaps"): 2, ("list", "secrets"): 1}
    assert [each.code for each in done] == [200, 200, 403]


def test_a_watch_is_one_request_from_its_start(
    namespace: str, api_client: client.ApiClient, requests: audit.Log
) -> None:
    before = requests.position()
    core = client.CoreV1Api(api_client)
    stream: Any = core.list_namespaced_config_map(namespace, watch=True, _preload_content=False)
    try:
        assert eventually(
            lambda: len(requests.requests(verb="watch", namespace=namespace, since=before)) == 1
        )
    finally:
        stream.close()
    [watch] = requests.requests(verb="watch", namespace=namespace, since=before)
    assert (watch.user, watch.resource, watch.is_watch, watch.is_lease) == (
        "admin",
        "configmaps",
        True,
        False,
    )


def test_a_user_of_another_name_is_impersonated(
    kubectl: Kubectl, control_plane: controlplane.ControlPlane
) -> None:
    stranger = control_plane.kubeconfig_for("stranger", ["strangers"])

    who = json.loads(kubectl("auth", "whoami", "-o", "json", kubeconfig=stranger))["status"]["userInfo"]

    assert who["username"] == "stranger"
    assert set(who["groups"]) == {"strangers", "system:authenticated"}
