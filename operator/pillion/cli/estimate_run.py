"""What does `pillion estimate` do with its options?"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import typer

from pillion import sizing
from pillion.cli import batch, documents, exits, hub_words, overview, printing, questions
from pillion.cli.commands.options import Form
from pillion.cli.exits import BadInputError, FailedError
from pillion.cli.models import Models, directory_of
from pillion.facts import FactsError, ModelFacts

__all__ = ["many", "one"]


def one(fields: Mapping[str, object], *, revision: str | None, form: Form) -> None:
    """One estimate, or without a GPU a table over common ones; the exit code is that of the command's help."""
    try:
        question = questions.read(questions.from_texts(fields))
    except BadInputError as error:
        raise BadInputError([_as_option(problem) for problem in error.problems]) from error
    model = _facts(question.model, Models(hub_words.OF_AN_ESTIMATE, revision=revision))
    knows_memory = question.gpu is not None or question.gpu_memory_bytes is not None
    try:
        if knows_memory or "kv_cache_memory_bytes" in question.settings:
            fits = _show_one(question, model, form)
        else:
            fits = _show_overview(question, model, form)
    except sizing.SizingError as error:
        raise BadInputError(_as_option(str(error))) from error
    if fits is False:
        raise typer.Exit(exits.FAILED)


def _show_one(question: questions.Question, model: ModelFacts, form: Form) -> bool | None:
    request = question.request(model)
    estimate = sizing.estimate(request)
    if form is Form.TABLE:
        from pillion.cli import estimate_page

        with printing.page() as out:
            estimate_page.show(question, request, estimate, out)
    else:
        data = {"model": model.repo, "gpu": question.product, **batch.figures(estimate, said=model.notes)}
        typer.echo(printing.document(data, form), nl=False)
    return estimate.fits


def _show_overview(question: questions.Question, model: ModelFacts, form: Form) -> bool:
    found = list(overview.places(question, model))
    length = overview.length_of(question, model)
    if form is Form.TABLE:
        from pillion.cli import estimate_page

        with printing.page() as out:
            estimate_page.show_overview(question, model, found, length, out)
    else:
        rows = [
            {
                "gpu": place.gpu.product,
                "weights": place.form,
                "count": place.count,
                **batch.figures(place.estimate),
            }
            for place in found
        ]
        data = {
            "model": model.repo,
            "requestLength": length,
            "notes": list(model.notes),
            "places": rows,
        }
        typer.echo(printing.document(data, form), nl=False)
    return any(place.estimate.fits for place in found)


def _facts(model: str, models: Models) -> ModelFacts:
    is_directory = directory_of(model) is not None
    try:
        return models.named(model)
    except FactsError as error:
        text = f"{error.reason.value}: {error.message}"
        raise (BadInputError(text) if is_directory else FailedError(text)) from error


def _as_option(problem: str) -> str:
    """A field's problem under the option's name."""
    name, separator, rest = problem.partition(": ")
    if not separator or name not in questions.FIELDS:
        return problem
    return f"MODEL: {rest}" if name == "model" else f"--{name.replace('_', '-')}: {rest}"


def many(path: str, *, revision: str | None) -> None:
    """Estimates for each line of a file, each printed as soon as it is made."""
    failed, read, unread = False, 0, 0
    beside = None if path == documents.STANDARD_INPUT else Path(path).parent
    models = Models(hub_words.OF_AN_ESTIMATE, revision=revision)
    for answer in batch.answers(_lines(path), models, beside=beside):
        failed = failed or "error" in answer
        read, unread = (read + 1, unread) if batch.was_read(answer) else (read, unread + 1)
        sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    if not read:
        held = "no line of it holds" if unread else "is empty; each line should hold"
        raise BadInputError(f"{documents.shown_name(path)}: {held} a question as a JSON object")
    if failed:
        raise typer.Exit(exits.FAILED)


def _lines(path: str) -> Iterator[str]:
    """Lines as they come in; one that is no UTF-8 is replaced where it is not, and fails as JSON or as a name."""
    if path == documents.STANDARD_INPUT:
        yield from _decoded(sys.stdin.buffer)
        return
    try:
        with Path(path).open("rb") as file:
            yield from _decoded(file)
    except FileNotFoundError as error:
        raise BadInputError(f"{path}: there is no such file") from error
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror or error}") from error


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    return (line.decode("utf-8-sig", errors="replace") for line in lines)
