"""When is the Hub asked, and for whom is its answer kept?"""

import asyncio
from typing import Any

import pytest

from pillion.api.modeldeployment import ModelDeployment
from pillion.api.reasons import Reason
from pillion.controller.checkpoints import FRESH_SECONDS, CheckpointFacts
from pillion.controller.settings import Settings
from pillion.facts import FactsError, ModelFacts
from tests.unit.controller import plans, worlds


class Hub:
    """Counts what it is asked; fails as often as it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None]] = []
        self.failures = 0
        self.now = 100.0
        self.facts = CheckpointFacts(
            Settings(), lambda: self.now, read=self._read, trusted=lambda *_, **__: (plans.tiny_facts("q/q"),)
        )

    def _read(self, repo: str, *, token: str | None, **_: Any) -> ModelFacts:
        self.asked.append((repo, token))
        if self.failures:
            self.failures -= 1
            raise FactsError(Reason.HUB_UNREACHABLE, "no answer", transient=True)
        return plans.tiny_facts(repo)


def deployment(name: str = "river", **model: Any) -> ModelDeployment:
    raw = worlds.deployment()
    raw["metadata"]["name"] = name
    raw["spec"]["model"] = {"repo": "a/b", **model}
    return ModelDeployment.from_raw(raw)


async def test_many_who_ask_at_once_are_one_question() -> None:
    hub = Hub()
    answers = await asyncio.gather(*(hub.facts.of(deployment(f"m{number}"), None) for number in range(20)))
    assert hub.asked == [("a/b", None)]
    assert {tuple(facts.repo for facts in answer) for answer in answers} == {("a/b", "q/q")}


async def test_an_answer_is_good_for_a_while() -> None:
    hub = Hub()
    await hub.facts.of(deployment(), None)
    hub.now += FRESH_SECONDS - 1
    await hub.facts.of(deployment(), None)
    assert len(hub.asked) == 1
    hub.now += 2
    await hub.facts.of(deployment(), None)
    assert len(hub.asked) == 2


@pytest.mark.parametrize(
    ("other", "token"),
    [
        pytest.param(deployment(revision="dev"), None, id="another revision"),
        pytest.param(deployment(variants=["c/d"]), None, id="other variants"),
        pytest.param(deployment(), "hf_x", id="another reader"),
    ],
)
async def test_who_asks_for_something_else_gets_an_answer_of_their_own(
    other: ModelDeployment, token: str | None
) -> None:
    hub = Hub()
    await hub.facts.of(deployment(), None)
    await hub.facts.of(other, token)
    assert ("a/b", token) in hub.asked[1:]


async def test_a_failure_is_shared_by_those_who_wait_and_not_kept() -> None:
    hub = Hub()
    hub.failures = 1
    answers = await asyncio.gather(
        *(hub.facts.of(deployment(), None) for _ in range(5)), return_exceptions=True
    )
    assert [type(answer) for answer in answers] == [FactsError] * 5
    assert len(hub.asked) == 1
    assert await hub.facts.of(deployment(), None)
    assert len(hub.asked) == 2
