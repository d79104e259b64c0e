"""`pillion plan --context`: nodes, targets and what other models count on come from the cluster, by reading alone."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from pillion import planner
from pillion.api import names
from tests.unit.cli import api_server, objects
from tests.unit.controller import plans
from tests.unit.hardware import nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit.cli.conftest import Ended

    Pillion = Callable[..., Ended]
    Written = Callable[..., Path]

L4 = "NVIDIA-L4"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[api_server.Server]:
    with api_server.serving(tmp_path, namespace="shop") as there:
        yield there


def gpu_plan() -> planner.Plan:
    """A plan that takes one L4."""
    return dataclasses.replace(
        plans.cpu_plan(), device=planner.Device.GPU, product=L4, resource="nvidia.com/gpu", count=1
    )


def sidecar(name: str, *, owner: str, plan: planner.Plan) -> dict[str, Any]:
    """The ModelSidecar of a model that runs."""
    request = {"nvidia.com/gpu": "1"}
    return {
        "apiVersion": "pillion.dev/v1alpha1",
        "metadata": {
            "name": name,
            "annotations": {names.PLAN_ANNOTATION: planner.plan_to_json(plan)},
            "ownerReferences": [{"uid": owner, "controller": True, "kind": "ModelDeployment", "name": name}],
        },
        "spec": {
            "formatVersion": 1,
            "container": {
                "name": f"pillion-{name}",
                "image": "engine:1",
                "ports": [{"containerPort": 18001}],
                "resources": {"requests": request, "limits": request},
            },
        },
    }


def planned(
    pillion: Pillion, cluster: api_server.Server, path: Path, *more: object
) -> tuple[int, dict[str, Any]]:
    ended = pillion("plan", "-f", path, "--kubeconfig", cluster.kubeconfig, "-o", "json", *more)
    assert ended.out, ended.err
    return ended.code, {**ended.json["plans"][0], "notes": ended.json["assumptions"]}


def test_nodes_pods_and_the_target_are_the_clusters(
    pillion: Pillion, cluster: api_server.Server, written: Written
) -> None:
    cluster.put("Node", nodes.gpu_node("a", L4, 2))
    cluster.put("Pod", {**nodes.pod("a", gpu="1"), "metadata": {"name": "p"}}, namespace="other")
    cluster.put("Deployment", objects.workload(replicas=1), namespace="shop")
    code, plan = planned(pillion, cluster, written(objects.deployment()), "--context", "test")

    assert (code, plan["namespace"], plan["plan"]["product"]) == (0, "shop", L4)
    assert plan["accelerators"] == {"perPod": 1, "pods": 1, "total": 2, "free": 1}
    assert plan["assumptions"] == []
    assert {method for method, _ in cluster.asked} == {"GET"}


def test_a_target_in_the_file_counts_as_it_would_be_applied(
    pillion: Pillion, cluster: api_server.Server, written: Written
) -> None:
    cluster.put("Node", nodes.gpu_node("a", L4, 2))
    cluster.put("Deployment", objects.workload(replicas=1), namespace="shop")
    _, plan = planned(pillion, cluster, written(objects.deployment(), objects.workload(replicas=2)))
    assert plan["accelerators"]["pods"] == 2


def test_the_current_context_is_taken_where_none_is_named(
    pillion: Pillion, cluster: api_server.Server, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    cluster.put("Node", nodes.gpu_node("a", L4))
    ended = pillion("plan", "-f", written(objects.deployment()), "-o", "json")
    assert (ended.code, ended.json["plans"][0]["namespace"]) == (0, "shop")


def test_what_another_model_counts_on_is_left_to_it(
    pillion: Pillion, cluster: api_server.Server, written: Written
) -> None:
    cluster.put("Node", nodes.gpu_node("a", L4))
    other = cluster.put("ModelDeployment", objects.deployment("other", target="api"), namespace="shop")
    cluster.put(
        "ModelSidecar", sidecar("other", owner=other["metadata"]["uid"], plan=gpu_plan()), namespace="shop"
    )
    code, plan = planned(pillion, cluster, written(objects.deployment()))
    assert (code, plan["reason"]) == (1, "InsufficientAccelerators")


def test_what_an_autoscaler_may_ask_for_is_warned_of(
    pillion: Pillion, cluster: api_server.Server, written: Written
) -> None:
    cluster.put("Node", nodes.gpu_node("a", L4))
    cluster.put("Deployment", objects.workload(), namespace="shop")
    scaled = {"kind": "Deployment", "name": "web"}
    autoscaler = {"metadata": {"name": "web"}, "spec": {"scaleTargetRef": scaled, "maxReplicas": 9}}
    cluster.put("HorizontalPodAutoscaler", autoscaler, namespace="shop")
    code, plan = planned(pillion, cluster, written(objects.deployment()))
    assert code == 0
    assert "AutoscalerMayBlock" in [warning["reason"] for warning in plan["warnings"]]


def test_what_its_own_pods_hold_comes_free(
    pillion: Pillion, cluster: api_server.Server, written: Written
) -> None:
    cluster.put("Node", nodes.gpu_node("a", L4))
    cluster.put("Deployment", objects.workload(), namespace="shop")
    own = cluster.put("ModelDeployment", objects.deployment(), namespace="shop")
    cluster.put(
        "ModelSidecar", sidecar("chat", owner=own["metadata"]["uid"], plan=gpu_plan()), namespace="shop"
    )
    pod = nodes.pod("a", gpu="1")
    pod["metadata"] = {"name": "web-1", "annotations": {names.model_annotation("chat"): "r-0123456789ab"}}
    cluster.put("Pod", pod, namespace="shop")

    code, plan = planned(pillion, cluster, written(objects.deployment()))
    assert (code, plan["plan"]["product"]) == (0, L4)


def test_a_cluster_without_the_definitions_is_planned_for(
    pillion: Pillion, cluster: api_server.Server, written: Written
) -> None:
    cluster.put("Node", nodes.gpu_node("a", L4))
    cluster.missing = {"ModelDeployment", "ModelSidecar"}
    assert planned(pillion, cluster, written(objects.deployment()))[0] == 0


def test_what_may_not_be_listed_is_told(
    pillion: Pillion, cluster: api_server.Server, written: Written
) -> None:
    cluster.put("Node", nodes.gpu_node("a", L4))
    cluster.forbidden = {"ModelSidecar"}
    code, plan = planned(pillion, cluster, written(objects.deployment()))
    assert code == 0
    assert "modelsidecars may not be listed, so what they say is not counted with." in plan["notes"]


def test_without_nodes_there_is_no_answer(
    pillion: Pillion, cluster: api_server.Server, written: Written
) -> None:
    cluster.forbidden = {"Node"}
    ended = pillion("plan", "-f", written(objects.deployment()), "--kubeconfig", cluster.kubeconfig)
    assert ended.code == 1
    assert "the cluster cannot be read: nodes is forbidden" in ended.err


def test_a_context_that_there_is_not_is_told_with_those_that_there_are(
    pillion: Pillion, cluster: api_server.Server, written: Written
) -> None:
    ended = pillion(
        "plan", "-f", written(objects.deployment()), "--kubeconfig", cluster.kubeconfig, "--context", "prod"
    )
    assert ended.code == 2
    assert "prod" in ended.err
    assert "test" in ended.err


def test_a_cluster_that_does_not_answer(pillion: Pillion, tmp_path: Path, written: Written) -> None:
    with api_server.serving(tmp_path) as gone:
        pass
    ended = pillion("plan", "-f", written(objects.deployment()), "--kubeconfig", gone.kubeconfig)
    assert ended.code == 1
    assert "the cluster cannot be read: " in ended.err


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="broken YAML"),
        pytest.param("- a", id="a list"),
        pytest.param("contexts: 3", id="contexts that are a number"),
        pytest.param("", id="an empty file"),
    ],
)
def test_a_kubeconfig_that_is_none(pillion: Pillion, tmp_path: Path, written: Written, text: str) -> None:
    (tmp_path / "kubeconfig").write_text(text)
    ended = pillion("plan", "-f", written(objects.deployment()), "--kubeconfig", tmp_path / "kubeconfig")
    assert ended.code == 2
    assert "kubeconfig" in ended.err
