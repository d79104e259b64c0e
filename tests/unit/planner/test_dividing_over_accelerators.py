"""Over how many accelerators a model and its form of weights divide."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pillion import sizing
from pillion.api.reasons import Reason
from pillion.facts import ModelFacts, Quantization, local
from pillion.sizing import Verdict, parallelism
from tests.corpus import models
from tests.unit.hardware import nodes
from tests.unit.planner import worlds
from tests.unit.planner.worlds import LLAMA_70B, QWEN3_8B, QWEN3_8B_AWQ

# Dimensions by their makers' config.json: 32B of Qwen2.5 has 27,648, 72B of Qwen2.5-VL 29,568, Mistral 7B 14,336.
INNER_OF_72B = 29_568


def stored(model: ModelFacts, scheme: str, group: int | None) -> ModelFacts:
    form = Quantization(method=scheme.lower(), scheme=scheme, bits=4, calibrated=True, group_size=group)
    return dataclasses.replace(model, quantization=form)


def divides(model: ModelFacts, ranks: int, quantization: str = "None", *, on_the_fly: bool = False) -> bool:
    found = parallelism.obstacle(model, ranks=ranks, quantization=quantization, on_the_fly=on_the_fly)
    return found is None


@pytest.mark.parametrize(
    ("model", "ranks", "expected"),
    [
        pytest.param(LLAMA_70B, 1, True, id="one"),
        pytest.param(LLAMA_70B, 8, True, id="a KV head each"),
        pytest.param(LLAMA_70B, 16, True, id="KV heads repeated: 8 on 16"),
        pytest.param(LLAMA_70B, 3, False, id="64 heads on 3"),
        pytest.param(
            dataclasses.replace(LLAMA_70B, attention=dataclasses.replace(LLAMA_70B.attention, kv_heads=6)),
            4,
            False,
            id="6 KV heads on 4",
        ),
        pytest.param(
            dataclasses.replace(LLAMA_70B, intermediate_size=28_674), 4, False, id="an odd inner dimension"
        ),
        pytest.param(
            dataclasses.replace(LLAMA_70B, expert_intermediate_size=770), 4, False, id="an odd expert"
        ),
    ],
)
def test_heads_and_inner_dimensions(model: ModelFacts, ranks: int, expected: bool) -> None:
    assert divides(model, ranks) is expected


@pytest.mark.parametrize(
    ("scheme", "group", "inner", "ranks", "expected"),
    [
        pytest.param("AWQ", 128, 27_648, 8, True, id="27,648 / 8 = 27 groups of 128"),
        pytest.param("AWQ", 128, INNER_OF_72B, 8, False, id="29,568 / 8 = 28.9 groups of 128"),
        pytest.param("AWQ", 32, INNER_OF_72B, 8, False, id="29,568 / 8 = 115.5 groups of 32"),
        pytest.param("GPTQ", None, INNER_OF_72B, 8, True, id="a scale a whole column"),
        pytest.param("AWQ", 128, INNER_OF_72B, 1, True, id="one accelerator holds it as it was published"),
        pytest.param(
            "NVFP4", None, INNER_OF_72B, 8, True, id="groups of 16, whatever the configuration says"
        ),
        pytest.param(
            "MXFP4", None, INNER_OF_72B, 8, False, id="groups of 32, whatever the configuration says"
        ),
        pytest.param("FP8", 128, INNER_OF_72B, 8, False, id="FP8 in blocks"),
        pytest.param("FP8", None, INNER_OF_72B, 8, True, id="FP8 with a scale a tensor"),
        pytest.param("INT8", 128, INNER_OF_72B, 8, True, id="a scale a channel, which nothing cuts"),
    ],
)
def test_groups_stay_whole(scheme: str, group: int | None, inner: int, ranks: int, expected: bool) -> None:
    model = stored(dataclasses.replace(LLAMA_70B, intermediate_size=inner), scheme, group)
    assert divides(model, ranks, scheme) is expected


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [
        pytest.param(8, True, id="90 groups on 8, the last one has 6 of 12"),
        pytest.param(64, False, id="90 groups on 64, two each and nothing for the last"),
    ],
)
def test_gpt_oss_hands_out_whole_groups_and_pads(ranks: int, expected: bool) -> None:
    inner = dataclasses.replace(LLAMA_70B, intermediate_size=2880, expert_intermediate_size=2880)
    model = stored(dataclasses.replace(inner, architecture="GptOssForCausalLM"), "MXFP4", None)
    assert divides(model, ranks, "MXFP4") is expected


def test_blocks_lie_along_keys_too() -> None:
    narrow = dataclasses.replace(QWEN3_8B.attention, key_head_dim=64)
    model = stored(dataclasses.replace(QWEN3_8B, attention=narrow), "FP8", 128)
    assert divides(model, 4, "FP8")  # two of eight KV heads, 128 columns
    assert not divides(model, 8, "FP8")  # one, 64 columns


def test_what_is_made_while_loading_has_to_divide_on_one_accelerator_too() -> None:
    odd = dataclasses.replace(QWEN3_8B, intermediate_size=12_304)
    assert not divides(odd, 1, "MXFP4", on_the_fly=True)
    assert divides(odd, 1, "FP8", on_the_fly=True)


PUBLISHED = models.lines()


@pytest.mark.parametrize("line", PUBLISHED, ids=[line["model"] for line in PUBLISHED])
def test_an_estimate_refuses_what_a_plan_refuses(line: Mapping[str, Any], tmp_path: Path) -> None:
    model = local.read(models.write(line, tmp_path))
    label = model.quantization.scheme if model.quantization else "None"
    for ranks in (1, 2, 3, 8, 64):
        asked = sizing.EstimateRequest(model=model, tensor_parallel=ranks, gpu_memory_bytes=79 * 2**30)
        said = {found.reason for found in sizing.estimate(asked).reasons}
        assert (Verdict.PARALLELISM_IMPOSSIBLE in said) is not divides(model, ranks, label)


def test_a_candidate_that_does_not_divide_says_by_which_numbers() -> None:
    awq = dataclasses.replace(QWEN3_8B_AWQ, intermediate_size=12_416)
    base = dataclasses.replace(QWEN3_8B, intermediate_size=12_416)
    four = nodes.gpu_node("four", "NVIDIA-L4", 4, cpu="64", memory="512Gi")
    answer = worlds.planned(base, awq, on=[four], hardware={"maxPerPod": 4})
    rejected = {
        each.count: each.message for each in answer.rejected if each.reason is Reason.PARALLELISM_IMPOSSIBLE
    }
    assert list(rejected) == [2, 4]
    assert "groups of 128, and the inner dimension (3,104 of 12,416 on each of 4 accelerators)" in rejected[4]
