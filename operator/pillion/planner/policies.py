"""Which of the candidates that fit comes first?

One sort key a policy, smaller first. Names come last, so that the choice never depends on the order of nodes.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pillion.api.modeldeployment import Policy
from pillion.planner import quality
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
    """One part of a sort key, and why the smaller one comes first, in words."""

    of: Callable[[_Standing], object]
    says: str


_BELOW_EIGHT_BIT = _Criterion(
    of=lambda its: its.below_eight_bit, says="fewer than 8 bits are taken only where nothing else fits"
)
_SHORTFALL = _Criterion(of=lambda its: its.shortfall, says="it holds more of the requests that are wanted")
_ACCELERATORS = _Criterion(of=lambda its: its.accelerators, says="it takes fewer accelerators")
_OLD = _Criterion(of=lambda its: its.old, says="its accelerator is of a newer generation")
_MEMORY = _Criterion(of=lambda its: its.memory_bytes, says="its accelerator is smaller")
_ALL_MEMORY = _Criterion(
    of=lambda its: its.accelerators * its.memory_bytes, says="it takes less accelerator memory"
)
_LOSS = _Criterion(of=lambda its: its.loss_permille, says="it costs less quality")
_NAMES = _Criterion(of=lambda its: its.names, says="nothing but their names tells them apart")

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
    return next(
        (criterion.says for criterion in _ORDER[policy] if criterion.of(one) != criterion.of(two)),
        _NAMES.says,
    )


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
