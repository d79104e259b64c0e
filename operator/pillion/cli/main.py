"""Which commands does `pillion` have?

Heavy imports stand inside the commands that need them, so that `--help` answers at once. Exit codes: 0 done, 1 it did
not work or has no answer, 2 the command or its input was wrong.
"""

import io
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from pillion.cli.commands import estimating, explaining, operating, planning

__all__ = ["app", "run"]


class _Paged(TyperCommand):
    """A command whose help has its options in groups.

    The list of commands does without: what draws those groups takes as long to import as everything else together.
    """

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 (typer's, passed on)
        super().__init__(*args, **{**options, "rich_markup_mode": "markdown"})


app = typer.Typer(
    name="pillion",
    help="Puts an LLM beside an application that already runs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version_and_end(asked: bool) -> None:
    if asked:
        operating.version()
        raise typer.Exit


@app.callback()
def _commands(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version_and_end, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Puts an LLM beside an application that already runs."""


app.command(cls=_Paged, short_help="What the operator would choose, and why nothing else.")(planning.plan)
app.command(cls=_Paged, short_help="What a model takes of a GPU, or where it fits.")(estimating.estimate)
app.command(cls=_Paged, short_help="What stands behind a plan.")(explaining.why)
app.command(cls=_Paged, short_help="Pods as admission would make them.")(explaining.inject)
app.command(cls=_Paged)(operating.run)
app.command(cls=_Paged, short_help="The CustomResourceDefinitions of this version.")(operating.crds)
app.command(cls=_Paged)(operating.version)


def run() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a name that the terminal cannot show ends no command
    app()
