"""What does the engine itself say?

Programs in `inside/` run in the engine's own Python. They read jobs as lines of JSON and answer each in a line that
begins with `ANSWER`; what else the engine prints is kept for when something fails.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.engine import installation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

INSIDE = Path(__file__).with_name("inside")
MARK = "ANSWER "
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # the answer is read from the engine's own objects
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "PYTHONWARNINGS": "ignore",
}

Answers = dict[str, dict[str, Any]]


def ask(
    program: str, jobs: Iterable[Mapping[str, Any]], *, python: Path, seconds: float, scratch: Path
) -> Answers:
    """The engine's answers, by each job's `id`.

    Raises:
        installation.EngineError: it did not answer all of them, with the end of what it printed.
    """
    asked = [dict(job) for job in jobs]
    done = subprocess.run(
        [python, INSIDE / f"{program}.py"],
        input="\n".join(json.dumps(job) for job in asked),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**os.environ, **ENVIRONMENT, "VLLM_CACHE_ROOT": str(python.parents[1] / "cache")},
        cwd=scratch,  # away from the sources, so that no folder of theirs is taken for a package
    )
    lines = [line.removeprefix(MARK) for line in done.stdout.splitlines() if line.startswith(MARK)]
    answers = {answer.pop("id"): answer for answer in map(json.loads, lines)}
    missing = [job["id"] for job in asked if job["id"] not in answers]
    if missing:
        message = f"no answer about {missing} from {program}: {(done.stdout + done.stderr)[-2000:]}"
        raise installation.EngineError(message)
    return answers
