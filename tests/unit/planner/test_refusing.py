"""Nothing fits: the reason, the numbers, and the nearest remedy."""

import dataclasses
import re
from typing import Any

import pytest

from pillion import planner
from pillion.api.modeldeployment import Task
from pillion.api.reasons import Reason
from pillion.facts import ModelFacts, Quantization
from tests.unit.hardware import nodes
from tests.unit.planner import worlds
from tests.unit.planner.worlds import A100, L4, LLAMA_8B, LLAMA_70B, PLAIN, QWEN3_8B, T4, TINY, V100

PLAIN_16_BIT = {"method": "None"}


def quantized(scheme: str, bits: int | None = 4) -> ModelFacts:
    stored = Quantization(method=scheme.lower(), scheme=scheme, bits=bits, calibrated=True)
    return dataclasses.replace(QWEN3_8B, quantization=stored)


@pytest.mark.parametrize(
    ("model", "more", "reason", "words"),
    [
        pytest.param(
            LLAMA_8B,
            {"on": [T4], "quantization": PLAIN_16_BIT},
            Reason.NO_ACCELERATOR_FITS,
            [
                "14.99 GiB for weights",
                "Tesla-T4 has 13.40 GiB usable of 14.56 GiB (92 %)",
                "It fits with spec.quantization.method: Auto, as FP8 on Tesla-T4",
            ],
            id="weights that pass the card's memory in the form that is pinned",
        ),
        pytest.param(
            LLAMA_70B,
            {"on": [T4]},
            Reason.NO_ACCELERATOR_FITS,
            ["69.64 GiB for weights", "which leaves nothing for a KV cache", "It would fit on a node with"],
            id="weights that pass the card's memory, with a card that would do",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [L4], "serving": {"contextLength": 40_960, "concurrency": 16}},
            Reason.NO_ACCELERATOR_FITS,
            ["are left for KV cache: 2 requests of 40,960 tokens, 16 wanted", "spec.serving.concurrency: 2."],
            id="requests that do not all fit, with the number that does",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [L4], "quantization": PLAIN_16_BIT, "serving": {"contextLength": 40_000}},
            Reason.NO_ACCELERATOR_FITS,
            [
                "no request of 40,000 tokens, which takes 5.50 GiB",
                "It fits with spec.serving.contextLength: ",
            ],
            id="a request that does not fit, with the length that does",
        ),
        pytest.param(
            dataclasses.replace(
                LLAMA_70B,
                weights=dataclasses.replace(
                    LLAMA_70B.weights, stored_bytes=10**13, plain_bytes=10**13, plain_parameters=5 * 10**12
                ),
            ),
            {"on": [L4], "quantization": PLAIN_16_BIT},
            Reason.NO_ACCELERATOR_FITS,
            ["TiB for weights", "Not even eight of the largest accelerators that are known would do"],
            id="a model larger than anything",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [A100], "serving": {"kvCacheDtype": "FP8"}},
            Reason.NO_ACCELERATOR_FITS,
            ["An FP8 KV cache needs compute capability 8.9", "It fits with spec.serving.kvCacheDtype: Auto"],
            id="a pinned cache that the card does not compute",
        ),
        pytest.param(
            LLAMA_70B,
            {
                "on": [nodes.gpu_node("n", "NVIDIA-H100-80GB-HBM3", 8, cpu="96", memory="1Ti")],
                "quantization": {"minBits": 8},
            },
            Reason.NO_ACCELERATOR_FITS,
            ["GiB", "It fits with spec.hardware.maxPerPod: 2, on 2 x NVIDIA-H100-80GB-HBM3"],
            id="a model for more cards than one pod may take",
        ),
        pytest.param(
            LLAMA_8B,
            {"on": [V100]},
            Reason.NO_ACCELERATOR_FITS,
            ["compute capability 7.5", "Tesla-V100-SXM2-16GB has 7.0"],
            id="a card that the engine has no kernels for",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [L4], "pods": 3},
            Reason.INSUFFICIENT_ACCELERATORS,
            ["3 pods need 3 x NVIDIA-L4 (1 each); 1 of 1 are free", "It fits for 1 pod", "Autoscaled"],
            id="fewer accelerators than pods",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [L4], "beside": [nodes.pod("l4", gpu="1")]},
            Reason.INSUFFICIENT_ACCELERATORS,
            ["1 pod needs 1 x NVIDIA-L4; 0 of 1 are free", "It fits once NVIDIA-L4 is free; add nodes"],
            id="accelerators that others have",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [nodes.gpu_node("l4", "NVIDIA-L4", 2)], "pods": 2, "reserved": {"NVIDIA-L4": 1}},
            Reason.INSUFFICIENT_ACCELERATORS,
            ["1 of 2 are free for them (1 more are promised to other ModelDeployments)"],
            id="accelerators that another plan counts on",
        ),
        pytest.param(
            QWEN3_8B,
            {
                "on": [
                    L4,
                    nodes.gpu_node("n", "NVIDIA-L4", taints=[{"key": "team", "effect": "NoSchedule"}]),
                ],
                "pods": 2,
            },
            Reason.INSUFFICIENT_ACCELERATORS,
            ["Beside these, 1 node has the taint team:NoSchedule"],
            id="accelerators behind a taint",
        ),
        pytest.param(
            QWEN3_8B,
            {
                "on": [
                    nodes.gpu_node(
                        "n", "NVIDIA-L4", taints=[{"key": "team", "value": "a", "effect": "NoSchedule"}]
                    )
                ]
            },
            Reason.NO_NODE_FITS,
            ["1 node has the taint team=a:NoSchedule", "spec.hardware.tolerations"],
            id="a taint that nobody tolerates",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [nodes.gpu_node("n", "NVIDIA-L4", memory="4Gi")]},
            Reason.NO_NODE_FITS,
            [
                "has 4.00 GiB of memory where a pod with its engine requests 8.50 GiB",
                "a node with NVIDIA-L4 and at least 1 core of CPU, 8.50 GiB of memory and 17.50 GiB of disk for a pod.",
            ],
            id="a node with too little memory for the engine",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [L4], "hardware": {"nodeSelector": {"zone": "b"}}},
            Reason.NO_NODE_FITS,
            [
                "no node with NVIDIA-L4: 1 node lacks the label zone=b of spec.hardware.nodeSelector",
                "remove spec.hardware.nodeSelector: it fits on NVIDIA-L4 then",
            ],
            id="a selector that selects nothing",
        ),
        pytest.param(
            TINY,
            {
                "on": [nodes.node("a"), nodes.node("b"), nodes.node("c")],
                "hardware": {"nodeSelector": {"pool": "none-such"}},
            },
            Reason.NO_NODE_FITS,
            [
                "3 nodes lack the label pool=none-such of spec.hardware.nodeSelector",
                "remove spec.hardware.nodeSelector: it fits on CPU then",
            ],
            id="a selector that selects nothing, without any GPU",
        ),
        pytest.param(
            TINY,
            {
                "on": [PLAIN, nodes.node("b", unschedulable=True)],
                "target": planner.TargetShape(pods=1, node_selector={"zone": "b"}),
            },
            Reason.NO_NODE_FITS,
            [
                "1 node is cordoned",
                "1 node lacks the label zone=b of the target's own nodeSelector",
                # The cordoned node lacks it, too.
                "What would work: a node with the label zone=b, or a target without it in its nodeSelector.",
            ],
            id="the target's own selector, without any GPU",
        ),
        pytest.param(
            TINY,
            {"on": [nodes.node("a", taints=[{"key": "team", "effect": "NoSchedule"}])]},
            Reason.NO_NODE_FITS,
            ["1 node has the taint team:NoSchedule", "spec.hardware.tolerations"],
            id="a taint that nobody tolerates, without any GPU",
        ),
        pytest.param(
            LLAMA_8B,
            {"on": [V100], "hardware": {"nodeSelector": {"zone": "b"}}},
            Reason.NO_NODE_FITS,
            ["zone=b"],
            id="a selector before a card that would not do either",
        ),
        pytest.param(
            TINY,
            {
                "on": [PLAIN, nodes.node("small", memory="8Gi")],
                "engine": {"resources": {"requests": {"memory": "900Ti"}, "limits": {"memory": "900Ti"}}},
            },
            Reason.NO_NODE_FITS,
            [
                "2 nodes have at most 32.00 GiB of memory where a pod with its engine requests 900.00 TiB",
                "spec.engine.resources requests 900.00 TiB",
                "It fits on CPU without spec.engine.resources",
            ],
            id="memory that the user asks for and no node has",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [L4], "engine": {"resources": {"limits": {"cpu": "64"}}}},
            Reason.NO_NODE_FITS,
            ["1 node has 8 cores of CPU where a pod with its engine requests 64 cores"],
            id="a limit without a request is the request",
        ),
        pytest.param(
            TINY,
            {"on": [nodes.node("n", memory="7Gi", cpu="2")], "pods": 3},
            Reason.NO_NODE_FITS,
            ["2.75 GiB of memory and 0.25 cores each", "It fits for 2 pods, on CPU each; add nodes"],
            id="more pods than the nodes have room for, without any GPU",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [T4, L4], "hardware": {"products": ["NVIDIA-H200"]}},
            Reason.NO_ACCELERATORS,
            [
                "spec.hardware.products asks for NVIDIA-H200; the nodes have NVIDIA-L4 and Tesla-T4.",
                "It fits on NVIDIA-L4, which spec.hardware.products leaves out",
            ],
            id="a product that no node has",
        ),
        pytest.param(
            TINY,
            {"on": [PLAIN], "hardware": {"products": ["L4"]}},
            Reason.NO_ACCELERATORS,
            ["asks for L4; no node has an accelerator", "NVIDIA-L4", "Remove it to run the model on CPU"],
            id="a misspelt product where there is no GPU: never a silent change to CPU",
        ),
        pytest.param(
            TINY,
            {"on": [nodes.node("n", allocatable={"nvidia.com/gpu": "4"})]},
            Reason.ACCELERATOR_UNKNOWN,
            ["node n has 4 x nvidia.com/gpu: no label says which product", "spec.hardware.accelerator: CPU"],
            id="a GPU without labels",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [nodes.gpu_node("n", "NVIDIA-L4-SHARED", 4, labels={"nvidia.com/gpu.replicas": "4"})]},
            Reason.SHARED_ACCELERATOR,
            ["name it in spec.hardware.products"],
            id="a GPU that is shared and was not named",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [PLAIN], "hardware": {"accelerator": "GPU"}},
            Reason.NO_ACCELERATORS,
            ["no node offers one", "set it to CPU or Auto"],
            id="a GPU is asked for where there is none",
        ),
        pytest.param(
            LLAMA_8B,
            {"on": [nodes.node("n", memory="8Gi")]},
            Reason.NO_NODE_FITS,
            ["14.99 GiB for weights", "the largest node leaves 8.00 GiB to a pod (6.00 GiB usable"],
            id="a model larger than the largest node without GPU",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [L4], "quantization": {"method": "AWQ"}},
            Reason.PIN_IMPOSSIBLE,
            [
                "spec.quantization.method: AWQ asks for AWQ weights",
                "has 16 bit weights, of which vLLM can make FP8, MXFP8 or MXFP4 while loading",
                "Name a checkpoint with AWQ weights in spec.model.variants",
            ],
            id="a pinned method without a checkpoint",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [L4], "quantization": {"minBits": 2, "maxBits": 3}},
            Reason.PIN_IMPOSSIBLE,
            ["allows weights of 2 to 3 bits", "It fits with spec.quantization.maxBits: 4, as MXFP4"],
            id="bounds that leave nothing",
        ),
        pytest.param(
            worlds.QWEN3_8B_AWQ,
            {"on": [L4], "quantization": {"minBits": 8}},
            Reason.PIN_IMPOSSIBLE,
            ["has AWQ weights (4 bits). Name", "It fits with spec.quantization.minBits: 4, as AWQ"],
            id="bounds above the bits that there are",
        ),
        pytest.param(
            dataclasses.replace(QWEN3_8B, architecture="XverseForCausalLM"),
            {"on": [L4]},
            Reason.ARCHITECTURE_UNSUPPORTED,
            ["XverseForCausalLM", "vLLM 0.33.0"],
            id="an architecture that the engine dropped",
        ),
        pytest.param(
            dataclasses.replace(QWEN3_8B, architecture="Gemma4ForCausalLM"),
            {"on": [L4], "engine": {"image": "mirror.example/vllm-openai:v0.17.1"}},
            Reason.ARCHITECTURE_UNSUPPORTED,
            [
                "which vLLM serves from 0.19 on, and mirror.example/vllm-openai:v0.17.1 is vLLM 0.17.1",
                "remove spec.engine.image to take 0.33.0",
            ],
            id="an architecture that the image's version does not have yet",
        ),
        pytest.param(
            dataclasses.replace(QWEN3_8B, architecture="T5ForConditionalGeneration", encoder_decoder=True),
            {"on": [L4]},
            Reason.ARCHITECTURE_UNSUPPORTED,
            ["T5ForConditionalGeneration", "an encoder-decoder", "vLLM 0.33.0 does not list"],
            id="an encoder-decoder that the engine does not list",
        ),
        pytest.param(
            dataclasses.replace(QWEN3_8B, architecture="MineForCausalLM", brings_code=True),
            {"on": [L4]},
            Reason.REMOTE_CODE_REQUIRED,
            ["spec.model.trustRemoteCode: true"],
            id="code of its own, which nobody trusted",
        ),
        pytest.param(
            dataclasses.replace(QWEN3_8B, task=Task.EMBEDDING),
            {"on": [L4], "model": {"task": "TextGeneration"}},
            Reason.TASK_UNSUPPORTED,
            ["cannot do TextGeneration"],
            id="a task that the model cannot do",
        ),
        pytest.param(
            QWEN3_8B,
            {"on": [L4], "model": {"task": "Classification"}},
            Reason.TASK_UNSUPPORTED,
            ["cannot do Classification"],
            id="classes of a model that has none",
        ),
        pytest.param(
            dataclasses.replace(QWEN3_8B, repo="Qwen/Qwen3-Reranker-8B", task=Task.RERANK),
            {"on": [L4]},
            Reason.TASK_UNSUPPORTED,
            ["Qwen3ForCausalLM", "it would embed instead", "ForSequenceClassification", "--hf-overrides"],
            id="a reranker that the engine takes for an embedder",
        ),
        pytest.param(
            dataclasses.replace(QWEN3_8B, task=Task.EMBEDDING),
            {"on": [L4], "serving": {"generation": {"temperature": 0.5}, "toolCalls": "hermes"}},
            Reason.TASK_UNSUPPORTED,
            ["remove spec.serving.generation and spec.serving.toolCalls"],
            id="settings of generation for a model that embeds",
        ),
        pytest.param(
            quantized("BitsAndBytes"),
            {"on": [L4]},
            Reason.QUANTIZATION_UNSUPPORTED,
            ["BitsAndBytes", "does not load"],
            id="a form of weights that the engine dropped",
        ),
        pytest.param(
            quantized("NVFP4"),
            {"on": [PLAIN]},
            Reason.QUANTIZATION_UNSUPPORTED,
            ["NVFP4 weights on CPU"],
            id="a form of weights that does not run on CPU",
        ),
    ],
)
def test_refusals(model: ModelFacts, more: dict[str, Any], reason: Reason, words: list[str]) -> None:
    refusal = worlds.refused(model, **more)
    assert refusal.reason is reason, refusal.message
    assert [word for word in words if word not in refusal.message] == [], refusal.message
    assert "0 x" not in refusal.message
    assert "0.0 MiB" not in refusal.message


