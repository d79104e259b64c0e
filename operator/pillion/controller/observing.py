"""What do the engines of running pods report of their KV cache, against what was planned?

The weakest engine speaks for all: a plan promises the same to every pod.
"""

import math

from pillion import planner
from pillion.api.reasons import Reason
from pillion.api.status import ObservedStatus, WarningStatus
from pillion.controller import conditions
from pillion.controller.world import World
from pillion.planner import wording

__all__ = ["observed", "shortage"]


def observed(world: World, plan: planner.Plan | None) -> ObservedStatus | None:
    """What the engine with the smallest cache reports; None where none that serves has said anything."""
    reports = [
        report
        for pod in world.pods
        if (report := world.engines.get(pod["metadata"]["uid"])) is not None
        and conditions.serves(world, pod)
        and (report.kv_cache_tokens or report.max_model_len)
    ]
    if not reports:
        return None
    weakest = min(reports, key=lambda report: report.kv_cache_tokens or math.inf)
    return ObservedStatus(
        context_length=weakest.max_model_len,
        kv_cache_tokens=weakest.kv_cache_tokens,
        planned_kv_cache_tokens=None if plan is None else plan.kv_cache_tokens,
    )


def shortage(seen: ObservedStatus | None, plan: planner.Plan | None) -> WarningStatus | None:
    """A warning where an engine holds less than the plan promised. On CPU the cache is as large as it was told to be.

    Engines count tokens by requests of full length, so that what was promised is compared as a part of the memory that
    was expected rather than token by token.
    """
    if seen is None or plan is None or plan.product is None or plan.kv_cache_bytes is not None:
        return None
    tokens, expected = seen.kv_cache_tokens, plan.kv_cache_tokens
    memory = plan.memory
    room = memory.kv_cache + memory.headroom
    if not tokens or not expected or room <= 0:
        return None
    promised = math.ceil(expected * memory.kv_cache / room)
    if tokens >= promised:
        return None
    requests = wording.requests_of(plan.concurrency, plan.promised_context_tokens)
    return WarningStatus(
        reason=Reason.KV_CACHE_BELOW_PLAN.value,
        message=f"An engine reports room for {tokens:,} tokens, and {requests} were promised, which take {promised:,} "
        f"by the same count ({expected:,} were expected): fewer are served at once, and the others wait. Another "
        "program on the accelerator may hold memory; if none does, the estimate is wrong, and a smaller "
        "spec.serving.concurrency makes the plan true.",
    )
