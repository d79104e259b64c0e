"""Are the supervisor's small decisions right, without any process?"""

from __future__ import annotations

import ast
import errno
import json
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from pillion.supervisor import supervisor as program

SOURCE = Path(program.__file__)


def test_it_imports_the_standard_library_alone() -> None:
    tree = ast.parse(SOURCE.read_text())
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= sys.stdlib_module_names


def test_its_grammar_is_that_of_python_3_9() -> None:
    ast.parse(SOURCE.read_text(), feature_version=(3, 9))


def test_it_fits_a_config_map() -> None:
    # An API object has at most 1 MiB, and etcd's default is 1.5.
    assert len(SOURCE.read_bytes()) < 2**19


def process(pid: int, *, parent: int, session: int, state: str = "S") -> program.Process:
    return program.Process(pid, parent, session, state)


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        pytest.param([process(10, parent=1, session=10)], {10}, id="the first of its session"),
        pytest.param([process(11, parent=10, session=10)], {11}, id="others of its session"),
        pytest.param([process(11, parent=1, session=10)], {11}, id="an orphan that came to us"),
        pytest.param([process(12, parent=1, session=12)], {12}, id="one that left the session"),
        pytest.param([process(13, parent=7, session=10)], {13}, id="one of the session that another process adopted"),
        pytest.param([process(11, parent=1, session=10, state="Z")], set(), id="not the dead"),
        pytest.param([process(21, parent=1, session=20)], set(), id="not the fetching child"),
        pytest.param([process(30, parent=0, session=30)], set(), id="not a shell that somebody opened"),
    ],
)  # fmt: skip
def test_the_processes_of_an_engine_are(others: list[program.Process], expected: set[int]) -> None:
    table = {p.pid: p for p in [process(1, parent=0, session=1), *others]}

    assert program.members(10, table, ours=1, spared=20) == expected


def test_a_process_whose_name_has_parentheses_is_read() -> None:
    me = program.processes()

    assert all(p.pid == pid for pid, p in me.items())
    assert 1 in me


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\noom_group_kill 0\n", id="cgroup v2, memory.events"
        ),
        pytest.param("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", id="cgroup v1, memory.oom_control"),
    ],
)
def test_the_kernels_kills_are_counted_by(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = tmp_path / "counter"
    counter.write_text(text)
    monkeypatch.setattr(program, "OOM_COUNTERS", (tmp_path / "absent", counter))

    assert program.oom_kills() == 2


def test_the_delay_doubles_up_to_a_minute_and_starts_anew() -> None:
    backoff = program.Backoff()
    delays = [backoff.failed(100.0) for _ in range(11)]
    backoff.reset()

    assert delays[:4] == [0.2, 0.4, 0.8, 1.6]
    assert delays[-1] == 60.0
    assert backoff.failed(0.0) == 0.2


class GatedRepoError(Exception):
    pass


class RepositoryNotFoundError(Exception):
    pass


class LocalEntryNotFoundError(Exception):
    pass


class AnswerError(Exception):
    def __init__(self, status_code: int) -> None:
        super().__init__(str(status_code))
        self.response = type("Answer", (), {"status_code": status_code})()


def caused(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(GatedRepoError("403"), "ModelGated", id="gated"),
        pytest.param(RepositoryNotFoundError("401"), "ModelNotFound", id="not found"),
        pytest.param(AnswerError(403), "ModelGated", id="forbidden"),
        pytest.param(AnswerError(502), "HubUnreachable", id="a gateway's error"),
        pytest.param(LocalEntryNotFoundError("offline"), "HubUnreachable", id="no network"),
        pytest.param(ConnectionError("refused"), "HubUnreachable", id="nobody listens"),
        pytest.param(OSError(errno.ENOSPC, "No space left on device"), "DiskFull", id="disk full"),
        pytest.param(RuntimeError("xet: No space left on device (os error 28)"), "DiskFull", id="disk full, in words"),
        pytest.param(caused(RuntimeError("x"), OSError(errno.ENOSPC, "full")), "DiskFull", id="disk full, inside"),
        pytest.param(OSError(errno.EROFS, "Read-only file system", "/x"), "CacheNotWritable", id="read-only"),
        pytest.param(PermissionError(errno.EACCES, "Permission denied", "/x"), "CacheNotWritable", id="no permission"),
        pytest.param(ModuleNotFoundError("No module named 'huggingface_hub'"), "HubUnreachable", id="no library"),
    ],
)  # fmt: skip
def test_an_error_while_fetching_is(error: Exception, reason: str) -> None:
    assert program.classify(error, "o/n", "0" * 40)[0] == reason


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(OSError(errno.ENOSPC, "No space left on device"), "DiskFull", id="disk full"),
        pytest.param(OSError(errno.EDQUOT, "Disk quota exceeded"), "DiskFull", id="quota used up"),
        pytest.param(OSError(errno.EROFS, "Read-only file system"), "CacheNotWritable", id="read-only"),
        pytest.param(PermissionError(errno.EACCES, "Permission denied"), "CacheNotWritable", id="no permission"),
        pytest.param(PermissionError(errno.EPERM, "Not permitted"), "CacheNotWritable", id="not permitted"),
        pytest.param(OSError(errno.EMFILE, "Too many open files"), "EngineExited", id="something else"),
        pytest.param(KeyError("blobs"), "EngineExited", id="no error of the disk at all"),
    ],
)  # fmt: skip
def test_an_error_that_nobody_translated_is(error: Exception, reason: str) -> None:
    found = program.unforeseen(error, Path("/cache"))

    assert found.reason == reason
    assert str(error) in str(found) or str(error.args[-1]) in str(found)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 100_000, id="brackets without an end"),
        pytest.param('{"version": 1, "model": {"path": "/m"}, "argv": ["x"], "port": Infinity}', id="an endless port"),
    ],
)  # fmt: skip
def test_an_instruction_that_cannot_be_read_is_no_other_error(text: str) -> None:
    with pytest.raises(program.InstructionError):
        program.parse_instruction(text)


