"""What an engine is told parses back to the plan it was told for."""

import argparse
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pillion import planner
from pillion.api.modeldeployment import ModelDeployment
from pillion.controller import compiling
from pillion.facts import ModelFacts
from pillion.hardware import quantities
from tests.unit.controller import worlds as objects
from tests.unit.hardware import nodes
from tests.unit.planner import worlds

MODELS = st.sampled_from(
    [(worlds.TINY,), (worlds.QWEN3_8B, worlds.QWEN3_8B_AWQ), (worlds.LLAMA_70B,), (worlds.BERT,)]
)
CLUSTERS = st.sampled_from(
    [
        [nodes.node("plain", cpu="64", memory="512Gi")],
        [nodes.gpu_node("t4", "Tesla-T4", 4, cpu="64", memory="512Gi")],
        [nodes.gpu_node("l4", "NVIDIA-L4", 8, cpu="64", memory="512Gi")],
        [nodes.gpu_node("h100", "NVIDIA-H100-80GB-HBM3", 8, cpu="128", memory="2Ti")],
        [
            nodes.gpu_node(
                "shared",
                "NVIDIA-L4-SHARED",
                4,
                cpu="64",
                memory="512Gi",
                labels={"nvidia.com/gpu.replicas": "4"},
            )
        ],
    ]
)
SPECS = st.fixed_dictionaries(
    {
        "quantization": st.fixed_dictionaries(
            {"policy": st.sampled_from(["Balanced", "Quality", "Economy"])}
        ),
        "serving": st.fixed_dictionaries({}, optional={"concurrency": st.integers(1, 16)}),
    }
)
SHARED = ["NVIDIA-L4-SHARED"]


def engine_flags() -> argparse.ArgumentParser:
    """The flags that a plan decides, as vLLM reads them (its own parser is asked in the lane with the real engine)."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name, kind in (
        ("--max-model-len", int),
        ("--max-num-seqs", int),
        ("--max-num-batched-tokens", int),
        ("--gpu-memory-utilization", float),
        ("--kv-cache-memory-bytes", int),
        ("--kv-cache-dtype", str),
        ("--tensor-parallel-size", int),
        ("--dtype", str),
        ("--quantization", str),
    ):
        parser.add_argument(name, type=kind)
    return parser


def compiled(plan: planner.Plan, facts: ModelFacts, spec: dict[str, Any]) -> dict[str, Any]:
    raw = objects.deployment(**spec)
    raw["spec"]["model"] = {"repo": facts.repo}
    return compiling.compile_sidecar(
        ModelDeployment.from_raw(raw),
        plan=plan,
        facts=facts,
        port=18_000,
        policy="Always",
        spec_hash="0",
        hub_endpoint=None,
        limit_disk=True,
    )


@settings(max_examples=60, deadline=None)
@given(MODELS, CLUSTERS, SPECS, st.integers(1, 8))
def test_the_settings_parse_back_to_the_plan(
    models: tuple[ModelFacts, ...], there: list[dict[str, Any]], spec: dict[str, Any], most: int
) -> None:
    shared = there[0]["metadata"]["name"] == "shared"
    hardware = {"maxPerPod": most, **({"products": SHARED} if shared else {})}
    answer = planner.plan(worlds.request(*models, on=there, hardware=hardware, **spec))
    if not isinstance(answer, planner.Planned):
        return
    plan = answer.plan
    facts = next(model for model in models if model.repo == plan.checkpoint)
    sidecar = compiled(plan, facts, {**spec, "hardware": hardware})
    instruction = json.loads(sidecar["spec"]["instruction"])
    told, _ = engine_flags().parse_known_args(instruction["argv"])
    assert (told.max_model_len, told.max_num_seqs) == (plan.context_tokens, plan.max_num_seqs)
    assert told.max_num_batched_tokens == plan.max_num_batched_tokens
    assert (told.tensor_parallel_size or 1) == plan.tensor_parallel
    assert (told.dtype, told.quantization) == (plan.dtype, plan.on_the_fly)
    assert told.kv_cache_dtype == plan.kv_cache_dtype
    # A whole accelerator is shared out by a fraction, the rest by bytes.
    assert told.gpu_memory_utilization == plan.gpu_memory_utilization
    assert told.kv_cache_memory_bytes == plan.kv_cache_bytes
    by_bytes = not facts.is_encoder and (plan.device is planner.Device.CPU or shared)
    assert (told.kv_cache_memory_bytes is not None) == by_bytes
    assert (told.gpu_memory_utilization is None) == (plan.device is planner.Device.CPU)
    assert instruction["model"] == {
        "repo": plan.checkpoint,
        "commit": plan.commit,
        "files": list(facts.files),
    }
    assert instruction["startupTimeoutSeconds"] == plan.startup_timeout_seconds
    resources = sidecar["spec"]["container"]["resources"]
    assert quantities.whole(resources["limits"]["memory"]) == plan.memory_limit_bytes
    assert quantities.millis(resources["requests"]["cpu"]) == plan.cpu_request_millis
    assert resources["limits"].get(plan.resource or "none") == (str(plan.count) if plan.resource else None)
    assert sidecar["spec"].get("nodeRequirements", []) == [dict(each) for each in plan.node_requirements]


def test_what_the_engine_does_by_itself_is_not_told() -> None:
    plan = worlds.planned(worlds.QWEN3_8B, on=[worlds.H100]).plan
    argv = json.loads(compiled(plan, worlds.QWEN3_8B, {})["spec"]["instruction"])["argv"]
    for flag in (
        "--dtype",
        "--kv-cache-dtype",
        "--quantization",
        "--tensor-parallel-size",
        "--max-num-batched-tokens",
    ):
        assert flag not in argv
