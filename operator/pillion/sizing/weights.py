"""How many bytes do a model's weights take on one accelerator?"""

import math
from dataclasses import dataclass

from pillion.facts import AttentionKind, ModelFacts
from pillion.sizing import allocation, formats, padding, stages, versions
from pillion.sizing.versions import Version

SIXTEEN_BIT_BYTES = 2
_BITS_OF_A_WEIGHT = 8
# Architectures whose positions count time, height and width apart: their table is four times as long, for videos.
# Source: vLLM 0.33.0, model_executor/layers/rotary_embedding/mrope.py.
_MULTIMODAL_ROTARY = (
    "Qwen2VL",
    "Qwen2_5_VL",
    "Qwen2_5Omni",
    "Qwen3VL",
    "Qwen3_5",
    "Qwen3Omni",
    "Glm4v",
    "GlmOcr",
)
_LONGER_TABLE = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Loading:
    """In what form an engine holds a checkpoint's weights."""

    plain_bytes: int = SIXTEEN_BIT_BYTES  # an element that is not quantized
    online: str | None = None  # the format, by its label, that linear layers are converted to while loading
    online_experts_only: bool = False
    version: Version | None = versions.PINNED  # None: what all versions have in common
    capability: tuple[int, int] | None = None  # decides kernels, and with them how tensors are padded


