"""How do Debian's Python and packages from PyPI become layers of an image, without running anything in a container?

Python packages come through pip on this machine, for the root's Python, whatever Python runs here. Byte code is
compiled by the root's own Python, in a chroot.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.cluster import ClusterError, cache, images, rootfs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

OPERATOR_UID = 65532  # what distroless images call nonroot
ENGINE_UID = 2000  # the user that vLLM's own image has
USERS = {"nonroot": OPERATOR_UID, "vllm": ENGINE_UID}

PYTHON = "python3.11"  # of rootfs.SUITE
PACKAGES_FOLDER = f"usr/local/lib/{PYTHON}/dist-packages"
NEWEST_GLIBC_MINOR = 36  # of rootfs.SUITE: glibc 2.36
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
# The guard matters: a process that multiprocessing spawns imports this file again.
CONSOLE_SCRIPT = """\
#!/usr/bin/python3
import sys

from {module} import {function}

if __name__ == "__main__":
    sys.exit({function}())
"""
RECIPE = 1  # raise it when the code below makes other layers out of the same inputs


class ImageError(ClusterError):
    """An image cannot be made, with what to do."""


def python_root(*, progress: cache.Progress = print) -> images.Layer:
    """The layer at the bottom: Debian with Python, certificates, and the users that the images run as."""
    return debian_root("python-root", ("python3", "ca-certificates"), progress=progress)


def debian_root(name: str, packages: Sequence[str], *, progress: cache.Progress) -> images.Layer:
    """A layer with a small Debian, these packages and the users that the images run as."""

    def fill(tree: images.Tree, workshop: Path) -> None:
        root = workshop / "root"
        rootfs.make(root, name=name, include=packages, progress=progress)
        for user, number in USERS.items():
            with (root / "etc/passwd").open("a") as passwd, (root / "etc/group").open("a") as group:
                passwd.write(f"{user}:x:{number}:{number}::/home/{user}:/usr/sbin/nologin\n")
                group.write(f"{user}:x:{number}:\n")
        compile_python(root, f"usr/lib/{PYTHON}")
        for own in ("etc/hostname", "etc/resolv.conf", "etc/machine-id"):
            (root / own).unlink(missing_ok=True)  # this machine's; a container gets its own
        tree.copy(root)
        for user, number in USERS.items():
            tree.folder(f"home/{user}", mode=0o755, uid=number)

    recipe = cache.recipe_hash(RECIPE, rootfs.SUITE, tuple(packages), USERS)
    return images.layer(name, recipe=recipe, fill=fill, progress=progress)


def packages(
    layer: str,
    root: images.Layer,
    wanted: Sequence[str],
    inputs: Sequence[Path],
    *,
    progress: cache.Progress,
    after: Callable[[Path], None] | None = None,
    packed: bool = False,
) -> images.Layer:
    """A layer with Python packages, installed by this machine's pip for the root's Python.

    Args:
        layer: the layer's name in the cache.
        root: the layer with that Python.
        wanted: what pip is to install, in the words of its command line.
        inputs: files that these words name, whose contents decide what is installed.
        progress: told what takes long.
        after: has the last word on the folder with the packages.
        packed: keep the layer packed, which pays off for gigabytes.
    """

    def fill(tree: images.Tree, workshop: Path) -> None:
        progress(f"installing Python packages for the image layer {layer}")
        folder = unpacked(root, workshop)
        pip_install(folder / PACKAGES_FOLDER, wanted)
        if after:
            after(folder / PACKAGES_FOLDER)
        compile_python(folder, PACKAGES_FOLDER)
        tree.copy(folder / PACKAGES_FOLDER, under=PACKAGES_FOLDER)

    contents = [path.read_text() for path in inputs]
    stable = [
        word for word in wanted if not word.startswith("/")
    ]  # where the repository lies is not part of the recipe
    recipe = cache.recipe_hash(RECIPE, root.digest, stable, contents)
    return images.layer(layer, recipe=recipe, fill=fill, progress=progress, packed=packed)


def pip_install(target: Path, wanted: Sequence[str]) -> None:
    """Install wheels for the root's Python and C library into a folder.

    Raises:
        ImageError: pip failed.
    """
    machine = platform.machine()
    # pip takes each tag literally: a wheel for an older C library has to be named too.
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(NEWEST_GLIBC_MINOR, 4, -1)]
    platforms = [
        word
        for tag in (*tags, f"manylinux2014_{machine}", f"linux_{machine}")
        for word in ("--platform", tag)
    ]
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    done = subprocess.run(
        [
            *command,
            *("--target", target, "--only-binary=:all:", "--implementation", "cp"),
            *("--python-version", PYTHON.removeprefix("python")),
            *platforms,
            *wanted,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ImageError(
            f"pip could not install {' '.join(wanted)} for the image: {done.stderr.strip()[-600:]}"
        )
    # Their first line names this machine's interpreter.
    for script in (target / "bin").glob("*"):
        script.unlink()


def unpacked(root: images.Layer, workshop: Path) -> Path:
    """The root as a folder in the workshop, to run its Python in."""
    folder = workshop / "root"
    folder.mkdir()
    subprocess.run(["tar", "-C", folder, "--numeric-owner", "-xf", root.tar], check=True, capture_output=True)
    return folder


def compile_python(root: Path, folder: str) -> None:
    """Byte code that stays valid: file times are all zero in a layer, and a container may not be able to
    write its own.
    """
    (root / folder).mkdir(parents=True, exist_ok=True)
    # Some packages carry files that no Python 3 compiles (templates, tests of syntax errors), so the status
    # is no verdict.
    subprocess.run(
        [
            "chroot",
            root,
            "python3",
            "-m",
            "compileall",
            "-q",
            "-f",
            "-j",
            "0",
            "--invalidation-mode",
            "unchecked-hash",
            folder,
        ],
        capture_output=True,
        check=False,
    )


def add_command(tree: images.Tree, name: str, place: str) -> None:
    """The program that an installer makes for an entry point, such as `package.module:function`."""
    module, function = place.split(":")
    script = CONSOLE_SCRIPT.format(module=module, function=function)
    tree.file(f"usr/local/bin/{name}", script.encode(), mode=0o755)
