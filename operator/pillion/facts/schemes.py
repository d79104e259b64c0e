"""Which layers does a quantizer convert, and into what?

A checkpoint's `quantization_config` says how the weights of which modules are stored; what it leaves out stays
plain. Quantizers disagree on how to say it, so that each has a reader here.

Source: the configurations that AutoAWQ, GPTQModel, llm-compressor, ModelOpt, bitsandbytes, AutoRound, torchao and
Quark write, as vLLM 0.33.0 reads them (model_executor/layers/quantization).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from pillion.facts import names, quantized
from pillion.facts.blueprint import Part
from pillion.facts.documents import Json


class Storage(Enum):
    """How the numbers of a converted matrix lie in the file."""

    INTEGER_ROWS = auto()  # several in 32 bit along the outputs: AWQ
    INTEGER_COLUMNS = auto()  # several in 32 bit along the inputs: GPTQ
    INTEGER_PACKED = auto()  # as compressed-tensors packs them
    INTEGER_8 = auto()
    FLOAT_8 = auto()
    FLOAT_4 = auto()  # two in a byte, a scale for each group
    BLOCKWISE_4 = auto()  # bitsandbytes: two in a byte, flat, a scale for 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Scheme:
    """The form of converted matrices."""

    storage: Storage
    bits: int
    group_size: int | None = None  # inputs that share a scale; None: a whole output channel
    block: tuple[int, int] | None = None  # outputs and inputs that share a scale
    per_tensor: bool = False  # one scale for all
    zero_points: bool = False
    group_index: bool = False
    scale_dtype: str = "BF16"
    double_quantized: bool = False


Choice = Callable[[str, Part], Scheme | None]  # a module's name and its matrix -> how it is stored


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
        return _modelopt({**(declared or {}), **inner})
    if declared is None:
        return None
    method = str(declared.get("quant_method") or "").lower().replace("-", "_")
    if declared.get("quant_algo") or method.startswith("modelopt"):
        return _modelopt(declared)
    if method == "compressed_tensors" or "config_groups" in declared:
        return _groups(declared)
    if (
        str(config.get("model_type")) == "deepseek_v4"
    ):  # DeepSeek's own: experts in 4 bit unless it says otherwise
        declared = {"expert_dtype": config.get("expert_dtype") or "fp4", **declared}
    return _READERS.get(method, _by_bits)(declared)


def _within_layers(scheme: Scheme, left_out: object) -> Choice:
    """All matrices of the language model's layers, but for those that a list names."""
    listed = left_out if isinstance(left_out, list) else []
    return lambda name, _part: (
        scheme if names.in_language_layers(name) and not names.matches(name, listed) else None
    )


def _awq(declared: Json) -> Choice:
    scheme = Scheme(
        storage=Storage.INTEGER_ROWS,
        bits=_number(declared, "bits", "w_bit") or 4,
        group_size=_number(declared, "group_size", "q_group_size"),
        zero_points=True,
        scale_dtype="F16",
    )
    return _within_layers(scheme, declared.get("modules_to_not_convert"))


def _gptq(declared: Json) -> Choice:
    """GPTQ, and AutoRound in its form: per-module exceptions in `dynamic` and `extra_config`."""
    usual = Scheme(
        storage=Storage.INTEGER_COLUMNS,
        bits=_number(declared, "bits") or 4,
        group_size=_number(declared, "group_size"),
        zero_points=True,
        group_index=True,
        scale_dtype="F16",
    )
    exceptions = declared.get("dynamic") or {}
    extra = declared.get("extra_config") or {}
    only = [name for block in declared.get("modules_in_block_to_quantize") or () for name in _listed(block)]
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
    bits = _number(change, "bits") or usual.bits
    if bits >= 16:
        return None
    return Scheme(
        storage=usual.storage,
        bits=bits,
        group_size=_number(change, "group_size") or usual.group_size,
        zero_points=usual.zero_points,
        group_index=usual.group_index,
        scale_dtype=usual.scale_dtype,
    )


def _fp8(declared: Json) -> Choice:
    block = declared.get("weight_block_size")
    shape = (int(block[0]), int(block[1])) if isinstance(block, list) and len(block) == 2 else None
    scheme = Scheme(storage=Storage.FLOAT_8, bits=8, block=shape, per_tensor=shape is None, scale_dtype="F32")
    left_out = declared.get("modules_to_not_convert") or declared.get("ignored_layers")
    within = _within_layers(scheme, left_out)
    if declared.get("expert_dtype") != "fp4":
        return within
    experts = Scheme(storage=Storage.FLOAT_4, bits=4, group_size=32, scale_dtype="U8")
    return lambda name, part: experts if ".experts." in f"{name}." else within(name, part)


def _fbgemm(declared: Json) -> Choice:
    scheme = Scheme(storage=Storage.FLOAT_8, bits=8, scale_dtype="F32")
    return _within_layers(scheme, declared.get("modules_to_not_convert"))


def _mxfp4(declared: Json) -> Choice:
    """Experts alone, in groups of 32 with a scale of 8 bit."""
    scheme = Scheme(storage=Storage.FLOAT_4, bits=4, group_size=32, scale_dtype="U8")
    left_out = declared.get("modules_to_not_convert") or []
    return lambda name, _part: (
        scheme if ".experts." in f"{name}." and not names.matches(name, left_out) else None
    )


def _mxfp8(declared: Json) -> Choice:
    scheme = Scheme(storage=Storage.FLOAT_8, bits=8, group_size=32, scale_dtype="U8")
    return _within_layers(scheme, declared.get("modules_to_not_convert") or declared.get("ignored_layers"))


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
    return _within_layers(scheme, declared.get("modules_to_not_convert"))


