"""Which images do the tests and the demo run, and what is in each?

All stand on one root, a small Debian with Python, and differ by a layer or two, so that a change to our own
source rewrites a layer of kilobytes. Python packages come through pip on this machine, for the root's Python,
whatever Python runs here. Names begin with `localhost/`: no kubelet can pull them, and none has to.
"""

from __future__ import annotations

import compileall
import platform
import py_compile
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster import cache, images, rootfs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
OPERATOR = "localhost/pillion:dev"
STANDIN = "localhost/pillion-engine-standin:dev"
EXAMPLE_APP = "localhost/pillion-example-app:dev"
HUB = "localhost/pillion-hub:dev"

OPERATOR_UID = 65532  # what distroless images call nonroot
ENGINE_UID = 2000  # the user that vLLM's own image has
USERS = {"nonroot": OPERATOR_UID, "vllm": ENGINE_UID}

PYTHON = "python3.11"  # of rootfs.SUITE
PACKAGES_FOLDER = f"usr/local/lib/{PYTHON}/dist-packages"
NEWEST_GLIBC_MINOR = 36  # of rootfs.SUITE: glibc 2.36
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
RECIPE = 1  # raise it when the code below makes other layers out of the same inputs


class ImageError(Exception):
    """An image cannot be made, with what to do. The command line prints it, a test lane skips with it."""


def python_root(*, progress: cache.Progress = print) -> images.Layer:
    """The layer at the bottom: Debian with Python, certificates, and the users that the images run as."""
    include = ("python3", "ca-certificates")

    def fill(tree: images.Tree, workshop: Path) -> None:
        root = workshop / "root"
        rootfs.make(root, name="python-root", include=include, progress=progress)
        for user, number in USERS.items():
            with (root / "etc/passwd").open("a") as passwd, (root / "etc/group").open("a") as group:
                passwd.write(f"{user}:x:{number}:{number}::/home/{user}:/usr/sbin/nologin\n")
                group.write(f"{user}:x:{number}:\n")
        _compile(root, f"usr/lib/{PYTHON}")
        for name in ("etc/hostname", "etc/resolv.conf", "etc/machine-id"):
            (root / name).unlink(missing_ok=True)  # this machine's; a container gets its own
        tree.copy(root)
        for user, number in USERS.items():
            tree.folder(f"home/{user}", mode=0o755, uid=number)

    recipe = cache.recipe_hash(RECIPE, rootfs.SUITE, include, USERS)
    return images.layer("python-root", recipe=recipe, fill=fill, progress=progress)


