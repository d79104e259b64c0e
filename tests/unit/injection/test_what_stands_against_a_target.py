"""Which targets cannot have an engine, and of what is their owner told?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pillion import injection
from pillion.api.reasons import Reason
from pillion.injection import pod_security
from tests import corpus
from tests.corpus.compiled import compiled

if TYPE_CHECKING:
    from tests.corpus import Raw

CHAT = compiled(name="chat", namespace="shop")  # ports 18000 and 18001


def spec(**changes: Any) -> Raw:
    return {"containers": [{"name": "app", "image": "app.example/app:1"}]} | changes


def container(**fields: Any) -> Raw:
    return spec(containers=[{"name": "app", "image": "app.example/app:1"} | fields])


def test_an_ordinary_target_has_nothing_against_it() -> None:
    pod_spec = container(ports=[{"containerPort": 8080}], readinessProbe={"httpGet": {"port": "http"}})
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    assert injection.conflicts(pod_spec, CHAT, namespace_labels=labels) == []
    assert injection.notices(pod_spec, CHAT) == []


@pytest.mark.parametrize(
    ("pod_spec", "reason", "says"),
    [
        pytest.param(spec(hostNetwork=True), Reason.HOST_NETWORK, "host network", id="the node's network"),
        pytest.param(spec(os={"name": "windows"}), Reason.WINDOWS, "for Windows", id="Windows"),
        pytest.param(
            spec(resources={}), Reason.POD_LEVEL_RESOURCES, "spec.resources", id="resources of the pod"
        ),
        pytest.param(
            spec(initContainers=[{"name": "pillion-chat"}]),
            Reason.NAME_TAKEN,
            "a container named pillion-chat",
            id="the container's name",
        ),
        pytest.param(
            spec(volumes=[{"name": "pillion-chat-cch", "emptyDir": {}}]),
            Reason.NAME_TAKEN,
            "pillion-chat-cch",
            id="a volume's name",
        ),
        pytest.param(
            container(ports=[{"containerPort": 18000}]),
            Reason.PORT_IN_USE,
            "container app uses port 18000, and the engine takes 18000 and 18001. Choose another pair with "
            "spec.engine.port",
            id="the engine's port",
        ),
        pytest.param(
            container(livenessProbe={"tcpSocket": {"port": 18001}}),
            Reason.PORT_IN_USE,
            "uses port 18001",
            id="the supervisor's port, by a probe",
        ),
    ],
)
def test_a_conflict_is_named_with_its_remedy(pod_spec: Raw, reason: Reason, says: str) -> None:
    (found,) = injection.conflicts(pod_spec, CHAT)
    assert found.reason is reason
    assert says in found.message


def test_a_namespace_can_keep_engines_out() -> None:
    (found,) = injection.conflicts(spec(), CHAT, namespace_labels={"pillion.dev/inject": "false"})
    assert found.reason is Reason.NAMESPACE_EXCLUDED


def test_all_conflicts_are_told_together() -> None:
    pod_spec = spec(hostNetwork=True, volumes=[{"name": "pillion-chat-ins"}, {"name": "pillion-chat-shm"}])
    assert [found.reason for found in injection.conflicts(pod_spec, CHAT)] == [
        Reason.HOST_NETWORK,
        Reason.NAME_TAKEN,
    ]


def test_engines_beside_the_same_application_have_ports_and_a_runtime_class_in_common() -> None:
    same = compiled(name="embed", namespace="shop", port=18001, runtime_class_name="nvidia")
    mine = compiled(name="chat", namespace="shop", runtime_class_name="amd")
    apart = compiled(name="rank", namespace="shop", port=18004)
    found = injection.conflicts(spec(), mine, others=[same, apart])
    assert [one.reason for one in found] == [Reason.PORT_CONFLICT, Reason.RUNTIME_CLASS_CONFLICT]
    assert "The engine of embed beside the same application has port 18001 already." in found[0].message


@pytest.mark.parametrize(("has", "blocks"), [(None, False), ("nvidia", False), ("sandbox", True)])
def test_a_pod_has_one_runtime_class(has: str | None, blocks: bool) -> None:
    sidecar = compiled(name="chat", namespace="shop", runtime_class_name="nvidia")
    found = injection.conflicts(spec(**({"runtimeClassName": has} if has else {})), sidecar)
    assert [one.reason for one in found] == ([Reason.RUNTIME_CLASS_CONFLICT] if blocks else [])


class TestPodSecurity:
    """The rules by hand from k8s.io/pod-security-admission."""

    ENGINE = CHAT["spec"]["container"]

    @pytest.mark.parametrize("level", ["privileged", "baseline", "restricted", "unheard-of"])
    def test_the_engine_passes_every_level(self, level: str) -> None:
        assert pod_security.violations(self.ENGINE, CHAT["spec"]["volumes"], spec(), level=level) == []

    @pytest.mark.parametrize(
        ("change", "level", "says"),
        [
            ({"privileged": True}, "baseline", "is privileged"),
            ({"capabilities": {"add": ["SYS_ADMIN"]}}, "baseline", "adds the capabilities SYS_ADMIN"),
            ({"seccompProfile": {"type": "Unconfined"}}, "baseline", "has an unconfined seccompProfile"),
            ({"allowPrivilegeEscalation": None}, "restricted", "may gain privileges"),
            ({"capabilities": {}}, "restricted", "does not drop all capabilities"),
            ({"capabilities": {"drop": ["ALL"], "add": ["KILL"]}}, "restricted", "adds capabilities"),
            ({"runAsNonRoot": None}, "restricted", "may run as root"),
            ({"runAsUser": 0}, "restricted", "runs as root"),
            ({"seccompProfile": None}, "restricted", "has no seccompProfile"),
        ],
    )
    def test_what_breaks_a_level(self, change: Raw, level: str, says: str) -> None:
        engine = {**self.ENGINE, "securityContext": self.ENGINE["securityContext"] | change}
        (found,) = pod_security.violations(engine, [], spec(), level=level)
        assert found.startswith(says)

    def test_ports_of_the_host_and_volumes_of_the_node(self) -> None:
        engine = {**self.ENGINE, "ports": [{"containerPort": 1, "hostPort": 1}]}
        volumes = [{"name": "v", "hostPath": {"path": "/"}}]
        assert pod_security.violations(engine, volumes, spec(), level="baseline") == [
            "has a hostPort",
            "has a hostPath volume",
        ]

    def test_the_pods_own_security_context_counts_where_the_engine_says_nothing(self) -> None:
        engine = {
            **self.ENGINE,
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
        pod_spec = spec(securityContext={"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}})
        assert pod_security.violations(engine, [], pod_spec, level="restricted") == []


class TestNotices:
    def test_a_container_that_is_not_there(self) -> None:
        sidecar = compiled(name="chat", namespace="shop", environment_containers=["app", "web"])
        (found,) = injection.notices(spec(), sidecar)
        assert found.reason is Reason.CONTAINER_NOT_FOUND
        assert found.message.startswith(
            "spec.environment.containers names web, which is no container of the target"
        )

    def test_variables_that_the_application_sets_itself(self) -> None:
        pod_spec = container(
            env=[{"name": "OPENAI_MODEL", "value": "x"}, {"name": "PILLION_CHAT_MODEL", "value": "y"}]
        )
        plain, own = injection.notices(pod_spec, CHAT)
        assert plain.reason is own.reason is Reason.ENVIRONMENT_OVERLAP
        assert "sets OPENAI_MODEL itself and keeps it" in plain.message
        assert own.message == "The container app sets PILLION_CHAT_MODEL itself and keeps it."

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({}, 1),
            ({"plain_policy": "Never"}, 0),
            ({"environment_containers": ["other"]}, 0),
        ],
        ids=["told", "no plain variables come", "the container gets none"],
    )
    def test_variables_from_elsewhere(self, changes: dict[str, Any], told: int) -> None:
        sidecar = compiled(name="chat", namespace="shop", **changes)
        pod_spec = spec(
            containers=[
                {"name": "app", "image": "i", "envFrom": [{"configMapRef": {"name": "settings"}}]},
                {"name": "other", "image": "i"},
            ]
        )
        found = injection.notices(pod_spec, sidecar)
        assert [one.reason for one in found] == [Reason.ENVIRONMENT_OVERLAP] * told

    def test_a_key_of_its_own_says_more_than_variables_from_elsewhere(self) -> None:
        pod_spec = container(
            env=[{"name": "OPENAI_API_KEY", "value": "x"}], envFrom=[{"secretRef": {"name": "s"}}]
        )
        (found,) = injection.notices(pod_spec, CHAT)
        assert "sets OPENAI_API_KEY itself" in found.message

    def test_engines_are_not_the_application(self) -> None:
        pod_spec = spec(containers=corpus.situation("engine-written-first").pod["spec"]["containers"])
        assert injection.notices(pod_spec, CHAT) == []
