"""How is a Debian root folder made, on a machine where debootstrap may not be installed?

The mirror is the one apt is set up with; downloaded packages are kept for the next root. debootstrap works in
a mount namespace of its own, so whatever it mounts is gone when it ends, however it ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

from tests.cluster import ClusterError, cache, debian

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

# systemd 252 is the last that we know to run on cgroup v1, which half of the machines in question have; and
# its Python is 3.11.
SUITE = "bookworm"

# Nobody reads them in a container, and they are a third of a small root.
DISPENSABLE = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/lib/apt/lists",
    "var/cache",
    "var/log",
)


class RootError(ClusterError):
    """debootstrap failed; the message names its log."""


def make(target: Path, *, name: str, include: Sequence[str], progress: cache.Progress) -> None:
    """Fill the folder with a small Debian and the given packages; about 40 seconds.

    Raises:
        RootError: debootstrap failed.
        debian.PackageError: debootstrap or a mirror cannot be had.
    """
    program, environment = _debootstrap(progress)
    mirror = debian.mirror()
    downloads = cache.root() / "debian" / "archives"
    downloads.mkdir(parents=True, exist_ok=True)
    log = cache.root() / "logs" / f"debootstrap-{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [
        program,
        "--variant=minbase",
        f"--cache-dir={downloads}",
        f"--include={','.join(include)}",
        SUITE,
        target,
        mirror,
    ]
    progress(f"{name}: making a Debian {SUITE} root with {len(include)} packages on top")
    with log.open("w") as out:
        done = subprocess.run(
            ["unshare", "--mount", "--", *command],
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            env=environment,
            check=False,
        )
    if done.returncode:
        tail = [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-3:]
        raise RootError(f"debootstrap failed: {' / '.join(tail)} (all of it in {log}).")
    _slim(target)


def run_in(root: Path, *command: str) -> str:
    """What a program of the root prints."""
    done = subprocess.run(["chroot", str(root), *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RootError(f"`{' '.join(command)}` failed in {root}: {done.stderr.strip()}")
    return done.stdout


def pack(root: Path, archive: Path) -> None:
    """The folder as a compressed tar; what compresses it (zstd where the machine has it) shows in the first
    bytes, not in the name.
    """
    compressor = ["zstd", "-q", "-3", "-T0", "-c"] if shutil.which("zstd") else ["gzip", "-1", "-c"]
    with archive.open("wb") as out:
        packing = ["tar", "-C", str(root), "--numeric-owner", "--xattrs", "-c", "."]
        with subprocess.Popen(packing, stdout=subprocess.PIPE) as tar:
            packed = subprocess.run(compressor, stdin=tar.stdout, stdout=out, check=False)
        if tar.returncode or packed.returncode:
            raise RootError(f"{root} could not be packed into {archive}.")


def unpacking(archive: Path) -> list[str]:
    """The command that writes the packed root's plain tar to its standard output."""
    with archive.open("rb") as handle:
        zstd = handle.read(4) == b"\x28\xb5\x2f\xfd"  # RFC 8878, section 3.1.1
    if zstd and not shutil.which("zstd"):
        raise RootError(
            f"{archive} was packed with zstd, which is not here. Install zstd, or remove the file's folder."
        )
    return ["zstd" if zstd else "gzip", "-q", "-d", "-c", str(archive)]


def _debootstrap(progress: cache.Progress) -> tuple[str, dict[str, str]]:
    environment = debian.proxy_environment()
    environment["PATH"] = f"{environment.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    installed = shutil.which("debootstrap", path=environment["PATH"])
    if installed:
        return installed, environment
    folder = debian.unpacked(cache.root() / "debian" / "debootstrap", ["debootstrap"], progress=progress)
    environment["DEBOOTSTRAP_DIR"] = str(folder / "usr/share/debootstrap")
    return str(folder / "usr/sbin/debootstrap"), environment


def _slim(root: Path) -> None:
    for name in DISPENSABLE:
        for path in (root / name).iterdir() if (root / name).is_dir() else ():
            # Folders stay: packages expect /var/log/apt and the like, and licences stay readable.
            if path.is_dir() and not path.is_symlink():
                _empty(path, keep="copyright")
            else:
                path.unlink()


def _empty(folder: Path, *, keep: str) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.name == keep:
            continue
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        else:
            path.unlink()


def members(tree: Path, *, under: str) -> Iterator[tuple[tarfile.TarInfo, Path]]:
    """The tree's entries as tar headers that depend on the contents alone: sorted, modification time zero,
    owners by number.
    """
    links: dict[tuple[int, int], str] = {}
    for path in sorted(tree.rglob("*")):
        found = path.lstat()
        name = "/".join(part for part in (under.strip("/"), str(path.relative_to(tree))) if part)
        header = tarfile.TarInfo(name)
        header.mode = found.st_mode & 0o7777
        header.uid, header.gid = found.st_uid, found.st_gid
        if path.is_symlink():
            header.type, header.linkname = tarfile.SYMTYPE, str(path.readlink())
        elif path.is_dir():
            header.type = tarfile.DIRTYPE
        elif not path.is_file():
            continue  # device nodes and sockets: a container gets its own /dev
        elif found.st_nlink > 1 and (found.st_dev, found.st_ino) in links:
            header.type, header.linkname = tarfile.LNKTYPE, links[found.st_dev, found.st_ino]
        else:
            links[found.st_dev, found.st_ino] = name
            header.size = found.st_size
        yield header, path
