"""Does the engine come back, whatever happens to its processes, with the supervisor alive all the time?"""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pillion.supervisor import supervisor as program

if TYPE_CHECKING:
    from tests.unit.supervisor.rig import Rig


def test_an_engine_serves_once_it_has_answered_one_token(rig: Rig) -> None:
    wanted = rig.instruct(rig.model("one"))
    rig.start()

    shown = rig.serving(wanted)

    assert shown["hash"] == wanted
    assert shown["revision"] == "r-0123456789ab"
    assert shown["failure"] is None
    assert shown["engine"]["kvCacheTokens"] == 131_072
    assert shown["engine"]["maxModelLen"] == 8192
    assert "models/one" in rig.chat()


def test_the_engine_comes_back_each_time_its_main_process_is_killed(rig: Rig) -> None:
    wanted = rig.instruct(rig.model("one"))
    rig.start()
    rig.serving(wanted)
    assert rig.process is not None

    for count in range(1, 6):
        main, worker = rig.engine()
        os.kill(main, signal.SIGKILL)
        shown = rig.wait(lambda s, n=count: s["restarts"] == n and s["state"] == "Serving")  # type: ignore[misc]

        # The orphan that held the accelerator had to go first, or the new one would not have loaded.
        assert worker not in rig.engines()
        assert shown["lastFailure"]["message"] == "vllm was killed by SIGKILL while serving"
        assert shown["lastFailure"]["exitCode"] == -signal.SIGKILL
    assert rig.process.poll() is None
    assert "models/one" in rig.chat()


def test_the_engine_comes_back_when_its_worker_alone_is_killed(rig: Rig) -> None:
    wanted = rig.instruct(rig.model("one"))
    rig.start()
    rig.serving(wanted)
    main, worker = rig.engine()

    os.kill(worker, signal.SIGKILL)
    shown = rig.wait(lambda s: s["restarts"] == 1 and s["state"] == "Serving")

    assert main not in rig.engines()
    assert shown["lastFailure"]["reason"] == "EngineExited"
    assert shown["serving"] == wanted


