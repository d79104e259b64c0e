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


def key(policy: Policy, trial: Trial) -> Key:
    """The candidate's place under a policy."""
    return _KEYS[policy](_standing(trial))


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


def _balanced(its: _Standing) -> Key:
    return (
        its.below_eight_bit,
        its.shortfall,
        its.accelerators,
        its.old,
        its.memory_bytes,
        its.loss_permille,
        its.names,
    )


def _quality(its: _Standing) -> Key:
    return its.loss_permille, its.shortfall, its.accelerators, its.old, its.memory_bytes, its.names


def _economy(its: _Standing) -> Key:
    return its.shortfall, its.accelerators * its.memory_bytes, its.loss_permille, its.names


_KEYS: dict[Policy, Callable[[_Standing], Key]] = {
    Policy.BALANCED: _balanced,
    Policy.QUALITY: _quality,
    Policy.ECONOMY: _economy,
}
