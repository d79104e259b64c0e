"""Is what a Secret holds a token that can be sent to the Hub?

An HTTP library refuses a header with other characters, and repeats the header, token and all, in its error. So a
token is looked at before it is sent, and what is said of a bad one never shows any of it.
"""

import base64
import binascii

from pillion.api.reasons import Reason
from pillion.facts.errors import FactsError


def token(encoded: str, *, where: str) -> str:
    """The token that a Secret's `data` holds, without the white space around it.

    Args:
        encoded: the value as the API server gives it, in base64.
        where: which Secret and key, for the message.

    Raises:
        FactsError: TOKEN_NOT_READABLE, with what is wrong and without the value.
    """
    # `from None`: a UnicodeDecodeError carries the bytes themselves, and a traceback would show them.
    try:
        text = base64.b64decode(encoded, validate=True).decode().strip()
    except binascii.Error:
        raise _unreadable(where, "holds no valid base64") from None
    except UnicodeDecodeError:
        raise _unreadable(where, "holds bytes that are no text") from None
    found = wrong(text)
    if found is not None:
        raise _unreadable(where, found)
    return text


def wrong(text: str) -> str | None:
    """What is wrong with a token, without any of it; None: it is visible ASCII characters, in one line."""
    if not text:
        return "is empty"
    lines = len(text.splitlines())
    if lines > 1:
        return f"holds {lines} lines"
    if any(character.isspace() for character in text):
        return "holds white space inside"
    if not (text.isascii() and text.isprintable()):
        return "holds characters other than visible ASCII ones"
    return None


def _unreadable(where: str, found: str) -> FactsError:
    return FactsError(
        Reason.TOKEN_NOT_READABLE,
        f"{where} {found}, where a token of the Hub is one word (hf_...); put the token alone into it, as "
        "kubectl create secret generic NAME --from-literal=KEY=TOKEN does",
    )
