"""How are many estimates made: a line of JSON in, a line of JSON out?

Each line stands for itself. A line that cannot be answered is answered with its id and what is wrong, and the next
one is read; nothing is kept but the facts of the models.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pillion import sizing
from pillion.cli import questions
from pillion.cli.exits import BadInputError
from pillion.cli.models import Models
from pillion.facts import FactsError
from pillion.sizing.constants import GIB

__all__ = ["answer", "answers", "figures", "was_read"]

_SIGNIFICANT = 6  # digits: four would round the weights of a tiny model by more than the estimate errs

_ID = re.compile(r'\s*\{\s*"id"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)')

Line = dict[str, Any]


_UNREAD = re.compile(r"line \d+: (is no valid JSON|holds \w+ where)")


def was_read(answer: Line) -> bool:
    """Whether an answer is one to a question, be it an error; False where its line holds none."""
    return _UNREAD.match(str(answer.get("error", ""))) is None


def answers(lines: Iterable[str], models: Models, *, beside: Path | None = None) -> Iterator[Line]:
    """An answer for each line that is not empty, as soon as it is made.

    Args:
        lines: JSON objects, one a line.
        models: where facts come from.
        beside: where relative directories may start, beside the current one.
    """
    for number, text in enumerate(lines, start=1):
        if text.strip():
            yield _answer(text, number, models, beside)


def _answer(text: str, number: int, models: Models, beside: Path | None) -> Line:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {"id": _id_of_broken(text), "error": f"line {number}: is no valid JSON: {error}"}
    if not isinstance(line, dict):
        return {
            "id": None,
            "error": f"line {number}: holds {type(line).__name__} where a JSON object is expected",
        }
    question_id = line.pop("id", None)
    if isinstance(question_id, float) and not math.isfinite(question_id):
        question_id = None  # Python reads NaN where JSON has none, and would write it again
    try:
        return {"id": question_id, **answer(line, models, beside=beside)}
    except BadInputError as error:
        return {"id": question_id, "error": "; ".join(error.problems)}
    except FactsError as error:
        return {"id": question_id, "error": f"{error.reason.value}: {error.message}"}
    except sizing.SizingError as error:
        return {"id": question_id, "error": str(error)}
    except Exception as error:  # a mistake of ours about one model must not cost the other lines
        return {"id": question_id, "error": f"this is a mistake of Pillion ({type(error).__name__}: {error})"}


def _id_of_broken(text: str) -> object:
    """The id of a line that breaks off after it, so that its answer can be told from others."""
    found = _ID.match(text)
    try:
        return json.loads(found[1]) if found is not None else None
    except ValueError:
        return None


def answer(fields: Mapping[str, object], models: Models, *, beside: Path | None = None) -> Line:
    """The figures of one question.

    Raises:
        BadInputError: a field is wrong.
        FactsError: the model cannot be read.
        SizingError: the question makes no sense.
    """
    question = questions.read(fields)
    estimate = sizing.estimate(question.request(models.named(question.model, beside=beside)))
    return figures(estimate)


def figures(estimate: sizing.Estimate, *, said: Sequence[str] = ()) -> Line:
    """An estimate with the names and units of the command line; what was said before it comes first in the notes."""
    return {
        "weights_gib": _gib(estimate.weights_bytes),
        "kv_bytes_per_token": estimate.kv_bytes_per_token,
        # What weights and overheads miss where they alone are too much is told by the reasons.
        "kv_cache_gib": _gib(None if estimate.kv_cache_bytes is None else max(0, estimate.kv_cache_bytes)),
        "kv_cache_tokens": estimate.kv_cache_tokens,
        "peak_activation_gib": _gib(estimate.peak_activation_bytes),
        "non_torch_gib": _gib(estimate.non_torch_bytes),
        "cuda_graph_gib": _gib(estimate.cuda_graph_bytes),
        "kv_cache_tokens_promised": estimate.kv_cache_tokens_promised,
        "fits": estimate.fits,
        "max_model_len": estimate.max_model_len,
        "max_fitting_model_len": estimate.max_fitting_model_len,
        "max_concurrency": _rounded(estimate.max_concurrency),
        "reasons": [
            {"reason": finding.reason.value, "message": finding.message} for finding in estimate.reasons
        ],
        "notes": [*said, *estimate.notes],
    }


def _gib(amount: int | None) -> float | None:
    return None if amount is None else _rounded(amount / GIB)


def _rounded(value: float | None) -> float | None:
    if value is None or value == 0:
        return value
    return round(value, max(2, _SIGNIFICANT - 1 - math.floor(math.log10(abs(value)))))
