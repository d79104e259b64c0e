"""How long, and how many at once: what is wanted, what is required, and how far may one go below?

Unset is a preference, set is a requirement. A preference gives way first in requests, down to one, then in length,
down to a floor.
"""

from dataclasses import dataclass
from typing import Final

from pillion.api.modeldeployment import ModelDeploymentSpec
from pillion.facts import ModelFacts
from pillion.planner import wording
from pillion.planner.model import Device
from pillion.sizing import kv_cache

PREFERRED_CONTEXT: Final = {Device.GPU: 8_192, Device.CPU: 4_096}
PREFERRED_CONCURRENCY: Final = {Device.GPU: 8, Device.CPU: 1}
SHORTEST_CONTEXT: Final = 4_096
LENGTH_STEP: Final = 256  # lengths that are computed are rounded down, so that they read well and stay put
# What vLLM assumes of a model that does not say how long its requests may be (0.33.0, config/model.py).
UNKNOWN_MODEL_CONTEXT: Final = 2_048


@dataclass(frozen=True, kw_only=True, slots=True)
class Wishes:
    """What requests a candidate shall hold."""

    context_tokens: int
    context_required: bool
    context_floor: int  # equal to the wish where it is required
    concurrency: int
    concurrency_required: bool
    model_limit: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """What a KV cache holds of the wishes."""

    context_tokens: int
    concurrency: int

    def shortfall(self, wishes: Wishes) -> tuple[int, int]:
        """How far this is from the wishes: tokens first, because a shorter context is the greater loss."""
        return (
            max(0, wishes.context_tokens - self.context_tokens),
            max(0, wishes.concurrency - self.concurrency),
        )

    def given_up(self, wishes: Wishes) -> str | None:
        """A sentence on what was preferred and does not fit."""
        if self.shortfall(wishes) == (0, 0):
            return None
        wanted = wording.requests_of(wishes.concurrency, wishes.context_tokens)
        are = "is" if wishes.concurrency == 1 else "are"
        if self.context_tokens == wishes.context_tokens:
            fit = f"{self.concurrency:,} {'fits' if self.concurrency == 1 else 'fit'}"
        else:
            fit = wording.requests_of(self.concurrency, self.context_tokens)
            fit += " fits" if self.concurrency == 1 else " fit"
        return f"{wanted} {are} preferred, and {fit}."


def wishes(spec: ModelDeploymentSpec, model: ModelFacts, device: Device) -> Wishes:
    """What the spec and the model make of the preferences."""
    serving = spec.serving
    limit = model.max_context_tokens or UNKNOWN_MODEL_CONTEXT
    # An encoder keeps nothing between requests, so its full length costs nothing beforehand.
    preferred = limit if model.is_encoder else min(PREFERRED_CONTEXT[device], limit)
    required = serving.context_length is not None
    context = serving.context_length if serving.context_length is not None else preferred
    return Wishes(
        context_tokens=context,
        context_required=required,
        context_floor=context if required else min(SHORTEST_CONTEXT, limit),
        concurrency=serving.concurrency or PREFERRED_CONCURRENCY[device],
        concurrency_required=serving.concurrency is not None,
        model_limit=limit,
    )


def granted(wanted: Wishes, layout: kv_cache.KvLayout | None, *, room_bytes: int) -> Granted | None:
    """What of the wishes a KV cache of `room_bytes` holds; None where it is less than required.

    | does the wish fit            | what is granted                                        |
    | yes                          | the wish                                               |
    | fewer of the same length     | as many as fit, where the number is a preference       |
    | not one, or not the number   | the longest that fit, down to the floor                |
    """
    if layout is None:
        whole = Granted(context_tokens=wanted.context_tokens, concurrency=wanted.concurrency)
        return whole if room_bytes >= 0 else None
    fitting = layout.concurrency(context_tokens=wanted.context_tokens, room_bytes=room_bytes)
    if fitting >= wanted.concurrency:
        return Granted(context_tokens=wanted.context_tokens, concurrency=wanted.concurrency)
    if fitting >= 1 and not wanted.concurrency_required:
        return Granted(context_tokens=wanted.context_tokens, concurrency=fitting)
    least = wanted.concurrency if wanted.concurrency_required else 1
    longest = layout.longest(concurrency=least, room_bytes=room_bytes, at_most=wanted.context_tokens)
    if longest < wanted.context_floor:
        return None
    even = longest // LENGTH_STEP * LENGTH_STEP
    return Granted(context_tokens=max(even, wanted.context_floor), concurrency=least)
