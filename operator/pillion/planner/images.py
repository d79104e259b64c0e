"""What does an image's name tell of the engine in it?

A plan goes by one version of an engine. An image that somebody else chose may hold another one: its tag says which, or
nobody knows.
"""

import re

from pillion import engines

# Tags of the engines' own images are versions, with a letter before them and what they were built for behind.
_VERSION = re.compile(r"v?(\d+\.\d+\.\d+)(?![\d.])")


def version(image: str, profile: engines.Profile) -> str | None:
    """The engine's version: the profile's for an image that it pins, else as the tag has it; None: it tells nothing."""
    if image in profile.images.values():
        return profile.version
    last = image.partition("@")[0].rpartition("/")[2]
    found = _VERSION.match(last.partition(":")[2])
    return found[1] if found is not None else None
