"""Which checkpoint, quantization and accelerator each policy takes."""

import dataclasses
import itertools
from typing import Any

import pytest

from pillion import planner
from pillion.api.reasons import Reason
from pillion.facts import ModelFacts, Quantization
from tests.unit.hardware import nodes
from tests.unit.planner import worlds
from tests.unit.planner.worlds import A10G, A100, H100, L4, PLAIN, T4

FAMILY = (worlds.QWEN3_8B, worlds.QWEN3_8B_AWQ, worlds.QWEN3_8B_FP8)


@pytest.mark.parametrize(
    ("policy", "there", "expected"),
    [
        pytest.param(
            "Balanced",
            [H100],
            ("None", "NVIDIA-H100-80GB-HBM3"),
            id="Balanced: 16 bit where it fits with ease",
        ),
        pytest.param("Balanced", [L4], ("FP8", "NVIDIA-L4"), id="Balanced: 8 bit for the preferred requests"),
        pytest.param(
            "Balanced", [T4], ("FP8", "Tesla-T4"), id="Balanced: 8 bit before 4 even on a small card"
        ),
        pytest.param(
            "Balanced",
            [T4, L4, A100, H100],
            ("FP8", "NVIDIA-L4"),
            id="Balanced: the smallest card that holds all",
        ),
        pytest.param(
            "Quality", [T4, L4, A100, H100], ("None", "NVIDIA-A100-SXM4-40GB"), id="Quality: 16 bit"
        ),
        pytest.param("Quality", [L4], ("None", "NVIDIA-L4"), id="Quality: 16 bit with fewer requests"),
        pytest.param("Quality", [T4], ("FP8", "Tesla-T4"), id="Quality: 8 bit where 16 does not fit"),
        pytest.param(
            "Economy", [T4, L4, H100], ("FP8", "NVIDIA-L4"), id="Economy: the least memory for the requests"
        ),
        pytest.param("Economy", [T4], ("AWQ", "Tesla-T4"), id="Economy: 4 bit for more requests"),
    ],
)
def test_policies(policy: str, there: list[dict[str, Any]], expected: tuple[str, str]) -> None:
    answer = worlds.planned(*FAMILY, on=there, quantization={"policy": policy})
    assert worlds.choice(answer)[:2] == expected


def test_a_published_checkpoint_comes_before_quantization_while_loading() -> None:
    assert worlds.planned(*FAMILY, on=[L4]).plan.checkpoint == worlds.QWEN3_8B_FP8.repo
    alone = worlds.planned(worlds.QWEN3_8B, on=[L4]).plan
    assert (alone.checkpoint, alone.quantization, alone.on_the_fly) == (worlds.QWEN3_8B.repo, "FP8", "fp8")


def test_an_operator_with_images_of_its_own_names_them_for_their_device_alone() -> None:
    images = {"GPU": "registry.example/engine:1", "CPU": "registry.example/engine-cpu:1"}

    assert worlds.planned(worlds.QWEN3_8B, on=[L4], images=images).plan.image == images["GPU"]
    pinned = worlds.planned(worlds.QWEN3_8B, on=[L4], images={"CPU": images["CPU"]}).plan.image
    assert pinned == worlds.planned(worlds.QWEN3_8B, on=[L4]).plan.image
    asked = worlds.planned(worlds.QWEN3_8B, on=[L4], images=images, engine={"image": "mine:1"}).plan.image
    assert asked == "mine:1"


@pytest.mark.parametrize(
    ("quantization", "expected"),
    [
        pytest.param({}, ("MXFP4", 4, "mxfp4"), id="4 bit where nothing else fits"),
        pytest.param({"policy": "Quality"}, ("MXFP4", 4, "mxfp4"), id="for Quality too"),
        pytest.param({"method": "MXFP4"}, ("MXFP4", 4, "mxfp4"), id="4 bit where it is pinned"),
    ],
)
def test_plain_weights_become_4_bit_while_loading_and_that_is_warned_of(
    quantization: dict[str, Any], expected: tuple[str, int, str]
) -> None:
    answer = worlds.planned(worlds.LLAMA_70B, on=[H100], quantization=quantization)
    assert (answer.plan.quantization, answer.plan.bits, answer.plan.on_the_fly) == expected
    assert Reason.UNCALIBRATED_QUANTIZATION in {warned.reason for warned in answer.warnings}


