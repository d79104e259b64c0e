"""How do containers run on a host that lacks a capability?

`docker run --privileged`, which kind uses, asks for every capability, and runc refuses what it cannot give.
In a sandbox without CAP_SYS_RESOURCE no kind node would start; a script before runc takes the lacking ones
off the list.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


# In the order of linux/capability.h: the index is the bit in /proc/self/status.
CAPABILITIES = [
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
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
]

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


def bounding_set() -> int:
    """The mask of capabilities that a process here can ever have."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            return int(line.split()[1], 16)
    return 0


def lacking_capabilities(bounding_set: int) -> list[str]:
    """The names of the capabilities that nobody on this host can have, from the mask in /proc/self/status."""
    return [f"CAP_{name}" for bit, name in enumerate(CAPABILITIES) if not bounding_set >> bit & 1]


def runc_wrapper(*, lacking: Sequence[str], runc: str) -> str:
    """A script that runs runc without asking for these capabilities."""
    edits = " ".join(f"""-e 's/"{name}",//g' -e 's/,"{name}"//g'""" for name in lacking) or "-e ''"
    return RUNC_WRAPPER.format(names=", ".join(lacking) or "none", edits=edits, runc=runc)
