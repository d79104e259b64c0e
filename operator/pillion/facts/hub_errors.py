"""What does a failure of the Hub mean to the user, and will it pass by itself?

What the user can change, and who tries again, is called by the words that the caller gives.

What an HTTP library says of a request can repeat the request's headers, and so the token. Its own words are passed on
only where no request was sent yet; elsewhere the error's class stands for them.
"""

import httpx2
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from pillion.api.reasons import Reason
from pillion.facts.errors import FactsError
from pillion.facts.words import OPERATOR, Words

_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 401, 403, 429


def translated(
    error: Exception,
    *,
    repo: str,
    revision: str | None,
    endpoint: str,
    has_token: bool,
    words: Words = OPERATOR,
) -> FactsError:
    """A failure of huggingface_hub in our own words, for those who read the operator's or another's."""
    match error:
        case GatedRepoError():
            return _gated(repo, endpoint, words, has_token=has_token)
        case RepositoryNotFoundError():
            return FactsError(Reason.MODEL_NOT_FOUND, _not_found(repo, endpoint, words, has_token=has_token))
        case RevisionNotFoundError():
            return FactsError(
                Reason.REVISION_NOT_FOUND,
                f"{repo} has no branch, tag or commit {revision!r}; leave {words.revision} away for main.",
            )
        case DisabledRepoError():
            return FactsError(
                Reason.MODEL_NOT_FOUND, f"{repo} was disabled by the Hub; choose another model."
            )
        case HFValidationError():
            return FactsError(
                Reason.MODEL_NOT_FOUND, f"{repo!r} is no repository's name; write owner/name: {error}"
            )
        case OfflineModeIsEnabled():
            return FactsError(
                Reason.HUB_UNREACHABLE,
                f"No model can be looked up while {words.offline} is set; unset it, or set {words.endpoint} to a "
                "mirror inside the network.",
            )
        case HfHubHTTPError():
            return _refused(error, repo, endpoint, words, has_token=has_token)
        case httpx2.TimeoutException():
            return _unreachable(endpoint, words, "it did not answer in time")
        case httpx2.ConnectError():  # no header was written yet: these are the words of the system
            return _unreachable(endpoint, words, str(error) or type(error).__name__)
        case httpx2.HTTPError() | OSError():
            return _unreachable(endpoint, words, f"the request ended with {type(error).__name__}")
        case _:
            return FactsError(
                Reason.HUB_UNREACHABLE,
                f"{endpoint} gave an answer that is not the Hub's ({type(error).__name__}); check {words.endpoint}.",
                transient=True,
            )


def _refused(error: HfHubHTTPError, repo: str, endpoint: str, words: Words, *, has_token: bool) -> FactsError:
    status = error.response.status_code if error.response is not None else None
    if status == _UNAUTHORIZED and has_token:
        return FactsError(
            Reason.MODEL_GATED,
            f"{endpoint} does not accept {words.sent}; make a new one with read access and {words.renew}.",
        )
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        return _gated(repo, endpoint, words, has_token=has_token)
    if status == _TOO_MANY:
        return _unreachable(
            endpoint, words, f"it asks for fewer requests (429); {words.one} raises the limit"
        )
    return _unreachable(endpoint, words, f"it answered with status {status}")


def _gated(repo: str, endpoint: str, words: Words, *, has_token: bool) -> FactsError:
    remedy = (
        f"{words.sent} has no access: ask for it on {endpoint}/{repo}"
        if has_token
        else f"accept its terms on {endpoint}/{repo}, and {words.give}"
    )
    return FactsError(Reason.MODEL_GATED, f"{repo} is gated: {remedy}.")


def _not_found(repo: str, endpoint: str, words: Words, *, has_token: bool) -> str:
    remedy = (
        f"check the spelling, and that {words.sent} may read it"
        if has_token
        else f"check the spelling; a private one needs {words.one}"
    )
    return f"{endpoint} has no model {repo}: {remedy}."


def _unreachable(endpoint: str, words: Words, what: str) -> FactsError:
    return FactsError(
        Reason.HUB_UNREACHABLE,
        f"{endpoint} cannot be reached now: {what.rstrip('.')}. {words.asked_again}; behind a proxy or without "
        f"a way out, set {words.endpoint} to a mirror.",
        transient=True,
    )
