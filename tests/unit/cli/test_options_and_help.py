"""Does the command line show its options whole, and say in a sentence what an option accepts?"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest
from typer.main import get_command

from pillion.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ended

    Pillion = Callable[..., Ended]

COMMANDS = getattr(get_command(app), "commands", {})


def test_the_version_is_an_option_as_well(pillion: Pillion) -> None:
    ended = pillion("--version")
    assert (ended.code, ended.out) == (0, f"{version('pillion')}\n")
    assert pillion("version").out == ended.out


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_shows_whole_names_in_80_columns(
    pillion: Pillion, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ended = pillion(name, "--help")
    assert ended.code == 0
    assert "…" not in ended.out
    shown = ended.out.replace(",", " ").split()
    for parameter in COMMANDS[name].params:
        if parameter.param_type_name == "option":
            assert {*parameter.opts, *parameter.secondary_opts} <= set(shown)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(
            ("--gpus", "x"), "'--gpus': must be a whole number from 1 to 64; found 'x'", id="a text"
        ),
        pytest.param(
            ("--gpus", "65"), "'--gpus': must be a whole number from 1 to 64; found '65'", id="too many"
        ),
        pytest.param(("--nodes", "0"), "must be a whole number from 1 to 5000; found '0'", id="too few"),
        pytest.param(("--pods", "-1"), "must be a whole number of 0 or more; found '-1'", id="below zero"),
        pytest.param(("-o", "xml"), "must be one of table, json, yaml; found 'xml'", id="a form"),
    ],
)
def test_a_wrong_option_is_told_with_what_is_accepted(
    pillion: Pillion, arguments: tuple[str, ...], said: str
) -> None:
    ended = pillion("plan", "-f", "file.yaml", "--gpu", "L4", *arguments)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())
    assert "Input should be" not in ended.err


def test_a_folder_that_cannot_be_written(pillion: Pillion, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = pillion("crds", tmp_path / "file" / "crds")
    assert ended.code == 2
    assert ended.err.startswith(f"pillion: {tmp_path}/file/crds: cannot be written: ")
