"""How does an engine stay alive, and become another one, without its container being restarted?

This one file runs in the engine's container, on the image's own `python3` (3.9 or later), with the standard
library alone. It follows an instruction: a JSON document that the pod carries as an annotation, and that
arrives here as a file whose content may change. It

- fetches the model's files in a child process (the image's `huggingface_hub`), while an older engine goes on
  serving;
- runs the engine in a session of its own, offline, and lets no process of it live on before the next one
  starts;
- calls it ready when it has answered one token, and restarts it with a growing delay;
- answers `GET /status` (a long poll), `/ready`, `/healthz` and `/metrics` on the pod's address;
- never ends by itself, whatever goes wrong in it: the container would be started again, and the application's
  pod would not be ready meanwhile.

Threads: the main one decides everything and is the only one that starts, signals and reaps processes. The
others read an engine's output, ask whether it is well, read what the fetching child says, and answer
requests.

Two things are kept apart: what is *wanted* (the newest valid instruction) and what is *prepared* (the newest
one whose files are here). The engine follows what is prepared, so an instruction that cannot be fetched
changes nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import errno
import fnmatch
import hashlib
import http.client
import http.server
import importlib
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.parse
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Callable, Iterator, Sequence, Union  # noqa: UP035 - Python 3.9 has them here

INSTRUCTION_VERSION = 1
MODEL_PLACEHOLDER = "{model}"

TICK_SECONDS = 0.25  # how often the instruction is looked at; nothing else waits for it
HEALTH_PERIOD_SECONDS = 2.0
HEALTH_TIMEOUT_SECONDS = 10.0
HANG_SECONDS = 60.0  # without an answer to /health; a busy engine can be silent for seconds
UNHEALTHY_ANSWERS = 2  # of 503 in a row; vLLM says it once its core is dead, and never takes it back
TERMINATE_SECONDS = 10.0  # from SIGTERM to SIGKILL; vLLM needs 0.5
ORPHAN_SECONDS = 1.0  # from the end of the main process to the SIGKILL of what it left
STAND_DOWN_SECONDS = 2.0  # without a connection, before a pod that is being deleted loses its engine
STEADY_SECONDS = 60.0  # of serving, after which earlier failures are forgotten
FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 60.0
STALLED_SECONDS = 600.0  # without a byte more on disk, before a fetch is given up
MOST_CONNECTIONS = 64
LONGEST_POLL_SECONDS = 300.0
PROGRESS_STEPS = 20  # how often a download wakes those who wait for a change
PROGRESS_BYTES = 2**30  # the same where the total is not known
RESERVE_BYTES = 256 * 2**20  # of the cache's limit, left for what engines compile; at most a twentieth of it

# Series that say whether an engine is at work: vLLM's, and TGI's.
BUSY_SERIES = (
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "tgi_batch_current_size",
    "tgi_queue_size",
)
KV_CACHE_LINE = re.compile(r"KV cache size: ([\d,]+) tokens")
ERROR_LINE = re.compile(r"((?:\w+\.)*\w*(?:Error|Exception)): (.+)")
BARE_ASSERTION = re.compile(
    r"\bAssertionError\s*$"
)  # its traceback's last line of source says what was asserted
ASSERTED = re.compile(r"\b(assert .+)$")
ASSERTED_WITHIN_LINES = 4
CONSEQUENCES = (
    "Engine core initialization failed",
    "WorkerProc initialization failed",
    "EngineCore failed",
    "Failed core proc",
    "EngineDeadError",
)
OUT_OF_MEMORY = re.compile(
    r"out of memory|OutOfMemoryError|No available memory for the cache blocks|"
    r"less than desired GPU memory utilization|larger than the available KV cache memory|"
    r"less than requested memory for kv",
    re.IGNORECASE,
)
# Variables that Kubernetes makes from Services (docker links). A Service named "vllm" makes
# VLLM_PORT=tcp://..., which vLLM takes for its own setting and does not start.
SERVICE_LINK = re.compile(r"^(tcp|udp|sctp)://")
SECRETS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")  # for fetching; an engine that is offline needs none
FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT})
DISK_ERRORS = FULL_ERRORS | {errno.EACCES, errno.EPERM, errno.EROFS}
OOM_COUNTERS = (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))


def log(message: str) -> None:
    """One line on standard output, between the engine's own."""
    # A log that cannot be written is no reason to end.
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(f"pillion: {message}\n")
        sys.stdout.flush()


# --- The instruction ----------------------------------------------------------------------------------------


class InstructionError(Exception):
    """The instruction cannot be followed; the message says what is wrong and what is accepted."""


@dataclass(frozen=True)
class Instruction:
    """What the engine is to run."""

    hash: str
    revision: str
    repo: str | None  # with commit and files; or else path
    commit: str
    files: tuple[str, ...]
    path: str
    argv: tuple[str, ...]
    env: dict[str, str]
    port: int
    task: str
    served_name: str
    startup_timeout_seconds: float
    drain_seconds: float


def hash_of(text: str) -> str:
    """The name of an instruction in the status; whoever wrote the text computes the same."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def parse_instruction(text: str) -> Instruction:
    """An instruction from its text.

    Raises:
        InstructionError: the text is none, or one of another version.
    """
    if not text.strip():
        raise InstructionError("there is no instruction: the pod has no annotation engine.pillion.dev/<name>")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InstructionError(f"the instruction is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InstructionError("the instruction is not a JSON object")
    if document.get("version") != INSTRUCTION_VERSION:
        found = document.get("version")
        raise InstructionError(
            f"the instruction has version {found!r}; this supervisor reads {INSTRUCTION_VERSION}"
        )
    try:
        return _instruction(document, hash_of(text))
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise InstructionError(
            f"the instruction lacks something or has it in a wrong form: {error!r}"
        ) from error


def _instruction(document: dict[str, Any], name: str) -> Instruction:
    model = document["model"]
    from_hub = "repo" in model
    argv = tuple(document["argv"])
    if not argv or not all(isinstance(word, str) for word in argv):
        raise ValueError("argv is a list of at least one string")
    return Instruction(
        hash=name,
        revision=str(document.get("revision", "")),
        repo=str(model["repo"]) if from_hub else None,
        commit=str(model["commit"]) if from_hub else "",
        files=tuple(str(pattern) for pattern in model.get("files", ())),
        path="" if from_hub else str(model["path"]),
        argv=argv,
        env={str(key): str(value) for key, value in document.get("env", {}).items()},
        port=int(document["port"]),
        task=str(document["task"]),
        served_name=str(document["servedName"]),
        startup_timeout_seconds=float(document["startupTimeoutSeconds"]),
        drain_seconds=float(document["drainSeconds"]),
    )


class InstructionFile:
    """The file with the instruction, which the kubelet replaces when the annotation changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._missed = 0

    def changed(self) -> str | None:
        """The new text where it changed since the last look (empty where there is no file), else None."""
        try:
            found = self._path.stat()
            key = (found.st_ino, found.st_mtime_ns, found.st_size)
            if key == self._seen:
                return None
            text = self._path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            # The kubelet swaps a link, and a look in between can fail; twice in a row is no accident.
            self._missed += 1
            if self._missed != 2:
                return None
            self._seen = None
            return ""
        self._missed = 0
        self._seen = key
        return text

    def forget(self) -> None:
        """Read it again at the next look, changed or not: what was read last was not dealt with."""
        self._seen = None


