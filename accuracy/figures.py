"""How far off are estimates, figure by figure?"""

import dataclasses
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from accuracy.cases import GIB, Case, cases
from pillion import sizing
from pillion.sizing import EstimateRequest

_ROUNDING = 0.005  # GiB: a log prints two digits


class Said(Protocol):
    """What an estimator says of a case; None where it says nothing."""

    @property
    def weights_bytes(self) -> int | None:
        """On each accelerator."""

    @property
    def kv_bytes_per_token(self) -> int | None:
        """On each accelerator."""

    @property
    def kv_cache_bytes(self) -> int | None:
        """What is left for the cache."""

    @property
    def kv_cache_tokens(self) -> int | None:
        """What it holds."""

    @property
    def fits(self) -> bool | None:
        """Whether the engine starts."""


Estimator = Callable[[EstimateRequest], Said]


@dataclass(frozen=True, kw_only=True, slots=True)
class Error:
    """One figure of one log: what was printed, and what was said of it."""

    case: str
    printed: float
    said: float

    @property
    def relative(self) -> float:
        """Below zero: less was said than printed."""
        return self.said / self.printed - 1 if self.printed else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdicts:
    """Starts and failures, and which were foretold."""

    right: tuple[str, ...]
    wrong: tuple[str, ...]
    silent: tuple[str, ...]
    failed: tuple[str, ...]
    failed_said_to_fit: tuple[str, ...]


def weights(estimator: Estimator) -> list[Error]:
    """GiB on each accelerator; adapters and draft models of sizes that no log states are left out."""
    return [
        Error(case=case.name, printed=printed, said=said / GIB)
        for case in cases()
        if "weights" in case.use
        and not case.lora
        and not case.speculates
        and (printed := case.printed.get("weights_gib"))
        and (said := estimator(case.request).weights_bytes) is not None
    ]


def kv_bytes_per_token(estimator: Estimator) -> list[tuple[Error, bool]]:
    """Bytes of a token, and whether they are within what the log's rounding allows.

    They are where the printed cache, as much smaller and larger as rounding may have made it, holds the printed tokens.
    """
    found = []
    for case in cases():
        room, tokens = case.kv_cache_bytes, case.kv_cache_tokens
        if "kv_per_token" not in case.use or case.first_engine or not room or not tokens:
            continue
        said = estimator(case.request).kv_bytes_per_token
        if said is None:
            continue
        least, most = (_tokens(estimator, case, room + round(off * GIB)) for off in (-_ROUNDING, _ROUNDING))
        found.append((Error(case=case.name, printed=room / tokens, said=said), least <= tokens <= most))
    return found


def _tokens(estimator: Estimator, case: Case, room: int) -> int:
    """Tokens in a cache of this size."""
    return estimator(dataclasses.replace(case.request, kv_cache_memory_bytes=room)).kv_cache_tokens or 0


def kv_tokens(estimator: Estimator, *, first_engine: bool = False) -> list[Error]:
    """KV cache from start to finish: tokens where a log says them, and bytes where it says these alone."""
    return [
        error
        for case in cases()
        if _from_start_to_finish(case) and case.first_engine is first_engine
        for error in [_kv_error(case, estimator(case.request))]
        if error is not None
    ]


def _kv_error(case: Case, said: Said) -> Error | None:
    if case.kv_cache_tokens and said.kv_cache_tokens is not None:
        return Error(case=case.name, printed=case.kv_cache_tokens, said=said.kv_cache_tokens)
    if case.kv_cache_bytes and said.kv_cache_bytes is not None:
        return Error(case=case.name, printed=case.kv_cache_bytes, said=max(0, said.kv_cache_bytes))
    return None


def promised() -> list[Error]:
    """Tokens promised against tokens had."""
    return [
        Error(case=case.name, printed=had, said=said)
        for case in cases()
        if _from_start_to_finish(case) and not case.first_engine
        for had, said in _promise(case)
    ]


def _promise(case: Case) -> Iterator[tuple[float, float]]:
    found = sizing.estimate(case.request)
    promise, room = found.kv_cache_tokens_promised, case.kv_cache_bytes
    if promise is None:
        return
    if case.kv_cache_tokens:
        yield case.kv_cache_tokens, promise
    elif room and found.kv_cache_tokens and found.kv_cache_bytes:
        yield room, promise * found.kv_cache_bytes / found.kv_cache_tokens


def _from_start_to_finish(case: Case) -> bool:
    """Whether memory and the share of it are known; a draft model beside is nothing that one can ask about."""
    printed = bool(case.kv_cache_bytes or case.kv_cache_tokens)
    return (
        printed
        and case.request.gpu_memory_bytes is not None
        and "end_to_end" in case.use
        and not case.speculates
    )


def verdicts(estimator: Estimator) -> Verdicts:
    """Whether engines started, against whether they were said to."""
    right: list[str] = []
    wrong: list[str] = []
    silent: list[str] = []
    failed: list[str] = []
    failed_said_to_fit: list[str] = []
    for case in cases():
        unasked = case.started is None or case.request.gpu_memory_bytes is None or case.speculates
        if "outcome" not in case.use or unasked:
            continue
        said = estimator(case.request).fits
        (silent if said is None else right if said is case.started else wrong).append(case.name)
        if not case.started:
            failed.append(case.name)
            if said:
                failed_said_to_fit.append(case.name)
    return Verdicts(
        right=tuple(right),
        wrong=tuple(wrong),
        silent=tuple(silent),
        failed=tuple(failed),
        failed_said_to_fit=tuple(failed_said_to_fit),
    )


def answered(estimator: Estimator) -> float:
    """The share of questions with an answer: weights, and bytes of a token where the model keeps any."""
    said = [estimator(case.request) for case in cases()]
    return sum(each.weights_bytes is not None and each.kv_bytes_per_token is not None for each in said) / len(
        said
    )


def median(errors: Sequence[Error]) -> float:
    """The median of the errors' sizes."""
    return statistics.median(abs(error.relative) for error in errors)


def percentile(errors: Sequence[Error], share: float) -> float:
    """The size that this share of the errors does not pass."""
    sizes = sorted(abs(error.relative) for error in errors)
    return sizes[min(len(sizes) - 1, int(share * len(sizes)))]
