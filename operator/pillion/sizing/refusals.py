"""What does the engine refuse before it looks at memory?

Each check looks at the question and at the settings that follow from it, and gives a reason with what would be
accepted, or nothing.
"""

from collections.abc import Iterator

from pillion.facts import AttentionKind
from pillion.sizing import defaults, formats, kv_dtypes, parallelism, served_versions, settings, tgi
from pillion.sizing.request import TGI, VLLM, EstimateRequest
from pillion.sizing.verdict import Finding, Verdict


def found_in(request: EstimateRequest, found: settings.Settings) -> Iterator[Finding]:
    """All that the engine refuses in a question."""
    yield from _architecture(request)
    yield from _parallelism(request)
    if request.engine == VLLM:
        yield from _format(request, found)
        yield from _scheduling(request, found)
        yield from _cache(request, found)
    if request.engine == TGI:
        yield from _by_tgi(request)
    yield from _dtype(request)
    limit = request.model.max_context_tokens
    if limit is not None and found.context_tokens > limit:
        yield Finding(
            reason=Verdict.SETTING_REFUSED,
            message=f"max_model_len is {found.context_tokens:,}; the model's configuration ends at {limit:,} tokens.",
        )


def _architecture(request: EstimateRequest) -> Iterator[Finding]:
    """The same as a plan refuses, by the versions of vLLM that served an architecture."""
    model, name = request.model, request.model.architecture
    found = request.standing
    if isinstance(found, served_versions.OtherVersion):
        yield Finding(
            reason=Verdict.ARCHITECTURE_UNSUPPORTED,
            message=f"{model.repo} is a {name}, {found.why}; choose another version of the engine, or another model.",
        )
    elif found is served_versions.Standing.NEEDS_A_CLASS:
        engine = "vLLM" if request.engine == VLLM else f"TGI {tgi.LAST_VERSION}"
        yield Finding(
            reason=Verdict.ARCHITECTURE_UNSUPPORTED,
            message=f"{model.repo} is an encoder-decoder ({name or model.model_type}), which {engine} does not list; "
            "choose a model that is a decoder alone, of any family.",
        )


def _by_tgi(request: EstimateRequest) -> Iterator[Finding]:
    """What Text Generation Inference has no kernels or no loader for."""
    stored, capability = request.model.quantization, request.compute_capability
    if stored is not None and stored.scheme not in tgi.LOADED:
        yield Finding(
            reason=Verdict.FORMAT_UNSUPPORTED,
            message=f"the checkpoint's weights are {stored.scheme}, which TGI {tgi.LAST_VERSION} does not load; it "
            f"loads 16 bit, {', '.join(sorted(tgi.LOADED))}.",
        )
    if capability is None or tgi.LOWEST_CAPABILITY <= capability <= tgi.HIGHEST_CAPABILITY:
        return
    too_low = capability < tgi.LOWEST_CAPABILITY
    lowest, highest, has = (
        f"{major}.{minor}" for major, minor in (tgi.LOWEST_CAPABILITY, tgi.HIGHEST_CAPABILITY, capability)
    )
    yield Finding(
        reason=Verdict.CAPABILITY_TOO_LOW if too_low else Verdict.CAPABILITY_TOO_HIGH,
        message=f"TGI {tgi.LAST_VERSION} has kernels for compute capability {lowest} to {highest}; the accelerator has "
        f"{has}{'' if too_low else ', on which vLLM runs'}.",
    )


def _parallelism(request: EstimateRequest) -> Iterator[Finding]:
    """The same rules as a plan's; a format of experts alone leaves the dense layers as they are."""
    stored, asked = request.model.quantization, request.quantization
    label = stored.scheme if stored else settings.online_label(request)
    obstacle = parallelism.obstacle(
        request.model,
        ranks=request.tensor_parallel,
        quantization="None" if label is None or asked in formats.EXPERTS_ONLY else label,
        on_the_fly=stored is None and asked in formats.ONLINE_LABELS,
    )
    if obstacle is not None:
        yield Finding(reason=Verdict.PARALLELISM_IMPOSSIBLE, message=obstacle)


