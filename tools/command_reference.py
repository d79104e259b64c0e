"""What does the reference of the commands say: every command, its options, and its exit codes?"""

from __future__ import annotations

import enum
import pathlib
from typing import TYPE_CHECKING, Any

from typer.main import get_command

from pillion.cli.main import app

if TYPE_CHECKING:
    from collections.abc import Iterator


def rows(parameters: list[Any]) -> Iterator[tuple[str, str]]:
    """Each argument and option, with what it means and what it is by default."""
    for parameter in parameters:
        if parameter.param_type_name == "argument":
            written = f"`{parameter.name.upper()}`" + ("" if parameter.required else " (optional)")
        else:
            names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
            written = names if parameter.is_flag else f"{names} {_value(parameter)}"
        default = parameter.default
        meaning = str(parameter.help or "")
        if parameter.required:
            meaning += " Required."
        elif default not in (None, False) and not callable(default):
            meaning += f" Default: {getattr(default, 'value', default)}."
        yield written, meaning


def _value(parameter: Any) -> str:  # noqa: ANN401 (typer publishes no type for it)
    """What stands after an option."""
    kind = parameter.type_descriptor.annotation
    if parameter.metavar:
        return str(parameter.metavar).replace("[", "\\[")
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "\\|".join(str(choice.value) for choice in kind)
    return {int: "NUMBER", float: "NUMBER", pathlib.Path: "PATH"}.get(kind, "TEXT")


def page(note: str, table: Any) -> str:  # noqa: ANN401 (a function of the other pages)
    """The whole page."""
    parts = [
        note,
        "# Commands\n",
        "Each with examples in [commands](../commands.md); `pillion COMMAND --help` says the same.\n",
    ]
    for name, command in sorted(getattr(get_command(app), "commands", {}).items()):
        paragraphs = (command.help or "").strip().split("\n\n")
        parts.append(f"## pillion {name}\n")
        parts += [" ".join(paragraph.split()) + "\n" for paragraph in paragraphs]
        if command.params:
            parts.append(table(("argument or option", "meaning"), rows(command.params)))
    return "\n".join(parts)