def test_calibrated_4_bit_comes_before_4_bit_made_while_loading() -> None:
    only_four_bits = {"maxBits": 4}
    for policy in ("Balanced", "Quality", "Economy"):
        answer = worlds.planned(*FAMILY, on=[L4], quantization={"policy": policy, **only_four_bits})
        assert answer.plan.checkpoint == worlds.QWEN3_8B_AWQ.repo


def test_4_bit_is_not_made_on_a_card_without_bfloat16() -> None:
    answer = worlds.planned(worlds.QWEN3_8B, on=[T4])
    made = next(each for each in answer.rejected if each.quantization == "MXFP4")
    assert made.reason is Reason.COMPUTE_CAPABILITY_TOO_LOW


def test_mxfp8_is_looked_at_where_it_is_asked_for() -> None:
    pinned = worlds.planned(worlds.QWEN3_8B, on=[L4], quantization={"method": "MXFP8"}).plan
    assert (pinned.quantization, pinned.on_the_fly) == ("MXFP8", "mxfp8")
    free = worlds.planned(worlds.QWEN3_8B, on=[L4])
    assert "MXFP8" not in {each.quantization for each in free.rejected}


def test_a_checkpoint_that_is_quantized_gets_no_flag_for_it() -> None:
    assert worlds.planned(*FAMILY, on=[T4], quantization={"method": "AWQ"}).plan.on_the_fly is None


@pytest.mark.parametrize(
    ("quantization", "expected"),
    [
        pytest.param({"method": "AWQ"}, "AWQ", id="a pinned method"),
        pytest.param({"method": "None"}, "None", id="pinned to 16 bit"),
        pytest.param({"maxBits": 8}, "FP8", id="at most 8 bit"),
        pytest.param({"maxBits": 4}, "AWQ", id="at most 4 bit"),
    ],
)
def test_pins_and_bounds(quantization: dict[str, Any], expected: str) -> None:
    assert worlds.planned(*FAMILY, on=[A100], quantization=quantization).plan.quantization == expected


def test_economy_goes_no_lower_than_the_bits_it_may() -> None:
    economy = {"policy": "Economy", "minBits": 8}
    assert worlds.planned(*FAMILY, on=[T4], quantization=economy).plan.quantization == "FP8"


def test_products_restrict_the_choice() -> None:
    answer = worlds.planned(*FAMILY, on=[L4, H100], hardware={"products": ["NVIDIA-H100-80GB-HBM3"]})
    assert answer.plan.product == "NVIDIA-H100-80GB-HBM3"
    assert any(rejected.reason is Reason.PRODUCT_NOT_ALLOWED for rejected in answer.rejected)


def test_a_card_without_bfloat16_comes_after_an_equal_one_that_has_it() -> None:
    pair = [nodes.gpu_node("a", "NVIDIA-A10G"), nodes.gpu_node("b", "Tesla-T4", label_mib=23_028)]
    assert worlds.planned(worlds.TINY, on=pair).plan.product == "NVIDIA-A10G"


def test_several_accelerators_only_as_far_as_the_spec_lets_them() -> None:
    two = nodes.gpu_node("two", "NVIDIA-L4", 2)
    assert worlds.planned(worlds.QWEN3_8B, on=[two], quantization={"method": "None"}).plan.count == 1
    # in 16 bit one L4 holds three requests, two hold all eight
    answer = worlds.planned(
        worlds.QWEN3_8B, on=[two], quantization={"method": "None"}, hardware={"maxPerPod": 2}
    )
    assert (answer.plan.count, answer.plan.tensor_parallel) == (2, 2)
    assert answer.plan.given_up is None


