"""What did the supervisor of one pod's engine say last?"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

__all__ = ["EngineReport", "EngineState", "Failure"]


class EngineState(StrEnum):
    """The supervisor's states; their values are its protocol."""

    FETCHING = "Fetching"
    LOADING = "Loading"
    SERVING = "Serving"
    DRAINING = "Draining"
    FAILED = "Failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """Why an instruction cannot be served; `hash` is the instruction's."""

    reason: str
    message: str
    hash: str
    exit_code: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineReport:
    """One answer of `/status`."""

    serial: int
    state: EngineState
    hash: str | None  # of the instruction that it was given
    serving: str | None  # of the one that answers requests now
    bytes_done: int = 0
    bytes_total: int | None = None
    restarts: int = 0
    failure: Failure | None = None
    kv_cache_tokens: int | None = None
    max_model_len: int | None = None

    @classmethod
    def from_status(cls, answer: Mapping[str, Any]) -> Self:
        """Read an answer.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is not what a supervisor answers.
        """
        failure = answer.get("failure")
        engine = answer.get("engine") or {}
        return cls(
            serial=int(answer["serial"]),
            state=EngineState(answer["state"]),
            hash=_text(answer.get("hash")),
            serving=_text(answer.get("serving")),
            bytes_done=int(answer.get("bytesDone") or 0),
            bytes_total=_count(answer.get("bytesTotal")),
            restarts=int(answer.get("restarts") or 0),
            failure=None
            if failure is None
            else Failure(
                reason=str(failure["reason"]),
                message=str(failure["message"]),
                hash=str(failure.get("hash") or ""),
                exit_code=_count(failure.get("exitCode")),
            ),
            kv_cache_tokens=_count(engine.get("kvCacheTokens")),
            max_model_len=_count(engine.get("maxModelLen")),
        )

    @property
    def percent_fetched(self) -> int | None:
        """Download progress in steps of ten, so that a status that shows it is not written every second."""
        if not self.bytes_total:
            return None
        return min(100, 10 * int(10 * self.bytes_done / self.bytes_total))


def _count(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no number")
    return value


def _text(value: object) -> str | None:
    return None if value is None else str(value)