@pytest.mark.parametrize(
    ("architecture", "image"),
    [
        pytest.param(
            "XverseForCausalLM", "vllm/vllm-openai:v0.22.0", id="an older version that still had it"
        ),
        pytest.param("Gemma4ForCausalLM", "vllm/vllm-openai:v0.19.1", id="a version that has it already"),
        pytest.param("LlamaForCausalLM", "vllm/vllm-openai:v0.5.4", id="older than the lists that were read"),
        pytest.param(None, "vllm/vllm-openai:v0.6.0", id="an old version, and no architecture is named"),
        pytest.param(
            "Gemma4ForCausalLM", "team.example/gemma-server:0.1.0", id="a tag that counts for itself"
        ),
        pytest.param(
            "Gemma4ForCausalLM", "mirror.example/vllm-openai:nightly", id="a tag that tells nothing"
        ),
    ],
)
def test_the_version_in_the_image_decides_what_is_served(architecture: str | None, image: str) -> None:
    model = dataclasses.replace(QWEN3_8B, architecture=architecture)
    assert worlds.planned(model, on=[L4], engine={"image": image}).plan


def test_a_variant_that_is_another_model_is_not_taken() -> None:
    other = dataclasses.replace(QWEN3_8B, repo="Qwen/Qwen3-4B-AWQ", hidden_size=2560)
    answer = worlds.planned(QWEN3_8B, other, on=[L4])
    mismatches = [each for each in answer.rejected if each.reason is Reason.CHECKPOINT_MISMATCH]
    assert answer.plan.checkpoint == QWEN3_8B.repo
    assert mismatches
    assert {each.checkpoint for each in mismatches} == {other.repo}
    assert all("hidden size" in each.message for each in mismatches)


