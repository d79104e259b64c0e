"""Which options does `pillion plan` have?"""

from typing import Annotated

import typer

from pillion.cli.commands.options import Context, Form, Kubeconfig, Namespace, Output, whole_number

__all__ = ["plan"]

_CLUSTER = "Cluster"


def plan(
    *,
    filename: Annotated[
        str,
        typer.Option(
            "--filename",
            "-f",
            metavar="FILE",
            help="A file with ModelDeployments, and with their targets if you like; - reads them.",
        ),
    ],
    inventory: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Nodes and pods as kubectl get nodes,pods -A -o json (or yaml) gives them, in place of a cluster.",
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    gpu: Annotated[
        str | None,
        typer.Option(
            metavar="PRODUCT",
            help="Imagined nodes with this GPU, such as L4 or NVIDIA-L4, in place of a cluster.",
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    gpus: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            parser=whole_number(1, 64),
            help="GPUs of each imagined node.",
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    nodes: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            parser=whole_number(1, 5000),
            help="Imagined nodes.",
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    namespace: Namespace = None,
    pods: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            parser=whole_number(0),
            help="Pods of the target, in place of what is known of it.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[REPO=]DIR",
            help="A directory with the model's files, or config.json alone, in place of the Hub; with REPO= for one of "
            "several checkpoints. May be given several times.",
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show every rejected candidate.")] = False,
    output: Output = Form.TABLE,
) -> None:
    """Say what the operator would choose, and why nothing else.

    The cluster is a saved list (--inventory), a real one (--context, or the kubeconfig's current one), or imagined
    (--gpu). The Hub is HF_ENDPOINT's; gated models are read with HF_TOKEN. Nothing is changed anywhere.

    Exit codes: 0 everything has a plan, 1 something has none (the reason is printed), or the cluster does not answer, 2
    the input is wrong.
    """
    from pillion.cli import exits

    with exits.ending():
        from pillion.cli import plan_run

        plan_run.run(
            filename,
            cluster=plan_run.ClusterOptions(
                inventory=inventory, context=context, kubeconfig=kubeconfig, gpu=gpu, gpus=gpus, nodes=nodes
            ),
            namespace=namespace,
            pods=pods,
            folders=model or [],
            everything=everything,
            form=output,
        )