def weights_bytes(
    model: ModelFacts, *, tensor_parallel: int, loading: Loading, pipeline_parallel: int = 1
) -> int:
    """Bytes of weights on the fullest of the accelerators that share a model.

    Tensors are divided over the ranks, but for what each rank holds whole (norms, biases, routers, latent
    down-projections) and for key and value projections, which divide by KV heads and no further.
    The table of rotary positions is whole on each rank. A checkpoint in 32 bit is held in 16. Of pipeline stages the
    first has the input embedding, the last the head, and both have it where the two are one.

    Args:
        model: the checkpoint.
        tensor_parallel: ranks of a stage, at least 1.
        loading: the form in memory.
        pipeline_parallel: stages, at least 1.

    Returns:
        Bytes, rounded up.

    Raises:
        ValueError: parallelism below 1.

    Accuracy: docs/accuracy.md. Source: vLLM 0.33.0, model_executor/layers.
    """
    if tensor_parallel < 1:
        raise ValueError(f"tensor parallelism is {tensor_parallel}; it is at least 1")
    parts = _Parts.of(model, loading)
    return max(
        _stage_bytes(model, parts, stage, tensor_parallel=tensor_parallel, loading=loading)
        for stage in stages.stages(max(1, model.layers), pipeline_parallel)
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parts:
    """All weights in memory before they are divided; the parts do not overlap."""

    body: int  # the layers, but for the two below
    whole: int  # on each rank
    keys_values: int  # divided by KV heads
    embedding: int
    head: int
    vision: int  # of the first stage

    @classmethod
    def of(cls, model: ModelFacts, loading: Loading) -> "_Parts":
        shape = model.weights
        total = _total_bytes(model, loading)
        embedding = _in_memory(shape.embedding_bytes, model, loading.plain_bytes)
        head = _in_memory(shape.head_bytes, model, loading.plain_bytes)
        vision = _in_memory(shape.vision_bytes, model, loading.plain_bytes)
        whole = _in_memory(max(0, shape.replicated_bytes - shape.vision_bytes), model, loading.plain_bytes)
        element = loading.plain_bytes if loading.online is None else _online_element_bytes(loading)
        keys_values = _in_memory(shape.kv_projection_bytes, model, element)
        left = max(0, total - embedding - head - vision)
        whole = min(whole, left)
        keys_values = min(keys_values, left - whole)
        return cls(
            body=left - whole - keys_values,
            whole=whole,
            keys_values=keys_values,
            embedding=embedding,
            head=head,
            vision=vision,
        )


def _stage_bytes(
    model: ModelFacts, parts: _Parts, stage: stages.Stage, *, tensor_parallel: int, loading: Loading
) -> int:
    latent = model.attention.kind is AttentionKind.LATENT
    kv_ranks = tensor_parallel if latent else min(tensor_parallel, model.attention.kv_heads)
    tied = parts.head == 0
    has_embedding = stage.first or (stage.last and tied)
    divided = math.ceil(parts.body * stage.share) + (parts.embedding if has_embedding else 0)
    divided += parts.head if stage.last else 0
    divided += parts.vision if stage.first else 0  # towers are divided too (--mm-encoder-tp-mode weights)
    return (
        _ceil_div(divided, tensor_parallel)
        + _ceil_div(math.ceil(parts.keys_values * stage.share), max(1, kv_ranks))
        + math.ceil(parts.whole * stage.share)
        + _rotary_bytes(model, loading)
        + _beyond_bytes(model, stage, tensor_parallel=tensor_parallel, loading=loading)
    )


def _total_bytes(model: ModelFacts, loading: Loading) -> int:
    """All weights in memory, before they are divided."""
    shape = model.weights
    plain = shape.plain_parameters * loading.plain_bytes
    if model.quantization is not None:
        plain = shape.plain_bytes  # scales and what stayed plain are held as stored
    elif loading.online is not None:
        convertible = _convertible_parameters(model, loading)
        converted = math.ceil(convertible * _online_element_bytes(loading))
        scales = 4 * shape.linear_output_channels if loading.online in {"FP8", "INT8"} else 0
        plain += converted + scales - convertible * loading.plain_bytes
    version = loading.version or versions.PINNED
    padded = padding.expert_growth(model, version=version, capability=loading.capability)
    return plain + shape.stored_bytes - shape.plain_bytes + math.ceil(shape.expert_bytes * padded)


def _convertible_parameters(model: ModelFacts, loading: Loading) -> int:
    """Parameters that quantization on the fly converts."""
    shape = model.weights
    if not loading.online_experts_only or not shape.plain_bytes:
        return shape.linear_parameters
    return min(shape.linear_parameters, shape.expert_bytes * shape.plain_parameters // shape.plain_bytes)


def _online_element_bytes(loading: Loading) -> float:
    assert loading.online is not None
    return formats.online_element_bytes(loading.online)


def _in_memory(stored_bytes: int, model: ModelFacts, element_bytes: float) -> int:
    """A part of the weights in memory, from its size in the checkpoint."""
    shape = model.weights
    if model.quantization is not None or shape.plain_bytes == 0:
        return stored_bytes
    return math.ceil(stored_bytes * shape.plain_parameters * element_bytes / shape.plain_bytes)


def _beyond_bytes(model: ModelFacts, stage: stages.Stage, *, tensor_parallel: int, loading: Loading) -> int:
    """What the allocator holds beyond the tensors, for the large ones as the engine fuses and divides them."""
    attention, hidden = model.attention, model.hidden_size
    if attention.kind is not AttentionKind.GROUPED or attention.recurrent_layers or loading.online:
        return 0  # latent and recurrent layers have other matrices; growth while converting is apart
    element = _linear_element_bytes(model, loading)
    head_dim = attention.key_head_dim
    queries = attention.heads // tensor_parallel * head_dim
    keys = max(1, attention.kv_heads // tensor_parallel) * head_dim
    inner = (model.expert_intermediate_size or model.intermediate_size) // tensor_parallel
    copies = max(1, model.experts)
    rows = (queries + 2 * keys, queries, 2 * inner * copies, inner * copies)
    whole = loading.version is not None and loading.version >= versions.WHOLE_BLOCKS
    layer = sum(
        allocation.beyond_bytes(math.ceil(row * hidden * element), whole_blocks=whole) for row in rows
    )
    table = _padded(model.vocab_size) // tensor_parallel * hidden * loading.plain_bytes
    tables = int(stage.first) + int(stage.last and model.weights.head_bytes > 0)
    return layer * stage.layers + tables * allocation.beyond_bytes(table, whole_blocks=whole)


def _linear_element_bytes(model: ModelFacts, loading: Loading) -> float:
    """Bytes of a weight in a linear layer, without its scales."""
    if model.quantization is not None:
        return (model.quantization.bits or _BITS_OF_A_WEIGHT) / _BITS_OF_A_WEIGHT
    return loading.plain_bytes


def _padded(vocabulary: int) -> int:
    """Rows of an embedding: a multiple of 64. Source: vLLM 0.33.0, vocab_parallel_embedding.py."""
    return -(-vocabulary // 64) * 64


def sixteen_bit_bytes(model: ModelFacts, *, tensor_parallel: int) -> int | None:
    """What the weights would take in 16 bit on each accelerator; None where the parameters are not known."""
    if model.parameters is None:
        return None
    return _ceil_div(model.parameters * SIXTEEN_BIT_BYTES, tensor_parallel) + _rotary_bytes(model, Loading())


def _rotary_bytes(model: ModelFacts, loading: Loading) -> int:
    """The table of rotary positions: one row a position, as long as what is rotated of a head."""
    if model.is_encoder or model.max_context_tokens is None or model.rotary_dim is None:
        return 0
    longer = _LONGER_TABLE if (model.architecture or "").startswith(_MULTIMODAL_ROTARY) else 1
    return model.max_context_tokens * longer * model.rotary_dim * loading.plain_bytes


def _ceil_div(value: int, divisor: int) -> int:
    return -(-value // divisor)
