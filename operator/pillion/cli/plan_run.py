"""What does `pillion plan` do with its options?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer

from pillion import planner
from pillion.cli import deployments, exits, hub_words, planning, printing, surroundings
from pillion.cli.commands.options import Form
from pillion.cli.exits import BadInputError
from pillion.cli.models import Models

__all__ = ["ClusterOptions", "run"]

_DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterOptions:
    """Where nodes come from, as the options say."""

    inventory: str | None
    context: str | None
    kubeconfig: Path | None
    gpu: str | None
    gpus: int | None
    nodes: int | None


def run(
    filename: str,
    *,
    cluster: ClusterOptions,
    namespace: str | None,
    pods: int | None,
    folders: Sequence[str],
    everything: bool,
    form: Form,
) -> None:
    """Plan, print, and end with the exit code that the command's help tells."""
    given = deployments.read(filename)
    by_repo = _folders(folders)
    _refuse_unused(by_repo, given)
    models = Models(hub_words.OF_A_PLAN, folders=by_repo)
    around = _surroundings(cluster, given, namespace)
    answers = planning.answers(given, around, models, pods=pods)
    if form is not Form.TABLE:
        from pillion.cli import plan_data

        data = {"plans": [plan_data.of(answer) for answer in answers], "assumptions": list(around.notes)}
        typer.echo(printing.document(data, form), nl=False)
    else:
        from pillion.cli import plan_page

        with printing.page() as out:
            plan_page.show(answers, around.notes, out, everything=everything)
    if not all(isinstance(answer.outcome, planner.Planned) for answer in answers):
        raise typer.Exit(exits.FAILED)


def _surroundings(
    cluster: ClusterOptions, given: deployments.Given, namespace: str | None
) -> surroundings.Surroundings:
    ways = {
        "--inventory": cluster.inventory,
        "--gpu": cluster.gpu,
        "--context": cluster.context or cluster.kubeconfig,
    }
    chosen = [option for option, value in ways.items() if value is not None]
    if len(chosen) > 1:
        raise BadInputError(f"{' and '.join(chosen)} exclude each other: the nodes come from one of them")
    if cluster.gpu is None and (cluster.gpus is not None or cluster.nodes is not None):
        raise BadInputError("--gpus and --nodes are of imagined nodes: name their product with --gpu")
    if cluster.gpu is not None:
        return surroundings.imagined(
            cluster.gpu,
            per_node=cluster.gpus or 1,
            nodes=cluster.nodes or 1,
            namespace=namespace or _DEFAULT_NAMESPACE,
        )
    if cluster.inventory is not None:
        return surroundings.saved(cluster.inventory, namespace=namespace or _DEFAULT_NAMESPACE)
    from pillion.cli import cluster as live

    return live.surroundings(
        given.deployments,
        kubeconfig=cluster.kubeconfig,
        context=cluster.context,
        namespace=namespace,
    )


def _folders(options: Sequence[str]) -> dict[str, Path]:
    """Directories by the repository that they stand for; "" is the model itself."""
    folders: dict[str, Path] = {}
    problems = []
    for option in options:
        repo, equals, folder = option.partition("=")
        if not equals or Path(option).is_dir():
            repo, folder = "", option
        path = Path(folder).expanduser()
        if path.is_file() and path.name == "config.json":
            path = path.parent
        if not path.is_dir():
            problems.append(f"--model {option}: there is no directory {folder}")
        elif repo in folders:
            problems.append(
                f"--model {option}: "
                + (f"{repo} has a directory already" if repo else "write REPO=DIR where there are several")
            )
        folders[repo] = path
    if problems:
        raise BadInputError(problems)
    return folders


def _refuse_unused(folders: Mapping[str, Path], given: deployments.Given) -> None:
    """A directory that nothing would read, which a misspelt repository is the usual reason for.

    Raises:
        BadInputError: a directory stands for a model that no ModelDeployment names, or all have one of their own.
    """
    named = {
        repo
        for deployment in given.deployments
        for repo in (deployment.spec.model.repo, *deployment.spec.model.variants)
        if repo is not None
    }
    names = ", ".join(sorted(named)) or "none"
    problems = [
        f"--model {repo}={folder}: no ModelDeployment of the file has the model or variant {repo}; they name {names}"
        for repo, folder in folders.items()
        if repo and repo not in named
    ]
    if "" in folders and named and named <= folders.keys():
        problems.append(f"--model {folders['']}: every model of the file has a directory already: {names}")
    if problems:
        raise BadInputError(problems)