def operator(*, progress: cache.Progress = print) -> images.Image:
    """The operator's image: what `pip install .` with the pinned requirements gives, as the Dockerfile builds
    it elsewhere.
    """
    root = python_root(progress=progress)
    requirements = REPOSITORY / "requirements.txt"
    packages = _packages(
        "operator-packages", root, ["--requirement", str(requirements)], [requirements], progress=progress
    )
    source = REPOSITORY / "operator"
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

    def fill(tree: images.Tree, workshop: Path) -> None:
        copy = workshop / "source"
        _copy_source(source, copy)
        if f"python{sys.version_info.major}.{sys.version_info.minor}" == PYTHON:
            # Byte code only saves time at the start, so another Python does without it.
            compileall.compile_dir(
                copy,
                ddir=f"/{PACKAGES_FOLDER}",
                quiet=2,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        tree.copy(copy, under=PACKAGES_FOLDER)
        _add_metadata(tree, project)

    fingerprint = _fingerprint([path for path in sorted(source.rglob("*")) if _is_source(path)], source)
    recipe = cache.recipe_hash(RECIPE, root.digest, fingerprint, project)
    own = images.layer("operator", recipe=recipe, fill=fill, progress=progress)
    return images.Image(
        names=[OPERATOR],
        layers=[root, packages, own],
        entrypoint=["pillion"],
        user=f"{OPERATOR_UID}:{OPERATOR_UID}",
        environment={**ENVIRONMENT, "HOME": "/home/nonroot"},
    )


def engine_standin(*, progress: cache.Progress = print) -> images.Image:
    """A program with vLLM's command line and API in place of vLLM, with the `huggingface_hub` that real
    images have.
    """
    root = python_root(progress=progress)
    pins = REPOSITORY / "requirements.txt"
    hub = _packages(
        "hub-client", root, ["huggingface_hub", "--constraint", str(pins)], [pins], progress=progress
    )
    program = _program(
        "engine-standin", "tests/images/standin/vllm.py", "usr/local/bin/vllm", root, progress=progress
    )
    return images.Image(
        names=[STANDIN],
        layers=[root, hub, program],
        entrypoint=["vllm"],
        user=f"{ENGINE_UID}:{ENGINE_UID}",
        environment={**ENVIRONMENT, "HOME": "/home/vllm"},
    )


def example_app(*, progress: cache.Progress = print) -> images.Image:
    """The application of the examples, which is written against OpenAI and knows nothing of Pillion."""
    root = python_root(progress=progress)
    program = _program("example-app", "examples/app/app.py", "app/app.py", root, progress=progress)
    return _python_image(EXAMPLE_APP, [root, program], ["/app/app.py"])


def hub(*, progress: cache.Progress = print) -> images.Image:
    """The local stand-in for the Hub."""
    root = python_root(progress=progress)
    program = _program("hub", "tests/hub/*.py", "opt/pillion-hub", root, progress=progress)
    return _python_image(HUB, [root, program], ["/opt/pillion-hub/server.py", "--port", "8080"])


IMAGES: dict[str, Callable[..., images.Image]] = {
    OPERATOR: operator,
    STANDIN: engine_standin,
    EXAMPLE_APP: example_app,
    HUB: hub,
}


def archive(names: Sequence[str] = tuple(IMAGES), *, progress: cache.Progress = print) -> Path:
    """One archive with these images, shared layers once; made anew when one of them is another than before.

    Raises:
        ImageError, rootfs.RootError, debian.PackageError: what kept an image from being made.
    """
    short = "-".join(name.removeprefix("localhost/").split(":", 1)[0] for name in names)
    return images.archive(short, [IMAGES[name](progress=progress) for name in names], progress=progress)


def _python_image(name: str, layers: Sequence[images.Layer], arguments: Sequence[str]) -> images.Image:
    return images.Image(
        names=[name],
        layers=layers,
        entrypoint=["python3", *arguments],
        user=f"{OPERATOR_UID}:{OPERATOR_UID}",
        environment={**ENVIRONMENT, "HOME": "/home/nonroot"},
    )


def _program(
    layer: str, source: str, place: str, root: images.Layer, *, progress: cache.Progress
) -> images.Layer:
    """A layer with one program of the repository, or with the files of a pattern in a folder."""
    paths = sorted(REPOSITORY.glob(source))
    if not paths:
        raise ImageError(f"{source} is not in the repository, so its image cannot be made. Check it out.")

    def describe(tree: images.Tree) -> images.Tree:
        for path in paths:
            tree.file(f"{place}/{path.name}" if "*" in source else place, path, mode=0o755)
        return tree

    def fill(tree: images.Tree, _workshop: Path) -> None:
        describe(tree)

    recipe = cache.recipe_hash(RECIPE, root.digest, describe(images.Tree()).fingerprint())
    return images.layer(layer, recipe=recipe, fill=fill, progress=progress)


def _packages(
    layer: str, root: images.Layer, wanted: Sequence[str], inputs: Sequence[Path], *, progress: cache.Progress
) -> images.Layer:
    """A layer with Python packages, installed by this machine's pip for the root's Python."""

    def fill(tree: images.Tree, workshop: Path) -> None:
        progress(f"installing Python packages for the image layer {layer}")
        unpacked = _unpacked(root, workshop)
        pip_install(unpacked / PACKAGES_FOLDER, wanted)
        _compile(unpacked, PACKAGES_FOLDER)
        tree.copy(unpacked / PACKAGES_FOLDER, under=PACKAGES_FOLDER)

    contents = [path.read_text() for path in inputs]
    stable = [
        word for word in wanted if not word.startswith("/")
    ]  # where the repository lies is not part of the recipe
    recipe = cache.recipe_hash(RECIPE, root.digest, stable, contents)
    return images.layer(layer, recipe=recipe, fill=fill, progress=progress)


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


def _unpacked(root: images.Layer, workshop: Path) -> Path:
    folder = workshop / "root"
    folder.mkdir()
    subprocess.run(["tar", "-C", folder, "--numeric-owner", "-xf", root.tar], check=True, capture_output=True)
    return folder


def _compile(root: Path, folder: str) -> None:
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


def _is_source(path: Path) -> bool:
    return (
        path.is_file()
        and "__pycache__" not in path.parts
        and not any(part.endswith(".egg-info") for part in path.parts)
    )


def _copy_source(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        if _is_source(path):
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
            copy.chmod(0o644)


def _fingerprint(paths: Sequence[Path], base: Path) -> str:
    tree = images.Tree()
    for path in paths:
        tree.file(str(path.relative_to(base)), path)
    return tree.fingerprint()


def _add_metadata(tree: images.Tree, project: dict[str, object]) -> None:
    """What an installer leaves beside the source: the package's metadata and its command."""
    name, version, scripts = str(project["name"]), str(project["version"]), project["scripts"]
    folder = f"{PACKAGES_FOLDER}/{name}-{version}.dist-info"
    tree.file(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode())
    lines = ["[console_scripts]"]
    for command, place in dict(scripts).items():  # type: ignore[call-overload]  # a table of strings, by the packaging standard
        module, function = place.split(":")
        lines.append(f"{command} = {place}")
        script = (
            f"#!/usr/bin/python3\nimport sys\n\nfrom {module} import {function}\n\nsys.exit({function}())\n"
        )
        tree.file(f"usr/local/bin/{command}", script.encode(), mode=0o755)
    tree.file(f"{folder}/entry_points.txt", "\n".join([*lines, ""]).encode())
