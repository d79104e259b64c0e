"""What would an engine make of this model on that accelerator: bytes, tokens, and does it start?

The engine's own start-up is followed step by step, by its version, with the same functions as the planner uses.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from pillion.facts import AttentionKind, ModelFacts
from pillion.sizing import budget, constants, overheads, weights
from pillion.sizing.errors import SizingError


class Verdict(StrEnum):
    """Why an engine would not start. Values are API."""

    WEIGHTS_EXCEED_MEMORY = "WeightsExceedMemory"  # weights and overheads leave nothing for the KV cache
    CONTEXT_DOES_NOT_FIT = "ContextDoesNotFit"  # not even one request of the full length fits in the cache
    PARALLELISM_IMPOSSIBLE = "ParallelismImpossible"  # the model's heads do not divide over the ranks
    CAPABILITY_TOO_LOW = (
        "ComputeCapabilityTooLow"  # the engine has no kernel for the format on this accelerator
    )
    FORMAT_UNSUPPORTED = "FormatUnsupported"  # the engine does not load this format in this version
    SETTING_REFUSED = "SettingRefused"  # the engine refuses the combination of settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that keeps the engine from starting, as a constant and as a sentence with numbers."""

    reason: Verdict
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EstimateRequest:
    """A question. `None` is the engine's default for its version; no memory: only what the model says is answered."""

    model: ModelFacts
    gpu_memory_bytes: int | None = None  # of one accelerator, as the framework sees it
    product: str | None = None  # a product's name, where defaults depend on it
    compute_capability: tuple[int, int] | None = None
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    engine: str = "vllm"  # or "tgi"
    engine_version: str | None = None
    gpu_memory_utilization: float | None = None
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    dtype: str | None = None
    quantization: str | None = None  # on the fly, as the engine's flag names it
    kv_cache_dtype: str | None = None
    enforce_eager: bool | None = None
    kv_cache_memory_bytes: int | None = None
    text_only: bool = False  # inputs beside text are turned off


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

    Raises:
        SizingError: a count below one, a share of memory outside of 0 to 1, an engine that is not known.
    """
    _refuse_nonsense(request)
    model = request.model
    total = request.gpu_memory_bytes
    batched = request.max_num_batched_tokens or overheads.default_batched_tokens(
        device_bytes=total or 0, product=request.product or ""
    )
    demand = budget.Demand(
        model=model,
        tensor_parallel=request.tensor_parallel,
        loading=weights.Loading(online_fp8=request.quantization is not None),
        kv_element_bytes=1 if (request.kv_cache_dtype or "auto").startswith(("fp8", "int8")) else 2,
        max_num_seqs=request.max_num_seqs or 256,
        batched_tokens=batched,
        samples=model.attention.kind is not AttentionKind.ENCODER,
        text_only=request.text_only,
        graphs=not request.enforce_eager,
    )
    layout = budget.layout(demand)
    length = request.max_model_len or model.max_context_tokens
    division = (
        None
        if total is None
        else budget.divide(demand, total_bytes=total, utilization=request.gpu_memory_utilization or 0.92)
    )
    room = request.kv_cache_memory_bytes
    if room is None and division is not None:
        room = division.room
    tokens = fitting = None
    concurrency = per_token = None
    if layout is not None and length:
        per_token = layout.blocks(length) * layout.block_bytes // length
        if room is not None:
            tokens = layout.tokens(context_tokens=length, room_bytes=max(0, room))
            concurrency = tokens / length
            limit = model.max_context_tokens or length
            fitting = layout.longest(concurrency=1, room_bytes=max(0, room), at_most=limit)
    reasons = []
    if division is not None and division.room <= 0:
        reasons.append(
            Finding(
                reason=Verdict.WEIGHTS_EXCEED_MEMORY,
                message=f"Nothing is left for the KV cache: {division.room / constants.GIB:.2f} GiB.",
            )
        )
    elif concurrency is not None and concurrency < 1:
        reasons.append(
            Finding(
                reason=Verdict.CONTEXT_DOES_NOT_FIT,
                message=f"One request of {length} tokens does not fit; {fitting} tokens do.",
            )
        )
    return Estimate(
        weights_bytes=weights.weights_bytes(
            model, tensor_parallel=request.tensor_parallel, loading=demand.loading
        ),
        kv_bytes_per_token=per_token,
        kv_cache_bytes=room,
        kv_cache_tokens=tokens,
        peak_activation_bytes=division.activation if division else None,
        non_torch_bytes=division.other if division else None,
        cuda_graph_bytes=division.graphs if division else None,
        kv_cache_tokens_promised=None
        if tokens is None
        else math.floor(tokens * constants.KV_CACHE_SURE_SHARE.value),
        fits=None if room is None else not reasons,
        max_model_len=length,
        max_fitting_model_len=fitting,
        max_concurrency=concurrency,
        reasons=tuple(reasons),
    )


def _refuse_nonsense(request: EstimateRequest) -> None:
    counts = {
        "tensor_parallel": request.tensor_parallel,
        "pipeline_parallel": request.pipeline_parallel,
        "max_model_len": request.max_model_len,
        "max_num_seqs": request.max_num_seqs,
        "max_num_batched_tokens": request.max_num_batched_tokens,
        "gpu_memory_bytes": request.gpu_memory_bytes,
        "kv_cache_memory_bytes": request.kv_cache_memory_bytes,
    }
    for name, value in counts.items():
        if value is not None and value < 1:
            raise SizingError(f"{name} is {value}; it is at least 1.")
    share = request.gpu_memory_utilization
    if share is not None and not 0 < share <= 1:
        raise SizingError(f"gpu_memory_utilization is {share}; it is above 0 and at most 1.")
    if request.engine not in ("vllm", "tgi"):
        raise SizingError(f"engine is {request.engine!r}; estimates are made for 'vllm' and 'tgi'.")
