"""Estimates against 63 start-up logs: what was reached is held."""

import json
import re
import statistics
from pathlib import Path

import pytest

from accuracy import __main__ as accuracy
from accuracy import cases, figures, models, others
from pillion import sizing

ROOT = Path(__file__).parents[3]


def worst(errors: list[figures.Error]) -> str:
    """The three largest errors, for the message of a failing test."""
    largest = sorted(errors, key=lambda error: -abs(error.relative))[:3]
    return ", ".join(
        f"{error.case}: {error.said:.4g} for {error.printed:.4g} ({error.relative:+.1%})" for error in largest
    )


def test_weights() -> None:
    errors = figures.weights(sizing.estimate)
    assert len(errors) >= 20
    assert figures.median(errors) <= 0.001, worst(errors)
    assert figures.percentile(errors, 0.9) <= 0.02, worst(errors)


def test_bytes_of_a_token() -> None:
    found = figures.kv_bytes_per_token(sizing.estimate)
    # vllm-006 prints the cache of one rank and the tokens of another.
    assert [error.case for error, within in found if not within] == ["vllm-006"]


def test_kv_cache_from_start_to_finish() -> None:
    errors = figures.kv_tokens(sizing.estimate)
    assert len(errors) >= 12
    assert figures.median(errors) <= 0.03, worst(errors)
    # Not the 10 % that were aimed at: two of the 15 are far off, and docs/accuracy.md says which and why.
    assert figures.percentile(errors, 0.9) <= 0.26, worst(errors)
    assert {error.case for error in errors if abs(error.relative) > 0.15} == {"vllm-006", "vllm-117"}


def test_promises_are_kept() -> None:
    promises = figures.promised()
    broken = [error for error in promises if error.said > error.printed]
    assert len(broken) <= 0.05 * len(promises), worst(broken)
    assert statistics.median(error.said / error.printed for error in promises) >= 0.85


def test_every_question_is_answered() -> None:
    assert figures.answered(sizing.estimate) == 1


def test_starts_and_failures() -> None:
    found = figures.verdicts(sizing.estimate)
    assert not found.silent
    assert len(found.right) >= 0.95 * (len(found.right) + len(found.wrong)), found.wrong
    # One of three failures alone: docs/accuracy.md says why it is missed, and that three are no measure.
    assert (len(found.failed), found.failed_said_to_fit) == (3, ("vllm-156",))


@pytest.mark.parametrize("other", [others.hf_mem, others.kaito], ids=["hf-mem", "KAITO"])
def test_no_figure_is_worse_than_another_estimators(other: figures.Estimator) -> None:
    assert figures.median(figures.weights(sizing.estimate)) < figures.median(figures.weights(other))
    assert figures.median(figures.kv_tokens(sizing.estimate)) < figures.median(figures.kv_tokens(other))
    assert len(figures.verdicts(sizing.estimate).wrong) < len(figures.verdicts(other).wrong)


def test_every_log_has_its_source_and_its_model_a_shape_with_one() -> None:
    lines = (ROOT / "accuracy" / "logs.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert len({record["id"] for record in records}) == len(records) == 63
    assert all(record["source"] for record in records)
    assert {record["model"] for record in records} - {None} == set(models.shapes())
    assert all(shape["source"] for shape in models.shapes().values())


def test_models_of_the_logs_are_of_families_that_are_known() -> None:
    assert all(models.facts(name).known_architecture for name in models.shapes())


def test_the_documentation_says_of_each_log_that_is_left_out_why() -> None:
    lines = (ROOT / "accuracy" / "logs.jsonl").read_text(encoding="utf-8").splitlines()
    left_out = {record["id"] for record in map(json.loads, lines)} - {case.name for case in cases.cases()}
    text = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    section = text.partition("## Logs that are left out")[2].partition("\n## ")[0]
    assert set(re.findall(r"vllm-\d+", section)) == left_out


def test_the_documentation_shows_what_is_reached() -> None:
    table = accuracy.markdown()  # `python -m accuracy --markdown` prints it anew
    assert table in (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")


def test_others_are_given_what_they_ask_for() -> None:
    llama = next(case for case in cases.cases() if case.name == "vllm-028").request
    said = others.hf_mem(llama)
    assert said.weights_bytes == 8_030_261_248 * 2
    assert said.kv_bytes_per_token == 32 * 8 * 128 * 2 * 2
    reserve = (79.18 * 0.84 - 2.3) / 1.05
    expected = reserve - 8_030_261_248 * 2 * 1.02 / cases.GIB
    assert (others.kaito(llama).kv_cache_bytes or 0) / cases.GIB == pytest.approx(expected, abs=0.01)
