"""What does a Docker daemon change on its host, and how is that undone without touching what was there
before?

The host is photographed before the start: forwarding, firewall rules and chains, bridges, cgroups, folders.
After the stop, whatever of Docker's kind is not on the photograph is taken away.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Environment = Mapping[str, str]

FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
TABLES = tuple(
    (program, table) for program in ("iptables", "ip6tables") for table in ("filter", "nat", "raw")
)

# Made by dockerd (its key), by containerd's shims (sockets) and by kind's bind mount, whatever their data
# folders are.
FOLDERS = ("/etc/docker", "/run/containerd", "/lib/modules")


@dataclass(frozen=True, kw_only=True, slots=True)
class Photograph:
    """What a daemon changes on its host, as it was before the start."""

    ip_forward: str
    rules: Mapping[str, Sequence[str]]  # program and table → lines of `-S`
    bridges: Sequence[str]
    cgroups: Sequence[str]
    folders: Sequence[str]  # which of FOLDERS existed


def photograph(environment: Environment) -> Photograph:
    """The host as it is now; iptables is looked for and run with this environment."""
    return Photograph(
        ip_forward=FORWARDING.read_text().strip(),
        rules={f"{program} {table}": _rules(program, table, environment) for program, table in TABLES},
        bridges=_bridges(),
        cgroups=_cgroups(),
        folders=[name for name in FOLDERS if Path(name).exists()],
    )


def clean(before: Photograph, environment: Environment) -> None:
    """Undo what a daemon that has been stopped did here. What the photograph shows is left alone."""
    _clean_firewall(before, environment)
    for bridge in _bridges():
        if bridge not in before.bridges:
            subprocess.run(["ip", "link", "delete", bridge], check=False, capture_output=True)
    for group in _cgroups():
        if group not in before.cgroups:
            _remove_empty(Path(group))
    FORWARDING.write_text(before.ip_forward)
    for name in FOLDERS:
        if name not in before.folders:
            Path(name, "key.json").unlink(missing_ok=True)
            _remove_empty(Path(name))


def _rules(program: str, table: str, environment: Environment) -> list[str]:
    done = _iptables(environment, program, "-t", table, "-S")
    return done.stdout.splitlines() if done.returncode == 0 else []


def _iptables(environment: Environment, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    executable = shutil.which(program, path=environment["PATH"])
    if executable is None:
        return subprocess.CompletedProcess(program, 127, "", "")
    return subprocess.run(
        [executable, "--wait", *arguments], capture_output=True, text=True, check=False, env=dict(environment)
    )


def _clean_firewall(before: Photograph, environment: Environment) -> None:
    """Remove rules and chains that Docker made since the photograph; other people's new rules name neither
    its chains nor a bridge.
    """
    for program, table in TABLES:
        known = before.rules.get(f"{program} {table}", ())
        new = [line for line in _rules(program, table, environment) if line not in known]
        for line in new:
            if is_dockers(line):
                _iptables(environment, program, "-t", table, "-D", *_words(line.removeprefix("-A ")))
        chains = [line.split()[1] for line in new if line.startswith("-N DOCKER")]
        for action in ("-F", "-X"):
            for chain in chains:
                _iptables(environment, program, "-t", table, action, chain)


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
