"""Which processes are ours, do they still run, and how do they end?

A process is remembered by its id and its start time together, because ids are used again: nothing is ever
    signalled whose start time
is not the one that was noted.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PR_SET_PDEATHSIG = 1  # linux/prctl.h
POLL_SECONDS = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class Process:
    """A process that we started. `started` is its start time as the system tells it, "" where it does not."""

    name: str
    pid: int
    started: str


def start(
    name: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    die_with_us: bool,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Process:
    """Start a command in a session of its own, with everything it says in its log.

    Args:
        name: what the tables and messages call it.
        command: program and arguments.
        log: file for stdout and stderr together, begun anew.
        die_with_us: on Linux the kernel kills it when this process ends, however that happens. The kernel
            ties this to the calling thread, so it is asked for in the main thread only.
        environment: the whole environment, ours where it is None.
        cwd: the folder it runs in.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    tied = (
        die_with_us and platform.system() == "Linux" and threading.current_thread() is threading.main_thread()
    )
    with log.open("w") as output:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment) if environment is not None else None,
            cwd=cwd,
            start_new_session=True,
            preexec_fn=_death_signal(os.getpid()) if tied else None,  # noqa: PLW1509 - async-signal-safe calls only
        )
    # The handle is dropped on purpose: other commands stop this process by its record. Python would warn of a
    # child left running.
    child.returncode = 0
    return Process(name=name, pid=child.pid, started=start_time(child.pid) or "")


def runs(process: Process) -> bool:
    """Whether this very process still runs. A zombie does not run."""
    with contextlib.suppress(ChildProcessError, OSError):
        os.waitpid(process.pid, os.WNOHANG)
    return start_time(process.pid) == (process.started or None)


def stop(processes: Sequence[Process], *, grace_seconds: float = 10.0) -> list[Process]:
    """Ask each to end, wait, then kill what is left; return those that had to be killed."""
    _signal(processes, signal.SIGTERM)
    left = _wait(processes, grace_seconds)
    _signal(left, signal.SIGKILL)
    _wait(left, 5.0)
    return left


def wait_until(condition: Callable[[], bool], *, seconds: float, poll_seconds: float = POLL_SECONDS) -> bool:
    """Whether the condition came true in that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(poll_seconds)
    return True


def start_time(pid: int) -> str | None:
    """When the process started, as text that only serves to be compared; None when it does not run."""
    if platform.system() == "Linux":
        try:
            told = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None
        # The program's name stands in parentheses and may itself hold spaces; state and start time are fields
        # 3 and 22.
        fields = told.rpartition(")")[2].split()
        return None if fields[0] in {"Z", "X"} else fields[19]
    answer = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() or None


def tail(log: Path, *, lines: int = 6) -> str:
    """The last lines of a log, indented, to be put under an error's sentence."""
    try:
        said = log.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        return ""
    return "\n".join(f"    {line[:300]}" for line in said)


def _signal(processes: Sequence[Process], number: signal.Signals) -> None:
    for process in processes:
        if runs(process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)


def _wait(processes: Sequence[Process], seconds: float) -> list[Process]:
    wait_until(lambda: not any(runs(process) for process in processes), seconds=seconds)
    return [process for process in processes if runs(process)]


def _death_signal(parent: int) -> Callable[[], None]:
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return ask
