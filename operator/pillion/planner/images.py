"""What does an image's name tell of the engine in it?

A plan goes by one version of an engine. An image that somebody else chose may hold another one: its tag says which, or
nobody knows.
"""

import re

from pillion import engines

# Tags of the engines' own images are versions, with a letter before them and what they were built for behind.
_VERSION = re.compile(r"v?(\d+\.\d+\.\d+)(?![\d.])")


def own_version(image: str, profile: engines.Profile) -> str:
    """The version of an image with the name of one of the engine's own, wherever it is kept; else the profile's.

    Tags of images that somebody made may count their own versions, so that nothing is refused for what they say.
    """
    if _name(image) not in {_name(own) for own in profile.images.values()}:
        return profile.version
    return version(image, profile) or profile.version


def version(image: str, profile: engines.Profile) -> str | None:
    """The engine's version: the profile's for an image that it pins, else as the tag has it; None: it tells nothing."""
    if image in profile.images.values():
        return profile.version
    found = _VERSION.match(_last(image).partition(":")[2])
    return found[1] if found is not None else None


def _last(image: str) -> str:
    """The last part of an image's path, with its tag."""
    return image.partition("@")[0].rpartition("/")[2]


def _name(image: str) -> str:
    return _last(image).partition(":")[0]
