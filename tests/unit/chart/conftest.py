"""The chart as real helm renders it."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tools import generated

Raw = dict[str, Any]
Render = Callable[..., list[Raw]]


@pytest.fixture(scope="session")
def helm() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run helm with some arguments; what it says comes back."""
    program = generated.built_helm()
    if program is None:
        pytest.skip("helm has not been built; `make manifests` or the integration tests build it")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)

    return run


@pytest.fixture(scope="session")
def render(helm: Callable[..., subprocess.CompletedProcess[str]]) -> Render:
    """The rendered objects for some values, given as helm's `--set`."""

    @functools.cache
    def objects(*values: str, namespace: str = "ops") -> list[Raw]:
        result = helm(
            "template",
            "pillion",
            str(generated.CHART),
            f"--namespace={namespace}",
            f"--kube-version={generated.KUBERNETES_VERSION}",
            *(f"--set={value}" for value in values),
        )
        assert result.returncode == 0, result.stderr
        return [document for document in yaml.load_all(result.stdout, yaml.CSafeLoader) if document]

    return objects
