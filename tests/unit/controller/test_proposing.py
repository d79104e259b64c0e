"""What does a proposal make of the nodes, and of what other models have and count on?"""

import asyncio
import dataclasses
import json
from collections import Counter
from typing import Any

import pytest

from pillion import injection
from pillion.api import names
from pillion.api.modeldeployment import ModelDeployment
from pillion.api.reasons import Reason
from pillion.controller import compiling
from pillion.controller.planning import Planning
from pillion.controller.settings import Settings
from pillion.controller.store import Key, Store
from pillion.controller.surroundings import FRESH_SECONDS
from pillion.controller.world import (
    FAILED_HASH_ANNOTATION,
    FAILED_MESSAGE_ANNOTATION,
    Proposal,
    Proposed,
    Refused,
    World,
)
from pillion.facts import FactsError, ModelFacts
from pillion.kube import resources
from pillion.kube.client import Forbidden, NotFound
from pillion.kube.resources import Resource
from tests.unit.controller import plans, worlds
from tests.unit.hardware import nodes

Raw = dict[str, Any]

L4 = "NVIDIA-L4"
T4 = "Tesla-T4"
ON_GPU: Raw = {"accelerator": "GPU"}


class FakeCluster:
    """Answers the few questions of planning, and counts the lists."""

    def __init__(self, *nodes_there: Raw) -> None:
        self.nodes = list(nodes_there)
        self.pods: list[Raw] = []
        self.autoscalers: list[Raw] | None = []  # None: the operator may not list them
        self.secrets: dict[str, Raw] = {}
        self.secrets_read = 0
        self.lists: Counter[str] = Counter()

    async def list(self, resource: Resource, **_: Any) -> list[Raw]:
        self.lists[resource.kind] += 1
        await asyncio.sleep(0)  # others get their turn, as with a real request
        if resource is resources.AUTOSCALERS:
            if self.autoscalers is None:
                raise Forbidden(403, "may not list autoscalers")
            return list(self.autoscalers)
        return list(self.nodes if resource is resources.NODES else self.pods)

    async def get(self, resource: Resource, namespace: str | None, name: str) -> Raw:
        del namespace
        if resource.kind == "Secret":
            self.secrets_read += 1
            if name not in self.secrets:
                raise NotFound(404, f"no secret {name}")
            return self.secrets[name]
        return {"metadata": {"name": name, "labels": {}}}


