"""Which Docker daemon do the kind clusters run in, and what does the host look like when it is gone?

A daemon that answers is used as it is. Where none does, Debian's is unpacked into the cache and started by
hand, with data, socket and process id in the cache too. The host is photographed before the start
(forwarding, firewall chains, bridges, cgroups), and what has appeared since is taken away after the stop;
what was there before stays.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster import cache, debian

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
SOCKET_PATH_LIMIT = 107  # bytes of sockaddr_un.sun_path, less the terminating zero; linux/un.h

# In the order of linux/capability.h: the index is the bit in /proc/self/status.
CAPABILITIES = (
    *(
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "KILL",
        "SETGID",
        "SETUID",
        "SETPCAP",
        "LINUX_IMMUTABLE",
    ),
    *(
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_ADMIN",
        "NET_RAW",
        "IPC_LOCK",
        "IPC_OWNER",
        "SYS_MODULE",
        "SYS_RAWIO",
    ),
    *(
        "SYS_CHROOT",
        "SYS_PTRACE",
        "SYS_PACCT",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_NICE",
        "SYS_RESOURCE",
        "SYS_TIME",
    ),
    *(
        "SYS_TTY_CONFIG",
        "MKNOD",
        "LEASE",
        "AUDIT_WRITE",
        "AUDIT_CONTROL",
        "SETFCAP",
        "MAC_OVERRIDE",
        "MAC_ADMIN",
        "SYSLOG",
    ),
    *("WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE"),
)

RUNC_WRAPPER = """\
#!/bin/sh
# An OCI runtime that does not ask for capabilities this host lacks ({names}).
# `--privileged` asks for all, and runc then refuses the whole container. What is asked for stands in the
# bundle's config.json (create) or in a file of its own (exec).
before=
for word in "$@"; do
  case $before in
    --bundle | -b) asked=$word/config.json ;;
    --process | -p) asked=$word ;;
  esac
  before=$word
done
if [ -f "${{asked:-}}" ]; then
  sed -i {edits} "$asked"
fi
exec {runc} "$@"
"""


class DockerError(Exception):
    """No usable Docker daemon, with what to do. The command line prints it, a test lane skips with it."""


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Photograph:
    """What a daemon changes on its host, as it was before the start."""

    ip_forward: str
    rules: Mapping[str, Sequence[str]]  # program and table → lines of `-S`
    bridges: Sequence[str]
    cgroups: Sequence[str]
    folders: Sequence[str]  # which of FOLDERS existed


# Made by dockerd (its key), by containerd's shims (sockets) and by kind's bind mount, whatever their data
# folders are.
FOLDERS = ("/etc/docker", "/run/containerd", "/lib/modules")


def found() -> Docker | None:
    """A daemon that already answers: the user's own, or the one that was started here."""
    client = shutil.which("docker")
    if client:
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
        if (folder / "before.json").exists():
            clean()  # its last run ended without us
        progress("starting a Docker daemon of its own")
        _prepare(programs)
        (folder / "before.json").write_text(json.dumps(_asdict(_photograph())))
        # Turned on first: a daemon that finds forwarding off turns it on and has everything else that is
        # forwarded dropped.
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
        _launch(programs)
        return _ours(programs)


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
            os.kill(pid, signal.SIGTERM)
            if not _gone(pid, seconds=STOP_SECONDS):
                os.kill(pid, signal.SIGKILL)
                _gone(pid, seconds=STOP_SECONDS)
        clean()


def clean() -> None:
    """Undo on the host what the stopped daemon of the cache did there. What its photograph shows is left
    alone.
    """
    folder = _folder()
    before = Photograph(**json.loads((folder / "before.json").read_text()))
    _clean_firewall(before)
    for bridge in _bridges():
        if bridge not in before.bridges:
            subprocess.run(["ip", "link", "delete", bridge], check=False, capture_output=True)
    for group in _cgroups():
        if group not in before.cgroups:
            _remove_empty(Path(group))
    Path("/proc/sys/net/ipv4/ip_forward").write_text(before.ip_forward)
    for name in FOLDERS:
        if name not in before.folders:
            Path(name, "key.json").unlink(missing_ok=True)
            _remove_empty(Path(name))
    (folder / "dockerd.pid").unlink(missing_ok=True)
    (folder / "before.json").unlink()


