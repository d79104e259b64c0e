"""Help answers at once: what it does not need is not loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "aiohttp",
    "huggingface_hub",
    "httpx2",
    "importlib.metadata",
    "jinja2",
    "kopf",
    "kubernetes",
    "prometheus_client",
    "pydantic",
    "pydantic_settings",
    "rich",
    "yaml",
}
TYPERS_OWN = {
    "pydantic",
    "importlib.metadata",
    "rich",
}  # it reads a command's options with them, and draws its help


def loaded(*arguments: str) -> set[str]:
    """Modules that a command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pillion.cli", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return {
        line.rpartition("|")[2].strip()
        for line in done.stderr.splitlines()
        if line.startswith("import time:")
    }


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("--help",), id="of everything"),
        pytest.param(("plan", "--help"), id="of plan"),
        pytest.param(("estimate", "--help"), id="of estimate"),
        pytest.param(("why", "--help"), id="of why"),
        pytest.param(("inject", "--help"), id="of inject"),
    ],
)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    modules = loaded(*arguments)

    assert "pillion.cli.main" in modules
    heavy = HEAVY - TYPERS_OWN if arguments[0] != "--help" else HEAVY
    assert {module for module in modules if module.partition(".")[0] in heavy or module in heavy} == set()
    assert {module for module in modules if module.startswith("pillion.") and "cli" not in module} == set()
