"""What does the head of a GGUF file say of the model in it?

Engines here do not load llama.cpp's format; what a file says is only used to name the model that it was made from. The
head is read as far as it goes, because only the beginning of a file is asked for.

Source: ggml's docs/gguf.md, versions 2 and 3, and llama.cpp's include/llama.h for the numbers of file types.
"""

import re
import struct
from dataclasses import dataclass

BEGINNING_BYTES = 64 * 2**10  # what names the model is in the first few hundred
_MAGIC = b"GGUF"
_STRING, _ARRAY = 8, 9
_PLAIN = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS",
    20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M",
    28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 38: "MXFP4",
}  # fmt: skip
_REPO = re.compile(r"^https?://[^/]+/([\w.-]+/[\w.-]+?)/?$")
_MOST_KEYS = 256  # what names the model comes before the tokenizer's long lists


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What a GGUF file says of itself; None where its head does not say, or was not read that far."""

    architecture: str | None = None  # in llama.cpp's words: "llama", "qwen3", "gemma3"
    name: str | None = None
    size_label: str | None = None  # "8B", "8x7B"
    file_type: str | None = None  # "Q4_K_M"
    base_model: str | None = None  # owner/name
    tensors: int = 0


def header(beginning: bytes) -> Header | None:
    """The head of a file from its first bytes; None where it is no GGUF file."""
    if len(beginning) < 24 or beginning[:4] != _MAGIC:
        return None
    version, tensors, keys = struct.unpack_from("<IQQ", beginning, 4)
    if version < 2:
        return None  # the first version counted in other widths, and nobody publishes it any more
    found = _values(beginning, min(keys, _MOST_KEYS))
    kind = found.get("general.file_type")
    return Header(
        architecture=_text(found.get("general.architecture")),
        name=_text(found.get("general.name")),
        size_label=_text(found.get("general.size_label")),
        file_type=_FILE_TYPES.get(kind) if isinstance(kind, int) else None,
        base_model=_base(found),
        tensors=tensors,
    )


def _values(data: bytes, keys: int) -> dict[str, object]:
    """Values by their keys, as far as the data goes."""
    found: dict[str, object] = {}
    place = 24
    try:
        for _ in range(keys):
            key, place = _string(data, place)
            (kind,) = struct.unpack_from("<I", data, place)
            found[key], place = _value(data, place + 4, kind)
    except (struct.error, ValueError):
        return found
    return found


def _value(data: bytes, place: int, kind: int) -> tuple[object, int]:
    if kind == _STRING:
        return _string(data, place)
    if kind == _ARRAY:
        inner, count = struct.unpack_from("<IQ", data, place)
        place += 12
        if inner in _PLAIN:
            return None, place + count * struct.calcsize(_PLAIN[inner])
        for _ in range(count):
            _, place = _value(data, place, inner)
        return None, place
    if kind not in _PLAIN:
        raise ValueError(f"no such kind of value: {kind}")
    (value,) = struct.unpack_from(_PLAIN[kind], data, place)
    return value, place + struct.calcsize(_PLAIN[kind])


def _string(data: bytes, place: int) -> tuple[str, int]:
    (length,) = struct.unpack_from("<Q", data, place)
    end = place + 8 + length
    if end > len(data):
        raise ValueError("the data ends inside a text")
    return data[place + 8 : end].decode("utf-8", "replace"), end


def _base(found: dict[str, object]) -> str | None:
    """The repository that the file was made from: the base that it names, or its own source."""
    for key in (
        "general.base_model.0.repo_url",
        "general.source.repo_url",
        "general.source.huggingface.repository",
    ):
        value = found.get(key)
        if isinstance(value, str):
            match = _REPO.match(value)
            if match:
                return match[1]
            if re.fullmatch(r"[\w.-]+/[\w.-]+", value):
                return value
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
