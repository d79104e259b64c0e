"""What can go wrong while a model's facts are read, and what does a user do about it?

    FactsError      one sentence for the user, and a reason that conditions and events carry

There is one class: callers never treat two failures differently except by `reason`.
"""

from pillion.api.reasons import Reason


class FactsError(Exception):
    """The facts of a model could not be read. The controller turns it into `Planned=False`.

    `transient` says whether asking again later, with nothing changed, can succeed (network, a Hub that is
    busy); the others wait for a change of the spec or of the repository.
    """

    def __init__(self, reason: Reason, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.transient = transient
