"""What does `pillion run` say where it cannot run?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pillion.cli import logs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ended


@pytest.fixture
def kubeconfig(written: Callable[..., Path]) -> Callable[..., Path]:
    """Of a cluster where nobody listens."""

    def write(**user: Any) -> Path:
        return written(
            {
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
                "users": [{"name": "u", "user": user}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )

    return write


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """On any port, and without the log of a process that runs for long."""
    monkeypatch.setenv("PILLION_HTTP_PORT", "0")
    monkeypatch.setattr(logs, "configure", lambda *_: None)


def test_a_kubeconfig_that_is_not_there(pillion: Callable[..., Ended], tmp_path: Path) -> None:
    ended = pillion("run", "--kubeconfig", tmp_path / "missing")
    assert ended.code == 2
    assert ended.err.startswith("pillion: there is no kubeconfig at")


def test_an_api_server_that_is_not_there(
    pillion: Callable[..., Ended], kubeconfig: Callable[..., Path]
) -> None:
    ended = pillion("run", "--kubeconfig", kubeconfig(token="t"))
    assert ended.code == 1
    assert ended.err.startswith("pillion: the operator cannot run: the API server did not answer GET")


def test_a_token_that_is_not_there(pillion: Callable[..., Ended], kubeconfig: Callable[..., Path]) -> None:
    ended = pillion("run", "--kubeconfig", kubeconfig(tokenFile="missing"))
    assert ended.code == 1
    assert "the token's file cannot be read" in ended.err
