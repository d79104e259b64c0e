"""Which commands does `pillion` have?

Heavy imports stand inside the commands that need them, so that `--help` answers at once. Exit codes: 0 done, 1 it did
not work, 2 the command or its input was wrong.
"""

from importlib.metadata import version as package_version
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app", "run"]

app = typer.Typer(
    name="pillion",
    help="Puts an LLM beside an application that already runs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _commands() -> None:
    """Puts an LLM beside an application that already runs."""


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(package_version("pillion"))


@app.command("run")
def run_operator(
    kubeconfig: Annotated[
        Path | None, typer.Option(help="A kubeconfig; absent, the pod's service account or KUBECONFIG.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="A context of the kubeconfig.")] = None,
) -> None:
    """Run the operator. Its settings are environment variables (docs/reference/settings.md)."""
    import asyncio

    from pydantic import ValidationError

    from pillion.cli import logs
    from pillion.controller import operator
    from pillion.controller.settings import Settings

    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"])
            typer.echo(f"setting {name}: {problem['msg']}; found {problem['input']!r}", err=True)
        raise typer.Exit(2) from error
    logs.configure(settings.log_level, settings.log_format)
    try:
        asyncio.run(
            operator.run(
                settings, kubeconfig=None if kubeconfig is None else str(kubeconfig), context=context
            )
        )
    except operator.OperatorError as error:
        typer.echo(f"pillion: {error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def crds(
    folder: Annotated[
        Path | None, typer.Argument(help="Where to write the files; absent, they are printed.")
    ] = None,
) -> None:
    """Print or write the CustomResourceDefinitions of this version."""
    from pillion.api import crds as generator

    files = generator.generate()
    if folder is None:
        typer.echo("---\n".join(files[name] for name in sorted(files)), nl=False)
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def run() -> None:
    """The console script."""
    app()
