"""What would an engine make of this model on that accelerator: bytes, tokens, and does it start?

The engine's own start-up is followed step by step, by its version, with the same functions as the planner uses.
"""

from dataclasses import dataclass

from pillion.sizing import (
    budget,
    kv_cache,
    overheads,
    refusals,
    served_versions,
    settings,
    tgi,
    unverified,
    verdict,
    versions,
)
from pillion.sizing.request import TGI, EstimateRequest
from pillion.sizing.verdict import Finding, Verdict
from pillion.sizing.versions import Version

# What a question without a version may be about: one of each way of sampling and of charging CUDA graphs.
_KINDS_OF_VERSIONS = (Version(0, 11), Version(0, 19), Version(0, 28))


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """The answer, on the accelerator that has least left. `None` is what cannot be known from the question."""

    weights_bytes: int | None
    kv_bytes_per_token: int | None
    kv_cache_bytes: int | None
    kv_cache_tokens: int | None
    peak_activation_bytes: int | None
    non_torch_bytes: int | None
    cuda_graph_bytes: int | None  # taken from the KV cache's memory from vLLM 0.20 on, and beside it before
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
        request: the question; what is None in it is the engine's default for its version. Without an accelerator's
            memory only what the model alone decides is answered; `kv_cache_memory_bytes` alone is enough for tokens.
            Without a version the KV cache is divided as by the one that plans are made for, and its size is the least
            that any version from 0.11 on leaves that serves the model.
    """
    found = settings.settings(request)
    refused = tuple(refusals.found_in(request, found))
    if any(finding.reason is Verdict.PARALLELISM_IMPOSSIBLE for finding in refused):
        return _nothing(found, refused)
    if request.engine == TGI:
        return _by_tgi(request, found, refused)
    divisions = _divisions(request, found)
    division = min(divisions, key=lambda each: each.expected_room, default=None)
    layout = budget.layout(found.demand)
    room = _room(request, division)
    shortages = tuple(verdict.shortages(request, found, division, layout, room))
    tokens = _tokens(layout, found.context_tokens, room)
    known = room is not None or bool(refused)
    return Estimate(
        weights_bytes=budget.weights_bytes(found.demand),
        kv_bytes_per_token=_bytes_per_token(layout, found.context_tokens),
        kv_cache_bytes=room,
        kv_cache_tokens=tokens,
        peak_activation_bytes=division.activation if division else None,
        non_torch_bytes=division.other if division else None,
        cuda_graph_bytes=_graphs(found, division),
        kv_cache_tokens_promised=_promised(request, found, layout, divisions),
        fits=not refused and not shortages if known else None,
        max_model_len=found.context_tokens,
        max_fitting_model_len=_longest(request, found, layout, room),
        max_concurrency=_concurrency(layout, found.context_tokens, room),
        reasons=(*refused, *shortages),
        notes=unverified.notes(request, found, division),
    )


def _divisions(request: EstimateRequest, found: settings.Settings) -> list[budget.Division]:
    """How the memory is divided, by each kind of version that may be meant; none where the memory is not known."""
    if request.gpu_memory_bytes is None:
        return []
    kinds = [found]
    if versions.parse(request.engine_version) is None:
        oldest = served_versions.oldest_meant(request.model.architecture)
        kinds += [
            settings.settings(settings.at(request, version))
            for version in _KINDS_OF_VERSIONS
            if version >= oldest
        ]
    return [
        budget.divide(kind.demand, total_bytes=request.gpu_memory_bytes, utilization=kind.utilization)
        for kind in kinds
    ]


def _graphs(found: settings.Settings, division: budget.Division | None) -> int | None:
    """CUDA graphs as the engine charges them; where it does not, what they take beside its share of memory."""
    demand = found.demand
    if division is None or division.graphs or not demand.graphs or demand.on_cpu:
        return division.graphs if division else None
    sizes = overheads.captured_sizes(
        max_num_seqs=demand.max_num_seqs, batched_tokens=demand.batched_tokens, capability=demand.capability
    )
    return overheads.captured_bytes(demand.model, sizes=sizes)


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
    request: EstimateRequest,
    found: settings.Settings,
    layout: kv_cache.KvLayout | None,
    divisions: list[budget.Division],
) -> int | None:
    """Tokens that the engine has in nineteen cases of twenty, whatever its version where none is given."""
    room = request.kv_cache_memory_bytes
    if room is None and divisions:
        room = min(division.room for division in divisions)
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


def _nothing(found: settings.Settings, refused: tuple[Finding, ...]) -> Estimate:
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
        reasons=refused,
    )


def _by_tgi(request: EstimateRequest, found: settings.Settings, refused: tuple[Finding, ...]) -> Estimate:
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
    limit = request.model.max_context_tokens or found.context_tokens
    # Where nobody sets the length of requests, this engine takes what fits.
    length = request.max_model_len or max(1, min(limit, limit if tokens is None else tokens))
    reasons = (*refused, *verdict.tgi_shortages(length, division, request.gpu_memory_bytes))
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
        max_model_len=length,
        max_fitting_model_len=None if tokens is None else min(limit, tokens),
        max_concurrency=None if tokens is None else tokens / length,
        reasons=reasons,
        notes=unverified.notes(request, found, None),
    )
