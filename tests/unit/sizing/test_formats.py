"""What the memory model knows of formats agrees with the engine's profile."""

import pytest

from pillion import engines
from pillion.sizing import defaults, formats, versions
from pillion.sizing.versions import Version

PROFILE = engines.profile("vLLM")


@pytest.mark.parametrize("label", sorted(PROFILE.minimum_capability))
def test_the_lowest_card_is_the_one_of_the_profile(label: str) -> None:
    found = formats.lowest_capability(None if label == "None" else label, versions.PINNED)
    assert found == max(PROFILE.minimum_capability[label], PROFILE.minimum_capability["None"])


@pytest.mark.parametrize("label", sorted(PROFILE.on_the_fly))
def test_what_a_plan_makes_while_loading_has_a_size(label: str) -> None:
    assert formats.ONLINE_LABELS[PROFILE.on_the_fly[label]] == label
    assert 0.5 < formats.online_element_bytes(label) < 1.2


def test_plans_are_made_for_the_profiles_version() -> None:
    assert versions.parse(PROFILE.version) == versions.PINNED
    assert defaults.utilization(versions.PINNED) == PROFILE.default_utilization


@pytest.mark.parametrize(
    ("label", "version", "lowest"),
    [
        pytest.param(None, (0, 20), (7, 0), id="Volta until 0.20"),
        pytest.param(None, (0, 21), (7, 5), id="Turing since"),
        pytest.param("FP8", (0, 11), (8, 0), id="Marlin on Ampere"),
        pytest.param("FP8", (0, 14), (7, 5), id="and on Turing"),
        pytest.param("MXFP4", (0, 33), (8, 0), id="bfloat16 activations"),
    ],
)
def test_the_lowest_card_changed_with_versions(
    label: str | None, version: tuple[int, int], lowest: tuple[int, int]
) -> None:
    assert formats.lowest_capability(label, Version(*version)) == lowest


def test_what_moved_to_plugins_is_gone() -> None:
    assert formats.is_gone("BitsAndBytes", versions.PINNED)
    assert not formats.is_gone("BitsAndBytes", Version(0, 11))
    assert not formats.is_gone("AWQ", versions.PINNED)


@pytest.mark.parametrize(
    ("asked", "method", "scheme", "refused"),
    [
        pytest.param("fp8", "compressed-tensors", "FP8", True, id="the same format by another method"),
        pytest.param("compressed-tensors", "compressed-tensors", "FP8", False, id="its own method"),
        pytest.param("fp8", "fp8", "FP8", False, id="its own method, which is a format"),
        pytest.param("fp8_per_block", "fp8", "FP8", True, id="made while loading from plain weights alone"),
        pytest.param("awq_marlin", "awq", "AWQ", False, id="another kernel for it"),
        pytest.param("awq", "compressed-tensors", "W4A16", True, id="another form of 4 bit"),
        pytest.param("moe_wna16", "gptq", "GPTQ", False, id="what takes two forms"),
        pytest.param("fp8", "modelopt", "NVFP4", False, id="a checkpoint that takes its place"),
        pytest.param("fp8", "bitsandbytes", "BitsAndBytes", True, id="another format"),
        pytest.param("w4a16", "compressed-tensors", "W4A16", False, id="a form's name that is no flag"),
    ],
)
def test_beside_a_quantized_checkpoint_its_own_method_is_taken(
    asked: str, method: str, scheme: str, refused: bool
) -> None:
    assert formats.contradicts(asked, method=method, scheme=scheme) is refused
