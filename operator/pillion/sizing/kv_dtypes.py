"""Which element types may a KV cache have, how large are they, and since when does the engine take them?

Only forms whose size is known exactly are taken. The engine has more (4-bit forms, scales by token and head), each
with a layout of its own.
"""

from typing import Final

from pillion.sizing.versions import Version

AUTO: Final = "auto"
SPARSE: Final = "fp8_ds_mla"  # 656 bytes a token and layer, in kv_pages
_BYTES: Final = {
    "bfloat16": 2,
    "float16": 2,
    "fp8": 1,
    "fp8_e4m3": 1,
    "fp8_e5m2": 1,
    "fp8_inc": 1,
    SPARSE: 1,
}
NAMES: Final = (AUTO, *_BYTES)
# As others write them: the API's, torch's and TGI's.
_ALIASES: Final = {
    "bf16": "bfloat16",
    "fp16": "float16",
    "half": "float16",
    "fp8e4m3": "fp8_e4m3",
    "fp8e5m2": "fp8_e5m2",
    "fp8_e4m3fn": "fp8_e4m3",
}
# Source: CacheDType in config/cache.py of vLLM 0.10.2 to 0.33.0.
_SINCE: Final = {"bfloat16": Version(0, 11), SPARSE: Version(0, 12), "float16": Version(0, 18)}


def name_of(written: str) -> str | None:
    """The engine's name of an element type; None for one that it does not have or whose size is not known."""
    text = written.strip().lower().removeprefix("torch.")
    name = _ALIASES.get(text, text)
    return name if name in NAMES else None


def bytes_of(name: str | None) -> int | None:
    """Bytes of a cached element; None where that is left to the engine."""
    return _BYTES.get(name or AUTO)


def since(name: str | None) -> Version | None:
    """The first version that takes the name; None: all that are known."""
    return _SINCE.get(name or AUTO)
