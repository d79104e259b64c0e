"""What would an engine make of this model on that accelerator: bytes, tokens, and does it start?

The engine's own start-up is followed step by step, by its version, with the same functions as the planner uses.
"""

from dataclasses import dataclass

from pillion.sizing import budget, kv_cache, settings, tgi, unverified, verdict, versions
from pillion.sizing.request import TGI, EstimateRequest
from pillion.sizing.verdict import Finding, Verdict

# What a promise without a version covers: one version of each way of sampling and of charging CUDA graphs.
_KINDS_OF_VERSIONS = ("0.11", "0.19", "0.28", str(versions.PINNED))


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """The answer, on the accelerator that has least left. `None` is what cannot be known from the question."""

    weights_bytes: int | None
    kv_bytes_per_token: int | None
    kv_cache_bytes: int | None
    kv_cache_tokens: int | None
    peak_activation_bytes: int | None
    non_torch_bytes: int | None
    cuda_graph_bytes: int | None
    kv_cache_tokens_promised: int | None  # a lower bound: what a plan may count on
    fits: bool | None
    max_model_len: int | None  # as resolved
    max_fitting_model_len: int | None  # the longest single request, up to the model's own limit
    max_concurrency: float | None  # requests of `max_model_len` at once, as engines print it
    reasons: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()  # what is not verified, what was assumed, how the promise was made


def estimate(request: EstimateRequest) -> Estimate:
    """Follow an engine's start.

    Args:
        request: the question; what is None in it is the engine's default for its version, and no version is the one
            that plans are made for. Without an accelerator's memory only what the model alone decides is answered;
            `kv_cache_memory_bytes` alone is enough for tokens.
    """
    found = settings.settings(request)
    refusals = tuple(verdict.refusals(request, found))
    if any(finding.reason is Verdict.PARALLELISM_IMPOSSIBLE for finding in refusals):
        return _nothing(found, refusals)
    if request.engine == TGI:
        return _by_tgi(request, found, refusals)
    division = _divide(request, found)
    layout = budget.layout(found.demand)
    room = _room(request, division)
    shortages = tuple(verdict.shortages(request, found, division, layout, room))
    tokens = _tokens(layout, found.context_tokens, room)
    known = room is not None or bool(refusals)
    return Estimate(
        weights_bytes=budget.weights_bytes(found.demand),
        kv_bytes_per_token=_bytes_per_token(layout, found.context_tokens),
        kv_cache_bytes=room,
        kv_cache_tokens=tokens,
        peak_activation_bytes=division.activation if division else None,
        non_torch_bytes=division.other if division else None,
        cuda_graph_bytes=division.graphs if division else None,
        kv_cache_tokens_promised=_promised(request, found, layout),
        fits=not refusals and not shortages if known else None,
        max_model_len=found.context_tokens,
        max_fitting_model_len=_longest(request, found, layout, room),
        max_concurrency=_concurrency(layout, found.context_tokens, room),
        reasons=(*refusals, *shortages),
        notes=unverified.notes(request, found, division),
    )


def _divide(request: EstimateRequest, found: settings.Settings) -> budget.Division | None:
    if request.gpu_memory_bytes is None:
        return None
    return budget.divide(found.demand, total_bytes=request.gpu_memory_bytes, utilization=found.utilization)


def _room(request: EstimateRequest, division: budget.Division | None) -> int | None:
    if request.kv_cache_memory_bytes is not None:
        return request.kv_cache_memory_bytes
    return None if division is None else division.expected_room


def _bytes_per_token(layout: kv_cache.KvLayout | None, length: int) -> int | None:
    """Bytes that a token of a request of full length costs, as a log's cache and tokens show."""
    return None if layout is None else round(layout.bytes_per_token(context_tokens=length))


def _tokens(layout: kv_cache.KvLayout | None, length: int, room: int | None) -> int | None:
    if layout is None or room is None:
        return None
    return layout.tokens(context_tokens=length, room_bytes=max(0, room))


def _concurrency(layout: kv_cache.KvLayout | None, length: int, room: int | None) -> float | None:
    if layout is None or room is None:
        return None
    return layout.reported_concurrency(context_tokens=length, room_bytes=max(0, room))


def _promised(
    request: EstimateRequest, found: settings.Settings, layout: kv_cache.KvLayout | None
) -> int | None:
    """Tokens that the engine has in nineteen cases of twenty, whatever its version where none is given."""
    if request.kv_cache_memory_bytes is not None:
        return _tokens(layout, found.context_tokens, request.kv_cache_memory_bytes)
    if request.gpu_memory_bytes is None or layout is None:
        return None
    kinds = [found]
    if versions.parse(request.engine_version) is None:
        kinds += [settings.settings(settings.at(request, version)) for version in _KINDS_OF_VERSIONS]
    divisions = [_divide(request, kind) for kind in kinds]
    room = min(division.room for division in divisions if division is not None)
    return _tokens(layout, found.context_tokens, room)


def _longest(
    request: EstimateRequest, found: settings.Settings, layout: kv_cache.KvLayout | None, room: int | None
) -> int | None:
    limit = request.model.max_context_tokens or found.context_tokens
    if room is None:
        return None
    if layout is None:
        return limit if room > 0 else 0
    return layout.longest(concurrency=1, room_bytes=max(0, room), at_most=limit)


def _nothing(found: settings.Settings, refusals: tuple[Finding, ...]) -> Estimate:
    """The answer where the model cannot be divided as asked."""
    return Estimate(
        weights_bytes=None,
        kv_bytes_per_token=None,
        kv_cache_bytes=None,
        kv_cache_tokens=None,
        peak_activation_bytes=None,
        non_torch_bytes=None,
        cuda_graph_bytes=None,
        kv_cache_tokens_promised=None,
        fits=False,
        max_model_len=found.context_tokens,
        max_fitting_model_len=None,
        max_concurrency=None,
        reasons=refusals,
    )


def _by_tgi(request: EstimateRequest, found: settings.Settings, refusals: tuple[Finding, ...]) -> Estimate:
    division = tgi.divide(
        request.model,
        tensor_parallel=request.tensor_parallel,
        loading=found.demand.loading,
        element_bytes=found.demand.kv_element_bytes,
        total_bytes=request.gpu_memory_bytes,
        memory_fraction=request.gpu_memory_utilization,
        capability=request.compute_capability,
    )
    tokens = division.tokens
    reasons = (*refusals, *verdict.tgi_shortages(found, division, request.gpu_memory_bytes))
    limit = request.model.max_context_tokens or found.context_tokens
    return Estimate(
        weights_bytes=division.weights,
        kv_bytes_per_token=division.token_bytes or None,
        kv_cache_bytes=division.room,
        kv_cache_tokens=tokens,
        peak_activation_bytes=division.activation,
        non_torch_bytes=None,
        cuda_graph_bytes=None,
        kv_cache_tokens_promised=None if tokens is None else int(tokens * tgi.SURE_SHARE.value),
        fits=None if division.room is None and not reasons else not reasons,
        max_model_len=found.context_tokens,
        max_fitting_model_len=None if tokens is None else min(limit, tokens),
        max_concurrency=None if tokens is None else tokens / found.context_tokens,
        reasons=reasons,
        notes=unverified.notes(request, found, None),
    )
