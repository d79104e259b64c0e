"""How are a checkpoint's weights stored, going by its own configuration?

A name such as `-AWQ` or `Q4_K_M` is never evidence: only `quantization_config` in config.json, or ModelOpt's
hf_quant_config.json, is.

Source of the forms: vLLM 0.33.0, model_executor/layers/quantization, and the configurations that
AutoAWQ, GPTQModel, llm-compressor (compressed-tensors) and NVIDIA ModelOpt write.
"""

from collections.abc import Mapping
from typing import Any

from pillion.facts.documents import Json
from pillion.facts.model import Quantization

_KEYS = ("quantization_config", "compression_config")
_LANGUAGE_PARTS = ("text_config", "llm_config", "language_config", "thinker_config")
_GPTQ_LIKE = frozenset({"gptq", "gptq_marlin", "auto_round", "inc"})
_SIMPLE = {
    # method: (scheme, bits where the configuration does not say)
    "awq": ("AWQ", 4),
    "awq_marlin": ("AWQ", 4),
    "gptq": ("GPTQ", 4),
    "gptq_marlin": ("GPTQ", 4),
    "fp8": ("FP8", 8),
    "mxfp4": ("MXFP4", 4),
    "mxfp8": ("MXFP8", 8),
}
_MODELOPT = {
    # algorithm: (scheme, bits). Mixed precision is taken for its smallest: what it saves is in the tensors.
    "FP8": ("FP8", 8),
    "FP8_PER_CHANNEL_PER_TOKEN": ("FP8", 8),
    "FP8_PB_WO": ("FP8", 8),
    "NVFP4": ("NVFP4", 4),
    "NVFP4_AWQ": ("NVFP4", 4),
    "W4A16_NVFP4": ("NVFP4", 4),
    "MXFP8": ("MXFP8", 8),
    "MIXED_PRECISION": ("NVFP4", 4),
    "W4A16_AWQ": ("W4A16", 4),
    "W4A8_AWQ": ("W4A8", 4),
    "W8A8_SQ_PER_CHANNEL": ("INT8", 8),
}


def quantization(config: Json, *, modelopt: Json | None) -> Quantization | None:
    """The quantization that a configuration declares, or None for plain weights.

    A method that is not recognised keeps its own name as the scheme, so that the planner can say that no
    engine is known to load it.

    Args:
        config: config.json.
        modelopt: hf_quant_config.json, where there is one.
    """
    inner = (modelopt or {}).get("quantization")
    if isinstance(inner, Mapping):
        return _modelopt(inner)
    declared = declaration(config)
    return _declared(declared) if declared else None


def declaration(config: Json) -> Json | None:
    """What config.json declares, at its top or in the language model's part, where some wrappers keep it."""
    parts = (config, *(config.get(key) for key in _LANGUAGE_PARTS))
    for part in parts:
        for key in _KEYS:
            declared = part.get(key) if isinstance(part, Mapping) else None
            if isinstance(declared, Mapping) and declared:
                return declared
    return None


def declared_inside(config: Json) -> bool:
    """Whether the language model's part declares it, so that towers beside it are plain."""
    return all(not config.get(key) for key in _KEYS) and declaration(config) is not None


def given_up(config: Json) -> frozenset[str]:
    """What engines let go of after loading: zero points that are all the same, and an order that is the usual one.

    Source: vLLM 0.33.0, model_executor/kernels/linear/mixed_precision/marlin.py, process_weights_after_loading.
    """
    declared = declaration(config) or {}
    if str(declared.get("quant_method") or "").lower().replace("-", "_") not in _GPTQ_LIKE:
        return frozenset()
    zeros = {"qzeros"} if declared.get("sym", True) is True else set()
    return frozenset(zeros if declared.get("desc_act") is True else zeros | {"g_idx"})


