"""`pillion estimate`: one question, a table over common GPUs, and many questions in a file."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from pillion.cli import overview, questions
from pillion.hardware import gpus
from tests.hub import models, server
from tests.unit.cli import objects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ended

    Pillion = Callable[..., Ended]

FIGURES = [
    "weights_gib",
    "kv_bytes_per_token",
    "kv_cache_gib",
    "kv_cache_tokens",
    "peak_activation_gib",
    "non_torch_gib",
    "cuda_graph_gib",
    "kv_cache_tokens_promised",
    "fits",
    "max_model_len",
    "max_fitting_model_len",
    "max_concurrency",
    "reasons",
    "notes",
]
PARAMETERS = (
    596_049_920  # 151,936 x 1,024 of embeddings, 28 layers, one norm: counted by hand from the shapes
)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return objects.folder(tmp_path / "small")


def test_one_estimate_is_told_as_a_page(pillion: Pillion, small: Path) -> None:
    ended = pillion("estimate", small, "--gpu", "L4", "--max-model-len", 8192)

    assert ended.code == 0
    assert "small fits" in ended.words
    assert "596.0 million parameters" in ended.words
    assert "NVIDIA-L4, 22.06 GiB as the engine sees it, compute capability 8.9" in ended.words
    assert "weights 1.11 GiB" in ended.words or "weights 1.12 GiB" in ended.words
    assert "114,688 bytes a token" in ended.words  # 28 layers x 8 heads x 128 x 2 x 2 bytes
    assert "Memory of the GPU: 22.06 GiB" in ended.words


def test_several_gpus_are_told_of_each(pillion: Pillion, small: Path) -> None:
    ended = pillion("estimate", small, "--gpu", "L4", "--tensor-parallel", 2)
    assert "2 x NVIDIA-L4, 22.06 GiB each as the engine sees it" in ended.words
    assert "bytes a token on each GPU" in ended.words


def test_an_engine_on_cpu_is_told_as_one(pillion: Pillion, small: Path) -> None:
    ended = pillion("estimate", small, "--gpu", "cpu", "--gpu-memory-gib", 32, "--max-model-len", 4096)
    assert ended.code == 0
    assert "CPU, 32.00 GiB that the engine may count on" in ended.words
    assert "GPU" not in ended.out.replace("CPU", "").partition("Notes")[0]


def test_one_estimate_for_programs_has_the_fields_of_a_batch(pillion: Pillion, small: Path) -> None:
    told = pillion("estimate", small, "--gpu", "L4", "-o", "json").json
    assert list(told) == ["model", "gpu", *FIGURES]
    assert told["weights_gib"] == pytest.approx(PARAMETERS * 2 / 2**30, rel=0.02)
    assert told["kv_bytes_per_token"] == pytest.approx(114_688, rel=0.01)


def test_what_does_not_fit_is_an_answer_with_exit_code_1(pillion: Pillion) -> None:
    ended = pillion("estimate", models.DENSE_8B, "--gpu", "T4")
    assert ended.code == 1
    assert "does not fit" in ended.words
    assert "WeightsExceedMemory:" in ended.words


def test_memory_may_be_given_in_place_of_a_product(pillion: Pillion, small: Path) -> None:
    ended = pillion("estimate", small, "--gpu-memory-gib", 7.5, "--max-model-len", 4096, "-o", "json")
    assert (ended.code, ended.json["gpu"]) == (0, None)
    assert ended.json["kv_cache_gib"] < 7.5


def test_tokens_may_be_written_as_for_the_engine(pillion: Pillion, small: Path) -> None:
    ended = pillion("estimate", small, "--gpu", "L4", "--max-model-len", "8K", "-o", "json")
    assert ended.json["max_model_len"] == 8192


@pytest.mark.parametrize(
    ("version", "said"),
    [
        pytest.param("0.1.0", "of vLLM 0.8 to 0.33, and 0.1.0 is older", id="older than what was read"),
        pytest.param("99.0", "of vLLM 0.8 to 0.33, and 99.0 is newer", id="not released yet"),
        pytest.param("0.8.5", None, id="the oldest"),
        pytest.param("0.33.0", None, id="the newest"),
    ],
)
def test_a_version_whose_rules_are_not_known_is_told(
    pillion: Pillion, batch: Lines, small: Path, version: str, said: str | None
) -> None:
    options = ("estimate", small, "--engine-version", version)
    (line,) = pillion(
        "estimate",
        "--batch",
        batch.write({"id": 1, "model": str(small), "gpu": "L4", "engine_version": version}),
    ).lines
    for notes in (
        pillion(*options, "--gpu", "L4").words,
        pillion(*options, "--gpu", "L4", "-o", "json").out,
        pillion(*options).words,
        pillion(*options, "-o", "json").out,
        " ".join(line["notes"]),
    ):
        assert ("the memory model has the rules" in notes) is (said is not None)
        assert said is None or said in notes


def test_versions_of_another_engine_are_not_compared(pillion: Pillion, small: Path) -> None:
    ended = pillion("estimate", small, "--gpu", "L4", "--engine", "tgi", "--engine-version", "3.3.5")
    assert "the rules of vLLM" not in ended.words


def test_a_cache_that_is_given_needs_no_gpu(pillion: Pillion, small: Path) -> None:
    told = pillion("estimate", small, "--kv-cache-memory-gib", 1, "--max-model-len", 4096, "-o", "json").json
    assert told["kv_cache_tokens"] == pytest.approx(2**30 / 114_688, rel=0.02)
    assert told["peak_activation_gib"] is None


def test_without_a_gpu_common_ones_are_compared(pillion: Pillion) -> None:
    ended = pillion("estimate", models.DENSE_8B)
    assert ended.code == 0
    for product in overview.COMMON:
        assert product.removeprefix("NVIDIA-").removeprefix("Tesla-").removeprefix("AMD_") in ended.out
    assert "Where there are none" not in ended.words


def test_the_comparison_fits_a_terminal_and_names_what_gpu_takes(
    pillion: Pillion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = pillion("estimate", models.DENSE_8B).out.splitlines()
    rows = [line.split() for line in lines if "16 bit" in line]
    assert not any("…" in line for line in lines)
    assert [gpus.find(row[0]).product for row in rows] == list(overview.COMMON)  # type: ignore[union-attr]


def test_what_no_machine_holds_is_said(pillion: Pillion, tmp_path: Path) -> None:
    huge = objects.folder(
        tmp_path / "huge", num_hidden_layers=800, hidden_size=16_384, intermediate_size=65_536
    )
    ended = pillion("estimate", huge)
    assert ended.code == 1
    assert "none" in ended.out
    assert "Where there are none, -o json says why." in ended.words


def test_a_plain_model_is_compared_in_16_8_and_4_bit(pillion: Pillion) -> None:
    told = pillion("estimate", models.DENSE_8B, "-o", "json").json
    on_one = [place for place in told["places"] if place["gpu"] == "NVIDIA-L40S"]

    assert told["requestLength"] == 8192
    assert [place["gpu"] for place in told["places"][::3]] == list(overview.COMMON)
    assert [place["weights"] for place in on_one] == ["16 bit", "FP8 on the fly", "AWQ, 4 bit"]
    weights = [place["weights_gib"] for place in on_one]
    assert weights == sorted(weights, reverse=True)


def test_a_quantized_checkpoint_is_compared_in_its_own_form_alone(pillion: Pillion) -> None:
    told = pillion("estimate", models.DENSE_8B_AWQ, "-o", "json").json
    assert {place["weights"] for place in told["places"]} == {"AWQ"}


def test_the_fewest_gpus_that_hold_a_request_are_shown(pillion: Pillion) -> None:
    told = pillion("estimate", models.DENSE_8B, "-o", "json").json
    counts = {place["gpu"]: place["count"] for place in told["places"] if place["weights"] == "16 bit"}
    assert counts["Tesla-T4"] == 2
    assert counts["NVIDIA-H200"] == 1


def test_every_common_gpu_is_a_known_one() -> None:
    assert all(gpus.by_product(product) for product in overview.COMMON)


def test_a_checkpoint_that_nobody_published_is_as_large_as_the_published_ones(pillion: Pillion) -> None:
    compared = pillion("estimate", models.DENSE_8B, "-o", "json").json["places"]
    imagined = next(
        each for each in compared if (each["gpu"], each["weights"]) == ("NVIDIA-L4", "AWQ, 4 bit")
    )
    published = pillion(
        "estimate", models.DENSE_8B_AWQ, "--gpu", "L4", "--max-model-len", 8192, "-o", "json"
    ).json
    assert imagined["weights_gib"] == pytest.approx(published["weights_gib"], rel=0.005)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param((), "MODEL: is required", id="no model"),
        pytest.param(("/nonexistent/model",), "there is no such directory", id="no directory"),
        pytest.param(("qwen3:8b",), "owner/name as on the Hub", id="another registry's form"),
        pytest.param(
            ("https://huggingface.co/Qwen/Qwen3-8B",), "is an address; write Qwen/Qwen3-8B\n", id="an address"
        ),
        pytest.param(
            ("https://huggingface.co/Qwen/Qwen3-8B/tree/v1",),
            "write Qwen/Qwen3-8B (and --revision v1)",
            id="an address of a revision",
        ),
        pytest.param(
            ("https://hf.co/Qwen/Qwen3-8B/blob/main/config.json?x=1",),
            "is an address; write Qwen/Qwen3-8B\n",
            id="an address of a file",
        ),
        pytest.param(
            ("hf.co/Qwen/Qwen3-8B",), "write Qwen/Qwen3-8B\n", id="an address without its beginning"
        ),
        pytest.param(
            ("https://huggingface.co/datasets/a/b",), "is one of datasets: name a model", id="a dataset"
        ),
        pytest.param(("https://hub.example",), "another Hub than huggingface.co by HF_ENDPOINT", id="a Hub"),
        pytest.param(
            ("a/b", "--gpu", "L44"), "--gpu: no GPU of that name is known; near it: NVIDIA-L4", id="a GPU"
        ),
        pytest.param(
            ("a/b", "--tensor-parallel", "0"), "--tensor-parallel: must be a whole number", id="no rank"
        ),
        pytest.param(
            ("a/b", "--gpu-memory-gib", "-3"),
            "--gpu-memory-gib: must be a number of GiB above 0",
            id="memory",
        ),
        pytest.param(
            ("a/b", "--max-model-len", "8kb"),
            "--max-model-len: must be a whole number of 1 or more, which may end as vLLM's do: 8k is 8,000 and 8K is "
            "8,192; found '8kb'",
            id="a text for a number",
        ),
        pytest.param(
            ("a/b", "--gpu-memory-utilization", "half"),
            "--gpu-memory-utilization: must be a number above 0 and at most 1; found 'half'",
            id="a text for a share",
        ),
        pytest.param(
            ("a/b", "--gpu-memory-gib", "16GiB"),
            "must be a number of GiB above 0; found '16GiB'",
            id="a unit",
        ),
        pytest.param(("a/b", "-o", "jsonl"), "accepted are table, json and yaml", id="a form of the batch"),
        pytest.param(("a/b", "--batch", "x"), "MODEL: with --batch each line", id="a model beside a batch"),
        pytest.param(
            ("--gpu", "L4", "--batch", "x"), "--gpu: with --batch each line", id="a GPU beside a batch"
        ),
        pytest.param(("--batch", "/nonexistent"), "there is no such file", id="no such file"),
        pytest.param(("--batch", "/tmp"), "cannot be read", id="a directory for a file"),  # noqa: S108
        pytest.param(("--batch", "x", "-o", "table"), "--batch writes jsonl alone", id="a table of many"),
    ],
)
def test_bad_input_is_told_with_exit_code_2(pillion: Pillion, arguments: tuple[str, ...], said: str) -> None:
    ended = pillion("estimate", *arguments)
    assert ended.code == 2
    assert said in " ".join(ended.err.split()) + "\n"
    assert ended.out == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "config.json", id="no config.json"),
        pytest.param("{broken", "config.json", id="broken JSON"),
        pytest.param("[]", "config.json", id="no object"),
        pytest.param('{"architectures": [3], "hidden_size": []}', "", id="values that are none"),
    ],
)
def test_a_directory_without_a_model(
    pillion: Pillion, tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    ended = pillion("estimate", tmp_path, "--gpu", "L4")
    assert ended.code == 2
    assert said in ended.err


def test_a_model_that_the_hub_does_not_have(pillion: Pillion) -> None:
    ended = pillion("estimate", "pillion-test/missing", "--gpu", "L4")
    assert ended.code == 1
    assert ended.err.startswith("pillion: ModelNotFound: ")


def test_an_unknown_architecture_is_said_to_be_one(pillion: Pillion, tmp_path: Path) -> None:
    folder = objects.folder(tmp_path / "new", architectures=["FutureForCausalLM"], model_type="future")
    ended = pillion("estimate", folder, "--gpu", "L4")
    assert ended.code == 0
    assert "FutureForCausalLM (not known: a conservative estimate)" in ended.words


class Lines:
    """A batch file, line by line."""

    def __init__(self, at: Path) -> None:
        self.path = at / "in.jsonl"

    def write(self, *lines: Any) -> Path:
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        self.path.write_text("\n".join(texts) + "\n")
        return self.path


@pytest.fixture
def batch(tmp_path: Path) -> Lines:
    return Lines(tmp_path)


def test_every_line_is_answered_with_all_fields(pillion: Pillion, batch: Lines, small: Path) -> None:
    path = batch.write(
        {"id": "a", "model": str(small), "gpu": "NVIDIA-L4", "max_model_len": 8192},
        {"id": 2, "model": models.DENSE_8B, "gpu": None},
        "",
        {"id": None, "model": str(small), "kv_cache_memory_gib": 1},
    )
    ended = pillion("estimate", "--batch", path, "-o", "jsonl")

    assert ended.code == 0
    assert [list(line) for line in ended.lines] == [["id", *FIGURES]] * 3
    assert [line["id"] for line in ended.lines] == ["a", 2, None]
    alone = ended.lines[1]
    assert alone["weights_gib"] == pytest.approx(8_190_735_360 * 2 / 2**30, rel=0.01)
    assert alone["kv_bytes_per_token"] == 147_456
    assert (alone["fits"], alone["kv_cache_tokens"]) == (None, None)


def test_a_file_without_a_question_is_bad_input(pillion: Pillion, batch: Lines) -> None:
    ended = pillion("estimate", "--batch", batch.write("garbage", "[1, 2]"))
    assert ended.code == 2
    assert [line["id"] for line in ended.lines] == [None, None]  # each is answered all the same
    assert "no line of it holds a question" in ended.err


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_lines_is_bad_input(pillion: Pillion, text: str) -> None:
    ended = pillion("estimate", "--batch", "-", stdin=text)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "pillion: standard input: is empty; each line should hold a question as a JSON object\n"
    )


def test_a_bad_line_is_answered_with_its_error_and_the_next_one_is_read(
    pillion: Pillion, batch: Lines, small: Path
) -> None:
    good = {"id": "good", "model": str(small), "gpu": "L4"}
    path = batch.write(
        '{"id": "broken", "model": ',
        "[1, 2]",
        '"text"',
        {"id": 1, "model": "/nonexistent/model"},
        {"id": 2, "model": str(small), "gpu": "H1000"},
        {"id": 3, "model": str(small), "tensor_parallel": 0, "max_model_len": -1},
        {"id": 4, "model": str(small), "color": "red"},
        {"id": 5, "gpu": "L4"},
        {"id": 6, "model": "pillion-test/missing"},
        '{"id": NaN, "model": "x/y", "gpu_memory_gib": Infinity}',
        good,
    )
    ended = pillion("estimate", "--batch", path)

    assert ended.code == 1
    *bad, last = ended.lines
    assert last["id"] == "good"
    assert last["fits"] is True
    assert [list(line) for line in bad] == [["id", "error"]] * 10
    assert [line["id"] for line in bad] == ["broken", None, None, 1, 2, 3, 4, 5, 6, None]
    for line, said in zip(
        bad,
        (
            "line 1: is no valid JSON",
            "line 2: holds list where a JSON object is expected",
            "line 3: holds str",
            "/nonexistent/model: there is no such directory",
            "near it: NVIDIA-H100",
            "tensor_parallel: must be a whole number of 1 or more; found 0; max_model_len: must be",
            "color: there is no such field; there are: model, gpu",
            "model: is required",
            "ModelNotFound: ",
            "gpu_memory_gib: must be a number of GiB above 0",
        ),
        strict=True,
    ):
        assert said in line["error"]


def test_a_mistake_of_ours_about_one_line_leaves_the_others(
    pillion: Pillion, batch: Lines, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = questions.Question.request

    def broken(self: questions.Question, model: Any) -> Any:
        if self.product == "Tesla-T4":
            raise ZeroDivisionError("by nothing")
        return made(self, model)

    monkeypatch.setattr(questions.Question, "request", broken)
    ended = pillion(
        "estimate",
        "--batch",
        batch.write(*({"id": gpu, "model": str(small), "gpu": gpu} for gpu in ("T4", "L4"))),
    )
    assert ended.lines[0] == {
        "id": "T4",
        "error": "this is a mistake of Pillion (ZeroDivisionError: by nothing)",
    }
    assert ended.lines[1]["fits"] is True


def test_a_directory_may_be_relative_to_the_file(pillion: Pillion, batch: Lines, small: Path) -> None:
    ended = pillion("estimate", "--batch", batch.write({"id": 1, "model": small.name, "gpu": "L4"}))
    assert ended.code == 0


def test_lines_come_through_standard_input(pillion: Pillion, small: Path) -> None:
    ended = pillion("estimate", "--batch", "-", stdin=json.dumps({"id": 1, "model": str(small)}) + "\n")
    assert [line["id"] for line in ended.lines] == [1]


def test_a_model_of_many_lines_is_read_once(pillion: Pillion, batch: Lines, hub: server.Hub) -> None:
    hub.requests.clear()
    lines = [{"id": number, "model": models.DENSE_8B_FP8, "gpu": "L4"} for number in range(20)]
    lines += [{"id": number, "model": "pillion-test/missing"} for number in range(20)]
    pillion("estimate", "--batch", batch.write(*lines))
    asked = [request.path for request in hub.requests if request.path.startswith("/api/models/")]
    assert len(asked) <= 3


def test_a_hub_that_does_not_answer_is_asked_three_times(
    pillion: Pillion, batch: Lines, hub: server.Hub, small: Path
) -> None:
    lines = [{"id": number, "model": f"pillion-test/model-{number}"} for number in range(6)]
    hub.requests.clear()
    hub.fault = server.Fault(status=503)
    try:
        ended = pillion("estimate", "--batch", batch.write(*lines, {"id": "here", "model": str(small)}))
    finally:
        hub.fault = server.Fault()
    errors = [line["error"] for line in ended.lines[:-1]]
    assert ["was not asked for" in error for error in errors] == [False] * 3 + [True] * 3
    assert all(error.startswith("HubUnreachable: ") for error in errors)
    assert "error" not in ended.lines[-1]


def test_small_numbers_keep_their_digits(pillion: Pillion, batch: Lines, tmp_path: Path) -> None:
    tiny = objects.folder(
        tmp_path / "tiny",
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        vocab_size=512,
        head_dim=16,
    )
    (line,) = pillion("estimate", "--batch", batch.write({"id": 1, "model": str(tiny)})).lines
    assert 0 < line["weights_gib"] < 0.01
    assert line["weights_gib"] != round(line["weights_gib"], 4)


def test_a_request_that_is_only_too_long_is_told_with_the_length_that_fits(pillion: Pillion) -> None:
    ended = pillion("estimate", models.DENSE_8B, "--gpu", "L4")
    assert ended.code == 1
    (length,) = re.findall(r"It fits with --max-model-len (\d+)\.", ended.words)
    assert pillion("estimate", models.DENSE_8B, "--gpu", "L4", "--max-model-len", length).code == 0
