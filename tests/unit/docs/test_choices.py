"""The page of choices is what the planner says; a few of its cells are known without it."""

import itertools

from pillion import planner
from pillion.api.modeldeployment import Policy
from pillion.api.reasons import Reason
from tools import choices

MODELS = {model.name: model for model in choices.models()}
NODES = {node.name: node for node in choices.nodes()}
GIB = 2**30


def plan(model: str, node: str, policy: Policy = Policy.BALANCED) -> planner.Plan:
    answer = choices.answer(MODELS[model], NODES[node], policy)
    assert isinstance(answer, planner.Planned), answer.message
    return answer.plan


def refusal(model: str, node: str) -> planner.NotPlanned:
    answer = choices.answer(MODELS[model], NODES[node], Policy.BALANCED)
    assert isinstance(answer, planner.NotPlanned), answer.plan
    return answer


def test_every_model_is_there_with_as_many_parameters_as_its_makers_count() -> None:
    # In billions: OpenAI, Devlin et al., Meta, Meta, Qwen, Qwen, OpenAI, Google, DeepSeek, Qwen.
    expected = [0.124, 0.110, 8.03, 70.6, 8.19, 30.5, 20.9, 27.4, 671, 14.8]
    counted = [model.checkpoints[0].parameters for model in MODELS.values()]
    assert len(counted) == len(expected) == 10
    for found, billions in zip(counted, expected, strict=True):
        assert found is not None
        assert abs(found / 1e9 - billions) <= 0.01 * billions


def test_every_kind_of_node_is_there() -> None:
    assert [*NODES] == ["T4", "L4", "A10G", "A100 40 GB", "L40S", "H100", "H200", "MI300X", "CPU"]


def test_what_needs_no_planner_to_be_known() -> None:
    # 70 billion parameters in 16 bit are 131 GiB: two cards of 80 GB hold them, and little beside.
    assert plan("Llama 3.1 70B", "H100", Policy.QUALITY).count > 2
    assert plan("Llama 3.1 70B", "H200", Policy.QUALITY).count == 2
    # 671 billion in 8 bit are 625 GiB: more than eight times 80 GB.
    assert refusal("DeepSeek-V3", "H100").reason is Reason.NO_ACCELERATOR_FITS
    assert plan("DeepSeek-V3", "H200").count == 8
    # Its experts' kernels want bfloat16, which a T4 has not, and no CPU runs MXFP4.
    assert refusal("gpt-oss 20B", "T4").rejected[0].reason is Reason.COMPUTE_CAPABILITY_TOO_LOW
    assert refusal("gpt-oss 20B", "CPU").reason is Reason.QUANTIZATION_UNSUPPORTED
    # An encoder keeps no cache.
    assert plan("BERT base", "T4").memory.kv_cache == 0


def test_quality_has_the_most_bits_and_a_policy_never_leaves_a_node_that_another_takes() -> None:
    for model, node in itertools.product(MODELS.values(), NODES.values()):
        answers = [
            choices.answer(model, node, policy)
            for policy in (Policy.QUALITY, Policy.BALANCED, Policy.ECONOMY)
        ]
        bits = [each.plan.bits for each in answers if isinstance(each, planner.Planned)]
        assert len(bits) in {0, 3}
        assert bits[:1] == [max(bits)] if bits else True


def test_hardware_without_logs_is_marked() -> None:
    lines = choices.page().splitlines()
    rows = [line for line in lines if line.startswith("| MI300X |")]
    assert len(rows) == 10
    assert all(line.count("†") == 3 for line in rows)