def test_70_billion_parameters_on_four_cards() -> None:
    four = nodes.gpu_node("four", "NVIDIA-H100-80GB-HBM3", 4, cpu="64", memory="512Gi")
    answer = worlds.planned(worlds.LLAMA_70B, on=[four], hardware={"maxPerPod": 4})
    assert worlds.choice(answer) == ("FP8", "NVIDIA-H100-80GB-HBM3", 2)


def test_economy_takes_an_8_bit_kv_cache_where_it_gives_more_requests_and_says_so() -> None:
    answer = worlds.planned(worlds.QWEN3_8B, on=[L4], quantization={"policy": "Economy", "method": "None"})
    assert answer.plan.kv_cache_dtype == "fp8"
    assert Reason.KV_CACHE_QUANTIZED in {warned.reason for warned in answer.warnings}
    balanced = worlds.planned(worlds.QWEN3_8B, on=[L4], quantization={"method": "None"})
    assert balanced.plan.kv_cache_dtype is None


@pytest.mark.parametrize(
    ("there", "expected", "element_bytes"),
    [
        pytest.param(L4, None, 1, id="where it is computed, by the engine's own choice"),
        pytest.param(A100, "bfloat16", 2, id="on Ampere as 16 bit, by name"),
        pytest.param(T4, "float16", 2, id="on Turing in the 16 bit that it has"),
    ],
)
def test_an_8_bit_kv_cache_that_the_checkpoint_declares(
    there: dict[str, Any], expected: str | None, element_bytes: int
) -> None:
    declaring = dataclasses.replace(
        worlds.QWEN3_8B_FP8,
        quantization=Quantization(
            method="modelopt", scheme="FP8", bits=8, calibrated=True, kv_cache_fp8=True
        ),
    )
    answer = worlds.planned(declaring, on=[there], serving={"contextLength": 4096, "concurrency": 2})
    assert answer.plan.kv_cache_dtype == expected
    tokens = 36 * 2 * 8 * 128 * element_bytes  # layers x (key and value) x KV heads x dimension
    assert answer.plan.memory.kv_cache == pytest.approx(2 * 4096 * tokens, rel=0.01)
    assert Reason.KV_CACHE_QUANTIZED not in {warned.reason for warned in answer.warnings}


def test_a_pinned_kv_cache_is_taken_everywhere() -> None:
    answer = worlds.planned(worlds.QWEN3_8B, on=[L4], serving={"kvCacheDtype": "FP8"})
    assert answer.plan.kv_cache_dtype == "fp8"
    assert worlds.refused(worlds.QWEN3_8B, on=[T4], serving={"kvCacheDtype": "FP8"}).rejected[0].reason is (
        Reason.COMPUTE_CAPABILITY_TOO_LOW
    )


def test_cpu_only_where_there_is_no_accelerator_at_all() -> None:
    answer = worlds.planned(worlds.TINY, on=[PLAIN])
    assert (answer.plan.device, answer.plan.product, answer.plan.count) == (planner.Device.CPU, None, 0)
    assert Reason.CPU_IS_SLOW in {warned.reason for warned in answer.warnings}


@pytest.mark.parametrize(
    "accelerator",
    [
        pytest.param(nodes.gpu_node("busy", "NVIDIA-L4"), id="a busy one"),
        pytest.param(nodes.node("unread", allocatable={"nvidia.com/gpu": "1"}), id="one without labels"),
        pytest.param(nodes.gpu_node("away", "NVIDIA-L4", unschedulable=True), id="one on a cordoned node"),
    ],
)
def test_an_accelerator_that_cannot_be_used_now_never_means_cpu(accelerator: dict[str, Any]) -> None:
    worlds.refused(worlds.TINY, on=[PLAIN, accelerator], beside=[nodes.pod("busy", gpu="1")])


def test_cpu_beside_accelerators_where_it_is_asked_for() -> None:
    answer = worlds.planned(worlds.TINY, on=[PLAIN, L4], hardware={"accelerator": "CPU"})
    assert answer.plan.device is planner.Device.CPU


CHAT_ON_L4 = planner.TargetShape(
    pods=1, cpu_millis=1000, memory_bytes=8 * 2**30, accelerators={"nvidia.com/gpu": 1}, beside=("chat",)
)


