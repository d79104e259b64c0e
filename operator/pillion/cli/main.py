"""Which commands does `pillion` have?

Heavy imports stand inside the commands that need them, so that `--help` answers at once. Exit codes: 0 done, 1 it did
not work or has no answer, 2 the command or its input was wrong.
"""

import io
import sys

import typer

from pillion.cli.commands import estimating, explaining, operating, planning

__all__ = ["app", "run"]

app = typer.Typer(
    name="pillion",
    help="Puts an LLM beside an application that already runs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback()
def _commands() -> None:
    """Puts an LLM beside an application that already runs."""


app.command()(planning.plan)
app.command()(estimating.estimate)
app.command()(explaining.why)
app.command()(explaining.inject)
app.command()(operating.run)
app.command()(operating.crds)
app.command()(operating.version)


def run() -> None:
    """The console script."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                errors="backslashreplace"
            )  # a name that the terminal cannot show ends no command
    app()
