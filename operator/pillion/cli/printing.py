"""How does an answer reach a person's terminal or another program?"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import typer
from rich.console import Console

from pillion.cli.commands.options import Form

__all__ = ["document", "page"]

_WIDTH = 110  # of a page that goes to a file or another program


@contextmanager
def page() -> Iterator[Console]:
    """Standard output for people: as wide as the terminal; where it is none, a page without blanks at lines' ends."""
    out = Console(highlight=False)
    if out.is_terminal:
        yield out
        return
    if "COLUMNS" not in os.environ:
        out.width = _WIDTH
    with out.capture() as captured:
        yield out
    for line in captured.get().splitlines():
        typer.echo(line.rstrip())


def document(value: Mapping[str, object], form: Form) -> str:
    """A value as JSON or YAML, with a line's end."""
    if form is Form.JSON:
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    import yaml

    return str(yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=110))
