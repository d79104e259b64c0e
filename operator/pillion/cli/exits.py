"""How does a command end that cannot go on?

    BadInputError   the command line, a file or a setting is wrong: every problem is printed, exit code 2
    FailedError     the question was right and has no answer (no plan, a cluster that does not answer): exit code 1

Whatever a user can get wrong ends in one of the two, with sentences and no traceback; anything else is a mistake of
ours, and a traceback is what its report needs.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

__all__ = ["DONE", "FAILED", "WRONG", "BadInputError", "FailedError", "ending"]

DONE, FAILED, WRONG = 0, 1, 2


class BadInputError(Exception):
    """What the user gave is wrong; every problem is a line of its own."""

    def __init__(self, problems: Sequence[str] | str) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class FailedError(Exception):
    """The question was right, and there is no answer."""


@contextmanager
def ending() -> Iterator[None]:
    """Turns the two errors into messages on standard error and an exit code."""
    try:
        yield
    except BadInputError as error:
        for problem in error.problems:
            typer.echo(f"pillion: {problem}", err=True)
        raise typer.Exit(WRONG) from error
    except FailedError as error:
        typer.echo(f"pillion: {error}", err=True)
        raise typer.Exit(FAILED) from error
    except BrokenPipeError:
        # Whoever read has seen enough (`| head`); what is still in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(DONE) from None
