"""How is a failure of the Hub told to somebody who runs a command, rather than to one who reads an operator's status?

The words of a failure speak of the operator's Secret and of a ModelDeployment's fields. A command has HF_TOKEN,
HF_ENDPOINT and options in their places. A sentence that none of the phrases is in stays as it is.
"""

from typing import Final

from pillion.facts import FactsError

__all__ = ["of_an_estimate", "of_command"]

_IN_A_COMMAND: Final = (
    ("name a Secret with a token in spec.model.tokenSecretRef", "set HF_TOKEN to a token with read access"),
    ("the token of spec.model.tokenSecretRef", "the token of HF_TOKEN"),
    ("put it into the Secret", "set HF_TOKEN to it"),
    ("needs spec.model.tokenSecretRef", "needs a token in HF_TOKEN"),
    ("that the token may read it", "that the token of HF_TOKEN may read it"),
    ("; a token raises the limit", "; a token in HF_TOKEN raises the limit"),
    ("is set for the operator, so", "is set, so"),
    ("It is asked again;", "Run the command again;"),
    ("set the operator's HF_ENDPOINT", "set HF_ENDPOINT"),
)
_WITHOUT_A_SPEC: Final = (
    ("leave spec.model.revision away", "leave --revision away"),
    ("set spec.model.repo to ", "ask for "),
)


def of_command(error: FactsError) -> FactsError:
    """The failure as any command tells it: tokens are HF_TOKEN's, and what is asked again is asked by the user."""
    return _with(error, _IN_A_COMMAND)


def of_an_estimate(error: FactsError) -> FactsError:
    """The failure as told where no ModelDeployment is: its fields are arguments and options."""
    return _with(error, _WITHOUT_A_SPEC)


def _with(error: FactsError, phrases: tuple[tuple[str, str], ...]) -> FactsError:
    message = error.message
    for found, told in phrases:
        message = message.replace(found, told)
    return FactsError(error.reason, message, transient=error.transient)
