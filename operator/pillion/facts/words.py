"""To whom is a failure of the Hub told: what can they set, and who asks again?"""

from dataclasses import dataclass
from typing import Final

__all__ = ["OPERATOR", "Words"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Words:
    """What the sentences on failures call the things that their reader can change."""

    sent: str  # the token that was sent
    renew: str  # what to do with a new token in its place
    give: str  # what to do where no token was sent
    one: str  # what a token would be, where one may help
    endpoint: str  # what holds the Hub's address
    offline: str  # what forbids asking any Hub
    asked_again: str  # who asks again where that may help, as a sentence without its end
    revision: str  # what names a revision
    take: str  # what to do to get another repository, before its name


OPERATOR: Final = Words(
    sent="the token of spec.model.tokenSecretRef",
    renew="put it into the Secret",
    give="name a Secret with a token in spec.model.tokenSecretRef",
    one="a token (spec.model.tokenSecretRef)",
    endpoint="the operator's HF_ENDPOINT",
    offline="the operator's HF_HUB_OFFLINE",
    asked_again="It is asked again",
    revision="spec.model.revision",
    take="set spec.model.repo to",
)