def test_a_remedy_is_true() -> None:
    asked: dict[str, Any] = {
        "on": [nodes.gpu_node("n", "NVIDIA-H100-80GB-HBM3", 8, cpu="96", memory="1Ti")],
        "quantization": {"minBits": 16},
    }
    refusal = worlds.refused(LLAMA_70B, **asked)
    found = re.search(r"maxPerPod: (\d)", refusal.message)
    assert found is not None
    worlds.planned(LLAMA_70B, **asked, hardware={"maxPerPod": int(found[1])})


def test_the_card_of_a_remedy_would_do() -> None:
    refusal = worlds.refused(LLAMA_8B, on=[V100])
    found = re.search(r"It would fit on a node with ([\w-]+), as (\w+)", refusal.message)
    assert found is not None
    answer = worlds.planned(LLAMA_8B, on=[nodes.gpu_node("n", found[1])])
    assert answer.plan.quantization == found[2]


@pytest.mark.parametrize(
    ("model", "small", "enough"),
    [
        pytest.param(
            QWEN3_8B,
            nodes.gpu_node("n", "NVIDIA-L4", memory="4Gi", cpu="2"),
            nodes.gpu_node("n", "NVIDIA-L4", memory="9728Mi", cpu="4"),
            id="on a GPU",
        ),
        pytest.param(
            TINY,
            nodes.node("n", memory="16Gi", cpu="2"),
            nodes.node("n", memory="4864Mi", cpu="3250m"),
            id="on CPU",
        ),
    ],
)
def test_a_node_as_large_as_is_said_would_do(
    model: ModelFacts, small: dict[str, Any], enough: dict[str, Any]
) -> None:
    target = planner.TargetShape(pods=1, cpu_millis=3000, memory_bytes=2**30)
    answer = worlds.refused(model, on=[small], target=target)
    there = enough["status"]["allocatable"]
    cores = int(there["cpu"].removesuffix("m")) / (1000 if there["cpu"].endswith("m") else 1)
    memory = f"{int(there['memory'].removesuffix('Mi')) / 1024:.2f} GiB of memory"
    assert f"at least {cores:g} cores of CPU, {memory}" in answer.message
    assert "3 cores and 1.00 GiB of it for the pod's own containers" in answer.message
    assert worlds.planned(model, on=[enough], target=target).plan


