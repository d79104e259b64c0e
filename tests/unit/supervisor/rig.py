"""How does a test run the supervisor as a container would?

In a process of its own, with the stand-in engine on the PATH, on free ports of the loopback, and folders of its own
for cache and shared memory. Waiting goes through the supervisor's own long poll, so nothing here sleeps.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pillion.supervisor import supervisor as program

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STANDIN = Path(__file__).parents[2] / "images" / "standin" / "vllm.py"
PATIENCE_SECONDS = 60.0


@dataclass
class Rig:
    """One supervisor with its surroundings."""

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.engine_port = free_pair()
        self.port = self.engine_port + 1
        self.instruction_file = self.folder / "instruction"
        self.cache, self.shm = self.folder / "cache", self.folder / "shm"
        self.output = self.folder / "output.txt"
        for path in (self.cache, self.shm, self.folder / "bin"):
            path.mkdir()
        command = self.folder / "bin" / "vllm"
        command.write_text(f'#!/bin/sh\nexec {sys.executable} {STANDIN} "$@"\n')
        command.chmod(0o755)

    def model(self, name: str, **config: object) -> Path:
        """A folder that the stand-in takes for a model."""
        path = self.folder / "models" / name
        path.mkdir(parents=True)
        (path / "config.json").write_text(json.dumps({"model_type": "llama", **config}))
        return path

    def instruct(self, model: Path | Mapping[str, object], **changes: object) -> str:
        """Write an instruction as the kubelet does, in one step; its hash."""
        source = {"path": str(model)} if isinstance(model, Path) else dict(model)
        document = {
            "version": 1,
            "revision": "r-0123456789ab",
            "model": source,
            "argv": [*self.command(), "--max-model-len", "8192"],
            "env": {},
            "port": self.engine_port,
            "task": "TextGeneration",
            "servedName": "chat",
            "startupTimeoutSeconds": 30,
            "drainSeconds": 5,
            **changes,
        }
        return self.write(json.dumps(document, sort_keys=True, separators=(",", ":")))

    def command(self) -> list[str]:
        """The engine's command line, as far as every test has it."""
        address = ["--host", "127.0.0.1", "--port", str(self.engine_port)]
        return ["vllm", "serve", "{model}", *address, "--served-model-name", "chat"]

    def write(self, text: str) -> str:
        """Write any text for an instruction; its hash."""
        draft = self.folder / "draft"
        draft.write_text(text)
        draft.replace(self.instruction_file)
        return program.hash_of(text)

    def start(self) -> None:
        """Run the supervisor."""
        surroundings = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.cache / "home"),
            "STANDIN_SHM": str(self.shm),
            **self.variables,
        }
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    program.__file__,
                    f"--port={self.port}",
                    f"--instruction={self.instruction_file}",
                    f"--cache={self.cache}",
                    f"--shm={self.shm}",
                    *self.arguments,
                ],
                env=surroundings,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def get(self, path: str, *, port: int | None = None, timeout: float = 70.0) -> tuple[int, bytes]:
        """What the supervisor (or another port) answers."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def status(self, *, after: int | None = None, wait: float = 0.0) -> dict[str, Any]:
        """What `/status` says; a supervisor that has just been started is waited for."""
        query = f"?after={after}&wait={wait}" if after is not None else ""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                shown: dict[str, Any] = json.loads(self.get(f"/status{query}")[1])
            except ConnectionRefusedError:
                assert self.process is not None
                assert self.process.poll() is None, self.said()
                assert time.monotonic() < deadline, self.said()
            else:
                return shown

    def wait(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first status for which something holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        shown = self.status()
        while not holds(shown):
            left = deadline - time.monotonic()
            assert left > 0, f"it never came; last: {shown}\n{self.said()}"
            shown = self.status(after=shown["serial"], wait=left)
        return shown

    def serving(self, name: str) -> dict[str, Any]:
        """The status once the instruction of that hash serves."""
        return self.wait(lambda shown: shown["state"] == "Serving" and shown["serving"] == name)

    def failed(self, name: str) -> dict[str, Any]:
        """The status once the instruction of that hash has failed."""
        return self.wait(lambda shown: shown["failure"] is not None and shown["failure"]["hash"] == name)

    def hear(self, text: str, *, times: int = 1) -> None:
        """Wait until something was printed so many times, by a supervisor that does not end of it."""
        assert self.process is not None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.said().count(text) < times:
            assert time.monotonic() < deadline, self.said()
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self.process.wait(timeout=0.05)
                raise AssertionError(f"the supervisor ended with {code}\n{self.said()}")

    def chat(self, text: str = "hello") -> str:
        """What the engine answers an application."""
        body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": text}]})
        connection = http.client.HTTPConnection("127.0.0.1", self.engine_port, timeout=30)
        with contextlib.closing(connection):
            connection.request("POST", "/v1/chat/completions", body, {"Content-Type": "application/json"})
            answer = json.loads(connection.getresponse().read())
        said: str = answer["choices"][0]["message"]["content"]
        return said

    def engine(self) -> tuple[int, int]:
        """The ids of the engine's main process and of its worker."""
        found = self.engines()
        sessions = [pid for pid, process in found.items() if process.session == pid]
        workers = [pid for pid in found if pid not in sessions]
        assert len(sessions) == 1, found
        assert len(workers) == 1, found
        return sessions[0], workers[0]

    def engines(self) -> dict[int, program.Process]:
        """Every living process of this rig that runs the stand-in."""
        found = {}
        for pid, process in program.processes().items():
            with contextlib.suppress(OSError):
                mine = str(self.shm).encode() in Path(f"/proc/{pid}/environ").read_bytes()
                command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if mine and str(STANDIN).encode() in command and process.state not in "ZX":
                    found[pid] = process
        return found

    def said(self) -> str:
        """All that was printed."""
        return self.output.read_text(errors="replace")

    def end(self) -> int:
        """Have it end as the kubelet does, and its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def close(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.engines():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def free_pair() -> int:
    """A port that is free together with the next one.

    Below the ports that the kernel gives to clients: a client that knocks there before anybody listens can be
    connected to itself.
    """
    while True:
        port = random.randrange(20_000, 32_000, 2)  # noqa: S311 - no secret
        with socket.socket() as first, socket.socket() as second, contextlib.suppress(OSError):
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port
