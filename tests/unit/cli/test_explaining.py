"""`pillion why` and `pillion inject`: what stands behind a plan, and what admission would make of a pod."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pillion import injection
from pillion.cli import grounds
from pillion.facts import Basis
from tests.unit.cli import api_server, objects
from tests.unit.cli.test_planning_in_a_cluster import gpu_plan, sidecar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.cli.conftest import Ended

    Pillion = Callable[..., Ended]
    Written = Callable[..., Path]

CORPUS = Path(__file__).resolve().parents[2] / "corpus"
STATUS: dict[str, Any] = {
    "conditions": [
        {"type": "Planned", "status": "True", "reason": "Planned", "message": "vLLM serves it."},
        {"type": "Ready", "status": "False", "reason": "PodsMissed", "message": "One pod has no engine."},
    ],
    "warnings": [{"reason": "NoChatTemplate", "message": "It has none."}],
    "candidates": [
        {
            "checkpoint": "a/b",
            "quantization": "None",
            "product": "Tesla-T4",
            "count": 2,
            "reason": "WeightsExceedMemory",
            "message": "Needs more.",
        }
    ],
    "observed": {"kvCacheTokens": 70_000, "plannedKvCacheTokens": 65_536},
}


def told() -> dict[str, Any]:
    """A ModelDeployment that the operator has looked at."""
    made = objects.deployment()
    return {**made, "metadata": {"name": "chat", "namespace": "shop"}, "status": STATUS}


def compiled(name: str = "chat") -> dict[str, Any]:
    made = sidecar(name, owner="uid-1", plan=gpu_plan())
    return {**made, "kind": "ModelSidecar", "metadata": {**made["metadata"], "namespace": "shop"}}


def test_the_assumed_numbers_are_told_without_a_name(pillion: Pillion) -> None:
    ended = pillion("why", "-o", "json")
    assert ended.code == 0
    assert {number["basis"] for number in ended.json["numbers"]} == {"Assumed"}
    assert all(number["source"] for number in ended.json["numbers"])

    every = pillion("why", "--all", "-o", "json").json["numbers"]
    assert {"Assumed", "Fitted"} <= {number["basis"] for number in every}
    assert len(every) == len(grounds.all_grounds())
    assert "assumed" in pillion("why").out


def test_the_softest_numbers_come_first() -> None:
    bases = [ground.fact.basis for ground in grounds.all_grounds()]
    assert bases[0] is Basis.ASSUMED
    assert bases == sorted(bases, key=list(reversed(Basis)).index)


def test_the_users_resources_are_told_in_place_of_the_plans(pillion: Pillion, written: Written) -> None:
    made = told()
    computed = pillion("why", "chat", "-f", written(made, compiled())).words
    assert "spec.engine.resources" not in computed
    made["spec"]["engine"] = {"resources": {"limits": {"memory": "3Gi"}}}
    ended = pillion("why", "chat", "-f", written(made, compiled()))
    assert "3.00 GiB of memory (limit 3.00 GiB)" in ended.words
    assert "as spec.engine.resources has it" in ended.words

    # An odd status, of another version say, hides nothing of what the user asks for.
    odd = {"type": "Ready", "status": "Perhaps", "reason": "Unsure", "message": "Who knows."}
    made["status"] = {**STATUS, "conditions": [odd]}
    ended = pillion("why", "chat", "-f", written(made, compiled()))
    assert "Ready: Perhaps" in ended.words
    assert "3.00 GiB of memory (limit 3.00 GiB)" in ended.words


def test_sizes_are_said_to_be_the_plans_where_the_spec_cannot_be_read(
    pillion: Pillion, written: Written
) -> None:
    made = told()
    assert "the plan's own" not in pillion("why", "chat", "-f", written(made, compiled())).words
    made["spec"]["engine"] = {"resources": {"limits": {"memory": "much"}}}  # that of a later version, say
    ended = pillion("why", "chat", "-f", written(made, compiled()))
    assert ended.code == 0
    assert (
        "The container's sizes are the plan's own: whether spec.engine.resources sets others is not known, because "
        "this version cannot read the spec (spec.engine.resources.limits.memory: must be a quantity"
        in ended.words
    )


def test_a_place_without_a_name_is_refused(pillion: Pillion, written: Written) -> None:
    ended = pillion("why", "-f", written(told()), "-n", "shop")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("pillion: -f, -n: say which ModelDeployment is meant")


def test_a_saved_object_is_explained(pillion: Pillion, written: Written) -> None:
    ended = pillion("why", "chat", "-f", written(told(), compiled()))

    assert ended.code == 0
    for said in (
        "shop/chat",
        "Ready: False, PodsMissed: One pod has no engine.",
        gpu_plan().sentence,
        "NoChatTemplate: It has none.",
        "a/b, 16 bit, 2 x Tesla-T4 WeightsExceedMemory",
        "The engine's KV cache holds 70,000 tokens, where the plan counted on 65,536.",
        "Memory of NVIDIA-L4, seen on such a card",
        "What the numbers rest on, the softest first",
    ):
        assert " ".join(said.split()) in ended.words


def test_an_explanation_for_programs(pillion: Pillion, written: Written) -> None:
    found = pillion("why", "chat", "-f", written(told(), compiled()), "-o", "json").json
    assert found["plan"] == gpu_plan().to_status()
    assert found["candidates"] == STATUS["candidates"]
    assert found["numbers"]


@pytest.mark.parametrize("annotation", ["{", '{"checkpoint": 3}', "null"])
def test_a_plan_of_another_version_is_told_from_status(
    pillion: Pillion, written: Written, annotation: str
) -> None:
    made = compiled()
    made["metadata"]["annotations"] = dict.fromkeys(made["metadata"]["annotations"], annotation)
    shown = {**told(), "status": {**STATUS, "plan": gpu_plan().to_status()}}
    ended = pillion("why", "chat", "-f", written(shown, made))
    assert ended.code == 0
    assert "as status tells it" in ended.words


def test_one_that_nobody_looked_at_yet(pillion: Pillion, written: Written) -> None:
    ended = pillion("why", "chat", "-f", written(objects.deployment()))
    assert ended.code == 0
    assert "The operator has not looked at it yet" in ended.words


def test_a_file_without_it(pillion: Pillion, written: Written) -> None:
    path = written(told())
    ended = pillion("why", "other", "-f", path)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"pillion: {path}: holds no ModelDeployment other; it holds shop/chat\n"

    ended = pillion("why", "chat", "-n", "web", "-f", path)
    assert ended.code == 1
    assert "holds no ModelDeployment web/chat; it holds shop/chat" in ended.err

    ended = pillion("why", "chat", "-f", written(objects.workload()))
    assert ended.code == 2
    assert "holds no ModelDeployment; save one with: kubectl get" in ended.err


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[api_server.Server]:
    with api_server.serving(tmp_path, namespace="shop") as there:
        yield there


def test_a_live_object_is_explained(pillion: Pillion, cluster: api_server.Server) -> None:
    cluster.put("ModelDeployment", told(), namespace="shop")
    cluster.put("ModelSidecar", compiled(), namespace="shop")
    assert gpu_plan().sentence in pillion("why", "chat", "--kubeconfig", cluster.kubeconfig).words

    missing = pillion("why", "other", "--kubeconfig", cluster.kubeconfig)
    assert missing.code == 1
    assert "namespace shop has no ModelDeployment other" in missing.err


def marked(**more: Any) -> dict[str, Any]:
    """A pod that asks for the model."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web",
            "labels": {"pillion.dev/inject": "true"},
            "annotations": {"model.pillion.dev/chat": ""},
        },
        "spec": {"containers": [{"name": "app", "image": "app:1"}], **more},
    }


