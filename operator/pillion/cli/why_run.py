"""What does `pillion why` say?"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import typer
from rich.console import Console, RenderableType
from rich.text import Text

from pillion import planner
from pillion.api.shape import InvalidObjectError
from pillion.cli import documents, explained, grounds, pieces, printing
from pillion.cli.commands.options import Form
from pillion.cli.documents import Raw
from pillion.cli.exits import BadInputError
from pillion.cli.explained import Found
from pillion.cli.surroundings import MALFORMED
from pillion.facts import Basis

__all__ = ["explain", "numbers"]

_CONDITION_STYLES = {"True": "green", "False": "red", "Unknown": "yellow"}
_INPUTS = ("model", "target", "endpoint", "servedNames", "accelerators", "observed", "pods")


def explain(
    name: str,
    *,
    filename: str | None,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    form: Form,
) -> None:
    """Explain one ModelDeployment, of a cluster or of a file that was saved from one."""
    if filename is not None:
        found = explained.saved(filename, name, namespace)
    else:
        from pillion.cli import cluster

        where = namespace or cluster.default_namespace(
            kubeconfig, context, without="-f FILE (kubectl get pmd NAME -o yaml)"
        )
        found = explained.live(name, kubeconfig, context, where)
    try:
        parts, data = list(_page(found)), _data(found)
    except MALFORMED as error:
        if filename is None:
            raise  # the API server holds status to its schema
        raise BadInputError(
            f"{documents.shown_name(filename)}: {name} is not as the operator writes it "
            f"({type(error).__name__}: {error})"
        ) from error
    if form is Form.TABLE:
        with printing.page() as out:
            _print(parts, out)
    else:
        typer.echo(printing.document(data, form), nl=False)


def numbers(*, everything: bool, form: Form) -> None:
    """Print the numbers that every plan rests on: those that are assumed, or all."""
    found = [ground for ground in grounds.all_grounds() if everything or ground.fact.basis is Basis.ASSUMED]
    if form is not Form.TABLE:
        typer.echo(printing.document({"numbers": [_number(ground) for ground in found]}, form), nl=False)
        return
    with printing.page() as out:
        out.print(pieces.heading("All numbers" if everything else "Assumed numbers, the next to be measured"))
        _print(_numbers(found), out)


def _print(parts: Iterable[RenderableType], out: Console) -> None:
    for part in parts:
        out.print(part)


def _page(found: Found) -> Iterator[RenderableType]:
    metadata = found.deployment["metadata"]
    status = found.status
    yield Text(f"{metadata.get('namespace', 'default')}/{metadata['name']}", style="bold")
    conditions = [each for each in status.get("conditions") or () if isinstance(each, dict)]
    if not conditions:
        yield pieces.indented(Text("The operator has not looked at it yet: is it running?", style="yellow"))
    for each in conditions:
        said = str(each.get("status"))
        yield pieces.indented(
            Text.assemble(
                (f"{each.get('type')}: ", "bold"),
                (said, _CONDITION_STYLES.get(said, "")),
                f", {each.get('reason')}: {each.get('message')}",
            )
        )
    yield from _choice(found)
    warned = ((str(each.get("reason")), str(each.get("message"))) for each in status.get("warnings") or ())
    yield from pieces.reasons("Warnings", warned, style="yellow")
    lost = [
        (_who(each), str(each.get("reason")), str(each.get("message")))
        for each in status.get("candidates") or ()
    ]
    yield from pieces.candidates(lost, shown=len(lost))
    yield from _observed(status)
    plan = found.plan
    if plan is not None:
        yield from pieces.listed("What the choice rests on", grounds.about_plan(plan))
        on_cpu = plan.device is planner.Device.CPU
        yield Text()
        yield pieces.heading("What the numbers rest on, the softest first")
        yield from _numbers(ground for ground in grounds.all_grounds() if ground.is_about_cpu == on_cpu)


def _choice(found: Found) -> Iterator[RenderableType]:
    plan, shown = found.plan, found.status.get("plan")
    if plan is not None:
        yield Text()
        yield pieces.heading("The choice")
        yield pieces.indented(Text(plan.sentence))
        spec = found.spec
        if isinstance(spec, InvalidObjectError):
            yield pieces.indented(pieces.choice(plan, resources=None))
            yield Text()
            yield pieces.indented(Text(_sizes_of_the_plan(spec), style="yellow"))
        else:
            yield pieces.indented(pieces.choice(plan, resources=spec.engine.resources))
        yield Text()
        yield pieces.indented(pieces.memory(plan))
    elif isinstance(shown, dict):
        yield Text()
        yield pieces.heading(
            "The choice (as status tells it: there is no ModelSidecar that this version can read)"
        )
        flat = {
            **{key: value for key, value in shown.items() if key != "memory"},
            **(shown.get("memory") or {}),
        }
        yield pieces.indented(pieces.rows({key: str(value) for key, value in flat.items()}))


def _sizes_of_the_plan(unread: InvalidObjectError) -> str:
    """That the container's sizes leave out what the user may have set."""
    problems = "; ".join(str(problem) for problem in unread.problems)
    return (
        "The container's sizes are the plan's own: whether spec.engine.resources sets others is not known, because "
        f"this version cannot read the spec ({problems})."
    )


def _who(candidate: Raw) -> str:
    count = candidate.get("count") or 1
    product = str(candidate.get("product"))
    weights = candidate.get("quantization")
    return f"{candidate.get('checkpoint')}, {'16 bit' if weights == 'None' else weights}, " + (
        product if count == 1 else f"{count} x {product}"
    )


def _observed(status: Raw) -> Iterator[RenderableType]:
    observed = status.get("observed") or {}
    tokens, planned = observed.get("kvCacheTokens"), observed.get("plannedKvCacheTokens")
    if isinstance(tokens, int):
        beside = f", where the plan counted on {planned:,}" if isinstance(planned, int) else ""
        sentences = [f"The engine's KV cache holds {tokens:,} tokens{beside}."]
        yield from pieces.listed("What the engine reports", sentences)


def _numbers(found: Iterable[grounds.Ground]) -> Iterator[RenderableType]:
    for ground in found:
        fact = ground.fact
        style = "yellow" if fact.basis is Basis.ASSUMED else "dim"
        yield pieces.indented(
            Text.assemble(f"{ground.name}: {fact.value:g} {fact.unit}  ", (fact.basis.value.lower(), style))
        )
        held = "" if fact.holds_for == "everything" else f" (holds for {fact.holds_for})"
        yield pieces.indented(Text(f"{fact.source}{held}", style="dim"), 4)


def _number(ground: grounds.Ground) -> dict[str, Any]:
    fact = ground.fact
    return {
        "name": ground.name,
        "value": fact.value,
        "unit": fact.unit,
        "basis": fact.basis.value,
        "source": fact.source,
        "holdsFor": fact.holds_for,
    }


def _data(found: Found) -> dict[str, Any]:
    status, plan = found.status, found.plan
    metadata = found.deployment["metadata"]
    on_cpu = plan is not None and plan.device is planner.Device.CPU
    return {
        "name": metadata["name"],
        "namespace": metadata.get("namespace"),
        "conditions": status.get("conditions") or [],
        "plan": plan.to_status() if plan is not None else status.get("plan"),
        "warnings": status.get("warnings") or [],
        "candidates": status.get("candidates") or [],
        **{key: status[key] for key in _INPUTS if key in status},
        "grounds": list(grounds.about_plan(plan)) if plan is not None else [],
        "numbers": [_number(ground) for ground in grounds.all_grounds() if ground.is_about_cpu == on_cpu],
    }
