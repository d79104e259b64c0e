"""Which images do the tests and the demo run, and what is in each?

All stand on one root, a small Debian with Python, and differ by a layer or two, so that a change to our own
source rewrites a layer of kilobytes. Python packages come through pip on this machine, for the root's Python,
whatever Python runs here. Names begin with `localhost/`: no kubelet can pull them, and none has to.
"""

from __future__ import annotations

import compileall
import py_compile
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster import cache, images, python_layers
from tests.cluster.python_layers import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

REPOSITORY = Path(__file__).resolve().parents[2]
OPERATOR = "localhost/pillion:dev"
STANDIN = "localhost/pillion-engine-standin:dev"
EXAMPLE_APP = "localhost/pillion-example-app:dev"
HUB = "localhost/pillion-hub:dev"


def operator(*, progress: cache.Progress = print) -> images.Image:
    """The operator's image: what `pip install .` with the pinned requirements gives, as the Dockerfile builds
    it elsewhere.
    """
    root = python_layers.python_root(progress=progress)
    requirements = REPOSITORY / "requirements.txt"
    packages = python_layers.packages(
        "operator-packages", root, ["--requirement", str(requirements)], [requirements], progress=progress
    )
    source = REPOSITORY / "operator"
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]

    def fill(tree: images.Tree, workshop: Path) -> None:
        copy = workshop / "source"
        _copy_source(source, copy)
        if f"python{sys.version_info.major}.{sys.version_info.minor}" == python_layers.PYTHON:
            # Byte code only saves time at the start, so another Python does without it.
            compileall.compile_dir(
                copy,
                ddir=f"/{python_layers.PACKAGES_FOLDER}",
                quiet=2,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        tree.copy(copy, under=python_layers.PACKAGES_FOLDER)
        _add_metadata(tree, project)

    fingerprint = _fingerprint([path for path in sorted(source.rglob("*")) if _is_source(path)], source)
    recipe = cache.recipe_hash(
        python_layers.RECIPE, root.digest, fingerprint, project, python_layers.CONSOLE_SCRIPT
    )
    own = images.layer("operator", recipe=recipe, fill=fill, progress=progress)
    return images.Image(
        names=[OPERATOR],
        layers=[root, packages, own],
        entrypoint=["pillion"],
        user=f"{python_layers.OPERATOR_UID}:{python_layers.OPERATOR_UID}",
        environment={**python_layers.ENVIRONMENT, "HOME": "/home/nonroot"},
    )


def engine_standin(*, progress: cache.Progress = print) -> images.Image:
    """A program with vLLM's command line and API in place of vLLM, with the `huggingface_hub` that real
    images have.
    """
    root = python_layers.python_root(progress=progress)
    pins = REPOSITORY / "requirements.txt"
    hub = python_layers.packages(
        "hub-client", root, ["huggingface_hub", "--constraint", str(pins)], [pins], progress=progress
    )
    program = _program(
        "engine-standin", "tests/images/standin/vllm.py", "usr/local/bin/vllm", root, progress=progress
    )
    return images.Image(
        names=[STANDIN],
        layers=[root, hub, program],
        entrypoint=["vllm"],
        user=f"{python_layers.ENGINE_UID}:{python_layers.ENGINE_UID}",
        environment={**python_layers.ENVIRONMENT, "HOME": "/home/vllm"},
    )


def example_app(*, progress: cache.Progress = print) -> images.Image:
    """The application of the examples, which is written against OpenAI and knows nothing of Pillion."""
    root = python_layers.python_root(progress=progress)
    program = _program("example-app", "examples/app/app.py", "app/app.py", root, progress=progress)
    return _python_image(EXAMPLE_APP, [root, program], ["/app/app.py"])


def hub(*, progress: cache.Progress = print) -> images.Image:
    """The local stand-in for the Hub."""
    root = python_layers.python_root(progress=progress)
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
        user=f"{python_layers.OPERATOR_UID}:{python_layers.OPERATOR_UID}",
        environment={**python_layers.ENVIRONMENT, "HOME": "/home/nonroot"},
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

    recipe = cache.recipe_hash(python_layers.RECIPE, root.digest, describe(images.Tree()).fingerprint())
    return images.layer(layer, recipe=recipe, fill=fill, progress=progress)


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


def _add_metadata(tree: images.Tree, project: Mapping[str, Any]) -> None:
    """What an installer leaves beside the source: the package's metadata and its commands."""
    name, version, scripts = project["name"], project["version"], project["scripts"]
    folder = f"{python_layers.PACKAGES_FOLDER}/{name}-{version}.dist-info"
    tree.file(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode())
    entries = "".join(f"{command} = {place}\n" for command, place in scripts.items())
    tree.file(f"{folder}/entry_points.txt", f"[console_scripts]\n{entries}".encode())
    for command, place in scripts.items():
        python_layers.add_command(tree, command, place)
