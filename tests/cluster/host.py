"""What does a Docker daemon change on its host, and how is that undone without touching what was there
before?

The host is photographed before the start: forwarding, firewall rules and chains, cgroups, folders. After the
stop, what is not on the photograph and names the daemon's bridge is taken away; Docker's own chains and
folders too, unless another daemon runs by then.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Environment = Mapping[str, str]

KERNEL = Path("/proc/sys")
# What containers in networks of their own, and several nodes on one machine, need at least. kind's
# documentation asks for the inotify limits; with 128 instances the fourth node's kubelet and kube-proxy died
# of "too many open files".
SETTINGS = {
    # Turned on before the daemon starts: one that finds it off turns it on and has all else that is forwarded
    # dropped.
    "net/ipv4/ip_forward": 1,
    "fs/inotify/max_user_instances": 1024,
    "fs/inotify/max_user_watches": 524288,
}
TABLES = tuple(
    (program, table) for program in ("iptables", "ip6tables") for table in ("filter", "nat", "raw")
)

# Made by dockerd (its key), by containerd's shims (sockets) and by kind's bind mount, whatever their data
# folders are.
FOLDERS = ("/etc/docker", "/run/containerd", "/lib/modules")


@dataclass(frozen=True, kw_only=True, slots=True)
class Photograph:
    """What a daemon changes on its host, as it was before the start."""

    settings: Mapping[str, int]  # of SETTINGS
    rules: Mapping[str, Sequence[str]]  # program and table → lines of `-S`
    cgroups: Sequence[str]
    folders: Sequence[str]  # which of FOLDERS existed


def photograph(environment: Environment) -> Photograph:
    """The host as it is now; iptables is looked for and run with this environment."""
    return Photograph(
        settings={name: _setting(name) for name in SETTINGS},
        rules={f"{program} {table}": _rules(program, table, environment) for program, table in TABLES},
        cgroups=_cgroups(),
        folders=[name for name in FOLDERS if Path(name).exists()],
    )


def prepare() -> None:
    """Raise the kernel's settings that are lower than containers need."""
    for name, value in SETTINGS.items():
        if _setting(name) < value:
            (KERNEL / name).write_text(str(value))


def _setting(name: str) -> int:
    return int((KERNEL / name).read_text())


def clean(before: Photograph, environment: Environment, *, bridge: str) -> None:
    """Undo what a daemon that has been stopped did here. What the photograph shows is left alone."""
    alone = not _daemons()
    _clean_firewall(before, environment, alone=alone, bridge=bridge)
    if Path("/sys/class/net", bridge).exists():
        subprocess.run(["ip", "link", "delete", bridge], check=False, capture_output=True)
    if not alone:
        return
    for group in _cgroups():
        if group not in before.cgroups:
            _remove_empty(Path(group))
    for name, value in before.settings.items():
        if _setting(name) == max(value, SETTINGS[name]):  # nobody else has set it meanwhile
            (KERNEL / name).write_text(str(value))
    for name in FOLDERS:
        if name not in before.folders:
            Path(name, "key.json").unlink(missing_ok=True)
            _remove_empty(Path(name))


def _clean_firewall(before: Photograph, environment: Environment, *, alone: bool, bridge: str) -> None:
    subnet = _subnet(bridge)
    for program, table in TABLES:
        known = before.rules.get(f"{program} {table}", ())
        new = [line for line in _rules(program, table, environment) if line not in known]
        for line in new:
            if names_bridge(line, bridge, subnet) or (alone and names_docker(line)):
                _iptables(environment, program, "-t", table, "-D", *_words(line.removeprefix("-A ")))
        chains = [line.split()[1] for line in new if alone and line.startswith("-N DOCKER")]
        for action in ("-F", "-X"):
            for chain in chains:
                _iptables(environment, program, "-t", table, action, chain)


def names_bridge(line: str, bridge: str, subnet: ipaddress.IPv4Network | None) -> bool:
    """Whether a line of `iptables -S` is a rule about this bridge or an address behind it."""
    if not line.startswith("-A "):
        return False
    words = line.split()
    return bridge in words or (subnet is not None and any(_within(word, subnet) for word in words))


def _within(word: str, subnet: ipaddress.IPv4Network) -> bool:
    try:
        network = ipaddress.IPv4Network(word)
    except ValueError:
        return False
    return network.subnet_of(subnet)


def _subnet(bridge: str) -> ipaddress.IPv4Network | None:
    """The bridge's addresses, while it is there; a daemon that stopped in order has removed it."""
    command = ["ip", "-json", "-4", "address", "show", "dev", bridge]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for link in json.loads(done.stdout or "[]"):
        for address in link.get("addr_info", ()):
            return ipaddress.IPv4Interface(f"{address['local']}/{address['prefixlen']}").network
    return None


def names_docker(line: str) -> bool:
    """Whether a line of `iptables -S` is a rule in, or a jump to, one of Docker's chains."""
    return line.startswith("-A ") and re.search(r" DOCKER(-[A-Z0-9-]+)?( |$)", line) is not None


def unmount(folder: Path) -> None:
    """Take away what is mounted in a folder of a daemon that was killed; one that stopped in order has done
    so.
    """
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in reversed(mounts):
        if Path(place).is_relative_to(folder):
            subprocess.run(["umount", place], check=False, capture_output=True)


def _daemons() -> list[int]:
    """The process ids of all Docker daemons that run now."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/comm"):
        with contextlib.suppress(OSError):  # it may end while we look
            if entry.read_text().strip() == "dockerd":
                found.append(int(entry.parent.name))
    return found


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


def _words(rule: str) -> list[str]:
    return [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', rule)]


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
