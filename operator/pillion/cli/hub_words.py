"""What do failures of the Hub call the things that somebody who runs a command can change?

They are told to the operator's users otherwise, by a Secret and by who asks again. In a plan a ModelDeployment's fields
are at hand; an estimate has arguments and options alone.
"""

from dataclasses import replace
from typing import Final

from pillion.facts.words import Words

__all__ = ["OF_AN_ESTIMATE", "OF_A_PLAN"]

OF_A_PLAN: Final = Words(
    sent="the token of HF_TOKEN",
    renew="set HF_TOKEN to it",
    give="set HF_TOKEN to a token with read access",
    one="a token in HF_TOKEN",
    endpoint="HF_ENDPOINT",
    offline="HF_HUB_OFFLINE",
    asked_again="Run the command again",
    revision="spec.model.revision",
    take="set spec.model.repo to",
)
OF_AN_ESTIMATE: Final = replace(OF_A_PLAN, revision="--revision", take="ask for")