class Bench:
    """Planning with a store, a cluster and facts of a tiny model, whatever the repository."""

    def __init__(self, *nodes_there: Raw) -> None:
        self.cluster = FakeCluster(*nodes_there)
        self.store = Store()
        self.now = 100.0
        self.settings = Settings()
        self.tokens: list[str | None] = []
        self.asked_publishers: list[tuple[str, ...]] = []
        self.unreadable: dict[str, FactsError] = {}
        self.version = 10
        self.planning = self.operator()

    def operator(self) -> Planning:
        """A fresh one, as after a restart."""
        return Planning(
            self.cluster,  # type: ignore[arg-type]  # a fake
            self.store,
            self.settings,
            lambda: self.now,
            read=self._read,
            trusted=self._trusted,
        )

    def _read(self, repo: str, *, token: str | None, **_: Any) -> ModelFacts:
        self.tokens.append(token)
        if repo in self.unreadable:
            raise self.unreadable[repo]
        return plans.tiny_facts(repo)

    def _trusted(self, *_: ModelFacts, publishers: tuple[str, ...], **__: Any) -> tuple[ModelFacts, ...]:
        self.asked_publishers.append(publishers)
        return ()

    def _next(self) -> str:
        self.version += 1
        return str(self.version)

    def put(self, resource: Resource, obj: Raw) -> Raw:
        kept = {**obj, "metadata": {**obj["metadata"], "resourceVersion": self._next()}}
        self.store.put(resource, kept)
        return kept

    def model(self, name: str = "chat", *, target: str | None = "web", made: int = 0, **spec: Any) -> World:
        """A ModelDeployment beside a target, made so many seconds after the first."""
        raw = worlds.deployment(**spec)
        raw["metadata"] |= {
            "name": name,
            "uid": f"uid-{name}",
            "creationTimestamp": f"2026-11-01T00:00:{made:02}Z",
        }
        if target is None:
            del raw["spec"]["targetRef"]
        else:
            raw["spec"]["targetRef"] = {"name": target}
        return self.look(self.put(resources.MODEL_DEPLOYMENTS, raw))

    def look(self, raw: Raw, **known: Any) -> World:
        """The world of a ModelDeployment as the store has it now."""
        key = Key(raw["metadata"]["namespace"], raw["metadata"]["name"])
        reference = raw["spec"].get("targetRef")
        workload = self.workload(reference["name"]) if reference else None
        return World(
            key=key,
            deployment=raw,
            spec=ModelDeployment.from_raw(raw).spec,
            sidecar=self.store.get(resources.MODEL_SIDECARS, *key),
            target_resource=resources.DEPLOYMENTS if reference else None,
            **{"target": workload, **known},
        )

    def workload(self, name: str) -> Raw:
        made = worlds.workload()
        made["metadata"] |= {"name": name, "uid": f"uid-{name}"}
        made["spec"]["replicas"] = self.replicas.get(name, 1)
        return made

    replicas: dict[str, int] = {}  # noqa: RUF012 - replaced, never changed

    def changed(self, world: World, *, metadata: Raw | None = None, **spec: Any) -> World:
        """The same ModelDeployment with other fields in its spec."""
        assert world.deployment is not None
        raw = {
            **world.deployment,
            "metadata": {**world.deployment["metadata"], **(metadata or {})},
            "spec": {**world.deployment["spec"], **spec},
        }
        return self.look(self.put(resources.MODEL_DEPLOYMENTS, raw))

    def propose(self, world: World) -> Proposal:
        return asyncio.run(self.proposing(world))

    async def proposing(self, world: World) -> Proposal:
        assert world.deployment is not None
        return await self.planning.propose(world, ModelDeployment.from_raw(world.deployment))

    def proposed(self, world: World) -> Proposed:
        found = self.propose(world)
        assert isinstance(found, Proposed), found
        return found

    def injected(self, world: World) -> World:
        """Proposed, written, and looked at again with a status."""
        found = self.proposed(world)
        assert found.obstacle is None, found.obstacle
        assert world.deployment is not None
        self.put(resources.MODEL_SIDECARS, worlds.stored(found.sidecar))
        self.planning.forget(world.key)
        status = {
            "plan": {},
            "model": {"task": "TextGeneration"},
            "conditions": [{"type": "Planned", "status": "True"}],
        }
        raw = {**world.deployment, "status": status}
        return self.look(self.put(resources.MODEL_DEPLOYMENTS, raw))

    def pod(self, name: str, *worlds_of: World, node: str, phase: str = "Running") -> Raw:
        """A bound pod of the target with the engines of these models, which have to be injected."""
        sidecars = [world.sidecar for world in worlds_of if world.sidecar is not None]
        assert len(sidecars) == len(worlds_of)
        raw = worlds.pod(name)
        raw["metadata"]["annotations"] = {
            names.model_annotation(world.name): injection.revision(sidecar)
            for world, sidecar in zip(worlds_of, sidecars, strict=True)
        }
        raw = injection.inject(raw, sidecars)
        raw["spec"]["nodeName"] = node
        raw["status"]["phase"] = phase
        self.cluster.pods.append(raw)
        return raw

    def later(self) -> None:
        """What was read a moment ago is read again."""
        self.now += FRESH_SECONDS


def port_of(found: Proposed) -> int:
    return compiling.port_pair(found.sidecar)[0]


def policy_of(found: Proposed) -> str:
    return str(found.sidecar["spec"]["environment"]["plainPolicy"])


def one_gpu() -> Bench:
    return Bench(nodes.gpu_node("a", L4))


def autoscaler(target: str, most: int, *, kind: str = "Deployment", namespace: str = "shop") -> Raw:
    return {
        "metadata": {"name": f"of-{target}", "namespace": namespace},
        "spec": {"scaleTargetRef": {"kind": kind, "name": target}, "maxReplicas": most},
    }


