"""In which number formats can an engine hold a model, on which accelerators, and how large is an element?

Formats are named by our labels, as checkpoints' facts name them; flags are vLLM's.
"""

from dataclasses import dataclass
from typing import Final

from pillion.facts import Basis, Fact
from pillion.sizing.versions import Version

Capability = tuple[int, int]

# What `--quantization` makes of a plain checkpoint while it loads. Source: vLLM 0.33.0, config/quantization.py and
# model_executor/layers/quantization; bitsandbytes up to 0.27 (now a plugin).
ONLINE_LABELS: Final = {
    "fp8": "FP8",
    "online": "FP8",
    "fp8_per_tensor": "FP8",
    "fp8_per_block": "FP8",
    "fp8_per_channel": "FP8",
    "ptpc_fp8": "FP8",
    "fbgemm_fp8": "FP8",
    "mxfp8": "MXFP8",
    "mxfp4": "MXFP4",
    "experts_int8": "INT8",
    "int8_per_channel_weight_only": "INT8",
    "nvfp4_per_token": "NVFP4",
    "bitsandbytes": "BitsAndBytes",
    "bitsandbytes-nf4": "BitsAndBytes",
    "bitsandbytes-fp4": "BitsAndBytes",
    "eetq": "INT8",
}
EXPERTS_ONLY: Final = frozenset({"experts_int8", "int8_per_channel_weight_only", "nvfp4_per_token"})
# Methods that a checkpoint brings; named beside a checkpoint of another method, the engine refuses to start.
CHECKPOINT_METHODS: Final = frozenset(
    {
        "awq",
        "awq_marlin",
        "auto_awq",
        "gptq",
        "gptq_marlin",
        "auto_gptq",
        "compressed-tensors",
        "modelopt",
        "quark",
    }
    | {
        "modelopt_fp4",
        "modelopt_mxfp8",
        "modelopt_mixed",
        "inc",
        "moe_wna16",
        "gpt_oss_mxfp4",
        "torchao",
        "gguf",
    }
)

_ELEMENT: Final = {
    "FP8": 1.0,
    "INT8": 1.0,
    "MXFP8": 1 + 1 / 32,
    "MXFP4": 1 / 2 + 1 / 32,
    "NVFP4": 1 / 2 + 1 / 16,
    "BitsAndBytes": 1 / 2 + 4 / 64,
}
ONLINE_GROWTH: Final[Fact] = Fact(
    value=1.03,
    unit="x the format's own size",
    basis=Basis.FITTED,
    source="Qwen3-8B made FP8 while loading takes 9.06 GiB, 4 % more in its linear layers than the FP8 checkpoint; "
    "a 3B model 3.23 GiB, 2 % more: freed 16-bit tensors leave gaps",
)


def online_element_bytes(label: str) -> float:
    """Bytes of one parameter with its scales, where a format is made while loading.

    Raises:
        KeyError: no engine makes this format itself.
    """
    return _ELEMENT[label] * ONLINE_GROWTH.value


@dataclass(frozen=True, kw_only=True, slots=True)
class _Floor:
    """The lowest compute capability from a version of the engine on."""

    since: Version
    capability: Capability


_BEFORE_MARLIN_ON_TURING: Final = (
    _Floor(since=Version(0, 0), capability=(8, 0)),
    _Floor(since=Version(0, 14), capability=(7, 5)),
)
_TURING: Final = (_Floor(since=Version(0, 0), capability=(7, 5)),)
_AMPERE: Final = (_Floor(since=Version(0, 0), capability=(8, 0)),)
# Source: get_min_capability of the classes in model_executor/layers/quantization of 0.7 to 0.33; the engine's own floor
# is 7.0 before 0.21 and 7.5 from it on (docs, gpu.cuda.inc.md).
_FLOORS: Final = {
    "AWQ": _TURING,
    "GPTQ": _TURING,
    "FP8": _BEFORE_MARLIN_ON_TURING,
    "INT8": _TURING,
    "W4A16": _BEFORE_MARLIN_ON_TURING,
    "W8A16": _BEFORE_MARLIN_ON_TURING,
    "W4A8": (_Floor(since=Version(0, 0), capability=(9, 0)),),
    "NVFP4": _BEFORE_MARLIN_ON_TURING,
    "MXFP4": _AMPERE,
    "MXFP8": _TURING,
}
_PLAIN: Final = (
    _Floor(since=Version(0, 0), capability=(7, 0)),
    _Floor(since=Version(0, 21), capability=(7, 5)),
)


def lowest_capability(label: str | None, version: Version) -> Capability:
    """The lowest compute capability on which an engine of this version runs a format; `None` is plain 16 or 32 bit."""
    rows = [_PLAIN, *([_FLOORS[label]] if label in _FLOORS else [])]
    return max(_at(row, version) for row in rows)


def _at(row: tuple[_Floor, ...], version: Version) -> Capability:
    """What the newest entry says that is not newer than the version."""
    return [floor.capability for floor in row if floor.since <= version][-1]


GONE: Final = {
    "BitsAndBytes": Version(0, 28),
    "GGUF": Version(0, 28),
}  # moved to plugins, out of the engine's tree


def is_gone(label: str | None, version: Version) -> bool:
    """Whether an engine of this version no longer brings what loads a format."""
    return label is not None and label in GONE and version >= GONE[label]
