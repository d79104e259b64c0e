"""Is the story the same with the real vLLM, on CPU, as with the stand-in?

The models have a few MB of random weights, made so that an answer consists of words about rivers, or about stars.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster import vllm_image
from tests.e2e.harness.application import (
    CONTAINER,
    Application,
    condition,
    container_status,
    is_ready,
    started_at,
)
from tests.e2e.harness.engine import Engine
from tests.e2e.harness.installation import load_vllm
from tests.e2e.harness.models import KIND, Model
from tests.e2e.harness.waiting import NotYet, until
from tests.hub import models, tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.harness.application import Answer
    from tests.e2e.harness.cluster import Raw, Space
    from tests.e2e.harness.engine import Process
    from tests.e2e.harness.installation import Installation

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(1500, func_only=True)]

SERVE_SECONDS = 600  # vLLM imports torch and compiles: a minute where nothing else runs
BACK_SECONDS = 300


@pytest.fixture(scope="module")
def served(pillion: Installation, module_space: Space, say: Callable[[str], None]) -> Application:
    """The application beside a real engine that serves; tests leave it serving."""
    load_vllm(pillion.kind, progress=say)
    made = Application(space=module_space)
    made.deploy()
    model = Model(space=module_space)
    model.apply(
        repo=models.TINY_RIVER,
        engine={"image": vllm_image.NAME},  # its memory and CPU are what the plan computes
        serving={"contextLength": 1024, "concurrency": 1},
    )
    model.await_condition("Ready", seconds=SERVE_SECONDS)
    made.rolled_out()
    return made


def engine_of(served: Application) -> Engine:
    return Engine(
        space=served.space,
        pod=served.pod()["metadata"]["name"],
        container=Model(space=served.space).container,
    )


def speaks_of(words: tuple[str, ...], text: str) -> bool:
    """Whether most of a text is of these words; now and then a model without sense says a letter or a dash."""
    said = text.split()
    return sum(word in words for word in said) > len(said) / 2


def answer_about(served: Application, words: tuple[str, ...], *, seconds: float) -> Answer:
    """An answer of the application that is made of these words."""

    def look() -> Answer:
        answer = served.ask(seconds=60)
        if not speaks_of(words, answer.text):
            raise NotYet(answer.text or answer.error)
        return answer

    return until("a real answer", look, seconds=seconds, more=served.space.circumstances)


def test_the_application_gets_a_real_chat_completion(served: Application, say: Callable[[str], None]) -> None:
    answer = answer_about(served, tokenizer.RIVER_WORDS, seconds=BACK_SECONDS)

    assert answer.model == "chat"
    say(f"a model of rivers says: {answer.text[:100]}")
    observed = Model(space=served.space).object()["status"]["observed"]
    say(f"vLLM reports {observed}")
    assert observed["contextLength"] == 1024
    assert observed["kvCacheTokens"] >= observed["plannedKvCacheTokens"]


def test_each_of_its_processes_is_killed_in_turn_and_the_application_is_not_restarted(
    served: Application, say: Callable[[str], None]
) -> None:
    engine = engine_of(served)
    before = served.pod()
    names = [name_of(process) for process in (engine.main(), *engine.others())]
    say(f"processes of the engine: {names}")
    assert any("EngineCore" in name for name in names)

    with served.space.watch("pods", name=before["metadata"]["name"]) as watch:
        for name in names:
            main = engine.main()
            victim = next(each for each in (main, *engine.others()) if name_of(each) == name)
            engine.kill(victim)
            gone(engine, victim)
            answer_about(served, tokenizer.RIVER_WORDS, seconds=BACK_SECONDS)
            after = "another engine serves" if engine.main().pid != main.pid else "the engine served on"
            say(f"killed {name}: {after}")

    pod = served.pod()
    assert identity(pod) == identity(before)
    assert container_status(pod, engine.container)["restartCount"] == 0
    assert all(is_ready(sight.object) for sight in watch.sights)
    # No process of a killed engine is left beside the one that serves.
    assert {each.session for each in engine.processes()} == {engine.main().session}


def test_the_running_pod_serves_a_second_model(served: Application, say: Callable[[str], None]) -> None:
    model = Model(space=served.space)
    before = served.pod()

    with served.space.watch(KIND, name=model.name) as watch, served.asks_all_the_time(before) as client:
        model.change(model={"repo": models.TINY_STAR})
        generation = model.object()["metadata"]["generation"]
        acknowledged = model.when(watch, "ModelReady", "True", generation=generation, seconds=SERVE_SECONDS)
        first = client.wait_for_answer(begun_after=acknowledged.at, seconds=BACK_SECONDS)

    assert identity(served.pod()) == identity(before)
    assert speaks_of(tokenizer.STAR_WORDS, first.answer), first.answer
    late = [each for each in client.requests if each.answer and each.ended > acknowledged.at]
    wrong = [each for each in late if not speaks_of(tokenizer.STAR_WORDS, each.answer)]
    assert not wrong, f"acknowledged at {acknowledged.at}, and then {wrong}"
    silence = client.silence()
    assert silence is not None
    say(f"without an answer during the swap: {silence[1] - silence[0]:.1f} s; now: {first.answer[:100]}")


def identity(pod: Raw) -> tuple[str, str, int]:
    restarts = container_status(pod, CONTAINER)["restartCount"]
    return pod["metadata"]["uid"], started_at(pod, CONTAINER), restarts


def name_of(process: Process) -> str:
    """A process's name, the same for the one that takes its place."""
    words = [word for word in process.command.split() if not word.startswith("-")]
    return " ".join(words[:3])


def gone(engine: Engine, process: Process) -> None:
    def look() -> None:
        if process.pid in {each.pid for each in engine.processes()}:
            raise NotYet(f"{process} runs")

    until("the killed process to be gone", look, seconds=30)


def test_a_model_that_cannot_load_gives_way_to_the_one_that_worked(
    served: Application, say: Callable[[str], None]
) -> None:
    model = Model(space=served.space)
    before = served.pod()

    model.change(model={"repo": models.TINY_BROKEN})
    failed = model.await_condition("ModelReady", "False", reason="SwapFailed", seconds=SERVE_SECONDS)

    answer_about(served, tokenizer.STAR_WORDS, seconds=SERVE_SECONDS)
    assert identity(served.pod()) == identity(before)
    message = condition(failed, "ModelReady")["message"]
    say(f"SwapFailed: {message}")
    assert "loaded_weight.shape" in message, message  # vLLM's own words for a tensor of another shape
