"""A question's fields: which are taken, and what is said of the others."""

from __future__ import annotations

from typing import Any

import pytest

from pillion.cli import questions
from pillion.cli.exits import BadInputError
from tests.unit.facts import checkpoints

GIB = 2**30


def refused(**fields: Any) -> tuple[str, ...]:
    with pytest.raises(BadInputError) as error:
        questions.read(fields)
    return error.value.problems


def test_null_is_the_default_of_the_engine() -> None:
    nothing = dict.fromkeys(questions.FIELDS)
    assert questions.read({**nothing, "model": "a/b"}) == questions.read({"model": "a/b"})


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        pytest.param("gpu", "L44", "near it: NVIDIA-L4", id="a GPU that nobody knows"),
        pytest.param("gpu", 4, "must be a text", id="a GPU that is a number"),
        pytest.param("tensor_parallel", 0, "whole number of 1 or more; found 0", id="no rank"),
        pytest.param("tensor_parallel", -2, "whole number of 1 or more; found -2", id="ranks below zero"),
        pytest.param("tensor_parallel", 1.5, "whole number of 1 or more; found 1.5", id="half a rank"),
        pytest.param(
            "tensor_parallel", True, "whole number of 1 or more; found True", id="a flag for a number"
        ),
        pytest.param("max_model_len", float("inf"), "whole number of 1 or more", id="an infinite context"),
        pytest.param("max_model_len", float("nan"), "whole number of 1 or more", id="no number at all"),
        pytest.param(
            "max_model_len", "8kb", "8k is 8,000 and 8K is 8,192; found '8kb'", id="a text for a number"
        ),
        pytest.param("max_model_len", "1.5K", "whole number of 1 or more", id="a fraction that vLLM refuses"),
        pytest.param("max_model_len", "0k", "whole number of 1 or more", id="no tokens"),
        pytest.param("max_num_batched_tokens", "9" * 400 + "k", "whole number", id="more than any number"),
        pytest.param("max_num_seqs", "8k", "1 or more; found '8k'", id="what vLLM takes of tokens alone"),
        pytest.param("gpu_memory_gib", 0, "above 0; found 0", id="no memory"),
        pytest.param("kv_cache_memory_gib", -1, "above 0; found -1", id="a cache below zero"),
        pytest.param("gpu_memory_utilization", 1.2, "at most 1; found 1.2", id="more than the whole memory"),
        pytest.param("gpu_memory_utilization", 0, "above 0 and at most 1", id="nothing of the memory"),
        pytest.param("engine", "sglang", "must be one of vllm, tgi; found 'sglang'", id="another engine"),
        pytest.param("engine_version", "newest", 'such as "0.33.0"; found', id="no version"),
        pytest.param("dtype", "fp4", "must be one of auto, bfloat16", id="a dtype that engines do not have"),
        pytest.param("kv_cache_dtype", "fp9", "must be one of auto, bfloat16", id="a cache of no type"),
        pytest.param("kv_cache_dtype", "float32", "must be one of auto", id="a cache that engines refuse"),
        pytest.param("compute_capability", "eight", 'such as "8.9"', id="no compute capability"),
        pytest.param("enforce_eager", "yes", "must be true or false; found 'yes'", id="a text for a flag"),
        pytest.param("tensor_paralel", 2, "did you mean tensor_parallel?", id="a misspelt field"),
        pytest.param(
            "colour", "red", "there is no such field; there are: model, gpu", id="a field of nobody"
        ),
    ],
)
def test_a_wrong_value_is_told_with_what_is_accepted(field: str, value: object, said: str) -> None:
    (problem,) = refused(model="a/b", **{field: value})
    assert problem.startswith(f"{field}: ")
    assert said in problem


def test_all_problems_are_told_at_once() -> None:
    assert len(refused(gpu="nope", tensor_parallel=0, max_num_seqs=-1)) == 4  # the model is missing, too


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("8.9", (8, 9)),
        (8.9, (8, 9)),
        (9, (9, 0)),
        ("10.3", (10, 3)),
        ([12, 0], (12, 0)),
        ("sm_89", (8, 9)),
        ("sm_120", (12, 0)),
    ],
)
def test_a_compute_capability_is_read_in_every_usual_form(written: object, meant: tuple[int, int]) -> None:
    assert (
        questions.read({"model": "a/b", "compute_capability": written}).settings["compute_capability"]
        == meant
    )


