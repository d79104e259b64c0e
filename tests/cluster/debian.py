"""How does this machine come by a Debian program that is not installed, and leave its package database alone?

Packages are downloaded by apt, from where apt is set up to download, and unpacked into a folder of the cache.
No maintainer script runs, nothing is registered, so whatever asks dpkg afterwards sees the machine as it was.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster import ClusterError, cache

if TYPE_CHECKING:
    from collections.abc import Sequence

NEEDED = ("apt-get", "apt-cache", "dpkg", "dpkg-query")


class PackageError(ClusterError):
    """A Debian package could not be had, with what to install by hand."""


def missing_tools() -> list[str]:
    """Programs that unpacking needs and this machine lacks: on anything but Debian and its children, most of
    them.
    """
    return [name for name in NEEDED if shutil.which(name) is None]


def unpacked(entry: Path, packages: Sequence[str], *, progress: cache.Progress) -> Path:
    """A folder with the packages, and those they depend on that are not installed here, unpacked side by
    side.

    Raises:
        PackageError: apt cannot resolve or download them.
    """

    def make(draft: Path) -> None:
        progress(f"downloading Debian packages: {', '.join(packages)}")
        downloads = draft / "debs"
        downloads.mkdir()
        _apt("apt-get", "download", *_closure(packages), folder=downloads)
        for deb in sorted(downloads.glob("*.deb")):
            subprocess.run(["dpkg", "-x", deb, draft / "root"], check=True, capture_output=True)
        shutil.rmtree(downloads)

    return (
        cache.made(entry, recipe=cache.recipe_hash("unpacked", list(packages)), make=make, progress=progress)
        / "root"
    )


def mirror() -> str:
    """The address of the Debian mirror that apt uses for this machine's own release.

    Raises:
        PackageError: apt has no Debian archive configured.
    """
    codename = release_field("VERSION_CODENAME")
    said = _apt(
        "apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(SITE)", "Created-By: Packages"
    )
    for line in said.splitlines():
        release, component, site = line.split(" ", 2)
        if component == "main" and release in {codename, "stable"}:
            return site
    raise PackageError(
        f"apt has no `main` archive of Debian's {codename or 'release'} configured, and the node "
        "image is made from one. "
        "Add one to /etc/apt/sources.list.d, or install Docker with access to a registry."
    )


def proxy_environment() -> dict[str, str]:
    """The environment with apt's own proxy settings, because debootstrap downloads with wget, which reads the
    environment alone.
    """
    environment = dict(os.environ)
    for scheme in ("http", "https"):
        said = _apt("apt-config", "shell", "proxy", f"Acquire::{scheme}::Proxy").strip()
        value = said.removeprefix("proxy=").strip("'")
        if value and value.upper() != "DIRECT":
            environment.setdefault(f"{scheme}_proxy", value)
    return environment


def release_field(name: str) -> str:
    """A field of /etc/os-release, empty where it is absent."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return ""
    fields = dict(line.split("=", 1) for line in lines if "=" in line)
    return fields.get(name, "").strip('"')


def _closure(packages: Sequence[str]) -> list[str]:
    """The packages themselves, and what apt would install with them that is not installed."""
    options = ("--print-uris", "-qq", "-y", "--no-install-recommends", "-o", "Debug::NoLocking=1")
    said = _apt("apt-get", "install", *options, *packages)
    # A line reads: 'address' name_version_architecture.deb size hash
    resolved = [line.split()[1].split("_", 1)[0] for line in said.splitlines() if line.startswith("'")]
    installed = _installed(resolved)
    # An upgrade of what is installed (libc6 above all) must not shadow the one that everything here is linked
    # with.
    return sorted({*packages, *(name for name in resolved if name not in installed)})


def _installed(names: Sequence[str]) -> set[str]:
    if not names:
        return set()
    command = ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\n", *names]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return {line.split()[1] for line in said.splitlines() if line.startswith("installed ")}


def _apt(*command: str, folder: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode == 0:
        return done.stdout
    if "Unable to locate package" in done.stderr or "has no installation candidate" in done.stderr:
        hint = "Run `apt-get update` and try again."
    else:
        hint = "See that apt works on this machine, or install Docker with access to a registry."
    raise PackageError(f"`{' '.join(command[:3])} ...` failed: {_last_error(done.stderr)}. {hint}")


def _last_error(text: str) -> str:
    errors = (
        [line for line in text.splitlines() if line.startswith("E: ")] or text.splitlines() or ["no message"]
    )
    return errors[-1].removeprefix("E: ").rstrip(".")
