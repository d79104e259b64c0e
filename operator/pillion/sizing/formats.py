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
# Source: QuantizationMethods and the folder online/ in model_executor/layers/quantization of vLLM 0.18.0 to 0.33.0.
ONLINE_SINCE: Final = {
    "mxfp8": Version(0, 19),
    "online": Version(0, 20),
    "fp8_per_tensor": Version(0, 20),
    "fp8_per_block": Version(0, 20),
    "int8_per_channel_weight_only": Version(0, 20),
    "fp8_per_channel": Version(0, 24),
    "nvfp4_per_token": Version(0, 26),
    "mxfp4": Version(0, 28),
}
EXPERTS_ONLY: Final = frozenset({"experts_int8", "int8_per_channel_weight_only", "nvfp4_per_token"})
# What only a checkpoint brings. Asked for a plain one, its size is that of such a checkpoint of the same model.
CHECKPOINT_LABELS: Final = {
    "awq": "AWQ",
    "awq_marlin": "AWQ",
    "auto_awq": "AWQ",
    "gptq": "GPTQ",
    "gptq_marlin": "GPTQ",
    "auto_gptq": "GPTQ",
    "marlin": "GPTQ",
    "w4a16": "W4A16",
    "moe_wna16": "W4A16",
    "nvfp4": "NVFP4",
    "modelopt_fp4": "NVFP4",
    "modelopt": "FP8",
    "modelopt_mxfp8": "MXFP8",
    "w8a8": "INT8",
    "int8": "INT8",
}
_MADE_WHILE_LOADING: Final = frozenset(ONLINE_LABELS.values())

# Bytes of one parameter in a linear layer, with its scales and zero points, in groups of 128 where a format has them.
_ELEMENT: Final = {
    "FP8": 1.0,
    "INT8": 1.0,
    "MXFP8": 1 + 1 / 32,
    "MXFP4": 1 / 2 + 1 / 32,
    "NVFP4": 1 / 2 + 1 / 16,
    "BitsAndBytes": 1 / 2 + 4 / 64,
    "AWQ": 1 / 2 + 2 / 128 + 0.5 / 128,
    "GPTQ": 1 / 2 + 2 / 128 + 0.5 / 128,
    "W4A16": 1 / 2 + 2 / 128,
}
ONLINE_GROWTH: Final[Fact] = Fact(
    value=1.03,
    unit="x the format's own size",
    basis=Basis.FITTED,
    source="Qwen3-8B made FP8 while loading takes 9.06 GiB, 4 % more in its linear layers than the FP8 checkpoint; "
    "a 3B model 3.23 GiB, 2 % more: freed 16-bit tensors leave gaps",
)


def online_element_bytes(label: str) -> float:
    """Bytes of one parameter with its scales, where a plain checkpoint is held in another format.

    Raises:
        KeyError: no format has this label.
    """
    return _ELEMENT[label] * (ONLINE_GROWTH.value if label in _MADE_WHILE_LOADING else 1)


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


# Moved to plugins, out of the engine's tree.
GONE: Final = {"BitsAndBytes": Version(0, 28), "GGUF": Version(0, 28)}


def is_gone(label: str | None, version: Version) -> bool:
    """Whether an engine of this version no longer brings what loads a format."""
    return label is not None and label in GONE and version >= GONE[label]


# What `--quantization` may name beside a checkpoint, by the method that the checkpoint's configuration names.
_ACCEPTED_BESIDE: Final = {
    "awq": frozenset({"awq", "awq_marlin", "auto_awq", "marlin", "moe_wna16"}),
    "gptq": frozenset({"gptq", "gptq_marlin", "auto_gptq", "marlin", "moe_wna16"}),
    "compressed-tensors": frozenset({"compressed-tensors"}),
    "fp8": frozenset({"fp8"}),
}
_TAKES_ANY: Final = frozenset({"modelopt"})  # its method takes the place of what is asked for
_OWN_NAMES: Final = frozenset({"w4a16", "w8a8", "int8", "nvfp4"})  # of a form, and no flag of the engine


def contradicts(asked: str, *, method: str, scheme: str) -> bool:
    """Whether a flag names another method than a checkpoint's own, which the engine refuses, be the format the same.

    Of methods that are not in the table the format decides.

    Source: vLLM 0.33.0, config/model.py, _verify_quantization, and override_quantization_method of each method; 0.11.0
    is alike.
    """
    label = ONLINE_LABELS.get(asked) or CHECKPOINT_LABELS.get(asked)
    if label is None or method in _TAKES_ANY:
        return False
    accepted = _ACCEPTED_BESIDE.get(method)
    if accepted is None or asked in _OWN_NAMES:
        return label != scheme
    return asked not in accepted