def runnable() -> dict[str, Any]:
    """A ModelSidecar that the API would take: the corpus's first."""
    made: dict[str, Any] = next(iter(yaml.safe_load_all((CORPUS / "sidecars.yaml").read_text())))
    return made


def test_a_pod_is_printed_as_admission_would_make_it(pillion: Pillion, written: Written) -> None:
    sidecars = written(runnable(), name="sidecars.yaml")
    ended = pillion("inject", "-f", written(marked()), "--sidecars", sidecars)

    assert (ended.code, ended.err) == (0, "")
    assert yaml.safe_load(ended.out) == injection.inject(marked(), [runnable()])
    assert [each["name"] for each in yaml.safe_load(ended.out)["spec"]["containers"]] == [
        "app",
        "pillion-chat",
    ]


def test_a_template_is_injected_into_and_other_objects_stay(pillion: Pillion, written: Written) -> None:
    workload = objects.workload()
    pod = marked()
    workload["spec"]["template"] = {"metadata": pod["metadata"], "spec": pod["spec"]}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {}}
    ended = pillion(
        "inject", "-f", written(workload, service), "--sidecars", written(runnable(), name="s.yaml")
    )

    changed, same = yaml.safe_load_all(ended.out)
    assert len(changed["spec"]["template"]["spec"]["containers"]) == 2
    assert "namespace" not in changed["spec"]["template"]["metadata"]
    assert same == service


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        pytest.param(
            marked(hostNetwork=True),
            "model chat: HostNetwork: Pods with hostNetwork",
            id="the node's network",
        ),
        pytest.param({**marked(), "metadata": {"name": "web"}}, "the pod asks for no model", id="no marker"),
        pytest.param(
            {**marked(), "metadata": {"name": "web", "annotations": {"model.pillion.dev/chat": ""}}},
            "model chat: NotMarked: the pod has no label pillion.dev/inject",
            id="no label",
        ),
        pytest.param(
            {
                **marked(),
                "metadata": {**marked()["metadata"], "annotations": {"model.pillion.dev/other": ""}},
            },
            "asks for model other, and there is no such ModelSidecar; there are: chat",
            id="another model",
        ),
    ],
)
def test_why_a_pod_does_not_get_its_engine(
    pillion: Pillion, written: Written, pod: dict[str, Any], said: str
) -> None:
    ended = pillion("inject", "-f", written(pod), "--sidecars", written(runnable(), name="sidecars.yaml"))
    assert ended.code == 1
    assert said in ended.err
    assert yaml.safe_load(ended.out) == pod


