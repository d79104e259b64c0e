"""Would the engine start, and if not, why: the words, and what is missing of memory?"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from pillion.sizing import budget, constants, kv_cache, settings, tgi
from pillion.sizing.request import EstimateRequest


class Verdict(StrEnum):
    """Why an engine would not start. Values are API; the meaning beside each is what the reference page prints."""

    meaning: str

    def __new__(cls, value: str, meaning: str = "") -> Self:
        """A member is its value; the meaning comes along."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    WEIGHTS_EXCEED_MEMORY = (
        "WeightsExceedMemory",
        "Weights and what the engine takes beside them leave nothing for the KV cache.",
    )
    CONTEXT_DOES_NOT_FIT = (
        "ContextDoesNotFit",
        "Not even one request of the full length fits the KV cache.",
    )
    PARALLELISM_IMPOSSIBLE = (
        "ParallelismImpossible",
        "Heads, inner dimensions or groups do not divide over the accelerators.",
    )
    CAPABILITY_TOO_LOW = (
        "ComputeCapabilityTooLow",
        "The engine has no kernel for the format on this accelerator.",
    )
    CAPABILITY_TOO_HIGH = (
        "ComputeCapabilityTooHigh",
        "The accelerator is newer than the engine's kernels.",
    )
    ARCHITECTURE_UNSUPPORTED = (
        "ArchitectureUnsupported",
        "The engine's version does not serve the architecture.",
    )
    FORMAT_UNSUPPORTED = (
        "FormatUnsupported",
        "The engine's version does not load, or does not make, this format.",
    )
    SETTING_REFUSED = (
        "SettingRefused",
        "The engine refuses the setting, for this model or beside another one; the message says what it accepts.",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that keeps the engine from starting, as a constant and as a sentence with numbers."""

    reason: Verdict
    message: str


def shortages(
    request: EstimateRequest,
    found: settings.Settings,
    division: budget.Division | None,
    layout: kv_cache.KvLayout | None,
    room: int | None,
) -> Iterator[Finding]:
    """What is missing of memory."""
    if division is not None and request.kv_cache_memory_bytes is None and division.expected_room <= 0:
        needed = division.usable - division.expected_room
        yield Finding(
            reason=Verdict.WEIGHTS_EXCEED_MEMORY,
            message=f"Needs {_gib(needed)} on each accelerator before any KV cache ({_gib(division.weights)} of it "
            f"weights); {_gib(division.usable)} are usable.",
        )
    elif layout is not None and room is not None:
        one = layout.bytes_for(context_tokens=found.context_tokens, concurrency=1)
        if one > room:
            longest = layout.longest(concurrency=1, room_bytes=max(0, room), at_most=found.context_tokens)
            yield Finding(
                reason=Verdict.CONTEXT_DOES_NOT_FIT,
                message=f"One request of {found.context_tokens:,} tokens needs {_gib(one)} of KV cache; there are "
                f"{_gib(room)}, enough for {longest:,} tokens.",
            )


def tgi_shortages(length: int, division: tgi.Division, total_bytes: int | None) -> Iterator[Finding]:
    """The same by the other engine's division."""
    if division.room is None or division.tokens is None or total_bytes is None:
        return
    if division.room <= 0:
        yield Finding(
            reason=Verdict.WEIGHTS_EXCEED_MEMORY,
            message=f"Needs {_gib(division.weights + division.activation)} on each accelerator before any KV cache; "
            f"it has {_gib(total_bytes)}, a tenth of which TGI leaves free.",
        )
    elif division.tokens < length:
        yield Finding(
            reason=Verdict.CONTEXT_DOES_NOT_FIT,
            message=f"The KV cache holds {division.tokens:,} tokens; one request has {length:,}.",
        )


def _gib(size: int) -> str:
    return f"{size / constants.GIB:.2f} GiB"
