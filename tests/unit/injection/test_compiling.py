"""What is in a ModelSidecar, and what may change without new pods?"""

from __future__ import annotations

import hashlib
import json
from copy import deepcopy
from typing import Any

import pytest

from pillion import engines, injection
from pillion.api import names
from tests.corpus.compiled import compiled, settings

CHAT = compiled(name="chat-v2", namespace="shop")


def test_it_is_owned_by_its_model_deployment_and_keeps_the_plan() -> None:
    sidecar = compiled(name="chat", namespace="shop", uid="u1", plan_json='{"a": 1}', spec_hash="abc")
    metadata = sidecar["metadata"]
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == (
        "ModelDeployment",
        "chat",
        "u1",
        True,
    )
    assert (metadata["name"], metadata["namespace"]) == ("chat", "shop")
    assert injection.plan_json(sidecar) == '{"a": 1}'
    assert injection.spec_hash(sidecar) == "abc"


def test_the_application_is_told_where_the_engine_is() -> None:
    environment = CHAT["spec"]["environment"]
    assert environment["own"] == [
        {"name": "PILLION_CHAT_V2_BASE_URL", "value": "http://127.0.0.1:18000/v1"},
        {"name": "PILLION_CHAT_V2_MODEL", "value": "chat-v2"},
    ]
    assert {one["name"]: one["value"] for one in environment["plain"]} == {
        "OPENAI_BASE_URL": "http://127.0.0.1:18000/v1",
        "OPENAI_API_KEY": "pillion",
        "OPENAI_MODEL": "chat-v2",
    }
    assert "containers" not in environment


def test_what_is_absent_is_left_out() -> None:
    assert not {"tolerations", "nodeRequirements", "runtimeClassName"} & CHAT["spec"].keys()


def test_the_instruction_names_the_revision() -> None:
    assert names.is_revision(injection.revision(CHAT))
    assert json.loads(CHAT["spec"]["instruction"])["revision"] == injection.revision(CHAT)


def test_the_same_input_gives_the_same_bytes() -> None:
    assert json.dumps(compiled(name="chat-v2", namespace="shop")) == json.dumps(CHAT)


@pytest.mark.parametrize(
    ("changes", "differs"),
    [
        pytest.param(
            {"plan_json": "{}", "spec_hash": "f" * 16}, False, id="another plan that makes the same pod"
        ),
        pytest.param({"uid": "another"}, False, id="a ModelDeployment that was made anew"),
        pytest.param({"served_name": "gpt-4o"}, True, id="a name that the application is told"),
        pytest.param({"port": 18002}, True, id="a port"),
        pytest.param({"gate": "Startup"}, True, id="a gate"),
        pytest.param({"plain_policy": "Never"}, True, id="who gets the plain variables"),
        pytest.param({"environment_containers": ["app"]}, True, id="which containers get variables"),
        pytest.param({"tolerations": [{"operator": "Exists"}]}, True, id="a toleration"),
        pytest.param({"node_requirements": [{"key": "gpu", "operator": "Exists"}]}, True, id="other nodes"),
        pytest.param({"runtime_class_name": "nvidia"}, True, id="a runtime class"),
    ],
)
def test_new_pods_are_for_what_stands_in_pods(changes: dict[str, Any], differs: bool) -> None:
    assert injection.shape_differs(CHAT, compiled(name="chat-v2", namespace="shop", **changes)) is differs


def test_another_model_in_the_same_container_is_another_instruction_alone() -> None:
    model = engines.HubModel(repo="example/other", commit="1" * 40, files=("*",))
    rendering = engines.render(settings("chat-v2", model=model, context_tokens=4096))
    other = compiled(name="chat-v2", namespace="shop", rendering=rendering)
    assert not injection.shape_differs(CHAT, other)
    assert other["spec"]["instruction"] != CHAT["spec"]["instruction"]
    assert {**other["spec"], "instruction": ""} == {**CHAT["spec"], "instruction": ""}


def test_with_instruction_changes_the_instruction_and_nothing_else() -> None:
    before = deepcopy(CHAT)
    changed = injection.with_instruction(CHAT, '{"version": 1, "revision": "r-of-another", "port": 1}')
    revision = injection.revision(CHAT)
    assert changed["spec"]["instruction"] == f'{{"port":1,"revision":"{revision}","version":1}}'
    assert {**changed["spec"], "instruction": ""} == {**CHAT["spec"], "instruction": ""}
    assert changed["metadata"] == CHAT["metadata"]
    assert before == CHAT


def test_the_instructions_hash_is_what_the_supervisor_computes() -> None:
    text = CHAT["spec"]["instruction"]
    assert injection.instruction_hash(text) == hashlib.sha256(text.encode()).hexdigest()[:16]


def test_the_supervisors_config_map_is_named_by_its_content_and_never_changes() -> None:
    found = injection.config_map("shop")
    source = found["data"]["supervisor.py"]
    digest = hashlib.sha256(source.encode()).hexdigest()[:12]
    assert found["immutable"] is True
    assert found["metadata"]["namespace"] == "shop"
    assert found["metadata"]["name"] == injection.config_map_name() == f"pillion-supervisor-{digest}"
    compile(source, "supervisor.py", "exec")  # it is a program
    assert {"name": injection.config_map_name(), "optional": True} in [
        volume.get("configMap") for volume in CHAT["spec"]["volumes"]
    ]


class TestTheDryRunsTemplate:
    def test_has_all_that_a_pod_can_get(self) -> None:
        body = injection.dry_run_template(CHAT)
        spec = body["template"]["spec"]
        (engine,) = spec["initContainers"]
        assert (body["kind"], body["metadata"]["namespace"]) == ("PodTemplate", "shop")
        assert engine == {
            **CHAT["spec"]["container"],
            "restartPolicy": "Always",
            "startupProbe": CHAT["spec"]["startupProbe"],
        }
        assert spec["volumes"] == CHAT["spec"]["volumes"]

    def test_can_be_the_targets_own(self) -> None:
        target = {
            "metadata": {"labels": {"app": "web"}, "annotations": {"note": "mine"}},
            "spec": {"containers": [{"name": "web", "image": "app.example/web:1"}]},
        }
        before = deepcopy(target)
        template = injection.dry_run_template(CHAT, target)["template"]
        assert [one["name"] for one in template["spec"]["containers"]] == ["web", "pillion-chat-v2"]
        assert template["metadata"]["labels"] == {"app": "web", "pillion.dev/inject": "true"}
        assert template["metadata"]["annotations"]["note"] == "mine"
        assert target == before
