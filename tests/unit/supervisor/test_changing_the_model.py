"""Does another instruction become another engine, and does a bad one leave the old engine alone?"""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.supervisor.rig import Rig


def test_a_new_instruction_is_served_by_a_new_engine_alone(rig: Rig) -> None:
    first = rig.instruct(rig.model("one"))
    rig.start()
    rig.serving(first)
    old = set(rig.engines())

    second = rig.instruct(rig.model("two"))
    shown = rig.serving(second)

    assert shown["hash"] == second
    assert shown["restarts"] == 0
    assert old.isdisjoint(rig.engines())
    assert "models/two" in rig.chat()


def test_a_request_that_runs_is_finished_before_the_engine_changes(rig: Rig) -> None:
    first = rig.instruct(rig.model("slow", standin_answer_seconds=2))
    rig.start()
    rig.serving(first)
    said: list[str] = []
    request = threading.Thread(target=lambda: said.append(rig.chat()))
    request.start()
    while b'vllm:num_requests_running{model_name="chat"} 1' not in rig.get("/metrics")[1]:
        assert request.is_alive()

    second = rig.instruct(rig.model("two"))
    draining = rig.wait(lambda s: s["state"] == "Draining")
    request.join(timeout=30)
    rig.serving(second)

    assert draining["serving"] == first
    assert "models/slow" in said[0]


def test_a_model_that_cannot_load_fails_and_the_way_back_works(rig: Rig) -> None:
    good = rig.model("one")
    first = rig.instruct(good)
    rig.start()
    rig.serving(first)

    bad = rig.instruct(rig.model("bad", standin_fail="load"))
    failed = rig.failed(bad)
    assert failed["serving"] is None
    assert rig.instruct(good) == first
    back = rig.serving(first)

    assert failed["failure"]["reason"] == "EngineExited"
    assert back["failure"] is None
    assert back["lastFailure"]["hash"] == bad
    assert "models/one" in rig.chat()


def test_going_back_while_the_old_engine_still_drains_keeps_it(rig: Rig) -> None:
    good = rig.model("slow", standin_answer_seconds=2)
    first = rig.instruct(good, drainSeconds=60)
    rig.start()
    rig.serving(first)
    main, _ = rig.engine()
    request = threading.Thread(target=rig.chat)
    request.start()
    while b'vllm:num_requests_running{model_name="chat"} 1' not in rig.get("/metrics")[1]:
        assert request.is_alive()

    rig.instruct(rig.model("two"))
    rig.wait(lambda s: s["state"] == "Draining")
    rig.instruct(good, drainSeconds=60)
    rig.serving(first)
    request.join(timeout=30)

    assert rig.engine()[0] == main


def test_another_instruction_while_the_first_loads_replaces_it(rig: Rig) -> None:
    rig.instruct(rig.model("silent", standin_fail="never"))
    rig.start()
    rig.wait(lambda s: s["state"] == "Loading" and s["engine"]["port"] is not None)

    second = rig.instruct(rig.model("two"))
    rig.serving(second)

    assert "models/two" in rig.chat()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("{", "not JSON", id="no JSON"),
        pytest.param("[]", "not a JSON object", id="no object"),
        pytest.param('{"version": 2}', "has version 2; this supervisor reads 1", id="another version"),
        pytest.param('{"version": 1}', "lacks something", id="hardly anything in it"),
        pytest.param("", "there is no instruction", id="nothing in it"),
    ],
)
def test_a_bad_instruction_changes_nothing_with(rig: Rig, text: str, words: str) -> None:
    first = rig.instruct(rig.model("one"))
    rig.start()
    rig.serving(first)

    bad = rig.write(text)
    shown = rig.failed(bad)

    assert shown["state"] == "Failed"
    assert shown["hash"] == bad
    assert shown["failure"]["reason"] == "InstructionInvalid"
    assert words in shown["failure"]["message"]
    assert shown["serving"] == first
    assert "models/one" in rig.chat()


def test_an_instruction_that_is_missing_is_waited_for(rig: Rig) -> None:
    rig.start()
    missing = rig.wait(lambda s: s["failure"] is not None)

    wanted = rig.instruct(rig.model("one"))
    rig.serving(wanted)

    assert missing["state"] == "Failed"
    assert missing["failure"]["reason"] == "InstructionInvalid"


def test_the_old_engine_serves_on_and_is_restarted_while_the_new_model_is_not_there(rig: Rig) -> None:
    first = rig.instruct(rig.model("one"))
    rig.start()
    rig.serving(first)

    second = rig.instruct(rig.folder / "nowhere")
    failed = rig.failed(second)
    os.kill(rig.engine()[0], signal.SIGKILL)
    again = rig.wait(lambda s: s["restarts"] == 1 and s["serving"] == first)

    assert failed["failure"]["reason"] == "ModelNotFound"
    assert failed["serving"] == first
    assert again["state"] == "Failed"
    assert again["failure"]["hash"] == second


def test_what_the_pod_address_answers(rig: Rig) -> None:
    rig.instruct(rig.model("silent", standin_fail="never"))
    rig.start()
    loading = rig.wait(lambda s: s["state"] == "Loading")
    assert rig.get("/ready") == (503, b"Loading\n")
    assert rig.get("/healthz") == (200, b"ok\n")
    assert rig.get("/elsewhere")[0] == 404
    assert rig.get("/status?after=x")[0] == 400

    wanted = rig.instruct(rig.model("one"))
    serving = rig.serving(wanted)

    assert serving["serial"] > loading["serial"]
    assert rig.get("/ready") == (200, b"Serving\n")
    metrics = rig.get("/metrics")[1].decode()
    assert 'pillion_supervisor_state{state="Serving"} 1' in metrics
    assert "vllm:num_requests_running" in metrics
    # A poll that nothing answers ends by itself, with the same serial.
    assert rig.status(after=serving["serial"], wait=0.1)["serial"] == serving["serial"]
    # Any other serial is old, and is answered at once.
    assert rig.status(after=1, wait=60)["serial"] == serving["serial"]


def test_nothing_but_get_is_answered(rig: Rig) -> None:
    rig.start()
    rig.status()
    body = json.dumps({"state": "Serving"}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", rig.port, timeout=10)
    connection.request("POST", "/status", body)
    answer = connection.getresponse()
    connection.close()

    assert answer.status == 501
