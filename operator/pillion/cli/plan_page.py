"""What does a person see of plans?"""

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from pillion import planner
from pillion.api.modeldeployment import Task
from pillion.cli import pieces
from pillion.cli.planning import Answer
from pillion.planner import wording

__all__ = ["show"]


def show(answers: Sequence[Answer], notes: Sequence[str], out: Console, *, everything: bool = False) -> None:
    """Print plans, their memory, who lost, and what was assumed."""
    for number, answer in enumerate(answers):
        if number:
            out.print()
        _print(_page(answer, everything=everything), out)
    _print(pieces.listed("Assumed", (*(note for answer in answers for note in answer.notes), *notes)), out)


def _print(parts: Iterator[RenderableType], out: Console) -> None:
    for part in parts:
        out.print(part)


def _page(answer: Answer, *, everything: bool) -> Iterator[RenderableType]:
    outcome = answer.outcome
    title = (f"{answer.namespace}/{answer.deployment.metadata.name}", "bold")
    if isinstance(outcome, planner.NotPlanned):
        yield Text.assemble(title, "  ", ("not planned", "bold red"), f": {outcome.reason.value}")
        yield pieces.indented(Text(outcome.message))
    else:
        plan = outcome.plan
        free = f"; {outcome.accelerators_free} of {outcome.accelerators_total} free" if plan.product else ""
        yield Text.assemble(title, "  ", ("planned", "bold green"))
        yield pieces.indented(Text(plan.sentence))
        yield Text()
        resources = answer.deployment.spec.engine.resources
        yield pieces.indented(
            pieces.choice(plan, resources=resources, pods=answer.pods, free=free, pools=_pools(answer))
        )
        yield Text()
        yield pieces.indented(pieces.memory(plan))
    warned = ((each.reason.value, each.message) for each in outcome.warnings)
    yield from pieces.reasons("Warnings", warned, style="yellow")
    lost = [(_who(each), each.reason.value, each.message) for each in outcome.rejected]
    shown = len(lost) if everything else pieces.SHOWN
    yield from pieces.candidates(lost, shown=shown, more=" (--all shows them)")


def _pools(answer: Answer) -> bool:
    """Whether the model is served for something else than to write text."""
    asked = answer.deployment.spec.model.task
    if asked is Task.AUTO and answer.facts is not None:
        asked = answer.facts.task
    return asked not in {Task.AUTO, Task.TEXT_GENERATION}


def _who(rejected: planner.Rejected) -> str:
    weights = wording.weights_name(rejected.quantization)
    return f"{rejected.checkpoint}, {weights}, {wording.device(rejected.count, rejected.product)}"