def test_an_engine_that_stands_still_is_noticed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "HEALTH_PERIOD_SECONDS", 0.1)
    monkeypatch.setattr(program, "HEALTH_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(program, "HANG_SECONDS", 0.5)
    monkeypatch.setenv("PATH", f"{rig.folder / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("STANDIN_SHM", str(rig.shm))
    rig.instruct(rig.model("one"))
    instruction = program.parse_instruction(rig.instruction_file.read_text())
    woken = threading.Event()

    prepared = program.Prepared(instruction, instruction.path)
    engine = program.Engine(prepared, shm=rig.shm, wake=woken.set)
    assert woken.wait(30)
    assert engine.answered
    woken.clear()
    os.kill(engine.process.pid, signal.SIGSTOP)
    assert woken.wait(30)
    for pid in rig.engines():
        os.kill(pid, signal.SIGKILL)
    engine.process.wait()
    engine.close()

    assert engine.unwell is not None
    assert "has not answered /health" in engine.unwell


def test_what_a_killed_engine_left_in_its_shared_memory_is_removed(rig: Rig) -> None:
    wanted = rig.instruct(rig.model("one"))
    (rig.shm / "left-by-somebody").mkdir()
    (rig.shm / "left-by-somebody" / "segment").write_bytes(b"x")
    rig.start()
    rig.serving(wanted)
    main, worker = rig.engine()
    os.kill(main, signal.SIGKILL)
    rig.wait(lambda s: s["restarts"] == 1 and s["state"] == "Serving")

    _, new_worker = rig.engine()
    left = {path.name for path in rig.shm.iterdir()}
    assert left == {f"psm_standin_{new_worker}"}
    assert f"psm_standin_{worker}" not in left


def test_the_engine_runs_offline_without_the_token_and_without_links_of_services(rig: Rig) -> None:
    rig.variables = {
        "HF_TOKEN": "hf_secret",
        "VLLM_PORT": "tcp://10.0.0.1:8000",
        "VLLM_LOGGING_LEVEL": "INFO",
    }
    wanted = rig.instruct(rig.model("one"), env={"EXTRA": "it's here"})
    rig.start()
    rig.serving(wanted)
    main, _ = rig.engine()

    variables = Path(f"/proc/{main}/environ").read_text().split("\0")
    assert "HF_HUB_OFFLINE=1" in variables
    assert "EXTRA=it's here" in variables
    assert "VLLM_LOGGING_LEVEL=INFO" in variables
    assert not [entry for entry in variables if entry.startswith(("HF_TOKEN", "VLLM_PORT"))]


@pytest.mark.parametrize(
    ("config", "reason", "words"),
    [
        pytest.param({"standin_fail": "load"}, "EngineExited", "cannot be loaded", id="its own words"),
        pytest.param(
            {"standin_fail": "memory"}, "EngineOutOfMemory", "CUDA out of memory", id="out of memory"
        ),
    ],
)
def test_an_engine_that_does_not_load_is_a_failure_with(
    rig: Rig, config: dict[str, str], reason: str, words: str
) -> None:
    wanted = rig.instruct(rig.model("bad", **config))
    rig.start()

    failure = rig.failed(wanted)["failure"]

    assert failure["reason"] == reason
    assert words in failure["message"]
    assert failure["exitCode"] == 1
    # It goes on trying, with a growing delay.
    assert rig.wait(lambda s: s["restarts"] >= 3)["serving"] is None


def test_an_engine_that_never_answers_fails_by_its_startup_timeout(rig: Rig) -> None:
    wanted = rig.instruct(rig.model("silent", standin_fail="never"), startupTimeoutSeconds=1)
    rig.start()

    failure = rig.failed(wanted)["failure"]

    assert failure["reason"] == "StartupTimeout"
    assert failure["message"].startswith("vllm gave no answer within 1 s")


def test_a_wrong_flag_is_told_in_the_engines_words(rig: Rig) -> None:
    wanted = rig.instruct(rig.model("one"), argv=["vllm", "serve", "{model}", "--no-such-flag"])
    rig.start()

    failure = rig.failed(wanted)["failure"]

    assert failure["exitCode"] == 2
    assert "unrecognized arguments: --no-such-flag" in failure["message"]


def test_an_engine_that_is_not_in_the_image_is_a_failure(rig: Rig) -> None:
    wanted = rig.instruct(rig.model("one"), argv=["no-such-engine"])
    rig.start()

    failure = rig.failed(wanted)["failure"]

    assert failure["reason"] == "EngineExited"
    assert failure["message"].startswith("no-such-engine cannot be run")


@pytest.mark.parametrize(
    "task",
    [
        pytest.param("Embedding", id="one embedding"),
        pytest.param("Rerank", id="one score"),
        pytest.param("Classification", id="one class"),
    ],
)
def test_a_model_that_does_not_generate_is_ready_with(rig: Rig, task: str) -> None:
    wanted = rig.instruct(rig.model("one"), argv=[*rig.command(), "--runner", "pooling"], task=task)
    rig.start()

    assert rig.serving(wanted)["failure"] is None


def test_term_ends_everything_and_nothing_is_left(rig: Rig) -> None:
    wanted = rig.instruct(rig.model("one"))
    rig.start()
    rig.serving(wanted)
    begun = time.monotonic()

    assert rig.end() == 0

    assert rig.engines() == {}
    # Nobody was connected, so it did not take the whole time for draining and killing.
    assert time.monotonic() - begun < 8


def test_term_lets_the_application_finish_its_request(rig: Rig) -> None:
    wanted = rig.instruct(rig.model("slow", standin_answer_seconds=1.5))
    rig.start()
    rig.serving(wanted)
    said: list[str] = []
    request = threading.Thread(target=lambda: said.append(rig.chat("one last thing")))
    request.start()
    assert rig.process is not None
    while b'vllm:num_requests_running{model_name="chat"} 1' not in rig.get("/metrics")[1]:
        assert request.is_alive()

    rig.process.send_signal(signal.SIGTERM)
    request.join(timeout=30)

    assert "one last thing" in said[0]
    assert rig.process.wait(timeout=30) == 0


def test_term_while_the_engine_loads_ends_at_once(rig: Rig) -> None:
    rig.instruct(rig.model("silent", standin_fail="never"))
    rig.start()
    rig.wait(lambda s: s["state"] == "Loading" and s["engine"]["port"] is not None)

    assert rig.end() == 0
    assert rig.engines() == {}


def fault(rig: Rig, *, call: str, raises: str) -> Path:
    """Have a call of the standard library raise in this supervisor for as long as a file is there; that file."""
    broken = rig.folder / "broken"
    library = rig.folder / "library"
    library.mkdir()
    (library / "sitecustomize.py").write_text(
        f"""
import hashlib, os, pathlib, threading
real = {call}
def faulty(*args, **kwargs):
    if pathlib.Path({str(broken)!r}).exists():
        raise {raises}
    return real(*args, **kwargs)
{call} = faulty
"""
    )
    rig.variables = {**rig.variables, "PYTHONPATH": str(library)}
    return broken


def test_a_mistake_of_the_supervisor_is_told_and_ends_nothing(rig: Rig) -> None:
    broken = fault(rig, call="os.waitid", raises="KeyError('nobody thought of it')")
    wanted = rig.instruct(rig.model("one"))
    rig.start()
    rig.serving(wanted)

    broken.touch()
    shown = rig.wait(lambda now: now["failure"] is not None)
    rig.hear("KeyError: 'nobody thought of it'\n", times=3)
    again = rig.status()
    broken.unlink()
    healed = rig.wait(lambda now: now["failure"] is None)

    assert shown["failure"]["reason"] == "EngineExited"
    assert "KeyError: 'nobody thought of it'" in shown["failure"]["message"]
    assert (shown["state"], shown["serving"]) == ("Serving", wanted)
    assert again["state"] == healed["state"] == "Serving"
    assert healed["lastFailure"] == shown["failure"]
    assert healed["restarts"] == 0
    assert rig.end() == 0


def test_an_instruction_that_came_during_a_mistake_is_followed_after_it(rig: Rig) -> None:
    broken = fault(rig, call="hashlib.sha256", raises="KeyError('nobody thought of it')")
    broken.touch()
    wanted = rig.instruct(rig.model("one"))
    rig.start()
    rig.wait(lambda now: now["failure"] is not None)
    broken.unlink()

    rig.serving(wanted)


def test_term_ends_everything_in_spite_of_a_mistake_before(rig: Rig) -> None:
    broken = fault(rig, call="os.waitid", raises="KeyError('nobody thought of it')")
    rig.instruct(rig.model("one"))
    broken.touch()
    rig.start()
    rig.wait(lambda now: now["failure"] is not None)
    broken.unlink()

    assert rig.end() == 0
    assert rig.engines() == {}


def test_an_engine_without_threads_to_follow_it_does_not_live_on(rig: Rig) -> None:
    broken = fault(rig, call="threading.Thread.start", raises='RuntimeError("can\'t start new thread")')
    rig.start()
    rig.status()
    broken.touch()
    wanted = rig.instruct(rig.model("one"))
    rig.hear("vllm cannot be run: [Errno 11] no thread can be started for it", times=2)
    assert rig.engines() == {}
    broken.unlink()

    rig.serving(wanted)
    assert len(rig.engines()) == 2


def test_a_word_that_no_command_line_can_have_is_a_failure(rig: Rig) -> None:
    rig.start()
    failure = rig.failed(rig.instruct(rig.model("one"), argv=[*rig.command(), "a\0b"]))["failure"]

    assert failure["reason"] == "EngineExited"
    assert "vllm cannot be run: embedded null byte" in failure["message"]
    rig.serving(rig.instruct(rig.model("two")))