@pytest.mark.parametrize(
    ("there", "target", "way"),
    [
        pytest.param(
            [nodes.node("a", unschedulable=True)],
            {},
            "kubectl uncordon, for the nodes that are cordoned.",
            id="cordoned",
        ),
        pytest.param(
            [nodes.gpu_node("a", "NVIDIA-L4", unschedulable=True)],
            {},
            "kubectl uncordon, for the nodes that are cordoned.",
            id="cordoned, with an accelerator",
        ),
        pytest.param(
            [nodes.node("a", unschedulable=True, memory="1Gi")],
            {},
            "a node with at least 0.25 cores of CPU, ",
            id="cordoned, and too small",
        ),
        pytest.param(
            [nodes.node("a", unschedulable=True)],
            {"node_selector": {"zone": "b"}},
            ", against which none of this stands.",
            id="cordoned, and without the label",
        ),
        pytest.param(
            [
                nodes.node(
                    "a",
                    ready="False",
                    taints=[{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}],
                )
            ],
            {},
            "the nodes that are not ready, once they are.",
            id="not ready, with the taint that tells it",
        ),
        pytest.param(
            [nodes.node("a", labels={"zone": "b"}), nodes.node("b", unschedulable=True)],
            {"node_selector": {"zone": "c", "disk": "ssd"}},
            "a node with all labels of the target's nodeSelector, or a target without it.",
            id="two labels that are lacking",
        ),
        pytest.param(
            [nodes.node("a", labels={"zone": "b"})],
            {"node_selector": {"zone": "b", "disk": "ssd"}},
            "a node with the label disk=ssd, or a target without it in its nodeSelector.",
            id="one of two labels",
        ),
        pytest.param(
            [nodes.node("a", labels={"kubernetes.io/os": "windows"})],
            {},
            "nodes like these with Linux.",
            id="another system",
        ),
        pytest.param(
            [
                nodes.node("a", taints=[{"key": "team", "effect": "NoSchedule"}]),
                nodes.node("b", memory="1Gi", unschedulable=True),
            ],
            {},
            "entries in spec.hardware.tolerations for the nodes' taints.",
            id="a taint before a node that would be too small",
        ),
    ],
)
def test_a_way_is_offered_where_nothing_else_stands_against_the_node(
    there: list[dict[str, Any]], target: dict[str, Any], way: str
) -> None:
    message = worlds.refused(TINY, on=there, target=planner.TargetShape(pods=1, **target)).message
    assert way in message.partition("What would work: ")[2]


