"""Does the demo show a plan, whatever status leaves out?"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.demo import showing
from tests.unit.controller import plans

if TYPE_CHECKING:
    from tests.demo.telling import Teller


class Heard:
    """What a teller was given."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {}

    def table(self, _titles: Any, rows: list[tuple[str, str]]) -> None:
        self.rows = dict(rows)


@pytest.mark.parametrize(
    ("version", "shown"),
    [
        pytest.param("0.33.0", "vLLM 0.33.0, localhost/engine:1", id="an image whose name tells its version"),
        pytest.param(None, "vLLM of unknown version, localhost/engine:1", id="an image that does not"),
    ],
)
def test_the_engine_of_a_plan(version: str | None, shown: str) -> None:
    plan = dataclasses.replace(plans.cpu_plan(), engine_version=version)
    heard = Heard()

    showing.plan(cast("Teller", heard), {"status": {"plan": plan.to_status()}})

    assert heard.rows["Engine"] == shown
    assert heard.rows["Checkpoint"] == "pillion-test/tiny-river at 0123456789ab"
