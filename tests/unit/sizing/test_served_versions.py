"""Which versions serve an architecture, and what an estimate says of the others."""

import dataclasses
from typing import Any

import pytest

from pillion import engines, sizing
from pillion.sizing import EstimateRequest, Verdict, served_versions, tgi, versions
from tests.unit.facts import checkpoints


def ask(architecture: str | None, **question: Any) -> sizing.Estimate:
    changed = {"architecture": architecture, "encoder_decoder": question.pop("encoder_decoder", False)}
    model = dataclasses.replace(checkpoints.llama_8b(), **changed)
    listed = engines.lists(question.get("engine", "vllm"), architecture)
    return sizing.estimate(
        EstimateRequest(model=model, listed=listed, gpu_memory_bytes=79 * 2**30, **question)
    )


def refused(estimate: sizing.Estimate) -> list[str]:
    return [each.message for each in estimate.reasons if each.reason is Verdict.ARCHITECTURE_UNSUPPORTED]


@pytest.mark.parametrize(
    ("architecture", "version", "words"),
    [
        pytest.param("MPTForCausalLM", "0.33.0", "up to 0.28 alone", id="dropped"),
        pytest.param("MPTForCausalLM", "0.28.0", None, id="in its last version"),
        pytest.param(
            "BartForConditionalGeneration", None, "up to 0.10 alone", id="dropped by all that may be meant"
        ),
        pytest.param("BartForConditionalGeneration", "0.10.2", None, id="asked of a version that had it"),
        pytest.param("Gemma4ForCausalLM", "0.17.1", "from 0.19 on", id="not yet"),
        pytest.param("Gemma4ForCausalLM", "0.18.0", "from 0.19 on", id="not in the release before"),
        pytest.param("Gemma4ForCausalLM", "0.18.1", None, id="a patch release may bring it"),
        pytest.param("Gemma4ForCausalLM", "0.19.0", None, id="in its first version"),
        pytest.param("Qwen3NextForCausalLM", "v0.9.0", "from 0.10 on", id="before 0.11"),
        pytest.param("MellumForCausalLM", "0.23.0", None, id="a version whose list was not read"),
        pytest.param("LlamaForCausalLM", "0.7.0", None, id="there from the start"),
        pytest.param("LlamaForCausalLM", "0.6.0", None, id="there before the lists that were read"),
        pytest.param("LlamaForCausalLM", "v0.5.4", None, id="there long before the lists that were read"),
        pytest.param("Gemma3ForCausalLM", "0.5.4", "from 0.8 on", id="not yet by far"),
        pytest.param("NobodysForCausalLM", "0.5.4", None, id="nobody knows of an old version"),
        pytest.param(None, "0.5.4", None, id="no architecture is named"),
        pytest.param("NobodysForCausalLM", "0.33.0", None, id="nobody knows"),
    ],
)
def test_a_version_is_refused_that_does_not_serve_the_model(
    architecture: str | None, version: str | None, words: str | None
) -> None:
    found = ask(architecture, engine_version=version)
    assert (found.fits is False) is (words is not None)
    assert [words in message for message in refused(found)] == ([True] if words else [])


def test_a_question_without_a_version_says_that_plans_refuse_what_older_versions_served() -> None:
    found = ask("MPTForCausalLM")
    assert found.fits
    assert any("a plan refuses it, and this is about vLLM up to 0.28" in note for note in found.notes)
    assert not any("any more" in note for note in ask("LlamaForCausalLM").notes)


@pytest.mark.parametrize(
    ("engine", "architecture", "fits"),
    [
        pytest.param("vllm", "T5ForConditionalGeneration", False, id="vLLM never had it"),
        pytest.param("vllm", "WhisperForConditionalGeneration", True, id="vLLM has a class for it"),
        pytest.param("tgi", "T5ForConditionalGeneration", True, id="TGI has a class for it"),
        pytest.param("tgi", "BartForConditionalGeneration", False, id="TGI never had it"),
    ],
)
def test_an_encoder_decoder_needs_a_class_of_its_own(engine: str, architecture: str, fits: bool) -> None:
    found = ask(architecture, engine=engine, engine_version="0.33.0", encoder_decoder=True)
    assert found.fits is fits
    assert bool(refused(found)) is not fits


