"""What status and a sentence say of a plan."""

import dataclasses
from typing import Any

import pytest

from pillion import engines, planner
from pillion.api.reasons import Reason
from pillion.api.status import PlanStatus
from pillion.planner import images
from tests.unit.hardware import nodes
from tests.unit.planner import worlds
from tests.unit.planner.worlds import H100, L4, LLAMA_8B, PLAIN, QWEN3_8B, TINY

PINNED = engines.profile("vLLM")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param(PINNED.image("GPU"), PINNED.version, id="the pinned one"),
        pytest.param("registry.example/team/vllm:v0.32.1", "0.32.1", id="a version as its tag"),
        pytest.param(
            "registry.example:5000/vllm:0.33.0-cu129", "0.33.0", id="what it was built for behind it"
        ),
        pytest.param("registry.example:5000/vllm", None, id="a port is no tag"),
        pytest.param("registry.example/vllm:nightly", None, id="a tag without a version"),
        pytest.param("registry.example/vllm:v0.33.0@sha256:00", "0.33.0", id="a tag and a digest"),
        pytest.param("registry.example/vllm:2026.11.24.1", None, id="a date with a build"),
        pytest.param("mirror.example/vllm-openai:v0.17.1", "0.17.1", id="a mirror of the engine's own"),
        pytest.param(
            "registry.example/vllm-openai-rocm:v0.32.0", "0.32.0", id="what it is built for in its name"
        ),
        pytest.param("team.example/gemma-server:0.1.0", None, id="a tag of something else"),
        pytest.param("team.example/vllm-gemma:0.1.0", None, id="a tag of something made with the engine"),
    ],
)
def test_what_an_image_tells_of_its_engine(image: str, expected: str | None) -> None:
    assert images.told_version(image, PINNED) == expected


def test_status_shows_the_version_of_the_image_and_none_where_nobody_knows() -> None:
    other = worlds.planned(TINY, on=[L4], engine={"image": "registry.example/vllm:v0.32.0"}).plan
    strange = worlds.planned(TINY, on=[L4], engine={"image": "registry.example/vllm:ours"}).plan
    assert other.to_status()["engineVersion"] == "0.32.0"
    assert "engineVersion" not in strange.to_status()
    assert strange.sentence.startswith(
        f"vLLM serves {TINY.repo} (16 bit) on NVIDIA-L4 with room for 8 requests"
    )


def test_a_tag_that_counts_for_itself_changes_nothing_in_the_plan() -> None:
    def planned(image: str) -> planner.Planned:
        return worlds.planned(LLAMA_8B, on=[L4], engine={"image": image})

    pinned, own = planned(PINNED.image("GPU")), planned("team.example/gemma-server:0.1.0")
    assert own.plan.memory == pinned.plan.memory
    assert own.plan.kv_cache_tokens == pinned.plan.kv_cache_tokens
    assert "engineVersion" not in own.plan.to_status()
    assert any("does not tell its version of vLLM" in each.message for each in own.warnings)
    # By rules that such a number would stand for, were it the engine's, the memory is divided differently.
    assert planned("team.example/vllm:0.7.0").plan.memory != pinned.plan.memory


def test_status_says_whether_logs_stand_behind_the_estimate() -> None:
    seen, unseen = (
        worlds.planned(TINY, on=[node]).plan.to_status()["memory"]["estimate"]
        for node in (H100, nodes.gpu_node("n", "NVIDIA-A10G"))
    )
    assert (seen, unseen) == ("Verified", "Unverified")
    assert "estimate" not in worlds.planned(TINY, on=[PLAIN]).plan.to_status()["memory"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(
            {"known_architecture": False},
            "the tensors of Qwen3ForCausalLM are not known",
            id="tensors that are estimated",
        ),
        pytest.param(
            {"architecture": "FooBarForCausalLM"},
            "vLLM 0.33.0 does not list FooBarForCausalLM",
            id="exact weights of an architecture that no log shows",
        ),
        pytest.param({"architecture": None}, "a model that names no architecture", id="no architecture"),
    ],
)
def test_logs_stand_behind_no_model_that_nobody_knows(change: dict[str, Any], why: str) -> None:
    outcome = worlds.planned(dataclasses.replace(QWEN3_8B, **change), on=[H100])
    assert outcome.plan.to_status()["memory"]["estimate"] == "Unverified"
    assert any(why in each.message for each in outcome.warnings if each.reason is Reason.ESTIMATE_UNVERIFIED)


def test_an_encoder_keeps_no_cache_and_none_of_no_bytes() -> None:
    plan = worlds.planned(worlds.BERT, on=[L4]).plan
    assert "kvCache" not in plan.to_status()["memory"]
    assert PlanStatus.model_validate(plan.to_status()).memory is not None


def test_the_tokens_that_the_engine_is_expected_to_report_are_all_that_fit() -> None:
    plan = worlds.planned(QWEN3_8B, on=[L4]).plan
    room = plan.memory.kv_cache + plan.memory.headroom
    bytes_per_token = 36 * 2 * 8 * 128 * 2  # layers x (key and value) x KV heads x dimension x 2 bytes
    assert plan.kv_cache_tokens == pytest.approx(room / bytes_per_token, rel=0.001)
    assert PlanStatus.model_validate(plan.to_status()).memory is not None


def test_on_cpu_they_are_what_was_asked_for() -> None:
    blocks = 4096 // 128 + 1  # the engine counts the one that it never uses
    assert worlds.planned(TINY, on=[PLAIN]).plan.kv_cache_tokens == blocks * 128