@pytest.mark.parametrize("disk_gib", [1, 1100])
@pytest.mark.parametrize("on_gpu", [True, False])
def test_what_is_said_of_a_node_is_never_less_than_it_takes(on_gpu: bool, disk_gib: int) -> None:
    def there(**more: Any) -> dict[str, Any]:
        return nodes.gpu_node("n", "NVIDIA-L4", **more) if on_gpu else nodes.node("n", **more)

    # Not a whole number of anything: each has to be rounded up.
    odd = planner.TargetShape(pods=1, memory_bytes=2**30 + 1, ephemeral_bytes=disk_gib * 2**30 + 1)
    for closed in ({"cpu": "100m"}, {"cpu": "100m", "unschedulable": True}):
        message = worlds.refused(TINY, on=[there(**closed)], target=odd).message
        found = re.search(
            r"at least (\S+) cores? of CPU, (\S+) GiB of memory and (\S+) ([GT])iB of disk", message
        )
        assert found is not None, message
        cpu, memory, disk = (float(each) for each in found.groups()[:3])
        as_said = there(
            cpu=f"{cpu * 1000:.0f}m",
            memory=f"{memory * 1024:.0f}Mi",
            allocatable={"ephemeral-storage": f"{disk}{found[4]}i"},
        )
        assert worlds.planned(TINY, on=[as_said], target=odd).plan


