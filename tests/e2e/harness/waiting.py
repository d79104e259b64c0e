"""How does a test wait for something without sleeping blindly, and what does it say when it waits in vain?

A look raises `NotYet` with what it saw. The look that comes in time is returned; otherwise the last sight is
the failure's text, because that is where the search for a reason begins.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

POLL_SECONDS = 0.25


class NotYet(Exception):  # noqa: N818 - it is no error as long as there is time
    """What was looked for is not there; the text says what is there instead."""


class TookTooLong(AssertionError):  # noqa: N818 - reads as what it says
    """What was waited for did not come; the text says what was seen last."""


def until(what: str, look: Callable[[], T], *, seconds: float, more: Callable[[], str] | None = None) -> T:
    """What `look` returns, once it does not raise `NotYet` any more.

    Args:
        what: what is waited for, as the end of "waited for ...".
        look: one look, as a rule one request.
        seconds: how long to try; one look is made at least.
        more: further circumstances, gathered only where the wait was in vain.

    Raises:
        TookTooLong: it did not come in time.
    """
    started = time.monotonic()
    while True:
        try:
            return look()
        except NotYet as sight:
            seen = str(sight)
        if time.monotonic() - started > seconds:
            circumstances = f"\n{more()}" if more else ""
            raise TookTooLong(f"waited {seconds:.0f} s for {what}; seen last: {seen}{circumstances}")
        time.sleep(POLL_SECONDS)