def reasons(found: Proposed) -> dict[Reason, str]:
    return {warning.reason: warning.message for warning in found.warnings}


# Whose checkpoints are looked for


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        pytest.param(None, ("RedHatAI", "nvidia"), id="a few known ones"),
        pytest.param("mine, theirs,", ("mine", "theirs"), id="those of the operator"),
        pytest.param("", (), id="nobody but the model's own"),
    ],
)
def test_trusted_publishers_are_a_setting(setting: str | None, expected: tuple[str, ...]) -> None:
    bench = Bench(nodes.node("plain"))
    if setting is not None:
        bench.settings = Settings(trusted_publishers=setting)
        bench.planning = bench.operator()
    bench.proposed(bench.model())
    assert bench.asked_publishers == [expected]


def test_declared_checkpoints_alone_are_looked_at_where_that_is_asked() -> None:
    bench = Bench(nodes.node("plain"))
    bench.proposed(bench.model(quantization={"checkpoints": "Declared"}))
    assert bench.asked_publishers == []


# What an autoscaler may ask for


def test_an_autoscaler_that_may_ask_for_more_pods_than_there_are_accelerators_is_told() -> None:
    bench = Bench(nodes.gpu_node("a", L4, 3))
    bench.cluster.autoscalers = [autoscaler("web", 2), autoscaler("web", 5)]
    message = reasons(bench.proposed(bench.model(hardware=ON_GPU)))[Reason.AUTOSCALER_MAY_BLOCK]
    assert "An autoscaler may ask for 5 pods, and there are accelerators for 3" in message


@pytest.mark.parametrize(
    "autoscalers",
    [
        pytest.param([autoscaler("web", 3)], id="no more than there are"),
        pytest.param([autoscaler("other", 9)], id="of another Deployment"),
        pytest.param([autoscaler("web", 9, kind="StatefulSet")], id="of another kind by the same name"),
        pytest.param([autoscaler("web", 9, namespace="elsewhere")], id="in another namespace"),
        pytest.param(None, id="that the operator may not see"),
    ],
)
def test_nothing_is_said_of_autoscalers(autoscalers: list[Raw] | None) -> None:
    bench = Bench(nodes.gpu_node("a", L4, 3))
    bench.cluster.autoscalers = autoscalers
    assert Reason.AUTOSCALER_MAY_BLOCK not in reasons(bench.proposed(bench.model(hardware=ON_GPU)))


# What is reserved, and for whom


def test_a_plan_without_pods_keeps_its_accelerator() -> None:
    bench = one_gpu()
    bench.proposed(bench.model("first", target="a", hardware=ON_GPU))
    found = bench.propose(bench.model("second", target="b", hardware=ON_GPU))
    assert isinstance(found, Refused)
    assert found.reason is Reason.INSUFFICIENT_ACCELERATORS


def test_a_plan_reserves_for_all_pods_of_a_target_that_carries_no_marker_yet() -> None:
    bench = Bench(nodes.gpu_node("a", L4, 3))
    bench.replicas = {"a": 3}
    bench.proposed(bench.model("first", target="a", hardware=ON_GPU))
    assert isinstance(bench.propose(bench.model("second", target="b", hardware=ON_GPU)), Refused)


@pytest.mark.parametrize("written", [pytest.param(True, id="written"), pytest.param(False, id="remembered")])
def test_a_suspended_model_reserves_nothing(written: bool) -> None:
    bench = one_gpu()
    first = bench.model("first", target="a", hardware=ON_GPU)
    if written:
        first = bench.injected(first)
    else:
        bench.proposed(first)
    bench.changed(first, suspend=True)
    bench.proposed(bench.model("second", target="b", hardware=ON_GPU))


@pytest.mark.parametrize("known", [pytest.param(True, id="about to go"), pytest.param(False, id="gone")])
def test_a_deleted_model_reserves_nothing(known: bool) -> None:
    bench = one_gpu()
    first = bench.model("first", target="a", hardware=ON_GPU)
    bench.proposed(first)
    if known:
        bench.changed(first, metadata={"deletionTimestamp": "2026-11-01T00:00:00Z"})
    else:
        assert first.deployment is not None
        bench.store.remove(resources.MODEL_DEPLOYMENTS, first.deployment)
    bench.proposed(bench.model("second", target="b", hardware=ON_GPU))


