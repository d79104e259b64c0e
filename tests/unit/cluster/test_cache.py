"""Is a broken, half-made or outdated cache entry noticed, and is a whole one left alone?"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster import cache

if TYPE_CHECKING:
    from collections.abc import Callable

RECIPE = cache.recipe_hash("program", "v1")


class Maker:
    """Fills an entry and counts how often it was asked to."""

    def __init__(self, contents: bytes = b"made of bytes") -> None:
        self.contents = contents
        self.made = 0

    def __call__(self, draft: Path) -> None:
        self.made += 1
        (draft / "bin").mkdir()
        (draft / "bin" / "program").write_bytes(self.contents)


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "program-v1"


def silently(_: str) -> None:
    """Progress that nobody reads."""


def truncate(entry: Path) -> None:
    (entry / "bin" / "program").write_bytes(b"made")


def edit(entry: Path) -> None:
    (entry / "bin" / "program").write_bytes(b"made of bites")


def remove_a_file(entry: Path) -> None:
    (entry / "bin" / "program").unlink()


def remove_the_stamp(entry: Path) -> None:
    (entry / cache.STAMP).unlink()


def halve_the_stamp(entry: Path) -> None:
    stamp = entry / cache.STAMP
    stamp.write_text(stamp.read_text()[:40])


def test_a_whole_entry_is_made_once(entry: Path) -> None:
    make = Maker()

    for _ in range(3):
        cache.made(entry, recipe=RECIPE, make=make, progress=silently)

    assert make.made == 1
    assert (entry / "bin" / "program").read_bytes() == b"made of bytes"


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(truncate, "has bin/program with 4 bytes instead of 13", id="a truncated file"),
        pytest.param(edit, "has bin/program with other contents than were built", id="an edited file"),
        pytest.param(remove_a_file, "lacks bin/program", id="a missing file"),
        pytest.param(remove_the_stamp, "has no readable stamp", id="a missing stamp"),
        pytest.param(halve_the_stamp, "has no readable stamp", id="half a stamp"),
    ],
)
def test_a_broken_entry_is_told_and_made_anew(
    entry: Path, damage: Callable[[Path], None], reason: str
) -> None:
    make, said = Maker(), list[str]()
    cache.made(entry, recipe=RECIPE, make=make, progress=said.append)
    damage(entry)

    assert cache.fault(entry, recipe=RECIPE) == reason
    cache.made(entry, recipe=RECIPE, make=make, progress=said.append)

    assert make.made == 2
    assert said == [f"program-v1 in the cache {reason}, so it is made anew"]
    assert cache.fault(entry, recipe=RECIPE) is None


def test_another_recipe_makes_it_anew(entry: Path) -> None:
    cache.made(entry, recipe=RECIPE, make=Maker(), progress=silently)
    newer = cache.recipe_hash("program", "v2")

    assert cache.fault(entry, recipe=newer) == "was made by an older recipe"
    cache.made(entry, recipe=newer, make=Maker(b"newer"), progress=silently)

    assert (entry / "bin" / "program").read_bytes() == b"newer"


def test_a_copied_cache_is_whole_though_its_times_differ(entry: Path) -> None:
    cache.made(entry, recipe=RECIPE, make=Maker(), progress=silently)
    os.utime(entry / "bin" / "program", ns=(0, 0))

    assert cache.fault(entry, recipe=RECIPE) is None


def test_an_edit_that_keeps_size_and_time_is_found_by_a_thorough_look(entry: Path) -> None:
    cache.made(entry, recipe=RECIPE, make=Maker(), progress=silently)
    program = entry / "bin" / "program"
    times = (program.stat().st_atime_ns, program.stat().st_mtime_ns)
    edit(entry)
    os.utime(program, ns=times)

    assert cache.fault(entry, recipe=RECIPE) is None
    assert (
        cache.fault(entry, recipe=RECIPE, thorough=True)
        == "has bin/program with other contents than were built"
    )


def test_a_making_that_fails_leaves_nothing_under_the_entrys_name(entry: Path) -> None:
    def fail(draft: Path) -> None:
        (draft / "half").write_text("half of it")
        raise RuntimeError("the compiler was killed")

    with pytest.raises(RuntimeError, match="the compiler was killed"):
        cache.made(entry, recipe=RECIPE, make=fail, progress=silently)

    assert [path.name for path in entry.parent.iterdir()] == [".program-v1.lock"]


def test_a_making_that_fails_keeps_what_was_there(entry: Path) -> None:
    cache.made(entry, recipe=RECIPE, make=Maker(), progress=silently)

    def fail(draft: Path) -> None:
        raise RuntimeError(f"no space left for {draft}")

    with pytest.raises(RuntimeError):
        cache.made(entry, recipe="newer", make=fail, progress=silently)

    assert cache.fault(entry, recipe=RECIPE) is None


def test_two_who_ask_at_once_share_one_making(entry: Path) -> None:
    began, finish, said = threading.Event(), threading.Event(), list[str]()
    waits = threading.Event()
    make = Maker()

    def slow(draft: Path) -> None:
        began.set()
        assert finish.wait(10)
        make(draft)

    def told(line: str) -> None:
        said.append(line)
        waits.set()

    first = threading.Thread(target=cache.made, args=(entry,), kwargs={"recipe": RECIPE, "make": slow})
    second = threading.Thread(
        target=cache.made, args=(entry,), kwargs={"recipe": RECIPE, "make": make, "progress": told}
    )
    first.start()
    assert began.wait(10)
    second.start()
    assert waits.wait(10)
    finish.set()
    first.join(10)
    second.join(10)

    assert make.made == 1
    assert said == ["program-v1: another process makes it, waiting"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({"PILLION_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a", id="ours goes first"),
        pytest.param({"XDG_CACHE_HOME": "/b"}, "/b/pillion", id="then the desktop's"),
        pytest.param(
            {"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/pillion", id="an empty one counts as none"
        ),
        pytest.param({"HOME": "/h"}, "/h/.cache/pillion", id="else below home"),
    ],
)
def test_where_the_cache_lies(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    for name in ("PILLION_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert cache.root() == Path(expected)
