"""From a ModelDeployment to an engine beside an application that was already running, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.hub import models
from tests.integration.operating import stage as stages

if TYPE_CHECKING:
    from tests.integration.operating.stage import Stage

Raw = dict[str, Any]


def running_app(stage: Stage, namespace: str, **more: Any) -> Raw:
    """An application whose pods are ready; its pod template as it was written."""
    stage.apply(stages.web(namespace, **more))
    replicas = more.get("replicas", 1)
    stage.until(
        lambda: (
            (stage.get("deployment", namespace, "web") or {}).get("status", {}).get("readyReplicas")
            == replicas
        ),
        "the application runs",
    )
    found = stage.get("deployment", namespace, "web")
    assert found is not None
    return dict(found["spec"]["template"])


def template(stage: Stage, namespace: str, name: str = "web") -> Raw:
    found = stage.get("deployment", namespace, name)
    assert found is not None
    return dict(found["spec"]["template"])


def engine_pods(stage: Stage, namespace: str, model: str = "chat") -> list[Raw]:
    return [
        pod
        for pod in stage.list("pod", namespace)
        if any(container["name"] == f"pillion-{model}" for container in pod["spec"]["containers"])
        and "deletionTimestamp" not in pod["metadata"]
    ]


def test_an_application_gets_an_engine_and_the_status_says_everything(stage: Stage, namespace: str) -> None:
    running_app(stage, namespace)
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    found = stage.until_ready(namespace, "chat")
    status = found["status"]
    assert {entry["type"] for entry in status["conditions"]} == {"Planned", "Injected", "ModelReady", "Ready"}
    assert all(entry["observedGeneration"] == 1 for entry in status["conditions"])
    assert status["observedGeneration"] == 1
    assert status["endpoint"] == "http://127.0.0.1:18000/v1"
    assert status["servedNames"] == ["chat"]
    assert status["pods"] == {"desired": 1, "injected": 1, "ready": 1, "summary": "1/1"}
    assert status["plan"]["checkpoint"] == models.TINY_RIVER
    assert status["plan"]["device"] == "CPU"
    assert len(status["plan"]["commit"]) == 40
    assert status["model"]["architecture"] == "LlamaForCausalLM"
    assert status["model"]["chatTemplate"] is True
    assert status["observed"]["kvCacheTokens"] == 8192
    assert status["target"]["name"] == "web"
    [pod] = engine_pods(stage, namespace)
    environment = {entry["name"]: entry["value"] for entry in pod["spec"]["containers"][0]["env"]}
    assert environment["OPENAI_BASE_URL"] == "http://127.0.0.1:18000/v1"
    assert environment["PILLION_CHAT_MODEL"] == "chat"
    stage.until(
        lambda: (
            {"Planned", "Injected", "Serving", "TargetMarked"}
            <= stage.events(namespace, "ModelDeployment", "chat")
        ),
        "the ModelDeployment has events",
    )
    assert "TargetMarked" in stage.events(namespace, "Deployment", "web")
    columns = stage.cluster.kubectl("get", "pmd", "chat", "--namespace", namespace)
    assert "1/1" in columns
    stage.log_says_nothing_wrong()


def test_deleting_it_leaves_the_application_as_it_was(stage: Stage, namespace: str) -> None:
    before = running_app(stage, namespace)
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    stage.until_ready(namespace, "chat")
    assert template(stage, namespace) != before
    stage.delete("modeldeployment", namespace, "chat")
    stage.until(lambda: template(stage, namespace) == before, "the pod template is the original")
    stage.until(lambda: not engine_pods(stage, namespace), "no pod has the engine")
    stage.until(lambda: stage.get("modelsidecar", namespace, "chat") is None, "the ModelSidecar is gone")
    stage.until(
        lambda: not stage.list("configmap", namespace, selector="app.kubernetes.io/component=supervisor"),
        "the supervisor's ConfigMap is swept",
    )
    workload = stage.get("deployment", namespace, "web")
    assert workload is not None
    assert "pillion.dev/marked" not in workload["metadata"].get("labels", {})


def test_one_that_replaces_another_of_its_name_takes_over_what_that_had(stage: Stage, namespace: str) -> None:
    running_app(stage, namespace)
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    stage.until_ready(namespace, "chat")
    # As `kubectl replace --force` does it: the ModelSidecar of the old one may still be there.
    stage.delete("modeldeployment", namespace, "chat")
    stage.apply(stages.model(namespace, models.TINY_STAR))
    new = stage.get("modeldeployment", namespace, "chat")
    assert new is not None

    def is_its_own() -> bool:
        sidecar = stage.get("modelsidecar", namespace, "chat") or {"metadata": {}}
        owners = [owner["uid"] for owner in sidecar["metadata"].get("ownerReferences", [])]
        return owners == [new["metadata"]["uid"]]

    stage.until(is_its_own, "the ModelSidecar belongs to the new one")
    stage.until_ready(namespace, "chat")


def test_what_was_deleted_while_the_operator_was_down_is_swept(stage: Stage, namespace: str) -> None:
    before = running_app(stage, namespace)
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    stage.until_ready(namespace, "chat")
    stage.stop_operator()
    stage.delete("modeldeployment", namespace, "chat")
    stage.until(
        lambda: stage.get("modelsidecar", namespace, "chat") is None,
        "the ModelSidecar is collected",
    )
    assert template(stage, namespace) != before
    stage.start_operator()
    stage.until(lambda: template(stage, namespace) == before, "the left-over marker is swept")


def test_another_model_reaches_the_running_pods_without_new_ones(stage: Stage, namespace: str) -> None:
    running_app(stage, namespace, replicas=2)
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    stage.until_ready(namespace, "chat")
    before = {pod["metadata"]["uid"] for pod in engine_pods(stage, namespace)}
    marker = template(stage, namespace)
    stage.apply(stages.model(namespace, models.TINY_STAR))
    stage.until(
        lambda: (stage.get("modeldeployment", namespace, "chat") or {})["status"]["observedGeneration"] == 2,
        "the change was seen",
    )
    found = stage.until_ready(namespace, "chat")
    assert found["status"]["plan"]["checkpoint"] == models.TINY_STAR
    pods = engine_pods(stage, namespace)
    assert {pod["metadata"]["uid"] for pod in pods} == before
    assert template(stage, namespace) == marker
    for pod in pods:
        told = json.loads(pod["metadata"]["annotations"]["engine.pillion.dev/chat"])
        assert told["model"]["repo"] == models.TINY_STAR
    sidecar = stage.get("modelsidecar", namespace, "chat")
    assert sidecar is not None
    assert json.loads(sidecar["spec"]["instruction"])["model"]["repo"] == models.TINY_STAR
    assert "pillion.dev/previous" not in sidecar["metadata"]["annotations"]


def test_a_swap_that_fails_goes_back_and_says_why(stage: Stage, namespace: str) -> None:
    running_app(stage, namespace, replicas=2)
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    stage.until_ready(namespace, "chat")
    stage.engines.cannot_load.add(models.TINY_BROKEN)
    stage.apply(stages.model(namespace, models.TINY_BROKEN))
    failed = stage.until_condition(namespace, "chat", "ModelReady", "False", "SwapFailed")
    assert "exit code 1" in failed["message"]

    def all_are_back() -> bool:
        return all(
            json.loads(pod["metadata"]["annotations"]["engine.pillion.dev/chat"])["model"]["repo"]
            == models.TINY_RIVER
            for pod in engine_pods(stage, namespace)
        )

    stage.until(all_are_back, "every pod has the model back that worked")
    assert len(engine_pods(stage, namespace)) == 2
    stage.stop_operator()
    stage.start_operator()
    assert stage.condition(namespace, "chat", "ModelReady")["reason"] == "SwapFailed"
    stage.apply(stages.model(namespace, models.TINY_STAR))
    stage.until(
        lambda: (stage.get("modeldeployment", namespace, "chat") or {})["status"]["observedGeneration"] == 3,
        "the next change was seen",
    )
    stage.until_ready(namespace, "chat")


def test_suspending_takes_the_engine_away_and_gives_it_back(stage: Stage, namespace: str) -> None:
    before = running_app(stage, namespace)
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    stage.until_ready(namespace, "chat")
    stage.apply(stages.model(namespace, models.TINY_RIVER, suspend=True))
    stage.until_condition(namespace, "chat", "Injected", "False", "Suspended")
    stage.until(lambda: template(stage, namespace) == before, "the pod template is the original")
    found = stage.get("modeldeployment", namespace, "chat")
    assert found is not None
    assert found["status"]["plan"]["checkpoint"] == models.TINY_RIVER
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    stage.until_ready(namespace, "chat")
    stage.apply(stages.model(namespace, models.TINY_RIVER, suspend=True))
    stage.until(lambda: template(stage, namespace) == before, "the marker can be taken away again")
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    stage.until_ready(namespace, "chat")
    stage.delete("modeldeployment", namespace, "chat")
    stage.until(lambda: template(stage, namespace) == before, "and once more, in the end")


def test_a_target_that_comes_later_is_found(stage: Stage, namespace: str) -> None:
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    stage.until_condition(namespace, "chat", "Injected", "False", "TargetNotFound")
    running_app(stage, namespace)
    stage.until_ready(namespace, "chat")


def test_two_models_beside_one_application(stage: Stage, namespace: str) -> None:
    before = running_app(stage, namespace)
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    stage.until_ready(namespace, "chat")
    stage.apply(stages.model(namespace, models.TINY_STAR, name="draft"))
    stage.until_ready(namespace, "draft")
    stage.until_ready(namespace, "chat")
    [pod] = [pod for pod in engine_pods(stage, namespace) if len(pod["spec"]["containers"]) == 3]
    environment = {entry["name"]: entry["value"] for entry in pod["spec"]["containers"][0]["env"]}
    assert environment["OPENAI_BASE_URL"] == "http://127.0.0.1:18000/v1"
    assert environment["PILLION_DRAFT_BASE_URL"] == "http://127.0.0.1:18002/v1"
    stage.delete("modeldeployment", namespace, "chat")
    stage.until(lambda: not engine_pods(stage, namespace, "chat"), "the first engine is gone")
    stage.until_ready(namespace, "draft")
    stage.delete("modeldeployment", namespace, "draft")
    stage.until(lambda: template(stage, namespace) == before, "the pod template is the original")


def test_a_marker_that_somebody_takes_away_is_written_again(stage: Stage, namespace: str) -> None:
    running_app(stage, namespace)
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    stage.until_ready(namespace, "chat")
    marked = template(stage, namespace)
    gone = [
        {"op": "remove", "path": "/metadata/labels/pillion.dev~1marked"},
        {"op": "remove", "path": "/spec/template/metadata/annotations/model.pillion.dev~1chat"},
    ]
    stage.patch("deployment", namespace, "web", gone)
    stage.until(lambda: template(stage, namespace) == marked, "the marker is back")
    stage.until_ready(namespace, "chat")


def test_a_pod_that_was_missed_is_seen_and_replaced(stage: Stage, namespace: str) -> None:
    running_app(stage, namespace, replicas=2)
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    stage.until_ready(namespace, "chat")
    stage.stop_operator()
    [missed, kept] = engine_pods(stage, namespace)
    with stage.without_injection(namespace, "chat"):
        stage.delete("pod", namespace, missed["metadata"]["name"])
        stage.until(
            lambda: (
                len(
                    [
                        pod
                        for pod in stage.list("pod", namespace)
                        if "deletionTimestamp" not in pod["metadata"]
                    ]
                )
                == 2
            ),
            "a pod without an engine takes its place",
        )
        assert len(engine_pods(stage, namespace)) == 1
    stage.start_operator()
    stage.until(lambda: len(engine_pods(stage, namespace)) == 2, "the pod without an engine is replaced")
    stage.until_ready(namespace, "chat")
    assert kept["metadata"]["uid"] in {pod["metadata"]["uid"] for pod in engine_pods(stage, namespace)}
    told = stage.events(namespace, "ModelDeployment", "chat")
    assert {"PodsMissed", "PodEvicted"} <= told
    assert "PodEvicted" in stage.events(namespace, "Deployment", "web")


def test_a_wish_for_a_new_plan_is_heard_and_restarts_nothing(stage: Stage, namespace: str) -> None:
    running_app(stage, namespace)
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    before = stage.until_ready(namespace, "chat")
    pods = {pod["metadata"]["uid"] for pod in engine_pods(stage, namespace)}
    answers = sidecar_hash(stage, namespace)
    wish = stages.model(namespace, models.TINY_RIVER)
    wish["metadata"]["annotations"] = {"pillion.dev/replan": "now"}
    stage.apply(wish)
    stage.until(lambda: sidecar_hash(stage, namespace) != answers, "a new plan was made")
    after = stage.until_ready(namespace, "chat")
    assert after["status"]["plan"] == before["status"]["plan"]
    assert {pod["metadata"]["uid"] for pod in engine_pods(stage, namespace)} == pods


def sidecar_hash(stage: Stage, namespace: str) -> str:
    sidecar = stage.get("modelsidecar", namespace, "chat")
    assert sidecar is not None
    return str(sidecar["metadata"]["annotations"]["pillion.dev/spec-hash"])


def test_a_restart_of_the_operator_writes_nothing(stage: Stage, namespace: str, requests: Any) -> None:
    running_app(stage, namespace)
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    stage.until_ready(namespace, "chat")
    assert requests.requests(user=stages.USER, verb="patch", namespace=namespace), (
        "the log knows the operator"
    )
    stage.stop_operator()
    mark = requests.position()
    stage.start_operator()
    found = stage.until_ready(namespace, "chat")
    stage.until(lambda: found["status"]["pods"]["ready"] == 1, "the engine is known again")
    written = [
        request
        for request in requests.requests(user=stages.USER, namespace=namespace, since=mark)
        if request.verb in {"create", "update", "patch", "delete"} and not request.is_lease
    ]
    assert written == []
