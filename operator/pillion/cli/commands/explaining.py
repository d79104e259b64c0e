"""Which options do `pillion why` and `pillion inject` have?"""

from typing import Annotated

import typer

from pillion.cli.commands.options import Context, Form, Kubeconfig, Namespace, Output

__all__ = ["inject", "why"]


def why(
    *,
    name: Annotated[
        str | None,
        typer.Argument(
            help="A ModelDeployment; absent, the numbers are told that every plan assumes.",
            show_default=False,
        ),
    ] = None,
    filename: Annotated[
        str | None,
        typer.Option(
            "--filename",
            "-f",
            metavar="FILE",
            help="What kubectl get pmd,psc -o yaml saved, in place of a cluster; - reads it.",
        ),
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Without a name: every number, not only those that are assumed.")
    ] = False,
    output: Output = Form.TABLE,
) -> None:
    """Explain what the operator chose for a ModelDeployment: the plan, who lost, and what its numbers rest on.

    Exit codes: 0 explained, 1 there is no such ModelDeployment in the cluster or the file, or the cluster does not
    answer, 2 the input is wrong.
    """
    from pillion.cli import exits

    with exits.ending():
        from pillion.cli import why_run

        if name is None:
            where = {"-f": filename, "-n": namespace, "--context": context, "--kubeconfig": kubeconfig}
            given = [option for option, value in where.items() if value is not None]
            if given:
                raise exits.BadInputError(
                    f"{', '.join(given)}: say which ModelDeployment is meant (pillion why NAME); without a name the "
                    "numbers of every plan are told"
                )
            why_run.numbers(everything=everything, form=output)
            return
        why_run.explain(
            name, filename=filename, kubeconfig=kubeconfig, context=context, namespace=namespace, form=output
        )


def inject(
    *,
    filename: Annotated[
        str,
        typer.Option(
            "--filename",
            "-f",
            metavar="FILE",
            help="Pods, or workloads with a pod template; - reads them.",
        ),
    ],
    sidecars: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="ModelSidecars as kubectl get psc -o yaml gives them, in place of a cluster's.",
            rich_help_panel="Cluster",
        ),
    ] = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    namespace: Namespace = None,
) -> None:
    """Print pods as admission would make them, and say why one does not get the engine that it asks for.

    Nothing is created. What stands against an engine goes to standard error.

    Exit codes: 0 every pod gets what it asks for, 1 one does not, or the cluster does not answer, 2 the input is wrong.
    """
    from pillion.cli import exits

    with exits.ending():
        from pillion.cli import inject_run

        inject_run.run(
            filename, sidecars=sidecars, kubeconfig=kubeconfig, context=context, namespace=namespace
        )