@pytest.mark.parametrize(("engine", "named"), [("vllm", "vLLM 0.33"), ("tgi", "TGI 3.3.7")])
def test_what_an_engine_does_not_list_is_unverified(engine: str, named: str) -> None:
    said = [
        [note for note in ask(architecture, engine=engine).notes if "does not list" in note]
        for architecture in ("NobodysForCausalLM", "LlamaForCausalLM")
    ]
    assert said == [[f"Unverified: {named} does not list NobodysForCausalLM, and may not serve it."], []]


@pytest.mark.parametrize("two_stacks", [True, False])
@pytest.mark.parametrize(
    ("architecture", "question", "expected"),
    [
        pytest.param("LlamaForCausalLM", {"listed": True}, "SERVED", id="listed"),
        pytest.param("NobodysForCausalLM", {"listed": None}, "SERVED", id="nobody has looked"),
        pytest.param("NobodysForCausalLM", {"listed": False}, "UNLISTED", id="not listed"),
        pytest.param(
            "MPTForCausalLM",
            {"listed": False, "engine_version": "0.28.0"},
            "SERVED",
            id="by the older version",
        ),
        pytest.param(
            "MPTForCausalLM",
            {"listed": False, "by_vllm": False},
            "UNLISTED",
            id="vLLM's versions say nothing",
        ),
        pytest.param("MPTForCausalLM", {"listed": False}, "up to 0.28 alone", id="dropped"),
        pytest.param(
            "Gemma4ForCausalLM", {"listed": True, "engine_version": "0.17.0"}, "from 0.19 on", id="not yet"
        ),
    ],
)
def test_how_an_engine_stands_to_an_architecture(
    architecture: str, question: dict[str, Any], expected: str, two_stacks: bool
) -> None:
    asked = {"by_vllm": True, "engine_version": "0.33.0", **question}
    found = served_versions.standing(architecture, encoder_decoder=two_stacks, **asked)
    if isinstance(found, served_versions.OtherVersion):
        assert expected in found.why
    else:
        assert found.name == ("NEEDS_A_CLASS" if two_stacks and expected == "UNLISTED" else expected)


def test_the_versions_agree_with_the_list_of_the_pinned_engine() -> None:
    profile = engines.profile("vLLM")
    dropped = {
        name for name in profile.gone_architectures if served_versions.why_not(name, str(versions.PINNED))
    }
    # One of those that went to a plugin was never in the engine itself.
    assert profile.gone_architectures - dropped == {"Nemotron3_5AsrForRNNT"}
    assert not any(served_versions.why_not(name, profile.version) for name in profile.architectures)


@pytest.mark.parametrize(
    ("capability", "reason"),
    [
        pytest.param((7, 5), Verdict.CAPABILITY_TOO_LOW, id="Turing"),
        pytest.param((8, 9), None, id="Ada"),
        pytest.param((9, 0), None, id="Hopper"),
        pytest.param((10, 0), Verdict.CAPABILITY_TOO_HIGH, id="Blackwell of data centres"),
        pytest.param((12, 0), Verdict.CAPABILITY_TOO_HIGH, id="Blackwell of workstations"),
    ],
)
def test_tgi_is_refused_where_it_has_no_kernels(capability: tuple[int, int], reason: Verdict | None) -> None:
    found = ask("LlamaForCausalLM", engine="tgi", compute_capability=capability)
    assert [each.reason for each in found.reasons] == ([reason] if reason else [])
    assert found.fits is (reason is None)


def test_tgi_does_not_load_every_format() -> None:
    stored = sizing.estimate(
        EstimateRequest(
            model=dataclasses.replace(
                checkpoints.llama_8b(),
                quantization=dataclasses.replace(_quantization(checkpoints.qwen3_8b_awq()), scheme="NVFP4"),
            ),
            engine="tgi",
        )
    )
    assert [each.reason for each in stored.reasons] == [Verdict.FORMAT_UNSUPPORTED]
    assert "16 bit, AWQ, FP8" in stored.reasons[0].message


def test_what_estimates_know_of_tgi_is_what_plans_know() -> None:
    profile = engines.profile("TGI")
    assert profile.version == tgi.LAST_VERSION
    assert profile.maximum_capability == tgi.HIGHEST_CAPABILITY
    assert set(profile.minimum_capability.values()) == {tgi.LOWEST_CAPABILITY}
    assert set(profile.minimum_capability) == tgi.LOADED | {"None"}


def _quantization(model: Any) -> Any:
    assert model.quantization is not None
    return model.quantization
