"""Which versions of which packages does everything run with?

Resolves what pyproject.toml asks for in a fresh virtual environment, and writes down what came:
requirements.txt for the operator and the command line, requirements-dev.txt with what tests and checks need
beside it. A release younger than a week is not taken, so that others have met its mistakes.
"""

from __future__ import annotations

import datetime as dt
import subprocess
import tempfile
import tomllib
import venv
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
QUARANTINE = dt.timedelta(days=7)
PIP = "pip>=26"  # the first that can leave out younger releases


def frozen(python: Path, wanted: list[str]) -> list[str]:
    """Install, and say what is installed."""
    before = (dt.datetime.now(dt.UTC) - QUARANTINE).strftime("%Y-%m-%dT%H:%M:%SZ")
    install = [str(python), "-m", "pip", "--quiet", "install", f"--uploaded-prior-to={before}", *wanted]
    subprocess.run(install, check=True)  # noqa: S603 (what we declare)
    listing = subprocess.run([python, "-m", "pip", "freeze"], check=True, capture_output=True, text=True)  # noqa: S603
    return listing.stdout.splitlines()


def main() -> None:
    """Write both files."""
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    with tempfile.TemporaryDirectory(prefix="pillion-lock-") as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        subprocess.run([python, "-m", "pip", "--quiet", "install", PIP], check=True)  # noqa: S603 (pip by name)
        runtime = frozen(python, declared["project"]["dependencies"])
        everything = frozen(python, declared["dependency-groups"]["dev"])
    (REPOSITORY / "requirements.txt").write_text(
        "# What the operator and the command line run with, pinned. `make lock` writes this file.\n"
        + "\n".join(runtime)
        + "\n"
    )
    (REPOSITORY / "requirements-dev.txt").write_text(
        "# What the tests and checks need beside requirements.txt, pinned. `make lock` writes this file.\n"
        "-r requirements.txt\n" + "\n".join(line for line in everything if line not in runtime) + "\n"
    )


if __name__ == "__main__":
    main()
