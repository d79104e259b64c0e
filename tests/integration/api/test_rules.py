"""Does the real API server accept what is right, and tell a user what is wrong and what would be accepted?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.api.conftest import RefusedError
from tests.unit.api import cases, sidecar_cases

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = (*cases.GOOD_DEPLOYMENTS, *sidecar_cases.GOOD_SIDECARS)
BAD = (*cases.BAD_DEPLOYMENTS, *sidecar_cases.BAD_SIDECARS)


# What the API server adds where the schema itself was broken.
REST_UNCHECKED = (
    ", <nil>: Invalid value: null: some validation rules were not checked because the object was invalid;"
    " correct the existing errors to complete validation]"
)


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.raw['kind']}: {case.why}") for case in GOOD])
def test_a_good_object_is_accepted_with_all_that_it_says(case: cases.Good, tried: Callable[..., Any]) -> None:
    stored = tried(case.raw)
    assert missing(case.raw["spec"], stored["spec"]) == []


@pytest.mark.parametrize("case", [pytest.param(case, id=f"{case.raw['kind']}: {case.why}") for case in BAD])
def test_a_bad_object_is_refused_at_its_path_with_words_that_help(
    case: cases.Bad, tried: Callable[..., Any]
) -> None:
    with pytest.raises(RefusedError) as refused:
        tried(case.raw)
    said = str(refused.value)
    if said.endswith(REST_UNCHECKED):
        said = said.removesuffix(REST_UNCHECKED).replace(" is invalid: [", " is invalid: ")
    assert f"{case.server_path or case.path or '<nil>'}: " in said, said
    assert case.says in said, said
    assert " is invalid: [" not in said, f"one mistake, and more than one message: {said}"


def missing(wanted: object, stored: object, path: str = "spec") -> list[str]:
    """What the API server left out or changed of what was asked for."""
    if isinstance(wanted, dict) and isinstance(stored, dict):
        return [
            at
            for key, value in wanted.items()
            for at in (missing(value, stored[key], f"{path}.{key}") if key in stored else [f"{path}.{key}"])
        ]
    if isinstance(wanted, list) and isinstance(stored, list) and len(wanted) == len(stored):
        return [
            at
            for index, (one, other) in enumerate(zip(wanted, stored, strict=True))
            for at in missing(one, other, f"{path}[{index}]")
        ]
    return [] if wanted == stored else [path]
