"""Which layers does a quantizer convert, and into what?

A checkpoint's `quantization_config` says how the weights of which modules are stored; what it leaves out stays
plain. Quantizers disagree on how to say it, so that each has a reader.

Source: the configurations that AutoAWQ, GPTQModel, ModelOpt, bitsandbytes, AutoRound, torchao and Quark write, as vLLM
0.33.0 reads them (model_executor/layers/quantization).
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from pillion.facts import layer_groups, names, quantized
from pillion.facts.blueprint import Part
from pillion.facts.documents import Json
from pillion.facts.schemes import Choice, Scheme, Storage, listed, number, within_layers


def choice(config: Json, modelopt: Json | None) -> Choice | None:
    """How each module is stored; None where the checkpoint is plain."""
    found = _choice(config, modelopt)
    if found is None or not quantized.declared_inside(config):
        return found
    return lambda name, part: None if names.in_tower(name) else found(name, part)


def _choice(config: Json, modelopt: Json | None) -> Choice | None:
    inner = (modelopt or {}).get("quantization")
    declared = quantized.declaration(config)
    if isinstance(inner, Mapping):
        return layer_groups.modelopt({**(declared or {}), **inner})
    if declared is None:
        return None
    method = str(declared.get("quant_method") or "").lower().replace("-", "_")
    if declared.get("quant_algo") or method.startswith("modelopt"):
        return layer_groups.modelopt(declared)
    if method == "compressed_tensors" or "config_groups" in declared:
        return layer_groups.compressed_tensors(declared)
    # DeepSeek's own: experts in 4 bit unless it says otherwise.
    if str(config.get("model_type")) == "deepseek_v4":
        declared = {"expert_dtype": config.get("expert_dtype") or "fp4", **declared}
    return _READERS.get(method, _by_bits)(declared)


def _awq(declared: Json) -> Choice:
    scheme = Scheme(
        storage=Storage.INTEGER_ROWS,
        bits=number(declared, "bits", "w_bit") or 4,
        group_size=number(declared, "group_size", "q_group_size"),
        zero_points=True,
        scale_dtype="F16",
    )
    return within_layers(scheme, declared.get("modules_to_not_convert"))


def _gptq(declared: Json) -> Choice:
    """GPTQ, and AutoRound in its form: per-module exceptions in `dynamic` and `extra_config`."""
    usual = Scheme(
        storage=Storage.INTEGER_COLUMNS,
        bits=number(declared, "bits") or 4,
        group_size=number(declared, "group_size"),
        zero_points=True,
        group_index=True,
        scale_dtype="F16",
    )
    exceptions = declared.get("dynamic") or {}
    extra = declared.get("extra_config") or {}
    only = [name for block in declared.get("modules_in_block_to_quantize") or () for name in listed(block)]
    left_out = declared.get("modules_to_not_convert") or []

    def chosen(name: str, _part: Part) -> Scheme | None:
        head = name.endswith("lm_head") and bool(declared.get("lm_head"))
        if (not names.in_language_layers(name) and not head) or names.matches(name, left_out):
            return None
        if only and not names.matches(name, only):
            return None
        for pattern, change in exceptions.items():
            if re.match(pattern.removeprefix("+:").removeprefix("-:"), name):
                return None if pattern.startswith("-:") else _changed(usual, change)
        for pattern, change in extra.items():
            if names.matches(name, [pattern]):
                return _changed(usual, change)
        return usual

    return chosen


def _changed(usual: Scheme, change: object) -> Scheme | None:
    if not isinstance(change, Mapping):
        return usual
    bits = number(change, "bits") or usual.bits
    if bits >= 16:
        return None
    return Scheme(
        storage=usual.storage,
        bits=bits,
        group_size=number(change, "group_size") or usual.group_size,
        zero_points=usual.zero_points,
        group_index=usual.group_index,
        scale_dtype=usual.scale_dtype,
    )


def _fp8(declared: Json) -> Choice:
    block = declared.get("weight_block_size")
    shape = (int(block[0]), int(block[1])) if isinstance(block, list) and len(block) == 2 else None
    scheme = Scheme(storage=Storage.FLOAT_8, bits=8, block=shape, per_tensor=shape is None, scale_dtype="F32")
    left_out = declared.get("modules_to_not_convert") or declared.get("ignored_layers")
    within = within_layers(scheme, left_out)
    if declared.get("expert_dtype") != "fp4":
        return within
    experts = Scheme(storage=Storage.FLOAT_4, bits=4, group_size=32, scale_dtype="U8")
    return lambda name, part: experts if ".experts." in f"{name}." else within(name, part)


def _fbgemm(declared: Json) -> Choice:
    scheme = Scheme(storage=Storage.FLOAT_8, bits=8, scale_dtype="F32")
    return within_layers(scheme, declared.get("modules_to_not_convert"))


def _mxfp4(declared: Json) -> Choice:
    """Experts alone, in groups of 32 with a scale of 8 bit."""
    scheme = Scheme(storage=Storage.FLOAT_4, bits=4, group_size=32, scale_dtype="U8")
    left_out = declared.get("modules_to_not_convert") or []
    return lambda name, _part: (
        scheme if ".experts." in f"{name}." and not names.matches(name, left_out) else None
    )


def _mxfp8(declared: Json) -> Choice:
    scheme = Scheme(storage=Storage.FLOAT_8, bits=8, group_size=32, scale_dtype="U8")
    return within_layers(scheme, declared.get("modules_to_not_convert") or declared.get("ignored_layers"))


def _bitsandbytes(declared: Json) -> Choice:
    if declared.get("load_in_8bit"):
        scheme = Scheme(storage=Storage.INTEGER_8, bits=8, scale_dtype="F32")
    else:
        scheme = Scheme(
            storage=Storage.BLOCKWISE_4,
            bits=4,
            group_size=64,
            scale_dtype="F32",
            double_quantized=bool(declared.get("bnb_4bit_use_double_quant")),
        )
    skipped = declared.get("llm_int8_skip_modules") or []
    # Towers are linear layers like others to it; only the head is never converted.
    return lambda name, _part: (
        scheme if not name.endswith("lm_head") and not names.matches(name, skipped) else None
    )


def _torchao(declared: Json) -> Choice:
    kind = str(declared.get("quant_type") or "").lower()
    if "float8" in kind or "fp8" in kind:
        scheme = Scheme(storage=Storage.FLOAT_8, bits=8, scale_dtype="F32")
    elif "int4" in kind or "4bit" in kind:
        size = re.search(r"group_size\W+(\d+)", kind)
        scheme = Scheme(
            storage=Storage.INTEGER_PACKED, bits=4, group_size=int(size[1]) if size else 128, zero_points=True
        )
    else:
        scheme = Scheme(storage=Storage.INTEGER_8, bits=8)
    return within_layers(scheme, declared.get("modules_to_not_convert"))


def _quark(declared: Json) -> Choice:
    said: Any = (declared.get("global_quant_config") or {}).get("weight") or {}
    usual: Json = said[0] if isinstance(said, list) else said
    kind, groups = str(usual.get("dtype") or ""), number(usual, "group_size")
    if "fp4" in kind:
        scheme = Scheme(storage=Storage.FLOAT_4, bits=4, group_size=groups or 32, scale_dtype="U8")
    elif "4" in kind and "int" in kind:
        scheme = Scheme(storage=Storage.INTEGER_PACKED, bits=4, group_size=groups, zero_points=True)
    elif "int8" in kind:
        scheme = Scheme(storage=Storage.INTEGER_8, bits=8)
    else:
        scheme = Scheme(
            storage=Storage.FLOAT_8,
            bits=8,
            per_tensor=usual.get("qscheme") == "per_tensor",
            scale_dtype="F32",
        )
    left_out = declared.get("exclude") or []
    return lambda name, _part: (
        scheme if not names.matches(name, left_out) and names.in_language_layers(name) else None
    )


def _by_bits(declared: Json) -> Choice:
    """A method that is not known: packed to as many bits as it says, or 16 where it says nothing."""
    bits = number(declared, "bits", "num_bits", "weight_bits", "nbits", "w_bit")
    if bits is None or bits >= 16:
        return lambda _name, _part: None
    scheme = Scheme(
        storage=Storage.INTEGER_PACKED,
        bits=bits,
        group_size=number(declared, "group_size") or 64,
        zero_points=True,
    )
    return within_layers(scheme, declared.get("modules_to_not_convert"))


_READERS: dict[str, Callable[[Json], Choice]] = {
    "auto_round": _gptq,
    "awq": _awq,
    "awq_marlin": _awq,
    "bitsandbytes": _bitsandbytes,
    "deepseek_v4_fp8": _fp8,
    "fbgemm_fp8": _fbgemm,
    "fp8": _fp8,
    "gpt_oss_mxfp4": _mxfp4,
    "gptq": _gptq,
    "gptq_marlin": _gptq,
    "inc": _gptq,
    "mxfp4": _mxfp4,
    "mxfp8": _mxfp8,
    "quark": _quark,
    "torchao": _torchao,
}
