"""How does one program come out of a Go module, without git and without a clone?

In a throw-away module that requires the one it comes from, compiled statically. The whole output of the
compiler is kept in the cache under `logs/`.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster import ClusterError, cache, processes, toolchain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.cache import Progress

# How often a long compilation says that it is alive.
HEARTBEAT_SECONDS = 30.0

# `go` in a go.mod also decides the defaults of GODEBUG; Kubernetes 1.36's own go.mod has the same.
HEADER = "module pillion.dev/build\n\ngo 1.26.0\n"

# -mod=mod completes go.mod and go.sum as it goes, which spares `go mod tidy` and the test dependencies that
# it downloads.
FLAGS = ("-trimpath", "-buildvcs=false", "-mod=mod")
LDFLAGS = ("-s", "-w")


class BinariesError(ClusterError):
    """A program cannot be had."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Programs that come out of one module at one version.

    Attributes:
        name: what the cache calls the module.
        module: its path, "" for a program whose source is ours.
        version: its version, with the v.
        packages: name of a program -> path of its package inside the module.
        ldflags: more flags for the linker.
        staging: whether its go.mod replaces modules by folders below ./staging, as that of Kubernetes does.
        source: the program, where it is ours.
    """

    name: str
    module: str
    version: str
    packages: dict[str, str]
    ldflags: tuple[str, ...] = ()
    staging: bool = False
    source: str = ""

    def recipe(self, program: str) -> str:
        """The hash of all that decides what comes out, but for the compiler: a newer Go changes nothing."""
        target = [os.environ.get(variable, "") for variable in ("GOOS", "GOARCH")]
        ours = [HEADER, FLAGS, LDFLAGS, self.ldflags, self.source]
        return cache.recipe_hash(self.module, self.version, self.packages[program], ours, target)


@dataclass(frozen=True, kw_only=True, slots=True)
class Build:
    """One program to compile. `title` opens every line of progress."""

    program: str
    group: Group
    compiler: Path
    title: str
    progress: Progress

    @property
    def workshop(self) -> Path:
        """The throw-away module, shared by the programs of the group."""
        return cache.root() / "modules" / f"{self.group.name}-{self.group.version}"

    @property
    def log(self) -> Path:
        """All that the compiler says."""
        return cache.root() / "logs" / f"build-{self.program}-{self.group.version}.log"

    def make(self, draft: Path) -> None:
        """Compile into that folder, one program per module at a time: compiling completes go.mod and go.sum.

        Raises:
            BinariesError: it does not compile, or its module cannot be had; the message has the log's end.
        """
        lock = self.workshop.with_name(f".{self.workshop.name}.lock")
        with cache.locked(lock, waiting=lambda: self.progress(f"{self.title}: waiting for its module")):
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self.workshop.mkdir(parents=True, exist_ok=True)
            started = time.monotonic()
            with self.log.open("w") as transcript, self._heartbeat(started):
                self._compile(draft / self.program, transcript.fileno())
        seconds, mebibytes = time.monotonic() - started, (draft / self.program).stat().st_size / 2**20
        self.progress(f"{self.title}: built in {seconds:.0f} s, {mebibytes:.0f} MiB")

    def _compile(self, output: Path, transcript: int) -> None:
        package = f"{self._prepared(transcript)}/{self.group.packages[self.program]}".rstrip("/")
        ldflags = " ".join((*LDFLAGS, *self.group.ldflags))
        answer = subprocess.run(
            [str(self.compiler), "build", "-v", *FLAGS, "-ldflags", ldflags, "-o", str(output), package],
            cwd=self.workshop,
            env=toolchain.environment(),
            stdout=transcript,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if answer.returncode:
            raise BinariesError(
                f"{self.program} {self.group.version} does not compile. The end of {self.log}:\n"
                f"{processes.tail(self.log, lines=8)}"
            )

    def _prepared(self, transcript: int) -> str:
        """The import path that programs hang below, after writing the throw-away module."""
        if self.group.source:
            (self.workshop / "go.mod").write_text(HEADER)
            (self.workshop / "main.go").write_text(self.group.source)
            return "."
        lines = [f"require {self.group.module} {self.group.version}"]
        if self.group.staging:
            lines += self._staging(transcript)
        source = "\n".join([HEADER, *lines, ""])
        # go.mod grows while building, so it starts anew only where the lines that we wrote differ; that also
        # heals one that was left half-written.
        noted = self.workshop / "written.mod"
        if not (self.workshop / "go.sum").exists() or not noted.exists() or noted.read_text() != source:
            (self.workshop / "go.sum").unlink(missing_ok=True)
            (self.workshop / "go.mod").write_text(source)
            noted.write_text(source)
        return self.group.module

    def _staging(self, transcript: int) -> list[str]:
        """Replacements for the modules that Kubernetes keeps in ./staging.

        Each is published as v0.x.y beside Kubernetes v1.x.y.
        """
        name = f"{self.group.module}@{self.group.version}"
        answer = subprocess.run(
            [str(self.compiler), "mod", "download", "-json", name],
            # Outside the workshop, whose go.mod may be the half-written one that is about to be replaced.
            cwd=self.workshop.parent,
            env=toolchain.environment(),
            stdout=subprocess.PIPE,
            stderr=transcript,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
        told = json.loads(answer.stdout or "{}")
        if answer.returncode or "GoMod" not in told:
            reason = told.get("Error") or processes.tail(self.log) or "no answer"
            raise BinariesError(
                f"{name} cannot be fetched. Check the version, the network and GOPROXY: {reason}"
            )
        pattern = re.compile(r"^\s*(k8s\.io/[a-z0-9-]+) => \./staging/", flags=re.MULTILINE)
        twin = f"v0{self.group.version.removeprefix('v1')}"
        staged = pattern.findall(Path(told["GoMod"]).read_text())
        return [f"replace {module} => {module} {twin}" for module in staged]

    @contextlib.contextmanager
    def _heartbeat(self, started: float) -> Iterator[None]:
        """Say now and then how many packages are done, so that a long build does not seem to hang."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(HEARTBEAT_SECONDS):
                with self.log.open(errors="replace") as lines:
                    packages = sum(1 for line in lines if not line.startswith("go: "))
                seconds = time.monotonic() - started
                self.progress(f"{self.title}: {seconds:.0f} s, {packages} packages compiled")

        self.progress(f"{self.title}: building")
        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
