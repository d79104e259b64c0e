"""Options that several commands have, with one name, one meaning and one sentence."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Context", "Form", "Kubeconfig", "Namespace", "Output"]


class Form(StrEnum):
    """The forms of an answer."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[Form, typer.Option("--output", "-o", help="table for people, json or yaml for programs.")]
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