def test_plans_made_at_once_count_on_different_accelerators() -> None:
    bench = Bench(nodes.gpu_node("a", L4, 2))
    models = [bench.model(f"m{number}", target=f"t{number}", hardware=ON_GPU) for number in range(4)]

    async def all_at_once() -> list[Proposal]:
        return await asyncio.gather(*(bench.proposing(model) for model in models))

    found = asyncio.run(all_at_once())
    assert sum(isinstance(each, Proposed) for each in found) == 2
    assert bench.cluster.lists["Node"] == 1  # a burst reads the nodes once


def test_the_nodes_are_read_again_after_a_moment() -> None:
    bench = one_gpu()
    first = bench.model("first", target="a", hardware=ON_GPU)
    bench.cluster.nodes = []
    assert isinstance(bench.propose(first), Refused)
    bench.cluster.nodes = [nodes.gpu_node("a", L4)]
    assert isinstance(bench.propose(first), Refused)
    bench.later()
    bench.proposed(first)


def test_pods_are_not_listed_where_nodes_have_no_accelerators() -> None:
    bench = Bench(nodes.node("plain"))
    bench.proposed(bench.model())
    assert (bench.cluster.lists["Node"], bench.cluster.lists["Pod"]) == (1, 0)


# Several models of one target

A10G = "NVIDIA-A10G"


def small_and_double() -> Bench:
    """A node with the smaller card, of which there is one, and a node with two of the larger."""
    return Bench(nodes.gpu_node("one", A10G), nodes.gpu_node("two", L4, 2, cpu="16", memory="64Gi"))


def product_of(found: Proposed) -> str | None:
    return found.planned.plan.product


def test_a_model_alone_takes_the_smaller_card() -> None:
    assert product_of((bench := small_and_double()).proposed(bench.model())) == A10G


def test_models_of_one_target_take_a_node_that_has_room_for_both() -> None:
    bench = small_and_double()
    first, second = bench.model("first", hardware=ON_GPU), bench.model("second", made=1, hardware=ON_GPU)
    assert product_of(bench.proposed(first)) == L4
    assert product_of(bench.proposed(second)) == L4


@pytest.mark.parametrize(
    "neighbour",
    [
        pytest.param({"hardware": {"accelerator": "CPU"}}, id="on CPU"),
        pytest.param({"hardware": ON_GPU, "suspend": True}, id="that is suspended"),
        pytest.param({"hardware": ON_GPU, "target": "other"}, id="of another target"),
        pytest.param({"hardware": ON_GPU, "model": {"repo": "no/such"}}, id="that cannot be planned at all"),
    ],
)
def test_nothing_is_left_for_a_neighbour(neighbour: Raw) -> None:
    bench = small_and_double()
    bench.unreadable["no/such"] = FactsError(Reason.MODEL_NOT_FOUND, "there is none")
    first, second = bench.model("first", hardware=ON_GPU), bench.model("second", made=1, **neighbour)
    if "repo" in str(neighbour):
        assert isinstance(bench.propose(second), Refused)
    assert product_of(bench.proposed(first)) == A10G


def test_where_no_node_has_room_for_both_the_first_is_planned_all_the_same() -> None:
    bench = one_gpu()
    first = bench.model("first", hardware=ON_GPU)
    second = bench.model("second", made=1, hardware=ON_GPU)
    assert product_of(bench.proposed(first)) == L4
    found = bench.propose(second)
    assert isinstance(found, Refused)
    assert "shares its pods with ModelDeployment first" in found.message


def test_a_model_that_came_later_gets_room_once_the_first_is_planned_again() -> None:
    bench = small_and_double()
    first = bench.injected(bench.model("first", hardware=ON_GPU))
    second = bench.model("second", made=1, hardware=ON_GPU)
    found = bench.propose(second)
    assert isinstance(found, Refused)
    assert "pillion.dev/replan" in found.message
    again = bench.changed(first, metadata={"annotations": {names.REPLAN_ANNOTATION: "1"}})
    assert product_of(bench.proposed(again)) == L4
    assert product_of(bench.proposed(second)) == L4


