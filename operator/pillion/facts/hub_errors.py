"""What does a failure of the Hub mean to the user, and will it pass by itself?

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

_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 401, 403, 429


def translated(
    error: Exception, *, repo: str, revision: str | None, endpoint: str, has_token: bool
) -> FactsError:
    """A failure of huggingface_hub in our own words."""
    match error:
        case GatedRepoError():
            return _gated(repo, endpoint, has_token=has_token)
        case RepositoryNotFoundError():
            return FactsError(Reason.MODEL_NOT_FOUND, _not_found(repo, endpoint, has_token=has_token))
        case RevisionNotFoundError():
            return FactsError(
                Reason.REVISION_NOT_FOUND,
                f"{repo} has no branch, tag or commit {revision!r}; leave spec.model.revision away for main.",
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
                "HF_HUB_OFFLINE is set for the operator, so no model can be looked up; unset it, or set "
                "HF_ENDPOINT to a mirror inside the network.",
            )
        case HfHubHTTPError():
            return _refused(error, repo, endpoint, has_token=has_token)
        case httpx2.TimeoutException():
            return _unreachable(endpoint, "it did not answer in time")
        case httpx2.ConnectError():  # no header was written yet: these are the words of the system
            return _unreachable(endpoint, str(error) or type(error).__name__)
        case httpx2.HTTPError() | OSError():
            return _unreachable(endpoint, f"the request ended with {type(error).__name__}")
        case _:
            return FactsError(
                Reason.HUB_UNREACHABLE,
                f"{endpoint} gave an answer that is not the Hub's ({type(error).__name__}); check HF_ENDPOINT.",
                transient=True,
            )


def _refused(error: HfHubHTTPError, repo: str, endpoint: str, *, has_token: bool) -> FactsError:
    status = error.response.status_code if error.response is not None else None
    if status == _UNAUTHORIZED and has_token:
        return FactsError(
            Reason.MODEL_GATED,
            f"{endpoint} does not accept the token of spec.model.tokenSecretRef; make a new one with read "
            "access and put it into the Secret.",
        )
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        return _gated(repo, endpoint, has_token=has_token)
    if status == _TOO_MANY:
        return _unreachable(endpoint, "it asks for fewer requests (429); a token raises the limit")
    return _unreachable(endpoint, f"it answered with status {status}")


def _gated(repo: str, endpoint: str, *, has_token: bool) -> FactsError:
    remedy = (
        f"the token of spec.model.tokenSecretRef has no access: ask for it on {endpoint}/{repo}"
        if has_token
        else f"accept its terms on {endpoint}/{repo}, and name a Secret with a token in "
        "spec.model.tokenSecretRef"
    )
    return FactsError(Reason.MODEL_GATED, f"{repo} is gated: {remedy}.")


def _not_found(repo: str, endpoint: str, *, has_token: bool) -> str:
    remedy = (
        "check the spelling, and that the token may read it"
        if has_token
        else "check the spelling; a private one needs spec.model.tokenSecretRef"
    )
    return f"{endpoint} has no model {repo}: {remedy}."


def _unreachable(endpoint: str, what: str) -> FactsError:
    return FactsError(
        Reason.HUB_UNREACHABLE,
        f"{endpoint} cannot be reached now: {what.rstrip('.')}. It is asked again; behind a proxy or without "
        "a way out, set the operator's HF_ENDPOINT to a mirror.",
        transient=True,
    )
