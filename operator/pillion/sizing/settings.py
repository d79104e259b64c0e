"""With which settings would the engine run: what is asked for, and its defaults for the rest?"""

import dataclasses
from dataclasses import dataclass
from typing import Final

from pillion.api.modeldeployment import Task
from pillion.facts import ModelFacts
from pillion.sizing import budget, defaults, formats, kv_cache, kv_dtypes, lora, versions, weights
from pillion.sizing.request import EstimateRequest
from pillion.sizing.versions import Version

_BFLOAT16_FROM: Final = (8, 0)
_DATA_CENTRE_BLACKWELL: Final = 10
# Models that float16 breaks: engines take 32 bit for them where there is no bfloat16 (vLLM 0.33.0, config/model.py).
NO_FLOAT16: Final = frozenset({"gemma2", "gemma3", "gemma3_text", "glm4"})
CPU: Final = "cpu"  # the product's name of a node without accelerators
WIDE: Final = frozenset({"float", "float32"})
# Products whose accelerator has its memory in common with the processor.
_UNIFIED: Final = ("gb10", "spark", "jetson", "orin", "thor", "strix", "grace-hopper-shared")
_SAMPLING: Final = frozenset({Task.TEXT_GENERATION, Task.AUTO})


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """An engine's settings, all of them known: how memory is divided, and for which demand."""

    version: Version
    utilization: float
    context_tokens: int
    demand: budget.Demand


def settings(request: EstimateRequest) -> Settings:
    """The settings that vLLM would take for a request."""
    model = request.model
    version = versions.parse(request.engine_version) or versions.PINNED
    length = request.max_model_len or defaults.context_tokens(model)
    samples = generates(model)
    usual_tokens, usual_seqs = _usual(request, version)
    tokens, seqs = defaults.clamped(
        tokens=request.max_num_batched_tokens,
        seqs=request.max_num_seqs,
        usual_tokens=usual_tokens,
        usual_seqs=usual_seqs,
        length=length,
        in_one_piece=request.model.is_encoder,
    )
    plain = plain_bytes(request)
    demand = budget.Demand(
        model=model,
        tensor_parallel=request.tensor_parallel,
        pipeline_parallel=request.pipeline_parallel,
        loading=weights.Loading(
            plain_bytes=plain,
            online=online_label(request),
            online_experts_only=request.quantization in formats.EXPERTS_ONLY,
            version=versions.parse(request.engine_version),
            capability=request.compute_capability,
        ),
        kv_element_bytes=_cache_bytes(request, version) or plain,
        max_num_seqs=seqs,
        batched_tokens=tokens,
        samples=samples,
        text_only=request.text_only,
        graphs=not request.enforce_eager,
        block_tokens=kv_cache.CPU_BLOCK_TOKENS if on_cpu(request) else kv_cache.GPU_BLOCK_TOKENS,
        context_tokens=length,
        version=version,
        capability=request.compute_capability,
        unified_memory=has_unified_memory(request.product),
        adapters=lora.Adapters(number=request.max_loras, rank=request.max_lora_rank)
        if request.max_loras > 0
        else None,
    )
    return Settings(
        version=version,
        utilization=request.gpu_memory_utilization or defaults.utilization(version),
        context_tokens=length,
        demand=demand,
    )


def at(request: EstimateRequest, version: Version) -> EstimateRequest:
    """The same question to another version of the engine."""
    return dataclasses.replace(request, engine_version=str(version))


def generates(model: ModelFacts) -> bool:
    """Whether a model makes text; what embeds or ranks is never sampled."""
    return model.task in _SAMPLING and not model.is_encoder


def plain_bytes(request: EstimateRequest) -> int:
    """Bytes of an element that is not quantized."""
    if request.dtype in WIDE:
        return 4
    capability = request.compute_capability
    narrow = capability is not None and capability < _BFLOAT16_FROM
    usual = request.dtype in (None, "auto")
    breaks = narrow and usual and request.model.model_type in NO_FLOAT16
    return 4 if breaks else weights.SIXTEEN_BIT_BYTES


def online_label(request: EstimateRequest) -> str | None:
    """The format that a plain checkpoint is held in; None where the engine takes the checkpoint as it is."""
    asked = request.quantization
    if asked is None or request.model.quantization is not None:
        return None
    return formats.ONLINE_LABELS.get(asked) or formats.CHECKPOINT_LABELS.get(asked)


def on_cpu(request: EstimateRequest) -> bool:
    """Whether the question is about a node without accelerators, by the product's name."""
    return (request.product or "").lower() == CPU


def _usual(request: EstimateRequest, version: Version) -> tuple[int, int]:
    """Tokens and sequences at once by the engine's defaults."""
    if on_cpu(request):
        return defaults.cpu_batched_tokens(request.tensor_parallel), defaults.cpu_sequences(
            request.tensor_parallel
        )
    memory, product, capability = (
        request.gpu_memory_bytes or 0,
        request.product or "",
        request.compute_capability,
    )
    return (
        defaults.batched_tokens(version, device_bytes=memory, product=product, capability=capability),
        defaults.sequences(version, device_bytes=memory, product=product, capability=capability),
    )


def has_unified_memory(product: str | None) -> bool:
    """Whether an accelerator shares its memory with the processor, by its name."""
    name = (product or "").lower()
    return any(part in name for part in _UNIFIED)


def _cache_bytes(request: EstimateRequest, version: Version) -> int | None:
    """Bytes of a cached element; None: those of the model's dtype."""
    asked = kv_dtypes.bytes_of(request.kv_cache_dtype)
    if asked is not None:
        return asked
    stored = request.model.quantization
    by_checkpoint = (
        version >= versions.CACHE_AS_CHECKPOINT_SAYS and stored is not None and stored.kv_cache_fp8
    )
    by_architecture = fp8_by_architecture(
        request.model, version=version, capability=request.compute_capability
    )
    return 1 if by_checkpoint or by_architecture else None


def fp8_by_architecture(model: ModelFacts, *, version: Version, capability: tuple[int, int] | None) -> bool:
    """Whether "auto" is 8 bit for the sake of a model's kernels.

    Source: model_executor/models/config.py of vLLM 0.11.0 (DeepSeek V3.2) and 0.33.0 (GLM 5), models/deepseek_v4.
    """
    name = model.architecture or ""
    if name.startswith("DeepseekV4"):
        return True
    if name.startswith("DeepseekV32"):
        return version <= versions.SPARSE_CACHE_IN_8_BIT_UNTIL
    blackwell = capability is not None and capability[0] == _DATA_CENTRE_BLACKWELL
    return name.startswith("GlmMoeDsa") and blackwell and version >= versions.GLM_CACHE_IN_8_BIT
