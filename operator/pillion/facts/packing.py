"""Which tensors does a quantized checkpoint have in place of plain matrices?

Bytes follow the files that each quantizer writes: packed numbers, and scales, zero points and indices beside them.

Source: AutoAWQ and GPTQModel (qweight, qzeros, scales, g_idx), compressed-tensors (weight_packed, weight_scale),
ModelOpt (weight_scale, weight_scale_2), bitsandbytes (absmax, nested_absmax), gpt-oss (blocks, scales).
"""

import math
from collections.abc import Iterable, Iterator

from pillion.facts import quantizers
from pillion.facts.blueprint import Part
from pillion.facts.documents import Json, Tensor
from pillion.facts.schemes import Choice, Scheme, Storage

_DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "half": "F16", "float": "F32"}
_NESTED_BLOCK = 256  # scales that share a scale of their own under double quantization


def tensors(
    parts: Iterable[Part], config: Json, *, modelopt: Json | None, dtype: str | None
) -> tuple[Tensor, ...]:
    """The tensors of a checkpoint whose plain parts are known.

    Args:
        parts: of the blueprint.
        config: config.json.
        modelopt: hf_quant_config.json, where there is one.
        dtype: what is not quantized has this type; bfloat16 where nothing says so.
    """
    chosen = quantizers.choice(config, modelopt)
    plain = _DTYPES.get(dtype or "", "BF16")
    return tuple(tensor for part in parts for tensor in _stored(part, chosen, plain))


def _stored(part: Part, chosen: Choice | None, plain: str) -> Iterator[Tensor]:
    module = part.name.removesuffix(".weight")
    scheme = chosen(module, part) if chosen is not None and part.linear else None
    if scheme is None:
        yield Tensor(name=part.name, dtype=part.dtype or plain, shape=part.shape)
    else:
        yield from packed(part, scheme)


def packed(part: Part, scheme: Scheme) -> Iterator[Tensor]:
    """One matrix as a scheme stores it. Experts come stacked, as the first dimension."""
    name = part.name.removesuffix(".weight")
    *stack, outputs, inputs = part.shape
    count = math.prod(stack)
    groups = 1 if scheme.group_size is None else math.ceil(inputs / scheme.group_size)
    per_element = 32 // scheme.bits

    def tensor(ending: str, dtype: str, *shape: int) -> Tensor:
        return Tensor(name=f"{name}.{ending}", dtype=dtype, shape=(*stack, *shape))

    if scheme.storage is Storage.BLOCKWISE_4:
        yield from _blockwise(name, count * outputs * inputs, scheme)
        return
    match scheme.storage:
        case Storage.INTEGER_ROWS | Storage.INTEGER_COLUMNS:
            yield tensor("qweight", "I32", math.ceil(inputs * outputs / per_element))
            yield tensor("qzeros", "I32", groups, math.ceil(outputs / per_element))
            yield tensor("scales", scheme.scale_dtype, groups, outputs)
        case Storage.INTEGER_PACKED:
            yield tensor("weight_packed", "I32", outputs, math.ceil(inputs / per_element))
            yield tensor("weight_scale", scheme.scale_dtype, outputs, groups)
            yield tensor("weight_shape", "I64", 2)
            if scheme.zero_points:
                yield tensor("weight_zero_point", "I32", math.ceil(outputs / per_element), groups)
        case Storage.INTEGER_8:
            yield tensor("weight", "I8", outputs, inputs)
            yield tensor("weight_scale", scheme.scale_dtype, 1 if scheme.per_tensor else outputs)
            if scheme.zero_points:
                yield tensor("weight_zero_point", "I8", 1 if scheme.per_tensor else outputs)
        case Storage.FLOAT_8:
            yield tensor("weight", "F8_E4M3", outputs, inputs)
            yield tensor("weight_scale", scheme.scale_dtype, *_scales(scheme, outputs, inputs, groups))
        case Storage.FLOAT_4:
            yield tensor("weight_packed", "U8", outputs, math.ceil(inputs / 2))
            yield tensor("weight_scale", scheme.scale_dtype, outputs, groups)
            if scheme.scale_dtype != "U8":
                yield tensor("weight_scale_2", "F32", 1)
    if scheme.group_index:
        yield tensor("g_idx", "I32", inputs)


def _scales(scheme: Scheme, outputs: int, inputs: int, groups: int) -> tuple[int, ...]:
    if scheme.block is not None:
        return (math.ceil(outputs / scheme.block[0]), math.ceil(inputs / scheme.block[1]))
    if scheme.group_size is not None:
        return (outputs, groups)
    return (1,) if scheme.per_tensor else (outputs, 1)


def _blockwise(name: str, elements: int, scheme: Scheme) -> Iterator[Tensor]:
    blocks = math.ceil(elements / (scheme.group_size or 64))
    yield Tensor(name=f"{name}.weight", dtype="U8", shape=(math.ceil(elements / 2), 1))
    yield Tensor(name=f"{name}.weight.quant_map", dtype="F32", shape=(16,))
    if not scheme.double_quantized:
        yield Tensor(name=f"{name}.weight.absmax", dtype="F32", shape=(blocks,))
        return
    yield Tensor(name=f"{name}.weight.absmax", dtype="U8", shape=(blocks,))
    yield Tensor(name=f"{name}.weight.nested_absmax", dtype="F32", shape=(math.ceil(blocks / _NESTED_BLOCK),))
    yield Tensor(name=f"{name}.weight.nested_quant_map", dtype="F32", shape=(256,))