def _quark(declared: Json) -> Choice:
    said: Any = (declared.get("global_quant_config") or {}).get("weight") or {}
    usual: Json = said[0] if isinstance(said, list) else said
    kind, groups = str(usual.get("dtype") or ""), _number(usual, "group_size")
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
    bits = _number(declared, "bits", "num_bits", "weight_bits", "nbits", "w_bit")
    if bits is None or bits >= 16:
        return lambda _name, _part: None
    scheme = Scheme(
        storage=Storage.INTEGER_PACKED,
        bits=bits,
        group_size=_number(declared, "group_size") or 64,
        zero_points=True,
    )
    return _within_layers(scheme, declared.get("modules_to_not_convert"))


def _groups(declared: Json) -> Choice:
    """compressed-tensors: groups of modules, each with a scheme of its own, and a list of what is ignored."""
    listed = declared.get("config_groups")
    groups = (
        [group for group in listed.values() if isinstance(group, Mapping)]
        if isinstance(listed, Mapping)
        else []
    )
    schemes = [(_targets(group), of_weights(group.get("weights"))) for group in groups]
    ignored = declared.get("ignore")
    ignored = ignored if isinstance(ignored, list) else ["lm_head"]

    def chosen(name: str, _part: Part) -> Scheme | None:
        if names.matches(name, ignored):
            return None
        return next(
            (scheme for targets, scheme in schemes if "Linear" in targets or names.matches(name, targets)),
            None,
        )

    return chosen


def of_weights(weights: object) -> Scheme | None:
    """The scheme of one group of compressed-tensors."""
    if not isinstance(weights, Mapping):
        return None
    bits, kind = _number(weights, "num_bits") or 8, str(weights.get("type") or "int")
    size, strategy = _number(weights, "group_size"), str(weights.get("strategy") or "")
    block = weights.get("block_structure")
    asymmetric = weights.get("symmetric") is False
    if kind == "float" and bits == 4:
        return Scheme(
            storage=Storage.FLOAT_4,
            bits=4,
            group_size=size or 16,
            scale_dtype="U8" if size == 32 else "F8_E4M3",
        )
    if kind == "float":
        pair = (int(block[0]), int(block[1])) if isinstance(block, list) and len(block) == 2 else None
        return Scheme(
            storage=Storage.FLOAT_8,
            bits=8,
            group_size=size if strategy == "group" else None,
            block=pair,
            per_tensor=strategy in {"tensor", ""},
            scale_dtype="U8" if size == 32 and strategy == "group" else "F32",
        )
    if bits == 8 and strategy in {"channel", "tensor", ""} and not weights.get("actorder"):
        return Scheme(
            storage=Storage.INTEGER_8, bits=8, per_tensor=strategy == "tensor", zero_points=asymmetric
        )
    return Scheme(
        storage=Storage.INTEGER_PACKED,
        bits=bits,
        group_size=size if strategy in {"group", ""} else None,
        zero_points=asymmetric,
        group_index=weights.get("actorder") == "group",
    )


_ALGORITHMS = {
    "FP8": Scheme(storage=Storage.FLOAT_8, bits=8, per_tensor=True, scale_dtype="F32"),
    "FP8_PER_CHANNEL_PER_TOKEN": Scheme(storage=Storage.FLOAT_8, bits=8, scale_dtype="F32"),
    "FP8_PB_WO": Scheme(storage=Storage.FLOAT_8, bits=8, block=(128, 128), scale_dtype="F32"),
    "MXFP8": Scheme(storage=Storage.FLOAT_8, bits=8, group_size=32, scale_dtype="U8"),
    "NVFP4": Scheme(storage=Storage.FLOAT_4, bits=4, group_size=16, scale_dtype="F8_E4M3"),
    "W4A16_AWQ": Scheme(storage=Storage.INTEGER_PACKED, bits=4, group_size=128),
    "W4A8_AWQ": Scheme(storage=Storage.INTEGER_PACKED, bits=4, group_size=128),
    "W8A8_SQ_PER_CHANNEL": Scheme(storage=Storage.INTEGER_8, bits=8),
}
_ALGORITHMS |= {"NVFP4_AWQ": _ALGORITHMS["NVFP4"], "W4A16_NVFP4": _ALGORITHMS["NVFP4"]}


def _modelopt(declared: Json) -> Choice:
    """ModelOpt: one algorithm for all but what is excluded, or one for each module by name."""
    left_out = declared.get("exclude_modules") or declared.get("ignore") or []
    left_out = left_out if isinstance(left_out, list) else []
    each, usual = declared.get("quantized_layers"), str(declared.get("quant_algo") or "").upper()
    if isinstance(each, Mapping) and each:
        named = {names.bare(name): str((how or {}).get("quant_algo")).upper() for name, how in each.items()}
        return lambda name, _part: _ALGORITHMS.get(_named(named, name), None)
    if isinstance(declared.get("config_groups"), Mapping) and usual in {"", "MIXED_PRECISION"}:
        return _groups({"ignore": left_out, **declared})
    scheme = _ALGORITHMS.get(usual, _ALGORITHMS["NVFP4"] if usual == "MIXED_PRECISION" else None)
    if scheme is None:
        return lambda _name, _part: None
    return _within_layers(scheme, left_out)


def _named(named: Mapping[str, str], name: str) -> str:
    short = names.bare(name)
    return (
        named.get(short)
        or named.get(short.replace(".experts.", ".experts.0."), "")
        or named.get(short.rpartition(".")[0], "")
    )


def _targets(group: Json) -> list[object]:
    return _listed(group.get("targets")) or ["Linear"]


def _listed(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _number(source: Json, *keys: str) -> int | None:
    for key in keys:
        value = source.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


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
