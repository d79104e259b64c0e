"""What is said about a pod or a workload: a reason for machines and a sentence for people."""

from typing import NamedTuple

from pillion.api.reasons import Reason


class Finding(NamedTuple):
    """One reason with its sentence, which says what was found, what is accepted, and what to do."""

    reason: Reason
    message: str