def _format(request: EstimateRequest, found: settings.Settings) -> Iterator[Finding]:
    stored, asked = request.model.quantization, request.quantization
    label = stored.scheme if stored else settings.online_label(request)
    if asked is not None and stored is None and label is None:
        known = sorted({*formats.ONLINE_LABELS, *formats.CHECKPOINT_LABELS})
        yield Finding(
            reason=Verdict.SETTING_REFUSED,
            message=f"no engine makes {asked!r} of a plain checkpoint, and its size is not known; known are "
            f"{', '.join(known)}.",
        )
    if (
        stored is not None
        and asked is not None
        and formats.contradicts(asked, method=stored.method, scheme=stored.scheme)
    ):
        by = "" if stored.method == stored.scheme.lower() else f" by the method {stored.method}"
        yield Finding(
            reason=Verdict.SETTING_REFUSED,
            message=f"the checkpoint's weights are {stored.scheme}{by}, which --quantization {asked} contradicts; "
            "without it the engine takes the checkpoint as it is.",
        )
    first = formats.ONLINE_SINCE.get(asked or "") if stored is None else None
    if request.engine_version is not None and first is not None and found.version < first:
        yield Finding(
            reason=Verdict.FORMAT_UNSUPPORTED,
            message=f"vLLM makes {asked} of a plain checkpoint from {first} on, and not in {found.version}.",
        )
    if formats.is_gone(label, found.version):
        yield Finding(
            reason=Verdict.FORMAT_UNSUPPORTED,
            message=f"vLLM {found.version} brings no loader for {label}; it did before {formats.GONE[label or '']}.",
        )
    capability = request.compute_capability
    lowest = formats.lowest_capability(label, found.version)
    if capability is not None and capability < lowest:
        yield Finding(
            reason=Verdict.CAPABILITY_TOO_LOW,
            message=f"{label or '16 bit'} needs compute capability {lowest[0]}.{lowest[1]} in vLLM {found.version}; "
            f"the accelerator has {capability[0]}.{capability[1]}.",
        )


def _scheduling(request: EstimateRequest, found: settings.Settings) -> Iterator[Finding]:
    """Source: vLLM 0.33.0, config/scheduler.py, verify_max_model_len; v1/worker/utils.py, request_memory."""
    tokens, seqs = found.demand.batched_tokens, found.demand.max_num_seqs
    told = request.max_num_batched_tokens is not None or request.gpu_memory_bytes is not None
    if told and request.max_num_seqs is not None and tokens < seqs:
        yield Finding(
            reason=Verdict.SETTING_REFUSED,
            message=f"max_num_batched_tokens is {tokens:,}, and has to be at least max_num_seqs, {seqs:,}.",
        )
    if (
        request.max_num_batched_tokens is not None
        and request.model.is_encoder
        and tokens < found.context_tokens
    ):
        yield Finding(
            reason=Verdict.SETTING_REFUSED,
            message=f"max_num_batched_tokens is {tokens:,}; a model that reads its input in one piece needs at least "
            f"max_model_len, {found.context_tokens:,}.",
        )
    if (
        request.gpu_memory_utilization == 1
        and request.kv_cache_memory_bytes is None
        and not found.demand.on_cpu
    ):
        yield Finding(
            reason=Verdict.SETTING_REFUSED,
            message="gpu_memory_utilization is 1, and the engine's own start leaves less than all of the memory free; "
            f"vLLM {found.version}'s own default is {defaults.utilization(found.version)}.",
        )


def _cache(request: EstimateRequest, found: settings.Settings) -> Iterator[Finding]:
    """Element types of the KV cache that a version or a model's attention does not have."""
    asked, attention = request.kv_cache_dtype, request.model.attention
    first = kv_dtypes.since(asked)
    if request.engine_version is not None and first is not None and found.version < first:
        yield Finding(
            reason=Verdict.SETTING_REFUSED,
            message=f"kv_cache_dtype {asked} is accepted from vLLM {first} on, and not by {found.version}.",
        )
    sparse = attention.kind is AttentionKind.LATENT and (
        attention.index_bytes > 0 or any(entry.index_bytes for entry in attention.cached)
    )
    if asked == kv_dtypes.SPARSE and not sparse:
        yield Finding(
            reason=Verdict.SETTING_REFUSED,
            message=f"kv_cache_dtype {asked} is for sparse latent attention, which {request.model.repo} has none of; "
            "fp8 is accepted.",
        )


def _dtype(request: EstimateRequest) -> Iterator[Finding]:
    capability = request.compute_capability
    if request.dtype == "bfloat16" and capability is not None and capability < (8, 0):
        yield Finding(
            reason=Verdict.SETTING_REFUSED,
            message="bfloat16 needs compute capability 8.0; float16 or auto is accepted.",
        )
    if request.dtype in {"half", "float16"} and request.model.model_type in settings.NO_FLOAT16:
        yield Finding(
            reason=Verdict.SETTING_REFUSED,
            message=f"float16 is refused for {request.model.model_type}; bfloat16 or float32 is accepted.",
        )
