"""Which commands run Pillion itself?"""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["crds", "run", "version"]


def version() -> None:
    """Print the version."""
    from importlib.metadata import version as package_version

    typer.echo(package_version("pillion"))


def run(
    kubeconfig: Annotated[
        Path | None, typer.Option(help="A kubeconfig; absent, the pod's service account or KUBECONFIG.")
    ] = None,
    context: Annotated[str | None, typer.Option(help="A context of the kubeconfig.")] = None,
) -> None:
    """Run the operator. Its settings are environment variables (docs/reference/settings.md).

    Exit codes: 0 it was told to end, 1 it cannot run or lost its lease, 2 a setting or the kubeconfig is wrong.
    """
    import asyncio

    from pydantic import ValidationError

    from pillion.cli import logs
    from pillion.controller import operator
    from pillion.controller.settings import Settings
    from pillion.kube.client import KubeError
    from pillion.kube.credentials import CredentialsError

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
    except CredentialsError as error:
        typer.echo(f"pillion: {error}", err=True)
        raise typer.Exit(2) from error
    except KubeError as error:
        typer.echo(f"pillion: the operator cannot run: {error.message}", err=True)
        raise typer.Exit(1) from error
    except operator.OperatorError as error:
        typer.echo(f"pillion: {error}", err=True)
        raise typer.Exit(1) from error


def crds(
    folder: Annotated[
        Path | None, typer.Argument(help="Where to write the files; absent, they are printed.")
    ] = None,
) -> None:
    """Print or write the CustomResourceDefinitions of this version.

    Exit codes: 0 done, 2 the folder cannot be written.
    """
    from pillion.api import crds as generator
    from pillion.cli import exits

    files = generator.generate()
    if folder is None:
        typer.echo("---\n".join(files[name] for name in sorted(files)), nl=False)
        return
    with exits.ending():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (folder / name).write_text(text)
        except OSError as error:
            raise exits.BadInputError(
                f"{folder}: cannot be written: {error.strerror or error}; name a folder that can"
            ) from error