# --- Failures and the status --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Failure:
    """Why an instruction is not served."""

    reason: str
    message: str
    hash: str
    exit_code: int | None = None

    def shown(self) -> dict[str, Any]:
        """As it stands in the status."""
        return {"reason": self.reason, "message": self.message, "hash": self.hash, "exitCode": self.exit_code}


class Status:
    """What `/status` answers, and who waits for it to change.

    The serial begins with the time, so that it never repeats after the container was restarted.
    """

    def __init__(self, shown: dict[str, Any]) -> None:
        self._changed = threading.Condition()
        self._serial = int(time.time() * 1000)
        self._step = -1
        self._shown = shown

    def update(self, fields: dict[str, Any]) -> None:
        """Replace what is shown. Bytes alone wake the waiters only now and then."""
        done, total = fields["bytesDone"], fields["bytesTotal"]
        step = done * PROGRESS_STEPS // total if total else done // PROGRESS_BYTES
        with self._changed:
            before, self._shown = self._shown, dict(fields)
            moved = {key: value for key, value in fields.items() if key != "bytesDone"}
            if step == self._step and moved == {k: v for k, v in before.items() if k != "bytesDone"}:
                return
            self._step = step
            self._serial += 1
            self._changed.notify_all()

    def snapshot(self) -> dict[str, Any]:
        """What is shown now."""
        with self._changed:
            return {"serial": self._serial, **self._shown}

    def wait(self, after: int | None, seconds: float, gone: Callable[[], bool]) -> dict[str, Any]:
        """What is shown as soon as its serial differs from `after`, or when the time is over."""
        deadline = time.monotonic() + min(seconds, LONGEST_POLL_SECONDS)
        with self._changed:
            while after == self._serial and not gone():
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(min(left, 5.0))  # now and then see whether anybody is still there
            return {"serial": self._serial, **self._shown}


# --- Processes ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Process:
    """One line of /proc."""

    pid: int
    parent: int
    session: int
    state: str


def processes() -> dict[int, Process]:
    """Every process that can be seen, by its id."""
    found = {}
    for entry in os.listdir("/proc"):  # noqa: PTH208 - thousands of entries at times, four times a second
        if entry.isdigit():
            # A process may end between the listing and the reading.
            with contextlib.suppress(OSError, IndexError, ValueError):
                text = Path("/proc", entry, "stat").read_text(encoding="utf-8", errors="replace")
                # The name in parentheses may hold spaces and parentheses itself.
                fields = text.rsplit(")", 1)[1].split()
                found[int(entry)] = Process(int(entry), int(fields[1]), int(fields[3]), fields[0])
    return found


def members(session: int, table: dict[int, Process], *, ours: int, spared: int | None) -> set[int]:
    """The living processes of an engine: its session, and whoever of our descendants left it.

    Orphans come to us, because we are their reaper; so nothing that an engine started can escape. Only the
    fetching child (`spared`, a session of its own) is not the engine's.
    """
    found = set()
    for process in table.values():
        if process.state in "ZX" or process.pid == ours or process.session == spared:
            continue
        if process.session == session or _descends(process, ours, table):
            found.add(process.pid)
    return found


def _descends(process: Process, ancestor: int, table: dict[int, Process]) -> bool:
    seen: set[int] = set()
    current: Process | None = process
    while current is not None and current.pid not in seen:
        if current.parent == ancestor:
            return True
        seen.add(current.pid)
        current = table.get(current.parent)
    return False


def send(pids: set[int], number: signal.Signals) -> None:
    """Signal these processes, one by one and by id: never a group, never everybody."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_session(process: subprocess.Popen[bytes]) -> None:
    """End a child that leads a session, and whatever it started there."""
    send({p.pid for p in processes().values() if p.session == process.pid}, signal.SIGKILL)
    process.wait()


def become_reaper() -> None:
    """Have orphans of our children come to us even where we are not process 1 of the container."""
    pr_set_child_subreaper = 36  # linux/prctl.h
    try:
        done = ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1, 0, 0, 0) == 0
    except (OSError, AttributeError):
        done = False
    if not done:
        log("cannot become the reaper of orphans; as process 1 that makes no difference")


def oom_kills() -> int:
    """How often the kernel killed a process of this container for its memory limit; 0 where nobody says."""
    for path in OOM_COUNTERS:
        with contextlib.suppress(OSError):
            found = re.search(r"^oom_kill (\d+)$", path.read_text(encoding="ascii"), re.MULTILINE)
            if found:
                return int(found.group(1))
    return 0


def connections(port: int) -> int:
    """How many clients are connected to a port of this pod, by the kernel's table."""
    count = 0
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in Path("/proc/net", name).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                established = fields[3] == "01"
                count += established and int(fields[1].rsplit(":", 1)[1], 16) == port
    return count


