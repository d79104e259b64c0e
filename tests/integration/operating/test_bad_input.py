"""Whatever is wrong has a clear end: a condition with a reason, a message that says what to do, and an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.api import ApiError
from tests.hub import models, server
from tests.integration.operating import stage as stages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.operating.stage import Stage

Raw = dict[str, Any]


@pytest.fixture
def healthy_hub(stage: Stage) -> Iterator[server.Hub]:
    """A Hub that the test may break; it is whole again afterwards."""
    yield stage.hub
    stage.hub.online()
    stage.hub.fault = server.Fault()


def refused(stage: Stage, namespace: str, reason: str, *, kind: str = "Planned", name: str = "chat") -> str:
    """The message of the condition that says no, with its event; nothing was injected."""
    found = stage.until_condition(namespace, name, kind, "False", reason)
    stage.until(
        lambda: reason in stage.events(namespace, "ModelDeployment", name),
        f"an event tells of {reason}",
        seconds=15,
    )
    ready = stage.condition(namespace, name, "Ready")
    assert ready["status"] == "False"
    if kind == "Planned":
        assert ready["reason"] == reason
    stage.log_says_nothing_wrong()
    return str(found["message"])


def unmarked(stage: Stage, namespace: str, name: str = "web") -> bool:
    workload = stage.get("deployment", namespace, name)
    assert workload is not None
    return "pillion.dev/inject" not in workload["spec"]["template"]["metadata"]["labels"]


@pytest.mark.parametrize(
    ("repo", "reason", "says"),
    [
        pytest.param("pillion-test/no-such-model", "ModelNotFound", "no-such-model", id="unknown model"),
        pytest.param(models.GATED, "ModelGated", "tokenSecretRef", id="gated model without a token"),
        pytest.param(models.ONLY_GGUF, "FormatUnsupported", "GGUF", id="GGUF repository"),
        pytest.param(models.BROKEN_CONFIG, "ConfigInvalid", "config.json", id="broken config.json"),
    ],
)
def test_a_model_that_cannot_be_used(stage: Stage, namespace: str, repo: str, reason: str, says: str) -> None:
    stage.apply(stages.web(namespace), stages.model(namespace, repo))
    message = refused(stage, namespace, reason)
    assert says in message
    assert unmarked(stage, namespace)
    assert stage.get("modelsidecar", namespace, "chat") is None


def test_a_revision_that_does_not_exist(stage: Stage, namespace: str) -> None:
    stage.apply(
        stages.web(namespace),
        stages.model(namespace, models.TINY_RIVER, model={"revision": "no-such-branch"}),
    )
    assert "no-such-branch" in refused(stage, namespace, "RevisionNotFound")


def test_a_token_that_may_not_be_read_and_one_that_opens_the_model(stage: Stage, namespace: str) -> None:
    wanted = stages.model(namespace, models.GATED, model={"tokenSecretRef": {"name": "hf", "key": "token"}})
    stage.apply(stages.web(namespace), wanted)
    message = refused(stage, namespace, "TokenNotReadable")
    assert "Role" in message
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "hf", "namespace": namespace},
        "stringData": {"token": server.READER_TOKEN},
    }
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "pillion-token", "namespace": namespace},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["hf"], "verbs": ["get"]}],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "pillion-token", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "pillion-token"},
        "subjects": [{"kind": "ServiceAccount", "name": "pillion", "namespace": stages.NAMESPACE}],
    }
    stage.apply(secret, role, binding)
    stage.until_ready(namespace, "chat")
    shown = stage.cluster.kubectl("get", "pmd,psc,events", "--namespace", namespace, "--output=yaml")
    assert server.READER_TOKEN not in shown
    assert server.READER_TOKEN not in stage.log.read_text()


def test_a_hub_that_does_not_answer_and_then_does(
    stage: Stage, namespace: str, healthy_hub: server.Hub
) -> None:
    healthy_hub.offline()
    stage.apply(stages.web(namespace), stages.model(namespace, models.TINY_BASE))
    message = refused(stage, namespace, "HubUnreachable")
    assert "asked again" in message
    healthy_hub.online()
    stage.until_ready(namespace, "chat")


def test_a_target_that_does_not_exist(stage: Stage, namespace: str) -> None:
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    message = refused(stage, namespace, "TargetNotFound", kind="Injected")
    assert "web" in message


def test_a_target_that_is_deleted_later_and_comes_back(stage: Stage, namespace: str) -> None:
    stage.apply(stages.web(namespace), stages.model(namespace, models.TINY_RIVER))
    stage.until_ready(namespace, "chat")
    stage.delete("deployment", namespace, "web")
    refused(stage, namespace, "TargetDeleted", kind="Injected")
    stage.until(lambda: not stage.list("pod", namespace), "the application's pods are gone")
    stage.apply(stages.web(namespace))
    stage.until_ready(namespace, "chat")


def test_no_node_is_the_kind_that_is_asked_for(stage: Stage, namespace: str) -> None:
    wanted = stages.model(namespace, models.TINY_RIVER, hardware={"nodeSelector": {"pool": "none-such"}})
    stage.apply(stages.web(namespace), wanted)
    assert "none-such" in refused(stage, namespace, "NoNodeFits")


def test_no_node_has_room(stage: Stage, namespace: str) -> None:
    resources = {"requests": {"memory": "900Ti"}, "limits": {"memory": "900Ti"}}
    stage.apply(
        stages.web(namespace), stages.model(namespace, models.TINY_RIVER, engine={"resources": resources})
    )
    message = refused(stage, namespace, "NoNodeFits")
    assert "GiB" in message or "TiB" in message


def test_a_gpu_is_required_where_there_is_none(stage: Stage, namespace: str) -> None:
    stage.apply(
        stages.web(namespace), stages.model(namespace, models.TINY_RIVER, hardware={"accelerator": "GPU"})
    )
    message = refused(stage, namespace, "NoAccelerators")
    assert "CPU" in message


def test_the_same_port_twice_beside_one_application(stage: Stage, namespace: str) -> None:
    stage.apply(stages.web(namespace), stages.model(namespace, models.TINY_RIVER, engine={"port": 19000}))
    stage.until_ready(namespace, "chat")
    stage.apply(stages.model(namespace, models.TINY_STAR, name="draft", engine={"port": 19001}))
    message = refused(stage, namespace, "PortConflict", kind="Injected", name="draft")
    assert "19001" in message
    assert "chat" in message
    stage.until_ready(namespace, "chat")


def test_the_same_served_name_twice_beside_one_application(stage: Stage, namespace: str) -> None:
    stage.apply(
        stages.web(namespace), stages.model(namespace, models.TINY_RIVER, model={"servedNames": ["gpt-4o"]})
    )
    stage.until_ready(namespace, "chat")
    stage.apply(stages.model(namespace, models.TINY_STAR, name="draft", model={"servedNames": ["gpt-4o"]}))
    message = refused(stage, namespace, "ServedNameConflict", kind="Injected", name="draft")
    assert "gpt-4o" in message
    assert "chat" in message


def test_an_invalid_field_is_refused_by_the_api_server(stage: Stage, namespace: str) -> None:
    with pytest.raises(ApiError, match="owner/name"):
        stage.apply(stages.model(namespace, "hf://Qwen/Qwen3-8B"))


def test_a_field_whose_effect_is_not_built_is_refused(stage: Stage, namespace: str) -> None:
    stage.apply(stages.web(namespace), stages.model(namespace, models.TINY_RIVER, engine={"name": "TGI"}))
    assert "spec.engine.image" in refused(stage, namespace, "FieldNotSupported")


def test_a_port_that_the_application_declares(stage: Stage, namespace: str) -> None:
    app = stages.web(namespace)
    app["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 18000}]
    stage.apply(app, stages.model(namespace, models.TINY_RIVER, engine={"port": 18000}))
    message = refused(stage, namespace, "PortInUse", kind="Injected")
    assert "18000" in message
    stage.apply(stages.model(namespace, models.TINY_RIVER))
    found = stage.until_ready(namespace, "chat")
    assert found["status"]["endpoint"] == "http://127.0.0.1:18002/v1"


def test_a_port_that_the_application_declares_later(stage: Stage, namespace: str) -> None:
    stage.apply(stages.web(namespace), stages.model(namespace, models.TINY_RIVER))
    stage.until_ready(namespace, "chat")
    app = stages.web(namespace)
    app["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 18000}]
    stage.apply(app)

    def moved() -> bool:
        found = stage.get("modeldeployment", namespace, "chat") or {}
        return bool(found["status"].get("endpoint") == "http://127.0.0.1:18002/v1")

    stage.until(moved, "the engine moves to another port")
    stage.until_ready(namespace, "chat")


def test_a_target_with_host_network(stage: Stage, namespace: str) -> None:
    app = stages.web(namespace)
    app["spec"]["template"]["spec"]["hostNetwork"] = True
    stage.apply(app, stages.model(namespace, models.TINY_RIVER))
    message = refused(stage, namespace, "HostNetwork", kind="Injected")
    assert "loopback" in message
    assert unmarked(stage, namespace)


def test_the_engine_passes_the_strictest_pod_security_level_of_a_namespace(
    stage: Stage, namespace: str
) -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    stage.cluster.kubectl("label", "namespace", namespace, label)
    restricted = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    app = stages.web(namespace)
    app["spec"]["template"]["spec"]["containers"][0]["securityContext"] = restricted
    stage.apply(app, stages.model(namespace, models.TINY_RIVER))
    stage.until_ready(namespace, "chat")
    stage.cluster.kubectl(
        "label", "--overwrite", "namespace", namespace, label.replace("restricted", "baseline")
    )


def test_a_base_model_without_a_chat_template_is_a_warning(stage: Stage, namespace: str) -> None:
    stage.apply(stages.web(namespace), stages.model(namespace, models.TINY_BASE))
    found = stage.until_ready(namespace, "chat")
    warnings = {warning["reason"]: warning["message"] for warning in found["status"]["warnings"]}
    assert "chat" in warnings["NoChatTemplate"]
    stage.until(
        lambda: "NoChatTemplate" in stage.events(namespace, "ModelDeployment", "chat"),
        "an event tells of it",
        seconds=15,
    )


def test_supervisors_that_nobody_can_reach_are_unknown_and_no_failure(stage: Stage, namespace: str) -> None:
    stage.engines.silent.add(namespace)
    stage.apply(stages.web(namespace), stages.model(namespace, models.TINY_RIVER))
    stage.until(
        lambda: stage.condition(namespace, "chat", "ModelReady").get("reason") == "ProbeBlocked",
        "the condition says that the probe is blocked",
        seconds=60,
    )
    blocked = stage.condition(namespace, "chat", "ModelReady")
    assert blocked["status"] == "Unknown"
    assert "18001" in blocked["message"]
    stage.engines.silent.discard(namespace)
    stage.until(
        lambda: stage.condition(namespace, "chat", "Ready")["status"] == "True",
        "it is reached again",
        seconds=60,
    )