def test_the_number_of_a_remedy_is_the_largest_that_fits() -> None:
    asked = {"contextLength": 8192, "concurrency": 64}
    refusal = worlds.refused(QWEN3_8B, on=[L4], serving=asked)
    found = re.search(r"spec\.serving\.concurrency: (\d+)\.", refusal.message)
    assert found is not None
    most = int(found[1])
    assert most > 8  # more than is preferred where nothing is asked
    worlds.planned(QWEN3_8B, on=[L4], serving={**asked, "concurrency": most})
    worlds.refused(QWEN3_8B, on=[L4], serving={**asked, "concurrency": most + 1})


def test_the_nearest_candidate_speaks_for_all() -> None:
    refusal = worlds.refused(LLAMA_8B, on=[V100, T4], quantization=PLAIN_16_BIT)
    assert "Tesla-T4" in refusal.message
    assert refusal.rejected[0].product == "Tesla-T4"
    assert {each.product for each in refusal.rejected} == {"Tesla-T4", "Tesla-V100-SXM2-16GB"}


def test_reasons_of_candidates_are_those_of_the_api() -> None:
    refusal = worlds.refused(LLAMA_8B, on=[V100, T4, A100], quantization={"method": "AWQ"}, pods=2)
    assert all(isinstance(each.reason, Reason) for each in refusal.rejected)


def test_a_toy_is_never_refused_for_its_size() -> None:
    for there in ([T4], [L4], [PLAIN], [nodes.node("kind", cpu="2", memory="8Gi")]):
        worlds.planned(TINY, on=there)


@pytest.mark.parametrize(
    ("model", "more"),
    [
        pytest.param(
            dataclasses.replace(QWEN3_8B, task=Task.RERANK),
            {"engine": {"extraArgs": ["--hf-overrides", "{}"]}},
            id="a reranker whose configuration the user overrides",
        ),
        pytest.param(
            dataclasses.replace(QWEN3_8B, task=Task.EMBEDDING),
            {"model": {"task": "Rerank"}},
            id="ranking by the distance of embeddings",
        ),
        pytest.param(
            dataclasses.replace(QWEN3_8B, architecture="Qwen2ForSequenceClassification", task=Task.RERANK),
            {},
            id="a model that scores",
        ),
        pytest.param(QWEN3_8B, {"model": {"task": "Embedding"}}, id="embedding with a model that generates"),
    ],
)
def test_tasks_that_the_engine_can_do(model: ModelFacts, more: dict[str, Any]) -> None:
    worlds.planned(model, on=[L4], **more)