def empty_folder(folder: Path) -> None:
    """Remove what a killed engine left in its shared memory; it counts against the container's limit."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        try:
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        except OSError as error:
            log(f"cannot remove {entry}: {error}")


# --- Talking to the engine ----------------------------------------------------------------------------------


def ask(port: int, path: str, *, body: dict[str, Any] | None = None, timeout: float) -> tuple[int, bytes]:
    """One request to the engine on the loopback: status code and body.

    Raises:
        OSError, http.client.HTTPException: it does not answer.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        if body is None:
            connection.request("GET", path, headers={"Connection": "close"})
        else:
            headers = {"Content-Type": "application/json", "Connection": "close"}
            connection.request("POST", path, body=json.dumps(body), headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read(16 * 2**20)
    finally:
        connection.close()


def smallest_questions(task: str, name: str) -> Sequence[tuple[str, dict[str, Any]]]:
    """The requests that prove an engine ready, the next one where one is refused."""
    chat = {"model": name, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1}
    questions = {
        "Embedding": [("/v1/embeddings", {"model": name, "input": "Hello"})],
        "Rerank": [("/score", {"model": name, "text_1": "Hello", "text_2": "Hello"})],
        "Classification": [("/classify", {"model": name, "input": "Hello"})],
    }
    generation = [
        ("/v1/completions", {"model": name, "prompt": "Hello", "max_tokens": 1}),
        ("/v1/chat/completions", chat),
    ]
    return questions.get(task, generation)


def busy_requests(port: int) -> int | None:
    """How many requests an engine is working on or has in its queue; None where it does not say."""
    try:
        code, body = ask(port, "/metrics", timeout=1.0)
    except (OSError, http.client.HTTPException):
        return None
    if code != http.client.OK:
        return None
    counts = [
        float(line.rsplit(" ", 1)[1])
        for line in body.decode("utf-8", "replace").splitlines()
        if line.startswith(BUSY_SERIES)
    ]
    return int(sum(counts)) if counts else None


# --- The engine ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Prepared:
    """An instruction whose files are here."""

    instruction: Instruction
    model_path: str


LOADING, SERVING, DRAINING, ENDING, KILLING = "loading", "serving", "draining", "ending", "killing"


def explanation(lines: Sequence[str]) -> str | None:
    """The last error that is no mere consequence of another one; None where there is none."""
    for position in range(len(lines) - 1, -1, -1):
        line = lines[position]
        found = ERROR_LINE.search(line)
        if found and not any(text in line for text in CONSEQUENCES):
            return f"{found.group(1)}: {found.group(2)}"
        if BARE_ASSERTION.search(line):
            for earlier in reversed(lines[max(0, position - ASSERTED_WITHIN_LINES) : position]):
                asserted = ASSERTED.search(earlier)
                if asserted:
                    return f"AssertionError: {asserted.group(1)}"
    return None


class Engine:
    """One run of an engine: its processes, what it prints, and whether it is well."""

    def __init__(self, prepared: Prepared, *, shm: Path, wake: Callable[[], None]) -> None:
        """Start it.

        Raises:
            OSError: the program is not there or cannot be run.
        """
        self.instruction = prepared.instruction
        self.hash = prepared.instruction.hash
        self.phase = LOADING
        self.deadline = float("inf")  # of the phase, where it has one
        self.quiet_since: float | None = None
        self.started_at = time.monotonic()
        self.serving_since: float | None = None
        self.kv_cache_tokens: int | None = None
        self.max_model_len: int | None = None
        # Written by the threads, read by the main one.
        self.answered = False
        self.unwell: str | None = None
        self.last_refusal = ""
        self._tail: deque[str] = deque(maxlen=200)
        self._over = threading.Event()
        self._wake = wake
        self._oom_kills = oom_kills()
        empty_folder(shm)
        argv = [word.replace(MODEL_PLACEHOLDER, prepared.model_path) for word in self.instruction.argv]
        self.program = program_name(argv)
        self.process = subprocess.Popen(  # noqa: S603 - running what it is told is its purpose
            argv,
            env=engine_environment(self.instruction),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        try:
            self._reader.start()
            threading.Thread(target=self._watch, daemon=True).start()
        except RuntimeError as error:
            # The container's limit of processes counts threads. An engine that nobody reads must not live on.
            self._over.set()
            kill_session(self.process)
            raise OSError(errno.EAGAIN, f"no thread can be started for it: {error}") from error

    @property
    def session(self) -> int:
        """The session that the engine's processes are in: the id of the first one."""
        return self.process.pid

    def close(self) -> None:
        """Nothing of it is left: stop asking, and take the last of what it printed."""
        self._over.set()
        self._reader.join(timeout=2.0)

    def hear_out(self) -> None:
        """Read what an engine printed before it ended; its orphans may hold the other end for longer."""
        self._reader.join(timeout=0.5)

    def ending(self) -> str:
        """What it said last that explains its end, in one line."""
        tail = list(self._tail)  # orphans may still print, and the reader append
        explained = explanation(tail)
        if explained is not None:
            return shortened(explained)
        lines = [line for line in tail if line.strip()]
        return shortened(lines[-1].strip()) if lines else "it printed nothing"

    def out_of_memory(self) -> str | None:
        """Which memory it ran out of, if it did."""
        if oom_kills() > self._oom_kills:
            return "the kernel killed a process of it at the container's memory limit"
        for line in reversed(list(self._tail)):
            if OUT_OF_MEMORY.search(line):
                return shortened(line.strip())
        return None

    def _read(self) -> None:
        """Pass the engine's output on, and take from it what the status tells."""
        stream: IO[bytes] | None = self.process.stdout
        if stream is None:
            return
        with stream:
            for raw in iter(lambda: stream.readline(65536), b""):
                with contextlib.suppress(OSError, ValueError):
                    sys.stdout.buffer.write(raw)
                    sys.stdout.buffer.flush()
                line = raw.decode("utf-8", "replace").rstrip()
                self._tail.append(line)
                found = KV_CACHE_LINE.search(line)
                if found:
                    self.kv_cache_tokens = int(found.group(1).replace(",", ""))

    def _watch(self) -> None:
        """Wait for the first answer, then see that the engine stays well."""
        while not self.answered:
            # A refusal is written into the engine's log each time; a silent port is asked often.
            if self._over.wait(2.0 if self.last_refusal else 0.2):
                return
            with contextlib.suppress(OSError, http.client.HTTPException):
                code, _ = ask(self.instruction.port, "/health", timeout=HEALTH_TIMEOUT_SECONDS)
                self.answered = code == http.client.OK and self._answers()
        self._wake()
        silent_since: float | None = None
        refused = 0
        while not self._over.wait(HEALTH_PERIOD_SECONDS if refused == 0 else 0.2):
            try:
                code, _ = ask(self.instruction.port, "/health", timeout=HEALTH_TIMEOUT_SECONDS)
                silent_since = None
                refused = refused + 1 if code == http.client.SERVICE_UNAVAILABLE else 0
            except (OSError, http.client.HTTPException):
                silent_since = silent_since or time.monotonic()
            if refused >= UNHEALTHY_ANSWERS:
                self.unwell = "its /health answers 503: a process of it is dead"
            elif silent_since is not None and time.monotonic() - silent_since > HANG_SECONDS:
                self.unwell = f"it has not answered /health for {HANG_SECONDS:.0f} seconds"
            if self.unwell:
                self._wake()
                return

    def _answers(self) -> bool:
        """Whether it gives one token; only then is it ready."""
        timeout = self.instruction.startup_timeout_seconds
        for path, body in smallest_questions(self.instruction.task, self.instruction.served_name):
            code, answer = ask(self.instruction.port, path, body=body, timeout=timeout)
            if code == http.client.OK:
                self._learn()
                return True
            text = answer.decode("utf-8", "replace")
            self.last_refusal = shortened(f"{path} answered {code}: {text}")
        return False

    def _learn(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
            _, answer = ask(self.instruction.port, "/v1/models", timeout=HEALTH_TIMEOUT_SECONDS)
            length = json.loads(answer)["data"][0].get("max_model_len")
            self.max_model_len = int(length) if length else None


def program_name(argv: Sequence[str]) -> str:
    """What an engine is called in messages; where a shell only prepares it, the program that the shell becomes."""
    prepared = len(argv) > 3 and argv[0] == "/bin/sh" and argv[1] == "-c"
    return Path(argv[3] if prepared else argv[0]).name


def engine_environment(instruction: Instruction) -> dict[str, str]:
    """The container's variables without secrets and Services' links, offline, and the instruction's own."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in SECRETS and not SERVICE_LINK.match(value)
    }
    return {**inherited, "HF_HUB_OFFLINE": "1", **instruction.env}


def shortened(text: str, most: int = 400) -> str:
    """The text in one line of bounded length: it goes into a status that people read."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


# --- Fetching -----------------------------------------------------------------------------------------------


class FetchError(Exception):
    """The files cannot be had now: a reason of the status, and a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Cache:
    """The folder where models' files are kept, in the layout of huggingface_hub."""

    def __init__(self, folder: Path, limit_bytes: int | None) -> None:
        self.folder = folder
        self.hub = folder / "hf" / "hub"
        self._limit_bytes = (
            limit_bytes  # of an emptyDir; a claim may be shared with others, and is never pruned
        )

    def prepare(self) -> None:
        """See that files can be written.

        Raises:
            FetchError: they cannot.
        """
        try:
            for name in ("HOME", "HF_HOME"):
                wanted = Path(os.environ.get(name, self.folder))
                if self.folder in wanted.parents:
                    wanted.mkdir(parents=True, exist_ok=True)
            self.hub.mkdir(parents=True, exist_ok=True)
            (self.folder / "fetched").mkdir(exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise _disk_error(error, self.folder) from error

    def model(self, repo: str) -> Path:
        """The folder of one repository."""
        return self.hub / ("models--" + repo.replace("/", "--"))

    def complete(self, wanted: Instruction) -> tuple[str, int] | None:
        """Path and bytes of a snapshot that is here as a whole; the Hub is not asked."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            record = json.loads(self._record(wanted).read_text(encoding="utf-8"))
            path = Path(record["path"])
            if record["files"] and all((path / name).exists() for name in record["files"]):
                return str(path), int(record["bytes"])
        return None

    def remember(self, wanted: Instruction, path: str, files: Sequence[str], total: int) -> None:
        """Write down that a snapshot is complete, so that a restart needs no Hub."""
        record = self._record(wanted)
        draft = record.with_suffix(f".{os.getpid()}")
        content = {
            "repo": wanted.repo,
            "commit": wanted.commit,
            "path": path,
            "files": list(files),
            "bytes": total,
        }
        draft.write_text(json.dumps(content), encoding="utf-8")
        draft.replace(record)

    def on_disk(self, repo: str, blobs: dict[str, int]) -> int:
        """How many bytes of these files are here, finished or not."""
        folder = self.model(repo) / "blobs"
        done = 0
        for name, expected in blobs.items():
            for path in (folder / name, *folder.glob(f"{name}*.incomplete")):
                with contextlib.suppress(OSError):
                    found = path.stat()
                    # Some downloaders reserve the whole file at once; only what was written counts.
                    done += min(expected, found.st_size, found.st_blocks * 512)
                    break
        return done

    def make_room(self, wanted: Instruction, missing: int, kept: Sequence[Instruction]) -> None:
        """Remove other models until the wanted one fits, never one that is being served.

        Raises:
            FetchError: it does not fit even then. Passing the limit of an emptyDir would evict the whole pod.
        """
        if missing <= self._room():
            return
        if self._limit_bytes is not None:
            for path in self._removable(wanted, kept):
                log(f"removing {path.name} from the cache to make room")
                shutil.rmtree(path, ignore_errors=True)
                self._sweep_blobs()
                if missing <= self._room():
                    return
        room = self._room()
        raise FetchError(
            "DiskFull",
            f"{wanted.repo} needs {size(missing)} more; {self.folder} has room for {size(max(room, 0))}: "
            "a larger cache volume would do (spec.cache), and so would a smaller checkpoint",
        )

    def _record(self, wanted: Instruction) -> Path:
        key = json.dumps([wanted.repo, wanted.commit, sorted(wanted.files)])
        return self.folder / "fetched" / (hash_of(key) + ".json")

    def _room(self) -> int:
        free = shutil.disk_usage(self.folder).free
        if self._limit_bytes is None:
            return free
        reserve = min(RESERVE_BYTES, self._limit_bytes // 20)
        return min(free, self._limit_bytes - reserve - _used_bytes(self.folder))

    def _removable(self, wanted: Instruction, kept: Sequence[Instruction]) -> Iterator[Path]:
        """Whole repositories first, then other commits of those that stay; the oldest of each first."""
        staying = {str(i.repo) for i in (wanted, *kept) if i.repo}
        folders = {self.model(repo) for repo in staying}
        repos = [path for path in self.hub.glob("models--*") if path not in folders]
        commits = {self.model(str(i.repo)) / "snapshots" / i.commit for i in (wanted, *kept) if i.repo}
        snapshots = [p for folder in folders for p in folder.glob("snapshots/*") if p not in commits]
        for group in (repos, snapshots):
            yield from sorted(group, key=lambda path: (_changed_at(path), path.name))

    def _sweep_blobs(self) -> None:
        """Remove blobs that no snapshot names any more, and what earlier fetches did not finish."""
        for model in self.hub.glob("models--*"):
            named = {Path(os.path.realpath(p)).name for p in model.glob("snapshots/*/**/*") if p.is_symlink()}
            for blob in model.glob("blobs/*"):
                if blob.name not in named:
                    blob.unlink(missing_ok=True)


def _changed_at(path: Path) -> float:
    """When a folder changed last; 0 where it is gone meanwhile."""
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _used_bytes(folder: Path) -> int:
    """Bytes on disk, as the kubelet counts them."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += Path(parent, name).lstat().st_blocks * 512
    return total


def size(count: int) -> str:
    """Bytes for people."""
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def _disk_error(error: OSError, folder: Path) -> FetchError:
    if error.errno in FULL_ERRORS:
        return FetchError("DiskFull", f"no space is left on {folder}: {error}")
    uid, groups = os.getuid(), sorted({os.getgid(), *os.getgroups()})
    return FetchError(
        "CacheNotWritable",
        f"user {uid} (groups {groups}) cannot write {folder} ({error.strerror or error}): "
        f"set securityContext.fsGroup: {uid} on the pod, or change the owner of the volume's files",
    )


def unforeseen(error: Exception, folder: Path) -> FetchError:
    """What to tell of an error that nobody translated while files were prepared: the disk's fault, or ours."""
    if isinstance(error, OSError) and error.errno in DISK_ERRORS:
        return _disk_error(error, folder)
    return FetchError(
        "EngineExited", f"the model's files could not be prepared: {type(error).__name__}: {error}"
    )


class Fetch:
    """A child process that fetches one snapshot; it lists the files first and waits for a word to go on."""

    def __init__(self, wanted: Instruction, cache: Cache, *, wake: Callable[[], None]) -> None:
        """Start it.

        Raises:
            FetchError: no process can be started.
        """
        self.wanted = wanted
        self.blobs: dict[str, int] = {}
        self.total: int | None = None
        self._cache = cache
        self._events: deque[dict[str, Any]] = deque()
        self._wake = wake
        self._grew_at = time.monotonic()
        self._done = 0
        job = {"repo": wanted.repo, "commit": wanted.commit, "files": wanted.files, "hub": str(cache.hub)}
        environment = {**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "0"}
        command = [sys.executable, str(Path(__file__).resolve()), "--fetch", json.dumps(job)]
        try:
            self.process = subprocess.Popen(  # noqa: S603 - this file again
                command,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise FetchError("EngineExited", f"fetching {wanted.repo} cannot be started: {error}") from error
        self._reader = threading.Thread(target=self._read, daemon=True)
        try:
            self._reader.start()
        except RuntimeError as error:
            self.cancel()
            raise FetchError("EngineExited", f"fetching {wanted.repo} cannot be followed: {error}") from error

    def poll(self, kept: Sequence[Instruction]) -> str | None:
        """The snapshot's path when it is complete, else None.

        Raises:
            FetchError: it failed.
            OSError: the cache cannot be read or written.
        """
        ended = self.process.poll() is not None
        if ended:
            self._reader.join(timeout=2.0)
        while self._events:
            event = self._events.popleft()
            if "failed" in event:
                raise FetchError(event["failed"], event["message"])
            if "blobs" in event:
                self._listed(event["blobs"], kept)
            elif "path" in event:
                self._cache.remember(self.wanted, event["path"], event["files"], self.total or 0)
                return str(event["path"])
        if ended:
            raise FetchError(
                "HubUnreachable", f"fetching {self.wanted.repo} ended with code {self.process.returncode}"
            )
        return None

    def progress(self) -> int:
        """Bytes on disk.

        Raises:
            FetchError: nothing has come for a long time.
        """
        if not self.blobs:
            return 0
        done = self._cache.on_disk(str(self.wanted.repo), self.blobs)
        now = time.monotonic()
        if done != self._done:
            self._grew_at, self._done = now, done
        elif now - self._grew_at > STALLED_SECONDS:
            raise FetchError(
                "HubUnreachable", f"no byte of {self.wanted.repo} has come for {STALLED_SECONDS:.0f} s"
            )
        return done

    def cancel(self) -> None:
        """End the child and whatever it started."""
        kill_session(self.process)
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    def _listed(self, blobs: dict[str, int], kept: Sequence[Instruction]) -> None:
        self.blobs = blobs
        self.total = sum(blobs.values())
        here = self._cache.on_disk(str(self.wanted.repo), blobs)
        self._cache.make_room(self.wanted, self.total - here, [*kept, self.wanted])
        log(
            f"fetching {self.wanted.repo} at {self.wanted.commit[:12]}: {size(here)} of {size(self.total)} are here"
        )
        with contextlib.suppress(OSError):
            if self.process.stdin is not None:
                self.process.stdin.write(b"go\n")
                self.process.stdin.flush()

    def _read(self) -> None:
        stream: IO[bytes] | None = self.process.stdout
        if stream is None:
            return
        with stream:
            for line in stream:
                with contextlib.suppress(ValueError):
                    event = json.loads(line)
                    if isinstance(event, dict):
                        self._events.append(event)
                        self._wake()
        self._wake()


def fetch_main(job: dict[str, Any]) -> None:
    """The child: say what there is to fetch, wait, fetch it, say where it is. Events are lines of JSON."""
    try:
        # By name, because this file stands alone: the library is the image's, and only this child needs it.
        hub = importlib.import_module("huggingface_hub")
        patterns = list(job["files"]) or None
        names = _list_files(hub, job, patterns)
        if sys.stdin.readline().strip() != "go":
            return
        path = hub.snapshot_download(
            job["repo"], revision=job["commit"], cache_dir=job["hub"], allow_patterns=patterns
        )
        _say({"path": path, "files": names})
    except Exception as error:
        # Whatever it is, it has to become a reason.
        reason, message = classify(error, job["repo"], job["commit"])
        _say({"failed": reason, "message": shortened(message)})


def _list_files(
    hub: Any,  # noqa: ANN401 - a module
    job: dict[str, Any],
    patterns: list[str] | None,
) -> list[str]:
    info = hub.HfApi().model_info(job["repo"], revision=job["commit"], files_metadata=True)
    files = [f for f in info.siblings if patterns is None or any(matches(f.rfilename, p) for p in patterns)]
    if not files:
        raise FetchError("ModelNotFound", f"no file of {job['repo']} matches {patterns}")
    # A blob is named by what the Hub gives as ETag: the sha256 of large files, git's own hash of others.
    blobs = {str(f.lfs.sha256 if f.lfs else f.blob_id): int(f.size or 0) for f in files}
    _say({"blobs": blobs})
    return [str(f.rfilename) for f in files]


def matches(name: str, pattern: str) -> bool:
    """Whether a file is meant by a pattern, in huggingface_hub's manner: a folder means all that is in it."""
    return fnmatch.fnmatch(name, pattern + "*" if pattern.endswith("/") else pattern)


def _say(event: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def classify(error: BaseException, repo: str, commit: str) -> tuple[str, str]:
    """Reason and sentence for whatever went wrong while fetching."""
    if isinstance(error, FetchError):
        return error.reason, str(error)
    chain = _chain(error)
    for link in chain:
        if isinstance(link, OSError) and link.errno in DISK_ERRORS:
            failure = _disk_error(link, Path(str(link.filename or "the cache volume")))
            return failure.reason, str(failure)
    # Names, because the classes are the library's, which differ between the versions that images have.
    kinds = {kind.__name__ for link in chain for kind in type(link).__mro__}
    codes = {getattr(getattr(link, "response", None), "status_code", None) for link in chain}
    text = f"{type(error).__name__}: {error}"
    remedy = "accept its terms on the Hub, and give a token that may read it (spec.model.tokenSecretRef)"
    absent = "EntryNotFoundError" in kinds and "LocalEntryNotFoundError" not in kinds
    rules = (
        ("No space left" in text, "DiskFull", f"no space is left for {repo}: {text}"),
        # Before the next one, because the library makes it a special case of that.
        ("GatedRepoError" in kinds, "ModelGated", f"{repo} is gated: {remedy}"),
        (
            "RepositoryNotFoundError" in kinds,
            "ModelNotFound",
            f"the Hub has no model {repo}, or shows it only to a token that may read it",
        ),
        (
            "RevisionNotFoundError" in kinds or absent,
            "ModelNotFound",
            f"{repo} has no commit {commit}, or a file of it is gone",
        ),
        (bool(codes & {401, 403}), "ModelGated", f"the Hub refuses {repo}: {remedy}"),
        ("ImportError" in kinds, "HubUnreachable", f"the image's huggingface_hub cannot be used: {text}"),
        (True, "HubUnreachable", f"the Hub gave no usable answer for {repo}: {text}"),
    )
    return next((reason, message) for holds, reason, message in rules if holds)


def _chain(error: BaseException) -> list[BaseException]:
    """An error and what caused it."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return chain


# --- The supervisor -----------------------------------------------------------------------------------------


class Backoff:
    """How long to wait before the next try."""

    def __init__(self) -> None:
        self.failures = 0
        self.next_at = 0.0

    def failed(self, now: float) -> float:
        """Count a failure; the delay that follows."""
        delay = min(FIRST_DELAY_SECONDS * 2.0 ** min(self.failures, 16), LONGEST_DELAY_SECONDS)
        self.failures += 1
        self.next_at = now + delay
        return delay

    def reset(self) -> None:
        """Forget the failures."""
        self.failures = 0
        self.next_at = 0.0


class Supervisor:
    """The main thread's decisions."""

    def __init__(self, *, instruction: Path, cache: Cache, shm: Path) -> None:
        self._file = InstructionFile(instruction)
        self._cache = cache
        self._shm = shm
        self._awake, self._waker = os.pipe()
        os.set_blocking(self._awake, False)
        os.set_blocking(self._waker, False)
        self._terms = 0
        self._wanted_hash = ""
        self._wanted: Instruction | None = None
        self._prepared: Prepared | None = None
        self._fetch: Fetch | None = None
        self._fetch_backoff = Backoff()
        self._engine: Engine | None = None
        self._engine_backoff = Backoff()
        self._failure: Failure | None = None  # of what is wanted now
        self._last_failure: Failure | None = None
        self._mistake: Failure | None = None  # of the supervisor itself, in its last pass
        self._mistake_backoff = Backoff()
        self._restarts = 0
        self._bytes: tuple[int, int | None] = (0, None)
        self._measured_at = 0.0
        self.status = Status(self._shown())

    def wake(self) -> None:
        """Have the main thread look again at once; safe in any thread."""
        with contextlib.suppress(BlockingIOError):
            os.write(self._waker, b".")

    def terminate(self, number: int, _frame: object) -> None:
        """A signal handler: the pod is being deleted."""
        self._terms += 1
        log(f"{signal.Signals(number).name}: the engine may finish what it does, then everything ends")

    def run(self) -> None:
        """Decide, again and again, until the pod is deleted and the engine is gone."""
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, self.terminate)
        signal.signal(signal.SIGINT, self.terminate)
        pause, ended = 0.0, False
        while not ended:
            self._sleep(pause)
            try:
                ended = self._decide()
                pause = TICK_SECONDS
            except Exception as error:  # the engine and the application must not pay for it
                pause = self._blunder(error, time.monotonic())
        log("everything has ended")

    def _decide(self) -> bool:
        """One pass over everything; whether all has ended."""
        self._reap()
        if self._terms:
            self._cancel_fetch()
            if self._engine is None:
                return True
            self._end_for_good(time.monotonic())
        else:
            self._read_instruction()
            self._advance_fetch(time.monotonic())
        now = time.monotonic()
        self._advance_engine(now)
        self._mistake = None
        if now - self._mistake_backoff.next_at > STEADY_SECONDS:
            self._mistake_backoff.reset()
        self.status.update(self._shown())
        return False

    def _blunder(self, error: Exception, now: float) -> float:
        """A pass broke off for a reason that nobody foresaw: say so, and when it is tried again.

        What was read is read again, because nobody knows how far it came.
        """
        delay = self._mistake_backoff.failed(now)
        log(f"{traceback.format_exc()}pillion: that should not have happened; trying again in {delay:.1f} s")
        text = f"the supervisor itself failed ({type(error).__name__}: {error}); it goes on, and its log has more"
        self._mistake = self._last_failure = Failure("EngineExited", shortened(text), self._wanted_hash)
        self._file.forget()
        with contextlib.suppress(Exception):
            self.status.update(self._shown())
        return delay

    def _sleep(self, seconds: float) -> None:
        select.select([self._awake], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            while os.read(self._awake, 4096):
                pass

    def _reap(self) -> None:
        """Bury orphans that came to us, and leave our own children to those who wait for them."""
        own = {child.process.pid for child in (self._engine, self._fetch) if child is not None}
        with contextlib.suppress(ChildProcessError):
            while True:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if found is None or found.si_pid in own:
                    return
                os.waitpid(found.si_pid, os.WNOHANG)

    # What is wanted, and its files.

    def _read_instruction(self) -> None:
        text = self._file.changed()
        if text is None or (self._wanted_hash and hash_of(text) == self._wanted_hash):
            return
        self._cancel_fetch()
        self._wanted_hash = hash_of(text)
        self._failure = None
        self._fetch_backoff.reset()
        self._engine_backoff.next_at = 0.0  # a new word is worth a new try
        try:
            self._wanted = parse_instruction(text)
            log(f"instruction {self._wanted_hash} of {self._wanted.revision}")
        except InstructionError as error:
            self._wanted = None
            self._fail("InstructionInvalid", str(error), self._wanted_hash)

    def _advance_fetch(self, now: float) -> None:
        wanted = self._wanted
        if wanted is None or (self._prepared is not None and self._prepared.instruction.hash == wanted.hash):
            return
        try:
            path = self._fetched(wanted, now)
        except FetchError as error:
            self._fetch_failed(error, wanted, now)
            return
        except Exception as error:  # the engine that serves is looked after whatever happens here
            if not isinstance(error, OSError):
                log(traceback.format_exc())
            self._fetch_failed(unforeseen(error, self._cache.folder), wanted, now)
            return
        if path is not None:
            self._cancel_fetch()
            self._failure = None
            self._prepared = Prepared(wanted, path)
            self._engine_backoff.reset()

    def _fetch_failed(self, error: FetchError, wanted: Instruction, now: float) -> None:
        delay = self._fetch_backoff.failed(now)
        self._fail(error.reason, str(error), wanted.hash)
        log(f"fetching again in {delay:.1f} s")
        self._cancel_fetch()

    def _fetched(self, wanted: Instruction, now: float) -> str | None:
        """Where the wanted model's files are, or None while they are on their way."""
        if self._fetch is not None:
            path = self._fetch.poll(self._in_use())
            if path is not None:
                self._bytes = (self._fetch.total or 0, self._fetch.total)
            elif now - self._measured_at > 1.0:
                self._measured_at = now
                self._bytes = (self._fetch.progress(), self._fetch.total)
            return path
        if now < self._fetch_backoff.next_at:
            return None
        self._cache.prepare()
        if wanted.repo is None:
            if not Path(wanted.path).is_dir():
                raise FetchError(
                    "ModelNotFound", f"there is no folder {wanted.path} in the engine's container"
                )
            self._bytes = (0, None)
            return wanted.path
        found = self._cache.complete(wanted)
        if found is not None:
            log(f"{wanted.repo} at {wanted.commit[:12]} is in the cache")
            self._bytes = (found[1], found[1])
            return found[0]
        self._bytes = (0, None)
        self._fetch = Fetch(wanted, self._cache, wake=self.wake)
        return None

    def _in_use(self) -> list[Instruction]:
        """What is being served, or will be if the engine starts again: its files stay."""
        used = [self._prepared.instruction] if self._prepared is not None else []
        return [*used, self._engine.instruction] if self._engine is not None else used

    def _cancel_fetch(self) -> None:
        if self._fetch is not None:
            self._fetch.cancel()
            self._fetch = None

    # The engine.

    def _advance_engine(self, now: float) -> None:
        engine = self._engine
        if engine is None:
            if self._prepared is not None and not self._terms and now >= self._engine_backoff.next_at:
                self._start(self._prepared, now)
            return
        other = self._prepared is not None and self._prepared.instruction.hash != engine.hash
        if engine.phase in {LOADING, SERVING}:
            self._look_after(engine, now)
        if engine.phase == SERVING and other and not self._terms:
            log(f"draining the engine of instruction {engine.hash}")
            engine.phase, engine.deadline = DRAINING, now + engine.instruction.drain_seconds
        elif engine.phase == LOADING and other:
            self._end(engine, now)
        elif engine.phase == DRAINING:
            self._drain(engine, now, other=other)
        if engine.phase in {ENDING, KILLING}:
            self._bury(engine, now)

    def _start(self, prepared: Prepared, now: float) -> None:
        try:
            self._engine = Engine(prepared, shm=self._shm, wake=self.wake)
            log(f"starting {self._engine.program}, instruction {prepared.instruction.hash}")
        except (OSError, ValueError) as error:  # a ValueError is a word that no command line can have
            self._fail(
                "EngineExited",
                f"{prepared.instruction.argv[0]} cannot be run: {error}",
                prepared.instruction.hash,
            )
            self._engine_backoff.failed(now)

    def _look_after(self, engine: Engine, now: float) -> None:
        """An engine that is loading or serving: did it end, fall ill, become ready, take too long?"""
        code = engine.process.poll()
        limit = engine.instruction.startup_timeout_seconds
        if code is not None:
            engine.hear_out()
            how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with exit code {code}"
            self._lost(engine, self._end_of(engine, how, code), now)
        elif engine.unwell:
            self._lost(engine, self._end_of(engine, f"was ended, for {engine.unwell},", None), now)
        elif engine.phase == LOADING and engine.answered:
            engine.phase, engine.serving_since = SERVING, now
            if self._wanted_hash == engine.hash:
                self._failure = None
            log(f"serving instruction {engine.hash}, {now - engine.started_at:.1f} s after the start")
        elif engine.phase == LOADING and now - engine.started_at > limit:
            why = f": {engine.last_refusal}" if engine.last_refusal else ""
            text = f"{engine.program} gave no answer within {limit:.0f} s (spec.startupTimeoutSeconds){why}"
            self._lost(engine, Failure("StartupTimeout", text, engine.hash), now)
        elif engine.serving_since is not None and now - engine.serving_since > STEADY_SECONDS:
            self._engine_backoff.reset()

    def _end_of(self, engine: Engine, how: str, code: int | None) -> Failure:
        """Why an engine is no more, as far as it or the kernel says."""
        when = "while serving" if engine.serving_since is not None else "while loading"
        memory = engine.out_of_memory()
        # Whoever is killed had no last words.
        cause = memory or (engine.ending() if code is not None and code >= 0 else None)
        text = f"{engine.program} {how} {when}" + (f": {cause}" if cause else "")
        return Failure("EngineOutOfMemory" if memory else "EngineExited", text, engine.hash, code)

    def _lost(self, engine: Engine, failure: Failure, now: float) -> None:
        """It failed: whatever is left of it goes at once, and another one is started after a delay."""
        self._fail(failure.reason, failure.message, failure.hash, failure.exit_code)
        self._restarts += 1
        delay = self._engine_backoff.failed(now)
        log(f"starting again in {delay:.1f} s")
        engine.phase, engine.deadline = KILLING, now

    def _end(self, engine: Engine, now: float) -> None:
        engine.phase, engine.deadline = ENDING, now + TERMINATE_SECONDS
        if engine.process.poll() is None:
            send({engine.process.pid}, signal.SIGTERM)

    def _end_for_good(self, now: float) -> None:
        """The pod is being deleted. The application may still need the engine while it ends itself."""
        engine = self._engine
        if engine is None or engine.phase in {ENDING, KILLING}:
            return
        if engine.phase == LOADING or self._terms > 1:
            self._end(engine, now)
        elif engine.phase == SERVING:
            engine.phase, engine.deadline = DRAINING, now + engine.instruction.drain_seconds
            engine.quiet_since = None

    def _drain(self, engine: Engine, now: float, *, other: bool) -> None:
        if engine.process.poll() is not None or engine.unwell:
            engine.phase, engine.deadline = KILLING, now
        elif not other and not self._terms:
            engine.phase, engine.deadline = SERVING, float("inf")  # it is wanted again
        elif now >= engine.deadline or self._idle(engine, now):
            self._end(engine, now)

    def _idle(self, engine: Engine, now: float) -> bool:
        """Whether nobody would miss the engine now."""
        requests = busy_requests(engine.instruction.port)
        if not self._terms:
            return requests == 0
        # An application that ends keeps its connections until it is done with them, and then closes them.
        if requests or connections(engine.instruction.port):
            engine.quiet_since = None
            return False
        engine.quiet_since = engine.quiet_since or now
        return now - engine.quiet_since >= STAND_DOWN_SECONDS

    def _bury(self, engine: Engine, now: float) -> None:
        """Wait until no process of it is left, and kill those that do not go."""
        if engine.process.poll() is not None:
            engine.deadline = min(engine.deadline, now + ORPHAN_SECONDS)
        spared = self._fetch.process.pid if self._fetch is not None else None
        left = members(engine.session, processes(), ours=os.getpid(), spared=spared)
        if not left:
            engine.close()
            self._engine = None
            empty_folder(self._shm)
            self.wake()
        elif now >= engine.deadline:
            if now - engine.deadline > TERMINATE_SECONDS:
                log(f"these processes do not go: {sorted(left)}")
                engine.deadline = now
            send(left, signal.SIGKILL)

    # What is told.

    def _fail(self, reason: str, message: str, name: str, code: int | None = None) -> None:
        failure = Failure(reason, message, name, code)
        log(f"{reason}: {message}")
        self._last_failure = failure
        if name == self._wanted_hash:
            self._failure = failure

    def _state(self) -> str:
        engine = self._engine
        if engine is not None and engine.phase in {DRAINING, ENDING}:
            return "Draining"
        if self._fetch is not None:
            return "Fetching"
        if engine is not None and engine.hash == self._wanted_hash and engine.phase in {LOADING, SERVING}:
            return "Serving" if engine.phase == SERVING else "Loading"
        return "Failed" if self._failure is not None or self._mistake is not None else "Loading"

    def _shown(self) -> dict[str, Any]:
        engine = self._engine
        serving = engine is not None and engine.phase in {SERVING, DRAINING}
        failure = self._failure or self._mistake
        return {
            "state": self._state(),
            "hash": self._wanted_hash,
            "serving": engine.hash if engine is not None and serving else None,
            "revision": self._wanted.revision if self._wanted is not None else "",
            "bytesDone": self._bytes[0],
            "bytesTotal": self._bytes[1],
            "failure": failure.shown() if failure is not None else None,
            "lastFailure": self._last_failure.shown() if self._last_failure is not None else None,
            "restarts": self._restarts,
            "engine": {
                "kvCacheTokens": engine.kv_cache_tokens if engine is not None else None,
                "maxModelLen": engine.max_model_len if engine is not None else None,
                "port": engine.instruction.port if engine is not None else None,
            },
        }


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# --- What the pod's address answers -------------------------------------------------------------------------


# What the base class passes on.
Connection = Union[socket.socket, tuple[bytes, socket.socket]]  # noqa: UP007 - it is evaluated on 3.9 too


class Server(http.server.ThreadingHTTPServer):
    """Answers on every address of the pod; reads alone, and never more connections than a bound."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, status: Status) -> None:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        self.status = status
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        # IPv6 with IPv4 mapped into it, where the pod has IPv6 at all.
        both = _has_ipv6()
        self.address_family = socket.AF_INET6 if both else socket.AF_INET
        super().__init__(("::" if both else "0.0.0.0", port), Handler)  # noqa: S104 - the pod's address

    def server_bind(self) -> None:
        """Take both families with one socket."""
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        # The base class would look the address up by name, which can take long in a pod.
        self.server_name, self.server_port = "pillion", self.socket.getsockname()[1]

    def process_request(self, request: Connection, client_address: object) -> None:
        """A thread for each connection, while there are not too many."""
        if self._free.acquire(blocking=False):
            try:
                super().process_request(request, client_address)
            except BaseException:
                self._free.release()  # no thread can be started, so none will give the place back
                raise
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Connection, client_address: object) -> None:
        """Answer one connection and give its place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Connection, client_address: object) -> None:
        """A client that went away is nobody's concern."""


class Handler(http.server.BaseHTTPRequestHandler):
    """GET of four paths."""

    protocol_version = "HTTP/1.1"
    server_version = "pillion"
    sys_version = ""
    timeout = 30.0
    server: Server

    def do_GET(self) -> None:
        """Answer."""
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/status":
            self._status(urllib.parse.parse_qs(url.query))
        elif url.path == "/healthz":
            self._answer(http.client.OK, b"ok\n", "text/plain")
        elif url.path == "/ready":
            shown = self.server.status.snapshot()
            ready = shown["state"] == "Serving"
            code = http.client.OK if ready else http.client.SERVICE_UNAVAILABLE
            self._answer(code, f"{shown['state']}\n".encode(), "text/plain")
        elif url.path == "/metrics":
            self._answer(http.client.OK, metrics(self.server.status.snapshot()), "text/plain; version=0.0.4")
        else:
            self._answer(
                http.client.NOT_FOUND, b"there are /status, /ready, /healthz and /metrics\n", "text/plain"
            )

    def _status(self, query: dict[str, list[str]]) -> None:
        try:
            after = int(query["after"][0]) if "after" in query else None
            wait = float(query["wait"][0]) if "wait" in query else 0.0
        except ValueError:
            self._answer(
                http.client.BAD_REQUEST, b"after is a serial, wait a number of seconds\n", "text/plain"
            )
            return
        shown = self.server.status.wait(after, wait if wait > 0 else 0.0, self._gone)
        self._answer(http.client.OK, json.dumps(shown).encode(), "application/json")

    def _gone(self) -> bool:
        """Whether the client has hung up, so that its place can be given to another."""
        try:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except (OSError, ValueError):
            return True

    def _answer(self, code: int, body: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Requests are not worth a line."""


def metrics(shown: dict[str, Any]) -> bytes:
    """Our own series in Prometheus' text format, then the engine's."""
    states = ("Fetching", "Loading", "Serving", "Draining", "Failed")
    lines = ["# TYPE pillion_supervisor_state gauge"]
    lines += [f'pillion_supervisor_state{{state="{s}"}} {int(shown["state"] == s)}' for s in states]
    lines += [
        "# TYPE pillion_supervisor_engine_restarts_total counter",
        f"pillion_supervisor_engine_restarts_total {shown['restarts']}",
        "# TYPE pillion_supervisor_fetched_bytes gauge",
        f"pillion_supervisor_fetched_bytes {shown['bytesDone']}",
        "",
    ]
    engine = b""
    port = shown["engine"]["port"] if shown["serving"] else None
    if port is not None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            code, body = ask(port, "/metrics", timeout=5.0)
            engine = body if code == http.client.OK else b""
    return "\n".join(lines).encode() + engine


def _has_ipv6() -> bool:
    if not socket.has_ipv6:
        return False
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True


def serve(port: int, status: Status) -> None:
    """Answer for ever; a port that is taken is tried again, and the engine does not wait for it."""
    while True:
        try:
            with Server(port, status) as server:
                server.serve_forever()
        except Exception as error:  # a pod whose /ready never answers again is never ready again
            log(f"cannot listen on port {port}: {error}; trying again")
        time.sleep(2.0)


def main(argv: Sequence[str]) -> int:
    """Run until the pod is deleted."""
    parser = argparse.ArgumentParser(description="Keeps an inference engine alive inside its container.")
    parser.add_argument("--fetch", metavar="JOB", help=argparse.SUPPRESS)  # the child's entry
    parser.add_argument("--port", type=int, help="where /status, /ready, /healthz and /metrics are answered")
    parser.add_argument("--instruction", type=Path, help="the file with the instruction")
    parser.add_argument("--cache", type=Path, help="the folder for models' files")
    parser.add_argument(
        "--cache-limit-bytes", type=int, help="how large it may grow, where it is the pod's own"
    )
    parser.add_argument("--shm", type=Path, help="the engine's own shared memory, emptied before each start")
    options = parser.parse_args(argv)
    if options.fetch is not None:
        fetch_main(json.loads(options.fetch))
        return 0
    for name in ("port", "instruction", "cache", "shm"):
        if getattr(options, name) is None:
            parser.error(f"--{name} is required")
    become_reaper()
    cache = Cache(options.cache, options.cache_limit_bytes)
    supervisor = Supervisor(instruction=options.instruction, cache=cache, shm=options.shm)
    threading.Thread(target=serve, args=(options.port, supervisor.status), daemon=True).start()
    supervisor.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
