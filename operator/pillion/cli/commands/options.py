"""Options that several commands have, with one name, one meaning and one sentence.

What typer would say of a wrong value are pydantic's words for programmers, so each option reads its own text.
"""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Context", "Form", "Kubeconfig", "Namespace", "Output", "whole_number"]


class Form(StrEnum):
    """The forms of an answer."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    """What reads an option's whole number, and says which ones are accepted."""
    accepted = f"of {least} or more" if most is None else f"from {least} to {most}"

    def wrong(text: str) -> typer.BadParameter:
        return typer.BadParameter(f"must be a whole number {accepted}; found {text!r}")

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise wrong(text) from None
        if value < least or (most is not None and value > most):
            raise wrong(text)
        return value

    return read


def _form(text: str) -> Form:
    try:
        return Form(text)
    except ValueError:
        raise typer.BadParameter(f"must be one of {', '.join(Form)}; found {text!r}") from None


Output = Annotated[
    Form,
    typer.Option(
        "--output",
        "-o",
        metavar="FORM",
        parser=_form,
        help="table for people, json or yaml for programs.",
    ),
]
Context = Annotated[
    str | None,
    typer.Option(help="A context of the kubeconfig.", rich_help_panel="Cluster"),
]
Kubeconfig = Annotated[
    Path | None,
    typer.Option(help="A kubeconfig; absent, KUBECONFIG or the default one.", rich_help_panel="Cluster"),
]
Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", help="The namespace; absent, the context's, or default."),
]