# What a model's own pods hold


def test_what_the_models_own_pods_hold_is_free_for_it() -> None:
    bench = one_gpu()
    chat = bench.injected(bench.model(hardware=ON_GPU))
    bench.pod("web-1", chat, node="a")
    bench.later()
    bench.proposed(bench.changed(chat, serving={"concurrency": 1}))


def test_it_is_known_without_the_modelsidecar_too() -> None:
    bench = one_gpu()
    chat = bench.injected(bench.model(hardware=ON_GPU))
    bench.pod("web-1", chat, node="a")
    assert chat.sidecar is not None
    bench.store.remove(resources.MODEL_SIDECARS, chat.sidecar)
    bench.later()
    assert chat.deployment is not None
    bench.proposed(bench.look(chat.deployment))


def test_a_finished_pod_holds_nothing() -> None:
    bench = Bench(nodes.gpu_node("a", L4, 2))
    first = bench.injected(bench.model("first", target="a", hardware=ON_GPU))
    bench.pod("a-1", first, node="a", phase="Succeeded")
    bench.replicas = {"b": 2}
    found = bench.propose(bench.model("second", target="b", hardware=ON_GPU))
    assert isinstance(found, Refused)  # one of two is still kept for the first one's next pod
    assert "1 of 2 are free" in found.message


# Several models in one pod


def test_models_of_one_target_share_a_node() -> None:
    apart = Bench(nodes.gpu_node("a", L4), nodes.gpu_node("b", L4))
    apart.proposed(apart.model("chat", hardware=ON_GPU))
    found = apart.propose(apart.model("embed", made=1, hardware=ON_GPU))
    assert isinstance(found, Refused)
    assert "2 nodes have 1 of the 2 accelerators that a pod takes" in found.message
    together = Bench(nodes.gpu_node("a", L4, 2))
    together.injected(together.model("chat", hardware=ON_GPU))
    together.proposed(together.model("embed", made=1, hardware=ON_GPU))


def test_a_second_model_counts_on_what_the_first_ones_pod_gives_up() -> None:
    bench = Bench(nodes.gpu_node("a", L4, 2))
    chat = bench.injected(bench.model("chat", hardware=ON_GPU))
    bench.pod("web-1", chat, node="a")
    bench.proposed(bench.model("embed", made=1, hardware=ON_GPU))


def test_two_products_are_never_asked_of_one_pod() -> None:
    bench = Bench(nodes.gpu_node("a", L4, 2), nodes.gpu_node("b", T4, 2))
    bench.proposed(bench.model("chat", hardware={"products": [L4]}))
    found = bench.propose(bench.model("embed", made=1, hardware={"products": [T4]}))
    assert isinstance(found, Refused)
    assert "with ModelDeployment chat beside it" in found.message


def test_the_second_model_takes_the_product_of_the_first() -> None:
    bench = Bench(nodes.gpu_node("a", L4, 2), nodes.gpu_node("b", T4, 2))
    first = bench.proposed(bench.model("chat", hardware={"products": [L4]}))
    second = bench.proposed(bench.model("embed", made=1, hardware=ON_GPU))
    assert first.planned.plan.product == second.planned.plan.product == L4


def test_an_engine_on_cpu_goes_where_its_neighbours_accelerator_is() -> None:
    small = nodes.gpu_node("a", L4, cpu="5")
    bench = Bench(small, nodes.node("large", cpu="64", memory="256Gi"))
    bench.proposed(bench.model("chat", hardware=ON_GPU))
    found = bench.propose(
        bench.model(
            "embed",
            made=1,
            hardware={"accelerator": "CPU"},
            engine={"resources": {"requests": {"cpu": "6"}}},
        )
    )
    assert isinstance(found, Refused)
    assert "has 0 of the 1 x nvidia.com/gpu that the pod's other containers take" in found.message