def log() -> Path:
    """Where the daemon of the cache writes what happens to it."""
    return _folder() / "dockerd.log"


def _folder() -> Path:
    return cache.root() / "dockerd"


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
    """The process id in our file, if that process is our daemon: ids are given again, and a killed daemon
    leaves its file.
    """
    try:
        pid = int((_folder() / "dockerd.pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if f"{_folder()}/data".encode() in command else None


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
    wrapper.write_text(runc_wrapper(lacking=lacking_capabilities(_bounding_set()), runc=runc))
    wrapper.chmod(0o755)


def lacking_capabilities(bounding_set: int) -> list[str]:
    """The names of the capabilities that nobody on this host can have, from the mask in /proc/self/status."""
    return [f"CAP_{name}" for bit, name in enumerate(CAPABILITIES) if not bounding_set >> bit & 1]


def runc_wrapper(*, lacking: Sequence[str], runc: str) -> str:
    """A script that runs runc without asking for these capabilities."""
    edits = " ".join(f"""-e 's/"{name}",//g' -e 's/,"{name}"//g'""" for name in lacking) or "-e ''"
    return RUNC_WRAPPER.format(names=", ".join(lacking) or "none", edits=edits, runc=runc)


def _bounding_set() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            return int(line.split()[1], 16)
    return 0


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
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    process.terminate()
    process.wait()
    clean()
    raise DockerError(f"dockerd did not come up: {_last_line(log())} (all of it in {log()}).")


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


def _asdict(photograph: Photograph) -> dict[str, object]:
    return {name: getattr(photograph, name) for name in Photograph.__slots__}


def _photograph() -> Photograph:
    return Photograph(
        ip_forward=Path("/proc/sys/net/ipv4/ip_forward").read_text().strip(),
        rules={f"{program} {table}": _rules(program, table) for program, table in _tables()},
        bridges=_bridges(),
        cgroups=_cgroups(),
        folders=[name for name in FOLDERS if Path(name).exists()],
    )


def _tables() -> list[tuple[str, str]]:
    return [(program, table) for program in ("iptables", "ip6tables") for table in ("filter", "nat", "raw")]


def _rules(program: str, table: str) -> list[str]:
    done = _iptables(program, "-t", table, "-S")
    return done.stdout.splitlines() if done.returncode == 0 else []


def _iptables(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = _environment(_program_folder())
    executable = shutil.which(program, path=environment["PATH"])
    if executable is None:
        return subprocess.CompletedProcess(program, 127, "", "")
    return subprocess.run(
        [executable, "--wait", *arguments], capture_output=True, text=True, check=False, env=environment
    )


def _clean_firewall(before: Photograph) -> None:
    """Remove rules and chains that Docker made since the photograph; other people's new rules name neither
    its chains nor a bridge.
    """
    for program, table in _tables():
        known = before.rules.get(f"{program} {table}", ())
        new = [line for line in _rules(program, table) if line not in known]
        for line in new:
            if is_dockers(line):
                _iptables(program, "-t", table, "-D", *_words(line.removeprefix("-A ")))
        chains = [line.split()[1] for line in new if line.startswith("-N DOCKER")]
        for action in ("-F", "-X"):
            for chain in chains:
                _iptables(program, "-t", table, action, chain)


def is_dockers(line: str) -> bool:
    """Whether a line of `iptables -S` is a rule that names one of Docker's chains or bridges."""
    return line.startswith("-A ") and re.search(r"\bDOCKER|\bdocker0\b|\bbr-[0-9a-f]{12}\b", line) is not None


def _words(rule: str) -> list[str]:
    return [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', rule)]


def _bridges() -> list[str]:
    return sorted(
        p.name for p in Path("/sys/class/net").iterdir() if re.fullmatch(r"docker0|br-[0-9a-f]{12}", p.name)
    )


def _cgroups() -> list[str]:
    top = Path("/sys/fs/cgroup")
    return sorted(str(path) for path in (*top.glob("docker"), *top.glob("*/docker")) if path.is_dir())


def _remove_empty(folder: Path) -> None:
    """Remove a tree of empty folders, and stop at whatever is not empty. A cgroup counts as empty when no
    process is in it.
    """
    if not folder.is_dir() or folder.is_symlink():
        return
    for child in folder.iterdir():
        _remove_empty(child)
    try:
        folder.rmdir()
    except OSError:
        return
