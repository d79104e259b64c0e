"""What the pages say is there, is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from pillion.api.reasons import About, Reason
from pillion.cli.main import app

REPOSITORY = Path(__file__).resolve().parents[3]
PAGES = [
    REPOSITORY / "README.md",
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "CHANGELOG.md",
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]
# These say that all is well, or that something takes its time: there is nothing to be done about them.
NOTHING_TO_DO = {
    Reason.PLANNED,
    Reason.PLANNING,
    Reason.ORDERED_AFTER,
    Reason.INJECTED,
    Reason.NOT_INJECTED,
    Reason.OPT_IN,
    Reason.NOT_MARKED,
    Reason.ALREADY_INJECTED,
    Reason.MIRROR_POD,
    Reason.SERVING,
    Reason.SWAP_IN_PROGRESS,
}

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))


@pages
def test_a_link_within_the_repository_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8"))
    local = [target for target in targets if "://" not in target]

    assert [target for target in local if not (page.parent / target).exists()] == []


@pages
def test_a_make_target_that_is_named_exists(page: Path) -> None:
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    targets = {name for line in re.findall(r"(?m)^([a-z0-9 -]+):", makefile) for name in line.split()}
    named = set(re.findall(r"(?m)(?:^|`)make ([a-z0-9-]+)", page.read_text("utf-8")))

    assert named <= targets


@pages
def test_a_command_of_pillion_that_is_named_exists(page: Path) -> None:
    commands = set(getattr(get_command(app), "commands", {}))
    named = set(re.findall(r"(?m)(?:^|`)(?:\$ )?pillion ([a-z][a-z-]*)", page.read_text("utf-8")))

    assert commands
    assert named <= commands


def test_troubleshooting_has_something_for_every_reason_that_needs_it() -> None:
    text = (REPOSITORY / "docs" / "troubleshooting.md").read_text("utf-8")
    named = set(re.findall(r"`([A-Z][A-Za-z]+)`", text))
    needed = {reason for reason in Reason if reason.about is not About.PROGRESS} - NOTHING_TO_DO

    assert {reason.value for reason in needed} - named == set()