def test_memory_of_the_neighbours_engine_is_taken_from_the_node() -> None:
    bench = Bench(nodes.node("plain", memory="8Gi"))
    asked = {"resources": {"requests": {"memory": "5Gi"}, "limits": {"memory": "5Gi"}}}
    bench.proposed(bench.model("chat", engine=asked))
    found = bench.propose(bench.model("embed", made=1, engine=asked))
    assert isinstance(found, Refused)
    assert found.reason is Reason.NO_NODE_FITS


def test_a_suspended_neighbour_takes_no_space() -> None:
    bench = Bench(nodes.gpu_node("a", L4))
    chat = bench.model("chat", hardware=ON_GPU)
    bench.proposed(chat)
    bench.changed(chat, suspend=True)
    bench.proposed(bench.model("embed", made=1, hardware=ON_GPU))


# Ports


def test_models_of_a_namespace_have_different_ports() -> None:
    bench = Bench(nodes.node("plain"))
    assert [port_of(bench.proposed(bench.model(name, target=name))) for name in ("a", "b")] == [18000, 18002]


def test_a_model_keeps_its_ports_when_smaller_ones_come_free() -> None:
    bench = Bench(nodes.node("plain"))
    first = bench.injected(bench.model("first", target="a"))
    second = bench.injected(bench.model("second", target="b"))
    assert first.sidecar is not None
    bench.store.remove(resources.MODEL_SIDECARS, first.sidecar)
    assert port_of(bench.proposed(bench.changed(second, serving={"concurrency": 1}))) == 18002


