"""Is what lies in the cache whole, and made by the recipe that is in force now?

An entry is a folder that was filled under another name and then renamed, so that a half-made one never has
the final name. Its stamp holds the hash of the recipe and, for every file, size, modification time and
SHA-256: a truncated, edited or outdated entry is noticed and made anew. Locks are `flock`s, which vanish with
the process that held them.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

STAMP = "stamp.json"
Progress = Callable[[str], None]


def root() -> Path:
    """Where everything lies: `$PILLION_CACHE`, else `pillion` in the user's cache folder."""
    if chosen := os.environ.get("PILLION_CACHE"):
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "pillion"


def recipe_hash(*parts: object) -> str:
    """One short name for all that decides what an entry holds."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fault(entry: Path, *, recipe: str, thorough: bool = False) -> str | None:
    """What is wrong with the entry, as the end of a sentence, or None when it can be used.

    Sizes and modification times are compared, which takes microseconds; contents are hashed where a time
    differs (the cache may have been copied) or where `thorough` asks for it.
    """
    if not entry.is_dir():
        return "is not there yet"
    try:
        stamp = json.loads((entry / STAMP).read_text())
        files: dict[str, dict[str, Any]] = stamp["files"]
        made_by = stamp["recipe"]
    except (OSError, ValueError, KeyError, TypeError):
        return "has no readable stamp"
    if made_by != recipe:
        return "was made by an older recipe"
    for name, noted in files.items():
        path = entry / name
        try:
            found = path.lstat()
        except OSError:
            return f"lacks {name}"
        if found.st_size != noted["size"]:
            return f"has {name} with {found.st_size} bytes instead of {noted['size']}"
        touched = found.st_mtime_ns != noted["mtime_ns"]
        if (touched or thorough) and _digest(path) != noted["sha256"]:
            return f"has {name} with other contents than were built"
    return None


@contextlib.contextmanager
def filling(entry: Path, *, recipe: str) -> Iterator[Path]:
    """A new folder to fill: stamped, it takes the entry's place if the block ends well; else it vanishes."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{entry.name}.", dir=entry.parent))
    try:
        yield draft
        (draft / STAMP).write_text(
            json.dumps({"recipe": recipe, "files": _inventory(draft)}, indent=1, sort_keys=True)
        )
        draft.chmod(0o755)
        if entry.exists():
            # A rename onto a folder that is not empty fails, so the old one steps aside first.
            aside = Path(tempfile.mkdtemp(prefix=f".{entry.name}.old.", dir=entry.parent))
            entry.rename(aside / entry.name)
            draft.rename(entry)
            shutil.rmtree(aside, ignore_errors=True)
        else:
            draft.rename(entry)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def made(
    entry: Path,
    *,
    recipe: str,
    make: Callable[[Path], None],
    progress: Progress = print,
) -> Path:
    """The entry, made by `make(draft)` unless a whole one is there; whoever asks meanwhile waits."""
    if fault(entry, recipe=recipe) is None:
        return entry
    with locked(
        entry.parent / f".{entry.name}.lock",
        waiting=lambda: progress(f"{entry.name}: another process makes it, waiting"),
    ):
        reason = fault(entry, recipe=recipe)
        if reason is None:
            return entry
        if entry.exists():
            progress(f"{entry.name} in the cache {reason}, so it is made anew")
        with filling(entry, recipe=recipe) as draft:
            make(draft)
    return entry


@contextlib.contextmanager
def locked(path: Path, *, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock file's `flock`; `waiting` is called once if somebody else holds it now."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                waiting()
            fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


def _inventory(folder: Path) -> dict[str, dict[str, Any]]:
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            found = path.stat()
            files[str(path.relative_to(folder))] = {
                "size": found.st_size,
                "mtime_ns": found.st_mtime_ns,
                "sha256": _digest(path),
            }
    return files


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