@pytest.mark.parametrize(
    ("model", "more", "expected"),
    [
        pytest.param(
            worlds.BERT, {"target": CHAT_ON_L4}, planner.Device.CPU, id="an encoder beside a model on GPUs"
        ),
        pytest.param(worlds.BERT, {}, planner.Device.GPU, id="an encoder alone"),
        pytest.param(
            worlds.BERT,
            {"target": dataclasses.replace(CHAT_ON_L4, beside=())},
            planner.Device.GPU,
            id="an encoder beside an application that uses a GPU itself",
        ),
        pytest.param(
            worlds.BERT,
            {"target": dataclasses.replace(CHAT_ON_L4, accelerators={})},
            planner.Device.GPU,
            id="an encoder beside a model on CPU",
        ),
        pytest.param(
            worlds.smaller(worlds.BERT, parameters=7_000_000_000),
            {"target": CHAT_ON_L4},
            planner.Device.GPU,
            id="a large encoder beside a model on GPUs",
        ),
        pytest.param(
            worlds.TINY, {"target": CHAT_ON_L4}, planner.Device.GPU, id="a small model that generates"
        ),
        pytest.param(
            worlds.BERT,
            {"target": CHAT_ON_L4, "hardware": {"accelerator": "GPU"}},
            planner.Device.GPU,
            id="an encoder that is asked onto a GPU",
        ),
        pytest.param(
            worlds.BERT,
            {"target": CHAT_ON_L4, "hardware": {"products": ["NVIDIA-L4"]}},
            planner.Device.GPU,
            id="an encoder that is asked onto a product",
        ),
    ],
)
def test_a_small_encoder_leaves_the_accelerators_to_the_model_beside_it(
    model: ModelFacts, more: dict[str, Any], expected: planner.Device
) -> None:
    answer = worlds.planned(
        model, on=[nodes.gpu_node("two", "NVIDIA-L4", 2, cpu="16", memory="64Gi")], **more
    )
    assert answer.plan.device is expected
    told = [warned.message for warned in answer.warnings if warned.reason is Reason.CPU_IS_SLOW]
    assert [("leaves the accelerators to ModelDeployment chat" in each) for each in told] == [True] * (
        expected is planner.Device.CPU
    )


def test_a_shared_card_only_where_it_is_named() -> None:
    shared = nodes.gpu_node(
        "s",
        "NVIDIA-L4-SHARED",
        4,
        labels={"nvidia.com/gpu.replicas": "4", "nvidia.com/gpu.sharing-strategy": "mps"},
    )
    refused = worlds.refused(worlds.TINY, on=[shared])
    assert refused.rejected[0].reason is Reason.SHARED_ACCELERATOR
    plan = worlds.planned(worlds.TINY, on=[shared], hardware={"products": ["NVIDIA-L4-SHARED"]}).plan
    assert plan.gpu_memory_utilization == pytest.approx(0.23)
    assert plan.kv_cache_bytes is not None
    assert plan.memory.usable <= plan.memory.total / 4


def test_an_embedding_model_keeps_no_cache_and_takes_its_whole_length() -> None:
    plan = worlds.planned(worlds.BERT, on=[L4]).plan
    assert (plan.context_tokens, plan.memory.kv_cache, plan.kv_cache_bytes) == (512, 0, None)


def test_the_order_of_nodes_and_variants_changes_nothing() -> None:
    there = [T4, L4, A10G, A100, H100]
    answers = {
        planner.plan_to_json(worlds.planned(*FAMILY, on=list(order)).plan)
        for order in itertools.islice(itertools.permutations(there), 0, 120, 17)
    }
    swapped = worlds.planned(FAMILY[0], FAMILY[2], FAMILY[1], on=there)
    assert answers == {planner.plan_to_json(swapped.plan)}


