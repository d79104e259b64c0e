"""The page of commands shows what the commands print. `make golden` writes the page anew.

Words are compared, numbers are not: the memory model may learn without the page being wrong. What is cut off on the
page (`...`) is compared up to there, and that only in its first line.
"""

from __future__ import annotations

import json
import os
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.hub import models, server
from tests.unit.cli import objects
from tests.unit.hardware import nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.unit.cli.conftest import Ended

REPOSITORY = Path(__file__).resolve().parents[3]
CUT = "...\n"
PAGE = REPOSITORY / "docs" / "commands.md"
BLOCK = re.compile(
    r"```console\n\$ pillion (?P<command>.*?)(?: # exit code (?P<code>\d))?\n(?P<shown>.*?)```\n", re.DOTALL
)
TYPED = {match["command"]: match for match in BLOCK.finditer(PAGE.read_text("utf-8"))}


@pytest.fixture(scope="module")
def named_hub() -> Iterator[server.Hub]:
    """The tests' models under names that a reader knows."""
    base = replace(models.dense_8b(), repo_id="Qwen/Qwen3-8B")
    fp8 = models.dense_8b_fp8()
    card = {**fp8.card, "base_model": base.repo_id}
    tags = tuple(tag.replace(models.DENSE_8B, base.repo_id) for tag in fp8.tags)
    with server.start(
        repos=(base, replace(fp8, repo_id="Qwen/Qwen3-8B-FP8", card=card, tags=tags))
    ) as started:
        yield started


@pytest.fixture
def desk(tmp_path: Path, named_hub: server.Hub, monkeypatch: pytest.MonkeyPatch, pillion: object) -> Path:
    """A folder with the files that the page names."""
    del pillion  # its environment first, then this one
    text = PAGE.read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", named_hub.url)
    (chat,) = re.findall(r"```yaml\n# chat.yaml\n(.*?)```", text, re.DOTALL)
    (lines,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    (tmp_path / "chat.yaml").write_text(chat)
    (tmp_path / "questions.jsonl").write_text(lines)
    objects.folder(tmp_path / "my-model")
    items: list[dict[str, Any]] = [
        {"kind": "Node", **nodes.gpu_node("a", "Tesla-T4")},
        {"kind": "Pod", **nodes.pod("a", gpu="1")},
        {**objects.workload(), "metadata": {"name": "web", "namespace": "default"}},
    ]
    (tmp_path / "cluster.json").write_text(json.dumps({"kind": "List", "items": items}))
    marked = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web",
            "labels": {"pillion.dev/inject": "true"},
            "annotations": {"model.pillion.dev/chat": ""},
        },
        "spec": {"hostNetwork": True, "containers": [{"name": "app", "image": "app:1"}]},
    }
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(marked, sort_keys=False))
    (tmp_path / "sidecars.yaml").write_text((REPOSITORY / "tests" / "corpus" / "sidecars.yaml").read_text())
    return tmp_path


def words(text: str) -> list[str]:
    """Words without numbers, commits, the length of bars, and the notes: what numbers rest on changes with them."""
    plain = re.sub(r"(?ms)^(Notes|notes:)\n.*\Z", "", re.sub(r', "notes": \[.*?\]', "", text))
    plain = re.sub(r"\b[0-9a-f]{12,}\b", "COMMIT", plain)
    plain = re.sub(r"[█▓▒▚▞░·─]+", "", re.sub(r"\d[\d,.]*", "N", plain))
    return plain.split()


def test_the_page_shows_commands() -> None:
    assert len(TYPED) >= 7


@pytest.mark.parametrize("command", list(TYPED))
def test_a_command_prints_what_the_page_shows(
    desk: Path, pillion: Callable[..., Ended], named_hub: server.Hub, command: str
) -> None:
    del desk
    ended = pillion(*shlex.split(command))
    printed = (ended.err + ended.out).replace(named_hub.url, "https://huggingface.co")
    shown = TYPED[command]
    if os.environ.get("PILLION_WRITE_GOLDEN"):
        code = f" # exit code {ended.code}" if ended.code else ""
        if shown["shown"].endswith(CUT):
            printed = "".join(printed.splitlines(keepends=True)[: shown["shown"].count("\n") - 1]) + CUT
        block = f"```console\n$ pillion {command}{code}\n{printed}```\n"
        page = PAGE.read_text("utf-8")
        (before,) = [match[0] for match in BLOCK.finditer(page) if match["command"] == command]
        PAGE.write_text(page.replace(before, block), "utf-8")
        return

    assert ended.code == int(shown["code"] or 0)
    if shown["shown"].endswith(CUT):
        assert printed.splitlines()[0] == shown["shown"].splitlines()[0]
    else:
        assert words(printed) == words(shown["shown"])
