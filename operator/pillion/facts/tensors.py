"""How do a checkpoint's tensors add up?

Engines split most tensors over GPUs, keep some whole on each, and convert some when they quantize while
loading. Which is which follows from a tensor's name, shape and dtype.

Source of the rules: vLLM 0.33.0, model_executor/layers/{linear,vocab_parallel_embedding,fused_moe} and the
parameter names of AutoAWQ, GPTQ, compressed-tensors, ModelOpt and gpt-oss checkpoints.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pillion.facts.documents import Tensor
from pillion.facts.model import WeightsShape

# Bits of one element as stored. What is packed holds several weights in one element.
ELEMENT_BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F4": 4,
    "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
    "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
_PLAIN = frozenset({"F64", "F32", "F16", "BF16"})
_PACKED_INTEGERS = frozenset({"I32", "U32", "U8"})  # what holds several quantized weights in one element

# Scales, zero points and other companions of quantized weights: bytes, and no parameters.
_COMPANION = re.compile(
    r"(scales?|scale_inv|scale_2|zeros?|qzeros|zero_point|g_idx|weight_shape|_scales|absmax|quant_map"
    r"|nested_absmax|nested_quant_map|quant_state\.[\w.]+|input_scale|output_scale|[kv]_scale)$"
)
_LAYER = re.compile(r"(?:^|\.)(?:layers|layer|h|blocks|block)\.(\d+)\.")
_EXTRA_PREDICTION = re.compile(r"(^|\.)(mtp|nextn)(\.|$)")
_VISION = re.compile(
    r"(^|\.)(vision\w*|visual|vit|audio\w*|multi_modal\w*|mm_projector|image_newline|embed_vision|embed_audio"
    r"|embed_tokens_extend|patch_merger|connector|mlp1)(\.|$)"
)
_EMBEDDING = re.compile(r"(embed_tokens|embeddings?|wte|wpe|word_embeddings|embed_in|tok_embeddings)\.")
_INPUT_EMBEDDING = re.compile(
    r"(^|\.)(embed_tokens|wte|word_embeddings?|embed_in|tok_embeddings|embeddings)\.weight$"
)
_HEAD = re.compile(r"^(?:\w*model\.)*(lm_head|embed_out|output)\.")
_ROUTER = re.compile(r"\.(gate|router)\.(weight|bias|e_score_correction_bias)$|shared_expert_gate\.weight$")
_LATENT_DOWN = re.compile(r"\.(kv_a_proj_with_mqa|q_a_proj|fused_qkv_a_proj|weights_proj|wk)\.")
_POSITIONS = re.compile(r"(^|\.)(wpe|embed_positions|position_embeddings|token_type_embeddings)\.weight$")
_KV_PROJECTION = re.compile(r"\.(k_proj|v_proj|key|value|wk|wv)\.")
_EXPERT = re.compile(r"\.experts\.(\d+\.)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """What the tensors of a checkpoint add up to."""

    weights: WeightsShape
    parameters: int
    expert_parameters: int  # of routed experts, resident in full and used in part


@dataclass(slots=True)
class _Sums:
    stored_bytes: int = 0
    plain_parameters: int = 0
    plain_bytes: int = 0
    linear_parameters: int = 0
    linear_output_channels: int = 0
    replicated_bytes: int = 0
    kv_projection_bytes: int = 0
    embedding_bytes: int = 0
    head_bytes: int = 0
    vision_bytes: int = 0
    expert_bytes: int = 0
    parameters: int = 0
    expert_parameters: int = 0


def tally(
    tensors: Iterable[Tensor],
    *,
    layers: int,
    tied_embeddings: bool,
    bits: int | None,
    given_up: frozenset[str] = frozenset(),
) -> Tally:
    """Sum up the tensors that an engine loads.

    Args:
        tensors: all tensors of the checkpoint.
        layers: of the model; tensors of later ones are extra prediction layers, which engines leave out.
        tied_embeddings: whether a second copy of the embeddings is left out as well.
        bits: of a quantized weight; tells how many a packed element holds. None for plain checkpoints.
        given_up: companions of linear layers that engines let go of once these are loaded ("qzeros").
    """
    sums = _Sums()
    for tensor in tensors:
        gone = tensor.name.rpartition(".")[2] in given_up and not is_expert(tensor.name)
        if not gone and not _left_out(tensor.name, layers=layers, tied_embeddings=tied_embeddings):
            _add(sums, tensor, bits)
    return Tally(
        weights=WeightsShape(
            stored_bytes=sums.stored_bytes,
            plain_parameters=sums.plain_parameters,
            plain_bytes=sums.plain_bytes,
            linear_parameters=sums.linear_parameters,
            linear_output_channels=sums.linear_output_channels,
            replicated_bytes=sums.replicated_bytes,
            kv_projection_bytes=sums.kv_projection_bytes,
            exact=True,
            embedding_bytes=sums.embedding_bytes,
            head_bytes=sums.head_bytes,
            vision_bytes=sums.vision_bytes,
            expert_bytes=sums.expert_bytes,
        ),
        parameters=sums.parameters,
        expert_parameters=sums.expert_parameters,
    )


def is_expert(name: str) -> bool:
    """Whether a tensor belongs to routed experts."""
    return bool(_EXPERT.search(name))


def stored_bytes(tensor: Tensor) -> int:
    """Bytes of one tensor in the file; an unknown dtype counts as 32 bit."""
    return math.ceil(math.prod(tensor.shape) * ELEMENT_BITS.get(tensor.dtype, 32) / 8)


def _left_out(name: str, *, layers: int, tied_embeddings: bool) -> bool:
    layer = _LAYER.search(name)
    beyond = layer is not None and int(layer[1]) >= layers and not _VISION.search(name)
    return beyond or bool(_EXTRA_PREDICTION.search(name)) or (tied_embeddings and bool(_HEAD.search(name)))


def _add(sums: _Sums, tensor: Tensor, bits: int | None) -> None:
    name, size = tensor.name, stored_bytes(tensor)
    elements = math.prod(tensor.shape)
    companion = bits is not None and bool(_COMPANION.search(name))
    parameters = 0 if companion else elements * _weights_per_element(tensor, bits)
    plain = tensor.dtype in _PLAIN and not companion
    sums.stored_bytes += size
    sums.parameters += parameters
    if _VISION.search(name):
        sums.vision_bytes += size
    elif _EXPERT.search(name):
        sums.expert_parameters += parameters
        sums.expert_bytes += size
    elif _HEAD.search(name):
        sums.head_bytes += size
    elif _INPUT_EMBEDDING.search(name):
        sums.embedding_bytes += size
    if plain:
        sums.plain_parameters += elements
        sums.plain_bytes += size
        if _is_linear(tensor):
            sums.linear_parameters += elements
            sums.linear_output_channels += elements // max(1, tensor.shape[-1])
    if _is_replicated(tensor, companion=companion):
        sums.replicated_bytes += size
    elif _KV_PROJECTION.search(name) and not _VISION.search(name):
        sums.kv_projection_bytes += size


def _weights_per_element(tensor: Tensor, bits: int | None) -> int:
    if bits is None or tensor.dtype not in _PACKED_INTEGERS:
        return 1
    return max(1, ELEMENT_BITS[tensor.dtype] // bits)


def _is_linear(tensor: Tensor) -> bool:
    """Whether quantization on the fly converts the tensor: matrices of the language model's layers."""
    name = tensor.name
    return (
        len(tensor.shape) >= 2
        and not _EMBEDDING.search(name)
        and not _HEAD.search(name)
        and not _ROUTER.search(name)
        and not _VISION.search(name)
        and not name.endswith("bias")
        and "norm" not in name.rsplit(".", 2)[-2:][0]
        and "conv" not in name
        and bool(_LAYER.search(name))
    )


def _is_replicated(tensor: Tensor, *, companion: bool) -> bool:
    one_dimensional = len(tensor.shape) < 2 and not companion
    return (
        one_dimensional
        or bool(_ROUTER.search(tensor.name))
        or bool(_LATENT_DOWN.search(tensor.name))
        or bool(_POSITIONS.search(tensor.name))
        or bool(_VISION.search(tensor.name))
    )