def test_where_pods_run_their_card_is_taken_again() -> None:
    on_h100 = worlds.planned(worlds.QWEN3_8B, on=[H100]).plan
    fresh = worlds.planned(worlds.QWEN3_8B, on=[L4, H100])
    assert fresh.plan.product == "NVIDIA-L4"
    again = worlds.planned(worlds.QWEN3_8B, on=[L4, H100], previous=on_h100)
    assert again.plan.product == "NVIDIA-H100-80GB-HBM3"
    assert (again.plan.memory_limit_bytes, again.plan.cache_bytes) == (
        on_h100.memory_limit_bytes,
        on_h100.cache_bytes,
    )


def test_a_card_that_is_too_small_for_another_model_is_left() -> None:
    on_t4 = worlds.planned(worlds.TINY, on=[T4]).plan
    assert worlds.planned(
        worlds.LLAMA_8B, on=[T4, H100], previous=on_t4, serving={"contextLength": 65_536}
    ).plan.product == ("NVIDIA-H100-80GB-HBM3")


def test_every_other_candidate_says_why() -> None:
    answer = worlds.planned(*FAMILY, on=[T4, L4])
    looked_at = {(each.checkpoint, each.quantization, each.product) for each in answer.rejected}
    # Three checkpoints and two forms made while loading, on two cards, less the chosen.
    assert len(looked_at) == 2 * 5 - 1
    assert all(each.message and each.reason for each in answer.rejected)
    assert answer.rejected[0].reason is Reason.ORDERED_AFTER


@pytest.mark.parametrize(
    ("policy", "there", "rejected", "words"),
    [
        pytest.param(
            "Balanced",
            [L4],
            (worlds.QWEN3_8B.repo, "None"),
            " GiB of KV cache beside 15.27 GiB of weights; FP8 of "
            "Qwen/Qwen3-8B-FP8 on NVIDIA-L4 comes first by the policy Balanced: it holds more of the requests that are "
            "wanted.",
            id="fewer requests",
        ),
        pytest.param(
            "Balanced",
            [L4],
            (worlds.QWEN3_8B_AWQ.repo, "AWQ"),
            "fewer than 8 bits are taken only where nothing else fits.",
            id="4 bit",
        ),
        pytest.param(
            "Quality",
            [H100],
            (worlds.QWEN3_8B_FP8.repo, "FP8"),
            "it costs less quality, about 0 % instead of 0.2 %.",
            id="8 bit",
        ),
        pytest.param(
            "Balanced",
            [L4, H100],
            (worlds.QWEN3_8B_FP8.repo, "FP8"),
            "its accelerator is smaller, 22.06 GiB instead of 79.18 GiB.",
            id="a larger card",
        ),
        pytest.param(
            "Economy",
            [L4, H100],
            (worlds.QWEN3_8B.repo, "None"),
            "it takes less accelerator memory, 22.06 GiB instead of 79.18 GiB.",
            id="Economy and a larger card",
        ),
    ],
)
def test_why_not_is_answered_by_what_decided(
    policy: str, there: list[dict[str, Any]], rejected: tuple[str, str], words: str
) -> None:
    answer = worlds.planned(*FAMILY, on=there, quantization={"policy": policy})
    messages = [
        each.message
        for each in answer.rejected
        if (each.checkpoint, each.quantization) == rejected and each.product != answer.plan.product
    ] or [each.message for each in answer.rejected if (each.checkpoint, each.quantization) == rejected]
    assert messages[0].endswith(words), messages


def test_a_candidate_that_fits_says_what_it_would_hold_of_what_is_wanted() -> None:
    answer = worlds.planned(*FAMILY, on=[L4])
    plain = next(each for each in answer.rejected if each.quantization == "None")
    assert plain.message.startswith("Holds 3 requests of 8,192 tokens, 8 wanted, in ")


def test_why_not_says_what_runs_where_that_decided() -> None:
    before = worlds.planned(*FAMILY, on=[H100]).plan
    answer = worlds.planned(*FAMILY, on=[L4, H100], previous=before)
    assert answer.plan.product == "NVIDIA-H100-80GB-HBM3"
    other = next(each for each in answer.rejected if each.product == "NVIDIA-L4")
    assert other.message.endswith("the pods that run have its accelerators already.")
