"""How do compressed-tensors and ModelOpt say which modules are stored how?

Both write groups of modules, or one algorithm for all, and lists of what is left alone.

Source: vLLM 0.33.0, model_executor/layers/quantization/{compressed_tensors,modelopt}.
"""

from collections.abc import Mapping

from pillion.facts import names
from pillion.facts.blueprint import Part
from pillion.facts.documents import Json
from pillion.facts.schemes import Choice, Scheme, Storage, listed, number, within_layers


def compressed_tensors(declared: Json) -> Choice:
    """compressed-tensors: groups of modules, each with a scheme of its own, and a list of what is ignored."""
    given = declared.get("config_groups")
    groups = (
        [group for group in given.values() if isinstance(group, Mapping)]
        if isinstance(given, Mapping)
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
    bits, kind = number(weights, "num_bits") or 8, str(weights.get("type") or "int")
    size, strategy = number(weights, "group_size"), str(weights.get("strategy") or "")
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


def modelopt(declared: Json) -> Choice:
    """ModelOpt: one algorithm for all but what is excluded, or one for each module by name."""
    left_out = declared.get("exclude_modules") or declared.get("ignore") or []
    left_out = left_out if isinstance(left_out, list) else []
    each, usual = declared.get("quantized_layers"), str(declared.get("quant_algo") or "").upper()
    if isinstance(each, Mapping) and each:
        named = {names.bare(name): str((how or {}).get("quant_algo")).upper() for name, how in each.items()}
        return lambda name, _part: _ALGORITHMS.get(_named(named, name), None)
    if isinstance(declared.get("config_groups"), Mapping) and usual in {"", "MIXED_PRECISION"}:
        return compressed_tensors({"ignore": left_out, **declared})
    scheme = _ALGORITHMS.get(usual, _ALGORITHMS["NVFP4"] if usual == "MIXED_PRECISION" else None)
    if scheme is None:
        return lambda _name, _part: None
    return within_layers(scheme, left_out)


def _named(named: Mapping[str, str], name: str) -> str:
    short = names.bare(name)
    return (
        named.get(short)
        or named.get(short.replace(".experts.", ".experts.0."), "")
        or named.get(short.rpartition(".")[0], "")
    )


def _targets(group: Json) -> list[object]:
    return listed(group.get("targets")) or ["Linear"]
