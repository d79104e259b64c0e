"""What does the head of a GGUF file say, and a name?"""

import pytest

from pillion.facts import gguf, hints
from tests.unit.facts import checkpoints

_HEAD = checkpoints.gguf(
    {
        "general.architecture": "llama",
        "general.name": "Meta Llama 3.1 8B Instruct",
        "general.size_label": "8B",
        "general.tags": ["facebook", "meta"],
        "general.file_type": 15,
        "general.base_model.0.repo_url": "https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct",
        "tokenizer.ggml.tokens": ["<s>"] * 1000,
    }
)


def test_a_head_names_the_model() -> None:
    assert gguf.header(_HEAD) == gguf.Header(
        architecture="llama",
        name="Meta Llama 3.1 8B Instruct",
        size_label="8B",
        file_type="Q4_K_M",
        base_model="meta-llama/Llama-3.1-8B-Instruct",
        tensors=291,
    )


def test_the_beginning_is_enough() -> None:
    assert gguf.header(_HEAD[:-5_000]) == gguf.header(_HEAD)


@pytest.mark.parametrize("length", range(24, 260, 7))
def test_wherever_the_beginning_ends_nothing_breaks(length: int) -> None:
    found = gguf.header(_HEAD[:length])
    assert found is not None
    assert found.tensors == 291


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GGUF", id="four letters"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1", id="a pointer"),
        pytest.param(b"GGUF" + b"\x01\x00\x00\x00" + bytes(16), id="the first version"),
    ],
)
def test_what_is_no_gguf_file(data: bytes) -> None:
    assert gguf.header(data) is None


def test_a_kind_of_value_that_is_not_known_ends_the_reading() -> None:
    head = checkpoints.gguf({"general.architecture": "llama", "strange": 1})
    assert gguf.header(head[:-8] + b"\x63" + head[-7:]) == gguf.Header(architecture="llama", tensors=291)


@pytest.mark.parametrize(
    ("repo", "hint"),
    [
        ("bartowski/Llama-3.1-8B-Instruct-GGUF", "GGUF"),
        ("a/model-Q4_K_M", "GGUF"),
        ("a/model-IQ2_XXS", "GGUF"),
        ("Qwen/Qwen2.5-7B-Instruct-AWQ", "AWQ"),
        ("a/llama-gptq-int4", "GPTQ"),
        ("RedHatAI/Qwen3-32B-quantized.w4a16", "W4A16"),
        ("nvidia/Qwen3.6-27B-NVFP4", "NVFP4"),
        ("Qwen/Qwen3-8B-FP8", "FP8"),
        ("unsloth/phi-4-bnb-4bit", "BitsAndBytes"),
        ("awq-lovers/plain-model", None),
        ("meta-llama/Llama-3.1-8B", None),
    ],
)
def test_a_name_hints(repo: str, hint: str | None) -> None:
    assert hints.of_name(repo) == hint


def test_a_hint_is_shown_where_the_configuration_does_not_agree() -> None:
    assert hints.disagreement("a/model-AWQ", quantized=True) is None
    assert "hints at AWQ" in (hints.disagreement("a/model-AWQ", quantized=False) or "")