def _declared(declared: Json) -> Quantization:
    method = str(declared.get("quant_method") or "").lower().replace("_", "-")
    if declared.get("quant_algo") or method.startswith("modelopt"):
        return _modelopt(declared)
    if method == "compressed-tensors" or "config_groups" in declared:
        return _compressed_tensors(declared)
    if method == "bitsandbytes":
        return Quantization(
            method="bitsandbytes",
            scheme="BitsAndBytes",
            bits=8 if declared.get("load_in_8bit") else 4,
            calibrated=False,
        )
    simple = _SIMPLE.get(method.replace("-", "_"))
    if simple is not None:
        scheme, usual_bits = simple
        return Quantization(
            method=method,
            scheme=scheme,
            bits=_number(declared, "bits", "w_bit") or usual_bits,
            calibrated=True,
            group_size=_number(declared, "group_size", "q_group_size") or _block_size(declared),
        )
    return Quantization(
        method=method or "unknown",
        scheme=method or "unknown",
        bits=_number(declared, "bits", "num_bits", "weight_bits", "nbits"),
        calibrated=False,
    )


def _modelopt(declared: Json) -> Quantization:
    algorithm = str(declared.get("quant_algo") or "").upper()
    scheme, bits = _MODELOPT.get(algorithm, (f"modelopt {algorithm}".strip(), None))
    kv_scheme = declared.get("kv_cache_quant_algo") or declared.get("kv_cache_scheme")
    return Quantization(
        method="modelopt",
        scheme=scheme,
        bits=bits,
        calibrated=True,
        group_size=_number(declared, "group_size"),
        kv_cache_fp8=_is_fp8(kv_scheme),
    )


def _compressed_tensors(declared: Json) -> Quantization:
    groups = declared.get("config_groups")
    group: Any = next(iter(groups.values()), {}) if isinstance(groups, Mapping) else {}
    weights: Any = group.get("weights") or {}
    activations: Any = group.get("input_activations") or {}
    bits = _number(weights, "num_bits")
    group_size = _number(weights, "group_size")
    return Quantization(
        method="compressed-tensors",
        scheme=_compressed_scheme(weights, activations),
        bits=bits,
        calibrated=True,
        group_size=group_size,
        kv_cache_fp8=_is_fp8(declared.get("kv_cache_scheme")),
    )


def _compressed_scheme(weights: Json, activations: Json) -> str:
    """The scheme of one group of layers.

    | weights | activations | scheme                                 |
    | float 8 | any         | FP8 (MXFP8 with groups of 32)          |
    | float 4 | any         | NVFP4 (MXFP4 with groups of 32)        |
    | int 8   | 8 bit       | INT8                                   |
    | int 8   | none        | W8A16                                  |
    | int 4   | 8 bit       | W4A8                                   |
    | int 4   | none        | W4A16                                  |
    """
    bits, kind, group_size = weights.get("num_bits"), weights.get("type", "int"), weights.get("group_size")
    activation_bits = activations.get("num_bits")
    match (kind, bits):
        case ("float", 8):
            return "MXFP8" if group_size == 32 else "FP8"
        case ("float", 4):
            return "MXFP4" if group_size == 32 else "NVFP4"
        case ("int", 8):
            return "INT8" if activation_bits == 8 else "W8A16"
        case ("int", 4):
            return "W4A8" if activation_bits == 8 else "W4A16"
        case _:
            return f"compressed-tensors {kind}{bits}"


def _block_size(declared: Json) -> int | None:
    """The side of the blocks that share a scale, where FP8 weights are quantized so."""
    block = declared.get("weight_block_size")
    side = block[-1] if isinstance(block, list | tuple) and block else None
    return side if isinstance(side, int) and side > 0 else None


def _is_fp8(scheme: object) -> bool:
    if isinstance(scheme, Mapping):
        return scheme.get("num_bits") == 8 and scheme.get("type") == "float"
    return isinstance(scheme, str) and scheme.upper().startswith("FP8")


def _number(source: Any, *keys: str) -> int | None:  # noqa: ANN401 (a part of somebody's JSON)
    for key in keys:
        value = source.get(key) if isinstance(source, Mapping) else None
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None
