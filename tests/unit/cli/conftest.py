"""One Hub for all tests, and the command line as a function."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from pillion.cli.main import app
from tests.hub import server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """What it said, in one line: pages break lines anywhere."""
        return " ".join(self.out.split())

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


Pillion = "Callable[..., Ended]"


@pytest.fixture(scope="session")
def hub() -> Iterator[server.Hub]:
    with server.start() as started:
        yield started


@pytest.fixture
def pillion(hub: server.Hub, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """The command line, with the tests' Hub and without the machine's own clusters and tokens."""
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("KUBECONFIG", "/nonexistent/kubeconfig")
    for name in ("HF_TOKEN", "COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object, stdin: str | None = None) -> Ended:
        result = CliRunner().invoke(app, [str(each) for each in arguments], input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Ended(code=result.exit_code, out=result.stdout, err=result.stderr)

    return run


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """A file with these documents as YAML, or with this text."""

    def write(*documents: Any, name: str = "file.yaml") -> Path:
        path = tmp_path / name
        text = (
            documents[0] if isinstance(documents[0], str) else yaml.safe_dump_all(documents, sort_keys=False)
        )
        path.write_text(text)
        return path

    return write