def test_a_cache_that_may_not_be_written_names_user_and_remedy() -> None:
    _, message = program.classify(PermissionError(errno.EACCES, "Permission denied", "/cache/hf"), "o/n", "0")

    assert "/cache/hf" in message
    assert "securityContext.fsGroup" in message


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        pytest.param("model.safetensors", "*.safetensors", True, id="a pattern"),
        pytest.param("deep/model.safetensors", "*.safetensors", True, id="a pattern, in folders too"),
        pytest.param("onnx/model.onnx", "onnx/", True, id="a folder"),
        pytest.param("README.md", "*.json", False, id="something else"),
    ],
)  # fmt: skip
def test_a_pattern_means(name: str, pattern: str, *, expected: bool) -> None:
    assert program.matches(name, pattern) is expected


def shown(**fields: Any) -> dict[str, Any]:
    return {"state": "Fetching", "bytesDone": 0, "bytesTotal": None, **fields}


def test_bytes_alone_change_the_serial_only_now_and_then() -> None:
    status = program.Status(shown())
    status.update(shown(bytesTotal=1000))
    serials = set()
    for done in range(1001):
        status.update(shown(bytesTotal=1000, bytesDone=done))
        serials.add(status.snapshot()["serial"])
        assert status.snapshot()["bytesDone"] == done

    assert len(serials) == program.PROGRESS_STEPS + 1


def test_what_does_not_change_keeps_its_serial() -> None:
    status = program.Status(shown())
    status.update(shown())
    before = status.snapshot()["serial"]
    status.update(shown())

    assert status.snapshot()["serial"] == before


def test_who_waits_is_answered_when_something_changes() -> None:
    status = program.Status(shown())
    status.update(shown())
    before = status.snapshot()["serial"]
    answers: list[dict[str, Any]] = []
    waiter = threading.Thread(target=lambda: answers.append(status.wait(before, 30, lambda: False)))
    waiter.start()
    status.update(shown(state="Serving"))
    waiter.join(timeout=30)

    assert answers[0]["state"] == "Serving"
    assert answers[0]["serial"] == before + 1


def test_who_has_hung_up_is_not_waited_for() -> None:
    status = program.Status(shown())
    serial = status.snapshot()["serial"]

    assert status.wait(serial, 300, lambda: True)["serial"] == serial


WORKER = "(Worker pid=417) ERROR 11-24 12:45:40 [multiproc_executor.py:953]"
CONSEQUENCE = (
    "(EngineCore pid=405) ERROR 11-24 12:45:44 [core.py:1510] Exception: WorkerProc initialization failed due to an "
    "exception in a background process. See stack trace for root cause."
)
LAST = "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}"


# Lines of vLLM 0.32.0 on CPU.
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(
            [
                f"{WORKER}     assert self.data.shape == loaded_weight.shape",
                f"{WORKER}            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^",
                f"{WORKER} AssertionError",
                CONSEQUENCE,
                LAST,
            ],
            "AssertionError: assert self.data.shape == loaded_weight.shape",
            id="an assertion without words: what was asserted",
        ),
        pytest.param(
            [f"{WORKER} ValueError: There is no such layer", CONSEQUENCE, LAST],
            "ValueError: There is no such layer",
            id="the cause, not its consequences",
        ),
        pytest.param([CONSEQUENCE, LAST], None, id="consequences alone explain nothing"),
        pytest.param(["AssertionError"], None, id="an assertion that nothing is known of"),
    ],
)
def test_an_engines_end_is_explained_by(lines: list[str], expected: str | None) -> None:
    assert program.explanation(lines) == expected


def test_the_hash_of_an_instruction_is_that_of_its_text() -> None:
    text = json.dumps({"version": 1})

    # sha256sum of {"version": 1}, the first 16 digits
    assert program.hash_of(text) == "c3aa9744214caf6e"
