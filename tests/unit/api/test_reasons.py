"""Are the reasons words that machines can rely on and people can look up?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pillion.api.reasons import ConditionType, Reason

SOURCES = sorted((Path(__file__).resolve().parents[3] / "operator" / "pillion").rglob("*.py"))


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reason_is_one_camel_case_word_with_a_meaning(reason: Reason) -> None:
    assert re.fullmatch(r"([A-Z][a-z]+)+", reason.value)  # metav1.Condition's reason, stricter
    assert re.fullmatch(r"[A-Z0-9a-z].*\.", reason.meaning)
    assert re.sub(r"(?<!^)(?=[A-Z])", "_", reason.value).upper() == reason.name


def test_every_reason_is_given_by_something() -> None:
    given = "".join(path.read_text("utf-8") for path in SOURCES if path.name != "reasons.py")
    unused = [
        reason.value
        for reason in Reason
        if not re.search(rf'Reason\.{reason.name}\b|"{reason.value}"', given)
    ]

    assert unused == []


def test_no_two_names_share_a_value() -> None:
    assert len(Reason.__members__) == len({reason.value for reason in Reason.__members__.values()})


def test_a_reason_is_its_value_where_text_is_wanted() -> None:
    assert f"{Reason.MODEL_NOT_FOUND}" == "ModelNotFound"
    assert Reason("ModelNotFound") is Reason.MODEL_NOT_FOUND


@pytest.mark.parametrize(
    "said",
    # Not EngineExited: a condition says EngineFailed of that.
    ["ModelNotFound", "ModelGated", "HubUnreachable", "DiskFull", "CacheNotWritable", "EngineOutOfMemory",
     "StartupTimeout", "InstructionInvalid"],
)  # fmt: skip
def test_what_a_supervisor_says_of_its_failure_is_a_reason(said: str) -> None:
    assert Reason(said).value == said


def test_the_conditions_are_those_of_the_design() -> None:
    assert [kind.value for kind in ConditionType] == ["Planned", "Injected", "ModelReady", "Ready"]