@pytest.mark.parametrize(
    ("field", "written", "meant"),
    [
        ("dtype", "torch.bfloat16", "bfloat16"),
        ("dtype", "BF16", "bfloat16"),
        ("dtype", "auto", "auto"),
        ("engine", "vLLM", "vllm"),
        ("engine_version", "v0.6.3.post1", "0.6.3.post1"),
        ("engine_version", "0.29.1rc1.dev17+gd2d649e67.d20260913", "0.29.1rc1.dev17+gd2d649e67.d20260913"),
        ("engine_version", "nightly", None),
        ("quantization", "none", None),
        ("kv_cache_dtype", "FP8", "fp8"),
        ("kv_cache_dtype", "FP8E5M2", "fp8_e5m2"),
        ("kv_cache_dtype", "BF16", "bfloat16"),
        ("quantization", "fp8", "fp8"),
    ],
)
def test_a_setting_is_read_as_others_write_it(field: str, written: str, meant: str | None) -> None:
    assert questions.read({"model": "a/b", field: written}).settings.get(field) == meant


def test_whole_numbers_may_have_a_decimal_point_as_other_programs_write_them() -> None:
    assert questions.read({"model": "a/b", "max_model_len": 8192.0}).settings["max_model_len"] == 8192


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        pytest.param("8k", 8_000, id="thousands"),
        pytest.param("8K", 8_192, id="binary thousands"),
        pytest.param("25.6k", 25_600, id="a fraction of thousands"),
        pytest.param("1m", 1_000_000, id="millions"),
        pytest.param("1M", 1_048_576, id="binary millions"),
        pytest.param(" 4096 ", 4_096, id="a plain number"),
    ],
)
@pytest.mark.parametrize("field", ["max_model_len", "max_num_batched_tokens"])
def test_tokens_are_read_as_the_engine_reads_them(field: str, written: str, meant: int) -> None:
    assert questions.read({"model": "a/b", field: written}).settings == {field: meant}


def test_memory_that_is_given_makes_an_unknown_gpu_known_enough() -> None:
    asked = questions.read({"model": "a/b", "gpu": "NVIDIA-X9000", "gpu_memory_gib": 22.5})
    assert (asked.gpu, asked.product, asked.gpu_memory_bytes) == (None, "NVIDIA-X9000", int(22.5 * GIB))


def test_an_engine_on_cpu_needs_to_know_its_memory() -> None:
    assert "gpu_memory_gib is needed" in refused(model="a/b", gpu="CPU")[0]
    asked = questions.read({"model": "a/b", "gpu": "CPU", "gpu_memory_gib": 32})
    assert (asked.product, asked.gpu_memory_bytes) == ("cpu", 32 * GIB)


def test_memory_that_is_given_counts_in_place_of_the_tables() -> None:
    asked = questions.read({"model": "a/b", "gpu": "NVIDIA-L4", "gpu_memory_gib": 20})
    assert asked.gpu is not None
    assert asked.gpu_memory_bytes == 20 * GIB


@pytest.mark.parametrize("name", ["L4", "NVIDIA-L4", "nvidia-l4", "NVIDIA-L4-SHARED"])
def test_a_gpu_has_its_short_name_and_the_labels(name: str) -> None:
    asked = questions.read({"model": "a/b", "gpu": name})
    assert asked.gpu is not None
    assert asked.gpu.compute_capability == (8, 9)


@pytest.mark.parametrize(("engine", "listed"), [(None, True), ("vllm", True), ("tgi", False)])
def test_a_question_says_whether_the_engine_lists_the_model(engine: str | None, listed: bool) -> None:
    request = questions.read({"model": "a/b", "engine": engine}).request(checkpoints.qwen3_8b())
    assert request.listed is listed
