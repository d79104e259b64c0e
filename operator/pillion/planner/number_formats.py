"""In which number formats does an engine hold a candidate's weights and its KV cache, on its accelerator?

What a device cannot compute is held in the next format that it can: bfloat16 as float16, where the model bears that and
else in 32 bit; FP8 as it is, and widened while computing.
"""

from typing import Final

from pillion.planner.candidates import BFLOAT16_FROM, FP8, FULL_FP8_FROM, Candidate
from pillion.sizing import settings, weights
from pillion.sizing.versions import Version

_THIRTY_TWO_BIT_BYTES: Final = 4


def lacks_bfloat16(candidate: Candidate) -> bool:
    """Whether the device lacks the number format that the model is published in."""
    capability = candidate.capability
    return candidate.model.dtype == "bfloat16" and capability is not None and capability < BFLOAT16_FROM


def widens_fp8(candidate: Candidate) -> bool:
    """Whether FP8 weights are widened while computing: they save memory and no time."""
    capability = candidate.capability
    return candidate.quantization == FP8 and capability is not None and capability < FULL_FP8_FROM


def plain_bytes(candidate: Candidate) -> int:
    """Bytes of an element that is not quantized."""
    capability = candidate.capability
    narrow = capability is not None and capability < BFLOAT16_FROM
    if narrow and candidate.model.model_type in settings.NO_FLOAT16:
        return _THIRTY_TWO_BIT_BYTES
    return weights.SIXTEEN_BIT_BYTES


def cache_bytes(candidate: Candidate, version: Version) -> int:
    """Bytes of an element of the KV cache.

    The engine follows a checkpoint that declares FP8 keys and values, and takes 8 bit by itself for some architectures;
    elsewhere two bytes are the safe figure.
    """
    if candidate.kv_cache_quantized:
        return 1
    if candidate.kv_cache_dtype is not None:
        return plain_bytes(candidate)
    capability, stored = candidate.capability, candidate.model.quantization
    follows = (
        stored is not None and stored.kv_cache_fp8 and capability is not None and capability >= FULL_FP8_FROM
    )
    by_itself = settings.fp8_by_architecture(candidate.model, version=version, capability=capability)
    return 1 if follows or (capability is not None and by_itself) else plain_bytes(candidate)
