"""Which Docker daemon do the kind clusters run in, and how is one started where none answers?

A daemon that answers is used as it is. Where none does, Debian's is unpacked into the cache and started by
hand, with data, socket and process id in the cache too; what it leaves on the host is taken away after the
stop.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import ClusterError, cache, debian, host, runtime

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
SOCKET_PATH_LIMIT = 107  # bytes of sockaddr_un.sun_path, less the terminating zero; linux/un.h


class DockerError(ClusterError):
    """No usable Docker daemon, with what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Docker:
    """A daemon that answers, and the client to ask it with."""

    client: str  # path of the docker program
    host: str | None  # what DOCKER_HOST has to say; None: what the client takes by itself
    ours: bool  # started here, so stopped here

    def environment(self) -> dict[str, str]:
        """For kind and docker as child processes. Without proxies: kind copies them into the node, which
        cannot use them.
        """
        environment = {
            name: value for name, value in os.environ.items() if not name.upper().endswith("_PROXY")
        }
        if self.host:
            environment["DOCKER_HOST"] = self.host
            environment.pop("DOCKER_CONTEXT", None)
        environment["PATH"] = f"{Path(self.client).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
        return environment

    def run(
        self, *arguments: str, check: bool = True, timeout: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A docker command's result."""
        done = subprocess.run(
            [self.client, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env=self.environment(),
            timeout=timeout,
        )
        if check and done.returncode:
            raise DockerError(f"`docker {' '.join(arguments[:3])}` failed: {done.stderr.strip()}")
        return done


def found() -> Docker | None:
    """A daemon that already answers: the user's own, or the one that was started here."""
    client = shutil.which("docker")
    if client and os.environ.get("DOCKER_HOST") != f"unix://{_folder()}/docker.sock":
        theirs = Docker(client=client, host=None, ours=False)
        if _answers(theirs):
            return theirs
    return running()


def running() -> Docker | None:
    """The daemon that was started here, if it answers now."""
    if _pid() is None:
        return None
    ours = _ours(_program_folder())
    return ours if _answers(ours) else None


def had() -> bool:
    """Whether a daemon was started here and not stopped, be it alive or not."""
    return (_folder() / "before.json").exists()


def started(*, progress: cache.Progress) -> Docker:
    """The daemon of the cache, started unless it runs.

    Raises:
        DockerError: it does not come up.
        debian.PackageError: its packages cannot be had.
    """
    folder = _folder()
    if len(str(folder / "docker.sock").encode()) > SOCKET_PATH_LIMIT:
        raise DockerError(
            f"{folder} is too long a path for a Unix socket. Let PILLION_CACHE name a shorter one."
        )
    programs = debian.unpacked(_program_folder().parent, ["docker.io", "iptables"], progress=progress)
    with cache.locked(folder / "lock"):
        already = running()
        if already:
            return already
        _end_orphan()
        if (folder / "before.json").exists():
            _clean()  # its last run ended without us
        progress("starting a Docker daemon of its own")
        _prepare(programs)
        before = host.photograph(_environment(programs))
        (folder / "before.json").write_text(json.dumps(dataclasses.asdict(before)))
        host.prepare()
        _launch(programs)
        ours = _ours(programs)
        # kind takes a network of this name as it finds it. Its bridge has a name of ours, so that the rules
        # about it can be told from those of another daemon.
        bridge = f"com.docker.network.bridge.name={_bridge()}"
        if ours.run("network", "inspect", "kind", check=False).returncode:
            ours.run("network", "create", "--driver", "bridge", "--opt", bridge, "kind")
        return ours


def stopped(*, progress: cache.Progress) -> None:
    """Stop the daemon that was started here, if it runs, and take away what it left on the host."""
    folder = _folder()
    if not (folder / "before.json").exists():
        return
    with cache.locked(folder / "lock"):
        pid = _pid()
        if pid is not None:
            progress("stopping the Docker daemon")
            ours = _ours(_program_folder())
            ours.run("network", "prune", "--force", check=False)
            _end(pid)
        _clean()


def log() -> Path:
    """Where the daemon of the cache writes what happens to it."""
    return _folder() / "dockerd.log"


def _folder() -> Path:
    return cache.root() / "dockerd"


def _bridge() -> str:
    """The bridge's name: one for each cache, at most 15 letters as the kernel has it."""
    return f"pillion-{cache.recipe_hash(str(cache.root()))[:7]}"


def _program_folder() -> Path:
    return cache.root() / "debian" / "docker.io" / "root"


def _ours(programs: Path) -> Docker:
    return Docker(client=str(programs / "usr/bin/docker"), host=f"unix://{_folder()}/docker.sock", ours=True)


def _answers(docker: Docker) -> bool:
    try:
        return docker.run("version", "--format", "{{.Server.Version}}", check=False).returncode == 0
    except OSError:
        return False


def _pid() -> int | None:
    """The process id in our file, if that process is our daemon."""
    return _process(_folder() / "dockerd.pid", argument=f"{_folder()}/data")


def _process(file: Path, *, argument: str) -> int | None:
    """The process id in the file, if that process was started with the argument: ids are given again, and who
    is
    killed leaves its file.
    """
    try:
        pid = int(file.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if argument.encode() in command else None


def _end_orphan() -> None:
    """End the containerd of a daemon that was killed. A new daemon would take it for its own while it still
    dies.
    """
    folder = _folder() / "exec/containerd"
    pid = _process(folder / "containerd.pid", argument=f"{folder}/containerd.toml")
    if pid is not None:
        _end(pid)
    (folder / "containerd.pid").unlink(missing_ok=True)


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        if not _gone(pid, seconds=STOP_SECONDS):
            os.kill(pid, signal.SIGKILL)
            _gone(pid, seconds=STOP_SECONDS)


def _prepare(programs: Path) -> None:
    """What a package's installation would have done: the names of iptables' commands, and a runtime that this
    host can run.
    """
    folder = _folder()
    names = folder / "bin"
    shutil.rmtree(names, ignore_errors=True)
    names.mkdir(parents=True)
    unpacked = programs / "usr/sbin/xtables-nft-multi"
    if unpacked.exists():
        for name in (
            "iptables",
            "iptables-save",
            "iptables-restore",
            "ip6tables",
            "ip6tables-save",
            "ip6tables-restore",
        ):
            (names / name).symlink_to(unpacked)
    wrapper = names / "pillion-runc"
    runc = shutil.which("runc", path=_environment(programs)["PATH"]) or "runc"
    lacking = runtime.lacking_capabilities(runtime.bounding_set())
    wrapper.write_text(runtime.runc_wrapper(lacking=lacking, runc=runc))
    wrapper.chmod(0o755)


def _environment(programs: Path) -> dict[str, str]:
    libraries = [str(folder) for folder in sorted(programs.glob("usr/lib/*-linux-gnu*")) if folder.is_dir()]
    modules = [str(folder / "xtables") for folder in map(Path, libraries) if (folder / "xtables").is_dir()]
    ours = (_folder() / "bin", programs / "usr/sbin", programs / "usr/bin", programs / "sbin")
    system = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
    environment = {"PATH": os.pathsep.join(map(str, (*ours, *system))), "HOME": os.environ.get("HOME", "/")}
    if libraries:
        environment["LD_LIBRARY_PATH"] = os.pathsep.join(libraries)
    if modules:
        environment["XTABLES_LIBDIR"] = os.pathsep.join(modules)
    return environment


def _launch(programs: Path) -> None:
    folder = _folder()
    command = [
        *(str(programs / "usr/sbin/dockerd"), "--host", f"unix://{folder}/docker.sock"),
        *(
            "--data-root",
            f"{folder}/data",
            "--exec-root",
            f"{folder}/exec",
            "--pidfile",
            f"{folder}/dockerd.pid",
        ),
        # kind makes a network of its own, so the default bridge, whose addresses may be taken here, is not
        # needed.
        *("--bridge", "none", "--storage-driver", "overlay2"),
        *("--add-runtime", f"pillion={folder}/bin/pillion-runc", "--default-runtime", "pillion"),
    ]
    (folder / "dockerd.pid").unlink(missing_ok=True)
    if log().exists():
        log().replace(log().with_suffix(".log.1"))
    with log().open("wb") as out:
        # A session of its own: it outlives this process, and Ctrl-C at the terminal is not meant for it.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env=_environment(programs),
            start_new_session=True,
        )
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if _answers(_ours(programs)):
            process.returncode = 0  # it stays when we go; Python would warn of a child left running
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.terminate()
    process.wait()
    _clean()
    raise DockerError(f"dockerd did not come up: {_last_line(log())} (all of it in {log()}).")


def _clean() -> None:
    folder = _folder()
    noted = json.loads((folder / "before.json").read_text())
    before = host.Photograph(**{name: noted[name] for name in host.Photograph.__slots__})
    host.clean(before, _environment(_program_folder()), bridge=_bridge())
    host.unmount(folder)
    (folder / "dockerd.pid").unlink(missing_ok=True)
    (folder / "before.json").unlink()


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _gone(pid: int, *, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)  # where it is our own child it stays a zombie until it is asked for
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.1)
    return False
