"""`pillion plan` on imagined nodes and saved lists: the plan, who lost, what was assumed, and the exit code."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.hub import models, server
from tests.unit.cli import objects
from tests.unit.hardware import nodes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ended

    Pillion = Callable[..., Ended]
    Written = Callable[..., Path]


def forms(value: Any) -> Any:
    """The structure of an answer: names, and the kind of each value."""
    if isinstance(value, dict):
        return {key: forms(item) for key, item in value.items()}
    if isinstance(value, list):
        return [forms(value[0])] if value else []
    return type(value).__name__


def saved(*items: dict[str, Any]) -> dict[str, Any]:
    """What kubectl get nodes,pods -A -o json writes."""
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


def as_node(raw: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Node", **raw}


def as_pod(raw: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", **raw}


def test_a_plan_is_told_as_a_page(pillion: Pillion, written: Written) -> None:
    ended = pillion(
        "plan", "-f", written(objects.deployment(), objects.workload(replicas=3)), "--gpu", "L4", "--gpus", 4
    )

    assert ended.code == 0
    assert "default/chat planned" in ended.words
    assert "NVIDIA-L4 for each of 3 pods; 4 of 4 free" in ended.words
    assert "Memory of the accelerator: 22.06 GiB" in ended.words
    assert "█" in ended.out
    assert "Rejected candidates, the nearest first" in ended.out
    assert f"{models.DENSE_8B}, 16 bit, NVIDIA-L4 OrderedAfter" in ended.words
    assert "The nodes are imagined" in ended.words
    assert not any(line != line.rstrip() for line in ended.out.splitlines())


def test_a_plan_for_programs_has_the_fields_of_status(pillion: Pillion, written: Written) -> None:
    ended = pillion("plan", "-f", written(objects.deployment()), "--gpu", "L4", "-o", "json")
    (plan,) = ended.json["plans"]

    assert (plan["name"], plan["namespace"], plan["planned"], plan["reason"]) == (
        "chat",
        "default",
        True,
        "Planned",
    )
    assert plan["plan"]["product"] == "NVIDIA-L4"
    assert plan["plan"]["checkpoint"] == plan["message"].split()[3]
    assert plan["model"]["parameters"] == 8_190_735_360
    candidate = ("checkpoint", "quantization", "product", "count", "reason", "message")
    assert forms(plan["candidates"]) == [{**dict.fromkeys(candidate, "str"), "count": "int"}]
    assert forms(plan["accelerators"]) == {"perPod": "int", "pods": "int", "total": "int", "free": "int"}
    assert {"weights", "kvCache", "activation", "graphs", "other", "usable", "total"} <= set(
        plan["plan"]["memory"]
    )
    assert plan["settings"]["maxModelLen"] == plan["plan"]["contextLength"]


def limited_to(memory: str, accelerator: str) -> dict[str, Any]:
    amounts = {"requests": {"memory": memory}, "limits": {"memory": memory}}
    return objects.deployment(
        repo="a/b", hardware={"accelerator": accelerator}, engine={"resources": amounts}
    )


@pytest.mark.parametrize("accelerator", ["CPU", "GPU"])
def test_a_container_is_told_with_the_users_resources(
    pillion: Pillion, written: Written, tmp_path: Path, accelerator: str
) -> None:
    folder = objects.folder(tmp_path / "small")
    options = ("plan", "-f", written(limited_to("1Gi", accelerator)), "--gpu", "L4", "--model", folder)
    page = pillion(*options).words
    assert "1.00 GiB of memory (limit 1.00 GiB)" in page
    assert "as spec.engine.resources has it" in page
    (plan,) = pillion(*options, "-o", "json").json["plans"]
    assert (plan["settings"]["memoryRequest"], plan["settings"]["memoryLimit"]) == ("1.00Gi", "1.00Gi")


def test_an_engine_that_is_limited_to_less_than_it_needs_is_divided_by_its_need(
    pillion: Pillion, written: Written, tmp_path: Path
) -> None:
    folder = objects.folder(tmp_path / "small")
    ended = pillion("plan", "-f", written(limited_to("1Gi", "CPU")), "--gpu", "L4", "--model", folder)
    found = re.search(
        r"Memory that the engine's container needs: ([\d.]+) GiB, where its limit is 1.00 GiB", ended.out
    )
    assert found is not None
    assert f"it needs about {found[1]} GiB" in ended.words  # as the warning says
    shares = [float(each) for each in re.findall(r"B +([\d.]+) %$", ended.out, re.MULTILINE)]
    assert sum(shares) == pytest.approx(100, abs=0.3)


def test_a_container_with_room_is_not_said_to_have_more_cache(
    pillion: Pillion, written: Written, tmp_path: Path
) -> None:
    folder = objects.folder(tmp_path / "small")
    ended = pillion("plan", "-f", written(limited_to("8Gi", "CPU")), "--gpu", "L4", "--model", folder)
    assert "Memory of the engine's container: 8.00 GiB" in ended.out
    assert "left free" in ended.out
    assert "more KV cache" not in ended.out  # on CPU the cache is as large as the engine is told


def test_json_and_yaml_say_the_same(pillion: Pillion, written: Written) -> None:
    path = written(objects.deployment())
    told = [pillion("plan", "-f", path, "--gpu", "L4", "-o", form).out for form in ("json", "yaml")]
    assert json.loads(told[0]) == yaml.safe_load(told[1])


def test_a_file_comes_through_standard_input(pillion: Pillion, written: Written) -> None:
    text = written(objects.deployment()).read_text()
    assert pillion("plan", "-f", "-", "--gpu", "L4", stdin=text).code == 0


@pytest.mark.parametrize(
    ("options", "reason", "said"),
    [
        pytest.param(
            {"serving": {"contextLength": 40_000, "concurrency": 64}},
            "NoAcceleratorFits",
            "64",
            id="a wish that no GPU grants",
        ),
        pytest.param(
            {"quantization": {"method": "GPTQ"}},
            "PinImpossible",
            "spec.quantization.method: GPTQ",
            id="a pin",
        ),
        pytest.param(
            {"serving": {"contextLength": 1_000_000}}, "ContextExceedsModel", "40,960", id="a context"
        ),
        pytest.param(
            {"hardware": {"products": ["NVIDIA-H200"]}}, "NoAccelerators", "NVIDIA-H200", id="a product"
        ),
        pytest.param({"engine": {"name": "TGI"}}, None, "spec.engine.name", id="another engine"),
    ],
)
def test_no_plan_is_an_answer_with_a_reason(
    pillion: Pillion, written: Written, options: dict[str, Any], reason: str | None, said: str
) -> None:
    ended = pillion("plan", "-f", written(objects.deployment(**options)), "--gpu", "L4", "-o", "json")
    (plan,) = ended.json["plans"]

    assert (ended.code, plan["planned"]) == (1, False)
    assert reason in (None, plan["reason"])
    assert said in plan["message"]


def test_a_model_larger_than_the_whole_cluster(pillion: Pillion, written: Written, tmp_path: Path) -> None:
    huge = objects.folder(
        tmp_path / "huge", num_hidden_layers=800, hidden_size=16_384, intermediate_size=65_536
    )
    ended = pillion("plan", "-f", written(objects.deployment()), "--gpu", "T4", "--gpus", 8, "--model", huge)

    assert ended.code == 1
    assert "not planned: NoAcceleratorFits" in ended.words
    assert "TiB" in ended.out


def test_one_of_several_without_a_plan_is_told_by_the_exit_code(pillion: Pillion, written: Written) -> None:
    path = written(objects.deployment("one"), objects.deployment("two", repo="pillion-test/missing"))
    ended = pillion("plan", "-f", path, "--gpu", "L4", "-o", "json")

    assert ended.code == 1
    assert [plan["reason"] for plan in ended.json["plans"]] == ["Planned", "ModelNotFound"]
    assert "a private one needs a token in HF_TOKEN" in ended.json["plans"][1]["message"]


def test_models_of_one_target_share_its_pods(pillion: Pillion, written: Written) -> None:
    both = written(objects.deployment("one"), objects.deployment("two"), objects.workload())
    ended = pillion("plan", "-f", both, "--gpu", "L4", "--gpus", 1, "-o", "json")

    assert [plan["planned"] for plan in ended.json["plans"]] == [True, False]
    assert ended.json["plans"][1]["reason"] in {"InsufficientAccelerators", "NoNodeFits"}
    assert pillion("plan", "-f", both, "--gpu", "L4", "--gpus", 2).code == 0


def test_models_of_two_targets_leave_each_other_their_accelerators(
    pillion: Pillion, written: Written
) -> None:
    both = written(objects.deployment("one"), objects.deployment("two", target="api"))
    ended = pillion("plan", "-f", both, "--gpu", "L4", "--nodes", 1, "-o", "json")

    assert [plan["planned"] for plan in ended.json["plans"]] == [True, False]
    assert pillion("plan", "-f", both, "--gpu", "L4", "--nodes", 2).code == 0


def test_a_suspended_model_is_planned_and_takes_nothing(pillion: Pillion, written: Written) -> None:
    both = written(objects.deployment("one", suspend=True), objects.deployment("two", target="api"))
    ended = pillion("plan", "-f", both, "--gpu", "L4", "-o", "json")
    assert [plan["planned"] for plan in ended.json["plans"]] == [True, True]


def test_pods_may_be_assumed(pillion: Pillion, written: Written) -> None:
    path = written(objects.deployment())
    ended = pillion("plan", "-f", path, "--gpu", "L4", "--nodes", 2, "--pods", 3, "-o", "json")
    assert (ended.code, ended.json["plans"][0]["reason"]) == (1, "InsufficientAccelerators")
    assert any("Nothing is known of Deployment web" in each for each in ended.json["plans"][0]["assumptions"])


def test_a_gated_model_is_read_with_the_token_of_the_environment(
    pillion: Pillion, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(objects.deployment(repo=models.GATED))
    assert "ModelGated" in pillion("plan", "-f", path, "--gpu", "L4").out
    monkeypatch.setenv("HF_TOKEN", server.READER_TOKEN)
    assert pillion("plan", "-f", path, "--gpu", "L4").code == 0


def test_a_token_that_cannot_be_sent_is_refused_and_not_shown(
    pillion: Pillion, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_two words")
    ended = pillion("plan", "-f", written(objects.deployment()), "--gpu", "L4")
    assert ended.code == 2
    assert "HF_TOKEN holds white space inside" in ended.err
    assert "set it to the token alone, or unset it for public models" in ended.err
    assert "two words" not in ended.err + ended.out


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_saved_list_of_nodes_and_pods_is_a_cluster(pillion: Pillion, written: Written, form: str) -> None:
    there = saved(
        as_node(nodes.gpu_node("a", "NVIDIA-L4")),
        as_node(nodes.gpu_node("b", "NVIDIA-L4")),
        as_pod(nodes.pod("a", gpu="1")),
        {**objects.workload(replicas=2), "metadata": {"name": "web", "namespace": "default"}},
    )
    text = json.dumps(there) if form == "json" else yaml.safe_dump(there)
    ended = pillion(
        "plan",
        "-f",
        written(objects.deployment()),
        "--inventory",
        written(text, name="cluster"),
        "-o",
        "json",
    )
    (plan,) = ended.json["plans"]

    assert (ended.code, plan["reason"]) == (1, "InsufficientAccelerators")  # two pods, and one is taken
    assert plan["assumptions"] == []


def test_a_list_without_pods_says_what_that_means(pillion: Pillion, written: Written) -> None:
    inventory = written(saved(as_node(nodes.gpu_node("a", "NVIDIA-L4"))), name="nodes")
    ended = pillion("plan", "-f", written(objects.deployment()), "--inventory", inventory)
    assert ended.code == 0
    assert "holds no pods, so everything counts as free" in ended.words


@pytest.mark.parametrize(
    ("items", "said"),
    [
        pytest.param([as_pod(nodes.pod("a"))], "holds no Node, but 1 Pod", id="pods alone"),
        pytest.param(
            [{"kind": "Node"}], "items[0]: Node: metadata.name: is required", id="a node without a name"
        ),
        pytest.param(
            [{"kind": "Node", "metadata": "x"}], "metadata.name: is required", id="metadata that is none"
        ),
        pytest.param(
            [as_node({"metadata": {"name": "a"}, "status": {"allocatable": {"cpu": "many"}}})],
            "Node a is not as Kubernetes writes one",
            id="an amount that is none",
        ),
        pytest.param(
            [as_node({"metadata": {"name": "a"}, "status": ["x"]})],
            "Node a is not as Kubernetes writes one",
            id="a status that is a list",
        ),
        pytest.param(
            [
                as_node(nodes.node("a")),
                as_pod({"metadata": {"name": "p"}, "spec": {"nodeName": "a", "containers": 3}}),
            ],
            "Pod p is not as Kubernetes writes one",
            id="containers that are a number",
        ),
        pytest.param([3], "items[0]: holds 3 where an object is expected", id="an item that is a number"),
    ],
)
def test_a_list_that_kubectl_would_not_write(
    pillion: Pillion, written: Written, items: list[Any], said: str
) -> None:
    inventory = written({"kind": "List", "items": items}, name="nodes")
    ended = pillion("plan", "-f", written(objects.deployment()), "--inventory", inventory)
    assert ended.code == 2
    assert said in ended.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param((), "give --gpu L4 (imagined nodes)", id="no cluster at all"),
        pytest.param(("--gpu", "L44"), "near it are NVIDIA-L4", id="a GPU that nobody knows"),
        pytest.param(("--gpus", "4"), "name their product with --gpu", id="GPUs of no product"),
        pytest.param(("--gpu", "L4", "--gpus", "0"), "--gpus", id="no GPU"),
        pytest.param(("--gpu", "L4", "--nodes", "-1"), "--nodes", id="nodes below zero"),
        pytest.param(("--gpu", "L4", "--inventory", "x"), "exclude each other", id="two clusters"),
        pytest.param(("--inventory", "/nonexistent"), "there is no such file", id="a list that is not there"),
        pytest.param(("--context", "prod"), "leads to no cluster", id="a context of no kubeconfig"),
        pytest.param(
            ("--gpu", "L4", "--model", "/nonexistent"), "there is no directory", id="no such directory"
        ),
        pytest.param(("--gpu", "L4", "-o", "xml"), "--output", id="a form that there is not"),
    ],
)
def test_options_that_make_no_sense(
    pillion: Pillion, written: Written, options: tuple[str, ...], said: str
) -> None:
    ended = pillion("plan", "-f", written(objects.deployment()), *options)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())
    assert ended.out == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "config.json", id="no config.json"),
        pytest.param("{", "config.json", id="broken JSON"),
        pytest.param("[]", "config.json", id="no object"),
        pytest.param('{"hidden_size": "many"}', "", id="a text for a number"),
        pytest.param(
            '{"hidden_size": -4, "num_hidden_layers": 0, "num_attention_heads": 0}', "", id="sizes below zero"
        ),
    ],
)
def test_a_directory_that_holds_no_model(
    pillion: Pillion, written: Written, tmp_path: Path, content: str | None, said: str
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    if content is not None:
        (folder / "config.json").write_text(content)
    ended = pillion("plan", "-f", written(objects.deployment()), "--gpu", "L4", "--model", folder)
    assert ended.code == 2
    assert ended.err.startswith("pillion: --model")
    assert said in ended.err


def test_a_directory_stands_for_one_of_several_checkpoints(
    pillion: Pillion, written: Written, tmp_path: Path
) -> None:
    small = objects.folder(tmp_path / "small")
    deployment = objects.deployment(model={"repo": "a/b", "variants": [models.DENSE_8B_FP8]})
    ended = pillion("plan", "-f", written(deployment), "--gpu", "L4", "--model", f"a/b={small}", "-o", "json")

    (plan,) = ended.json["plans"]
    seen = {plan["plan"]["checkpoint"], *(each["checkpoint"] for each in plan["candidates"])}
    assert seen == {"a/b", models.DENSE_8B_FP8}
    assert any("the Hub was not asked for quantized checkpoints" in each for each in plan["assumptions"])


def test_a_directory_that_nothing_would_read_is_refused(
    pillion: Pillion, written: Written, tmp_path: Path
) -> None:
    small = objects.folder(tmp_path / "small")
    deployment = objects.deployment(model={"repo": "a/b", "variants": ["a/c"]})
    ended = pillion("plan", "-f", written(deployment), "--gpu", "L4", "--model", f"foo={small}")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"pillion: --model foo={small}: no ModelDeployment of the file has the model or variant foo; they name "
        "a/b, a/c\n"
    )
    ended = pillion(
        "plan",
        "-f",
        written(objects.deployment()),
        "--gpu",
        "L4",
        *("--model", f"{models.DENSE_8B}={small}", "--model", small),
    )
    assert ended.code == 2
    assert f"every model of the file has a directory already: {models.DENSE_8B}" in ended.err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"metadata": {}}, "Deployment: metadata.name: is required", id="no name"),
        pytest.param(
            {"metadata": {"name": "web", "namespace": 3}}, "must be a text", id="a namespace that is none"
        ),
        pytest.param(
            {"spec": []}, "Deployment web is not as Kubernetes takes it", id="a spec that is a list"
        ),
        pytest.param(
            {"spec": {"replicas": "x"}}, "is not as Kubernetes takes it", id="replicas that are a text"
        ),
        pytest.param(
            {"spec": {"template": {"spec": {"containers": [3]}}}},
            "is not as Kubernetes",
            id="a container that is none",
        ),
        pytest.param(
            {"spec": {"template": {"spec": {"containers": [], "affinity": {"nodeAffinity": [1]}}}}},
            "Deployment web is not as Kubernetes takes it",
            id="an affinity that is none",
        ),
    ],
)
def test_a_target_that_no_cluster_would_take(
    pillion: Pillion, written: Written, change: dict[str, Any], said: str
) -> None:
    path = written(objects.deployment(), {**objects.workload(), **change})
    ended = pillion("plan", "-f", path, "--gpu", "L4")
    assert ended.code == 2
    assert said in ended.err