def test_it_moves_where_the_target_declares_one_of_them() -> None:
    bench = Bench(nodes.node("plain"))
    chat = bench.injected(bench.model())
    target = bench.workload("web")
    target["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 18001}]
    assert port_of(bench.proposed(dataclasses.replace(chat, target=target))) == 18002


def test_it_moves_where_the_user_asks_for_another() -> None:
    bench = Bench(nodes.node("plain"))
    chat = bench.injected(bench.model())
    assert port_of(bench.proposed(bench.changed(chat, engine={"port": 19000}))) == 19000


# A spec that was tried and went back


def gone_back(bench: Bench, world: World) -> World:
    assert world.sidecar is not None
    assert world.deployment is not None
    annotations = {
        **world.sidecar["metadata"]["annotations"],
        FAILED_HASH_ANNOTATION: world.hash,
        FAILED_MESSAGE_ANNOTATION: "The engine ended with exit code 1.",
    }
    metadata = {**world.sidecar["metadata"], "annotations": annotations}
    bench.put(resources.MODEL_SIDECARS, {**world.sidecar, "metadata": metadata})
    return bench.look(world.deployment)


def answers(bench: Bench, world: World) -> bool:
    assert world.deployment is not None
    return bench.planning.answers(world, ModelDeployment.from_raw(world.deployment))


def test_a_spec_that_went_back_is_not_proposed_again_for_its_neighbours() -> None:
    bench = Bench(nodes.node("plain"))
    chat = bench.injected(bench.model("chat", made=5))
    assert answers(bench, chat)
    bench.injected(bench.model("older", made=1))
    assert not answers(bench, chat)  # an older one takes the plain variables
    failing = bench.changed(chat, model={"repo": "pillion-test/broken"})
    assert not answers(bench, failing)
    assert answers(bench, gone_back(bench, failing))


def test_nor_for_a_port_that_the_target_declares_now() -> None:
    bench = Bench(nodes.node("plain"))
    failing = gone_back(
        bench, bench.changed(bench.injected(bench.model()), model={"repo": "pillion-test/broken"})
    )
    target = bench.workload("web")
    target["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 18000}]
    clashing = dataclasses.replace(failing, target=target)
    assert clashing.port_taken()
    assert answers(bench, clashing)


def test_a_changed_spec_is_proposed_after_one_that_went_back() -> None:
    bench = Bench(nodes.node("plain"))
    failing = gone_back(
        bench, bench.changed(bench.injected(bench.model()), model={"repo": "pillion-test/broken"})
    )
    assert not answers(bench, bench.changed(failing, model={"repo": "pillion-test/tiny-star"}))


# Who gets OPENAI_*


def test_the_oldest_model_gets_the_plain_variables() -> None:
    bench = Bench(nodes.node("plain"))
    bench.injected(bench.model("older", made=1))
    assert policy_of(bench.proposed(bench.model("younger", made=2))) == "Never"


def test_an_older_model_that_nobody_looked_at_yet_keeps_them() -> None:
    bench = Bench(nodes.node("plain"))
    bench.model("older", made=1)
    assert policy_of(bench.proposed(bench.model("younger", made=2))) == "Never"


@pytest.mark.parametrize("restarted", [pytest.param(False, id="known"), pytest.param(True, id="restarted")])
def test_an_older_model_that_is_refused_does_not(restarted: bool) -> None:
    bench = Bench(nodes.node("plain"))
    bench.unreadable["a/gone"] = FactsError(Reason.MODEL_NOT_FOUND, "There is no model a/gone.")
    older = bench.model("older", made=1, repo="a/gone")
    assert isinstance(bench.propose(older), Refused)
    if restarted:
        assert older.deployment is not None
        status = {"conditions": [{"type": "Planned", "status": "False", "reason": "ModelNotFound"}]}
        bench.put(resources.MODEL_DEPLOYMENTS, {**older.deployment, "status": status})
        bench.planning = bench.operator()
    assert policy_of(bench.proposed(bench.model("younger", made=2))) == "Always"


def test_nor_does_one_that_something_keeps_out_of_the_pods() -> None:
    bench = Bench(nodes.node("plain"))
    bench.injected(bench.model("elsewhere", target="other", engine={"port": 19000}))
    older = bench.proposed(bench.model("older", made=1, engine={"port": 19000}))
    assert older.obstacle is not None
    assert older.obstacle.reason is Reason.PORT_CONFLICT
    assert policy_of(bench.proposed(bench.model("younger", made=2))) == "Always"


# Tokens


def with_token(bench: Bench, value: str) -> World:
    bench.cluster.secrets["hub"] = {"data": {"token": value}}
    model = {
        "repo": "pillion-test/tiny-river",
        "tokenSecretRef": {"name": "hub", "key": "token"},
    }
    return bench.model(model=model)


def test_the_token_of_a_secret_is_sent() -> None:
    bench = Bench(nodes.node("plain"))
    bench.proposed(with_token(bench, "aGZfYWJjZAo="))  # "hf_abcd" and a line end
    assert bench.tokens == ["hf_abcd"]


@pytest.mark.parametrize("there", [True, False])
def test_the_secret_is_read_once_in_a_first_look(there: bool) -> None:
    bench = Bench(nodes.node("plain"))
    world = with_token(bench, "aGZfYWJjZAo=")
    if not there:
        bench.cluster.secrets.clear()

    async def look() -> Proposal:
        assert world.deployment is not None
        parsed = ModelDeployment.from_raw(world.deployment)
        ahead = await bench.planning.look_ahead(world.key, parsed)
        return await bench.planning.propose(world, parsed, ahead=ahead)

    assert isinstance(asyncio.run(look()), Proposed if there else Refused)
    assert bench.cluster.secrets_read == 1


def test_what_was_asked_for_ahead_of_another_spec_is_asked_anew() -> None:
    bench = Bench(nodes.node("plain"))
    before = with_token(bench, "aGZfYWJjZAo=")
    world = bench.changed(before, model={"repo": "pillion-test/tiny-star"})

    async def look() -> Proposal:
        assert before.deployment is not None
        await bench.planning.look_ahead(before.key, ModelDeployment.from_raw(before.deployment))
        return await bench.proposing(world)

    found = asyncio.run(look())
    assert isinstance(found, Proposed)
    assert found.facts.repo == "pillion-test/tiny-star"


def test_a_token_of_two_lines_is_refused_and_not_shown() -> None:
    bench = Bench(nodes.node("plain"))
    found = bench.propose(with_token(bench, "aGZfYWJjZAplZmdo"))
    assert isinstance(found, Refused)
    assert found.reason is Reason.TOKEN_NOT_READABLE
    assert "hf_abcd" not in json.dumps(dataclasses.asdict(found), default=str)
    assert bench.tokens == []
