"""Which of the candidates that fit comes first?

One sort key a policy, smaller first. Names come last, so that the choice never depends on the order of nodes.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pillion.api.modeldeployment import Policy
from pillion.planner import quality, wording
from pillion.planner.trial import Trial

_EIGHT_BIT = 8
_AMPERE = (8, 0)

Key = tuple[object, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Standing:
    """What the policies look at."""

    below_eight_bit: bool
    shortfall: tuple[int, int]
    accelerators: int
    old: bool
    memory_bytes: int
    loss_permille: int
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Criterion:
    """One part of a sort key, and why the smaller one comes first, in words with the numbers of both."""

    of: Callable[[_Standing], object]
    says: Callable[[_Standing, _Standing], str]


_BELOW_EIGHT_BIT = _Criterion(
    of=lambda its: its.below_eight_bit,
    says=lambda *_: "fewer than 8 bits are taken only where nothing else fits",
)
_SHORTFALL = _Criterion(
    of=lambda its: its.shortfall,
    says=lambda *_: "it holds more of the requests that are wanted",
)
_ACCELERATORS = _Criterion(
    of=lambda its: its.accelerators,
    says=lambda first, other: (
        f"it takes {wording.count(first.accelerators, 'accelerator')} instead of {other.accelerators}"
        if first.accelerators
        else "it takes no accelerator"
    ),
)
_OLD = _Criterion(
    of=lambda its: its.old,
    says=lambda *_: "its accelerator is of compute capability 8.0 or later",
)
_MEMORY = _Criterion(
    of=lambda its: its.memory_bytes,
    says=lambda first, other: (
        f"its accelerator is smaller, {wording.gib(first.memory_bytes)} instead of {wording.gib(other.memory_bytes)}"
    ),
)
_ALL_MEMORY = _Criterion(
    of=lambda its: its.accelerators * its.memory_bytes,
    says=lambda first, other: (
        f"it takes less accelerator memory, {wording.gib(first.accelerators * first.memory_bytes)} instead of "
        f"{wording.gib(other.accelerators * other.memory_bytes)}"
    ),
)
_LOSS = _Criterion(
    of=lambda its: its.loss_permille,
    says=lambda first, other: (
        f"it costs less quality, about {first.loss_permille / 10:g} % instead of {other.loss_permille / 10:g} %"
    ),
)
_NAMES = _Criterion(of=lambda its: its.names, says=lambda *_: "nothing but their names tells them apart")

_ORDER: dict[Policy, tuple[_Criterion, ...]] = {
    Policy.BALANCED: (_BELOW_EIGHT_BIT, _SHORTFALL, _ACCELERATORS, _OLD, _MEMORY, _LOSS, _NAMES),
    Policy.QUALITY: (_LOSS, _SHORTFALL, _ACCELERATORS, _OLD, _MEMORY, _NAMES),
    Policy.ECONOMY: (_SHORTFALL, _ALL_MEMORY, _LOSS, _NAMES),
}


def key(policy: Policy, trial: Trial) -> Key:
    """The candidate's place under a policy."""
    its = _standing(trial)
    return tuple(criterion.of(its) for criterion in _ORDER[policy])


def why_first(policy: Policy, first: Trial, other: Trial) -> str:
    """What puts the first candidate before the other one, in words."""
    one, two = _standing(first), _standing(other)
    decided = next(
        (criterion for criterion in _ORDER[policy] if criterion.of(one) != criterion.of(two)), _NAMES
    )
    return decided.says(one, two)


def _standing(trial: Trial) -> _Standing:
    candidate, granted = trial.candidate, trial.share.granted
    pool = candidate.pool
    bits = candidate.bits or _EIGHT_BIT
    return _Standing(
        below_eight_bit=bits < _EIGHT_BIT,
        shortfall=granted.shortfall(trial.wishes) if granted is not None else (0, 0),
        accelerators=candidate.count,
        old=pool is not None and (pool.compute_capability or _AMPERE) < _AMPERE,
        memory_bytes=pool.memory_bytes if pool is not None else 0,
        loss_permille=quality.loss_permille(
            candidate.quantization,
            bits=bits,
            calibrated=candidate.calibrated,
            parameters=candidate.model.parameters,
            kv_cache_quantized=candidate.kv_cache_quantized,
        ),
        names=candidate.names,
    )
