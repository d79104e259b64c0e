"""Encoder-decoders, and families that nobody knows: never less than they take.

Expected totals are those of the published checkpoints (t5-base 223 million, bart-large 406 million,
whisper-large-v3-turbo 809 million), not of this code: an estimate of a family that is not known may pass them, and
never stays below.
"""

from typing import Any

import pytest

from pillion.facts import AttentionKind, ModelFacts, two_stacks, understanding
from pillion.facts.documents import Documents
from tests.unit.facts import checkpoints

T5 = {
    "architectures": ["T5ForConditionalGeneration"],
    "model_type": "t5",
    "d_model": 768,
    "d_ff": 3072,
    "d_kv": 64,
    "num_layers": 12,
    "num_decoder_layers": 12,
    "num_heads": 12,
    "vocab_size": 32128,
}
BART = {
    "architectures": ["BartForConditionalGeneration"],
    "model_type": "bart",
    "d_model": 1024,
    "encoder_layers": 12,
    "decoder_layers": 12,
    "encoder_attention_heads": 16,
    "decoder_attention_heads": 16,
    "encoder_ffn_dim": 4096,
    "decoder_ffn_dim": 4096,
    "vocab_size": 50264,
}
WHISPER = {
    "architectures": ["WhisperForConditionalGeneration"],
    "model_type": "whisper",
    "d_model": 1280,
    "encoder_layers": 32,
    "decoder_layers": 4,
    "encoder_attention_heads": 20,
    "decoder_attention_heads": 20,
    "encoder_ffn_dim": 5120,
    "decoder_ffn_dim": 5120,
    "vocab_size": 51866,
}
FOOBAR = checkpoints.decoder_config(
    layers=32,
    hidden=4096,
    intermediate=14336,
    heads=32,
    kv_heads=8,
    vocabulary=32000,
    context=8192,
    architecture="FooBarForCausalLM",
    model_type="foobar",
)


def facts(config: dict[str, Any]) -> ModelFacts:
    return understanding.facts(Documents(repo="a/model", commit="", files=(), config=config))


@pytest.mark.parametrize(
    ("config", "published"),
    [
        pytest.param(T5, 222_903_552, id="t5-base"),
        pytest.param(BART, 406_291_456, id="bart-large"),
        pytest.param(WHISPER, 808_878_080, id="whisper-large-v3-turbo"),
    ],
)
def test_both_stacks_and_what_crosses_between_them_are_counted(
    config: dict[str, Any], published: int
) -> None:
    found = facts(config)
    assert found.encoder_decoder
    assert published <= (found.parameters or 0) <= 1.6 * published


def test_what_was_read_is_cached_as_well() -> None:
    attention = facts(T5).attention
    # Keys and values of 12 heads of 64, of the text that is written and of the one that was read.
    assert (attention.layers, attention.kv_heads, attention.key_head_dim) == (12, 2 * 12, 64)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({"is_encoder_decoder": True}, True, id="it says so"),
        pytest.param({"model_type": "mt5"}, True, id="its class says so"),
        pytest.param(
            {"model_type": "mine", "encoder_layers": 6, "decoder_layers": 6}, True, id="two numbers"
        ),
        pytest.param({"model_type": "mine", "decoder_layers": 6}, False, id="a decoder by that name alone"),
        pytest.param(
            {"model_type": "bart", "is_encoder_decoder": False}, False, id="a decoder of such a family"
        ),
        pytest.param({"model_type": "llama", "num_hidden_layers": 32}, False, id="a decoder"),
    ],
)
def test_two_stacks_are_recognised(config: dict[str, Any], expected: bool) -> None:
    assert two_stacks.has_two(config) is expected


def test_latent_vectors_of_a_family_that_nobody_knows_count_as_the_heads_that_they_stand_for() -> None:
    latent = {"kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128}
    attention = facts({**FOOBAR, **latent}).attention
    assert attention.kind is AttentionKind.GROUPED
    assert (attention.kv_heads, attention.key_head_dim) == (32, 64 + 128)