@pytest.mark.parametrize(
    ("document", "said"),
    [
        pytest.param({"kind": "Pod", "metadata": {}, "spec": []}, "a list", id="a spec that is a list"),
        pytest.param(
            {"kind": "Pod", "spec": {"containers": []}}, "metadata and spec.containers", id="no metadata"
        ),
        pytest.param(
            {"kind": "Job", "metadata": {}, "spec": {}},
            "spec.template.spec.containers",
            id="no template",
        ),
        pytest.param(
            {**marked(), "spec": {"containers": ["app"]}},
            "the pod is not as Kubernetes takes it",
            id="a text for a container",
        ),
    ],
)
def test_a_pod_that_is_none(pillion: Pillion, written: Written, document: dict[str, Any], said: str) -> None:
    ended = pillion(
        "inject", "-f", written(document), "--sidecars", written(runnable(), name="sidecars.yaml")
    )
    assert ended.code == 2
    assert said in ended.err


def test_sidecars_that_are_none(pillion: Pillion, written: Written) -> None:
    ended = pillion("inject", "-f", written(marked()), "--sidecars", written(marked(), name="sidecars.yaml"))
    assert ended.code == 2
    assert "holds no ModelSidecar" in ended.err

    broken = {**runnable(), "spec": {"formatVersion": "one"}}
    ended = pillion("inject", "-f", written(marked()), "--sidecars", written(broken, name="sidecars.yaml"))
    assert ended.code == 2
    assert "spec.formatVersion" in ended.err


def test_a_clusters_sidecars_are_taken(
    pillion: Pillion, cluster: api_server.Server, written: Written
) -> None:
    cluster.put("ModelSidecar", runnable(), namespace="shop")
    ended = pillion("inject", "-f", written(marked()), "--kubeconfig", cluster.kubeconfig)
    assert (ended.code, ended.err) == (0, "")
    assert len(yaml.safe_load(ended.out)["spec"]["containers"]) == 2
    assert ended.out.count("namespace:") == 0


def test_a_cluster_without_the_definitions(
    pillion: Pillion, cluster: api_server.Server, written: Written
) -> None:
    cluster.missing |= {"ModelDeployment", "ModelSidecar"}
    for plural, arguments in (
        ("modeldeployments", ("why", "chat")),
        ("modelsidecars", ("inject", "-f", written(marked()))),
    ):
        ended = pillion(*arguments, "--kubeconfig", cluster.kubeconfig)
        assert (ended.code, ended.out) == (1, "")
        assert f"the cluster does not know {plural}.pillion.dev: " in ended.err
        assert "pillion crds | kubectl apply --server-side -f -" in ended.err
        # Where the command's user may look, and no more than it takes to know.
        assert cluster.asked[-1] == ("GET", f"/apis/pillion.dev/v1alpha1/namespaces/shop/{plural}?limit=1")


@pytest.mark.parametrize(
    "status", [["x"], "x", {"conditions": 3}, {"candidates": ["x"]}, {"warnings": {"a": 1}}]
)
def test_a_saved_object_that_the_operator_did_not_write(
    pillion: Pillion, written: Written, status: object
) -> None:
    ended = pillion("why", "chat", "-f", written({**objects.deployment(), "status": status}))
    assert ended.code == 2
    assert "chat is not as the operator writes it" in ended.err
