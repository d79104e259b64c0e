"""A number without a source is a rumour."""

import pytest

from pillion.facts import Basis, Fact
from pillion.planner import resources
from pillion.sizing import constants


@pytest.mark.parametrize("blank", ["unit", "source", "holds_for"])
def test_a_fact_is_not_made_without(blank: str) -> None:
    given = {"unit": "GiB", "source": "a log", "holds_for": "everything", blank: " "}
    with pytest.raises(ValueError, match=blank):
        Fact(value=1, basis=Basis.MEASURED, **given)


@pytest.mark.parametrize("module", [constants, resources], ids=["sizing", "resources"])
def test_numbers_of_the_model_are_positive_facts(module: object) -> None:
    found = [value for value in vars(module).values() if isinstance(value, Fact)]
    assert found
    assert all(fact.value > 0 for fact in found)
