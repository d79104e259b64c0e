"""What does a check answer that objects?"""

from dataclasses import dataclass

from pillion.api.reasons import Reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """Why not: in one word, and in one sentence with its numbers."""

    reason: Reason
    message: str
