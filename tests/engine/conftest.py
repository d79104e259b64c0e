"""What do the tests of this lane share? One installation of the real vLLM on CPU, without a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.engine import installation

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HERE = __file__.rpartition("/")[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies here; the first test of a machine waits for 6 GB."""
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker(pytest.mark.engine)
            item.add_marker(pytest.mark.timeout(1800, func_only=True))


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say something on the terminal, past pytest's capture."""
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    return lambda text: reporter.write_line(text) if reporter else None


@pytest.fixture(scope="session")
def engine_python(say: Callable[[str], None]) -> Path:
    """The interpreter that has vLLM."""
    return installation.python(progress=say)
