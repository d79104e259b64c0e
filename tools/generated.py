"""Which files does a program write, and is each still what it would write today?

    python -m tools.generated            write them
    python -m tools.generated --check    name those that differ, and fail where one does

The CRDs and the reference pages follow from the code. The chart can only read files of its own folder, so it
holds copies of the CRDs and of the policies. `manifests/` is the chart as helm renders it, and is not compared
without a helm.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pillion.api import crds
from tests.cluster import binaries
from tools import reference

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).resolve().parent.parent
CHART = REPOSITORY / "charts" / "pillion"
CRDS = REPOSITORY / "crds"
POLICIES = REPOSITORY / "operator" / "pillion" / "injection" / "policies"
MANIFEST = REPOSITORY / "manifests" / "pillion.yaml"
NAMESPACE = "pillion-system"
KUBERNETES_VERSION = "1.36.0"  # helm would take the newest one that it knows

MANIFEST_HEADER = """\
# Everything that Pillion consists of, for `kubectl apply --server-side -f`. Written by `make manifests` from
# the chart with its default values: change those instead. The image {image} is one that you build and push.
apiVersion: v1
kind: Namespace
metadata:
  name: {namespace}
  labels:
    pod-security.kubernetes.io/enforce: restricted
"""


def folders() -> dict[Path, dict[str, str]]:
    """Folders that consist of generated files, and nothing else: name and text of each."""
    definitions = crds.generate()
    policies = {path.name: path.read_text("utf-8") for path in sorted(POLICIES.glob("*.yaml"))}
    return {
        CRDS: definitions,
        CHART / "files" / "crds": definitions,
        CHART / "files" / "policies": policies,
        REPOSITORY / "docs" / "reference": reference.pages(),
    }


def stale(wanted: Mapping[Path, Mapping[str, str]]) -> list[Path]:
    """Files that differ from what is wanted, are missing, or should not be there."""
    differing = set()
    for folder, files in wanted.items():
        present = {path.name: path.read_text("utf-8") for path in folder.glob("*")}
        differing |= {
            folder / name for name in files.keys() | present.keys() if files.get(name) != present.get(name)
        }
    return sorted(differing)


def manifest(helm: Path) -> str:
    """The chart with its default values as one file for kubectl, without what only helm reads."""
    rendered = subprocess.run(  # noqa: S603 (the program is the one that the repository builds)
        [
            helm,
            "template",
            "pillion",
            CHART,
            f"--namespace={NAMESPACE}",
            f"--kube-version={KUBERNETES_VERSION}",
            "--set=crds.keep=false",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    rendered = re.sub(r"(?m)^ +(app\.kubernetes\.io/managed-by: Helm|helm\.sh/chart: .*)\n", "", rendered)
    image = re.search(r'image: "(.+)"', rendered)
    if image is None:
        raise ValueError("the rendered chart names no image; has the Deployment's template changed?")
    return MANIFEST_HEADER.format(image=image[1], namespace=NAMESPACE) + rendered


def built_helm() -> Path | None:
    """Helm, where it has been built; building it takes a minute, which a check should not."""
    program = (binaries.folder() / "helm").resolve()
    wanted = f"helm-{binaries.versions()['helm']}"
    return program if program.exists() and program.parent.name == wanted else None


def write(wanted: Mapping[Path, Mapping[str, str]]) -> list[Path]:
    """Bring the folders up to date; says which files changed."""
    changed = stale(wanted)
    for path in changed:
        text = wanted[path.parent].get(path.name)
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    return changed


def check() -> list[Path]:
    """Files that are not what would be written."""
    differing = stale(folders())
    helm = built_helm()
    if helm is None:
        print("manifests/ was not compared: helm has not been built (`make manifests` does it)")
    elif not MANIFEST.exists() or MANIFEST.read_text("utf-8") != manifest(helm):
        differing.append(MANIFEST)
    return differing


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description="Files that a program writes.")
    parser.add_argument("--check", action="store_true", help="change nothing, fail where a file differs")
    if parser.parse_args().check:
        differing = check()
        for path in differing:
            print(f"{path.relative_to(REPOSITORY)} is not what would be written; run: make generated")
        return 1 if differing else 0
    for path in write(folders()):
        print(path.relative_to(REPOSITORY))
    text = manifest(binaries.ensure(["helm"]) / "helm")
    if not MANIFEST.exists() or MANIFEST.read_text("utf-8") != text:
        MANIFEST.parent.mkdir(exist_ok=True)
        MANIFEST.write_text(text, "utf-8")
        print(MANIFEST.relative_to(REPOSITORY))
    return 0


if __name__ == "__main__":
    sys.exit(main())
