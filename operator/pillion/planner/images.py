"""Which version of its engine does an image hold, as far as its name tells?

An image that somebody else chose may hold another version than the one that is pinned. Only tags of images that go by
the engine's name count its versions; those of an image such as gemma-server:0.1.0 count somebody's own.
"""

import re

from pillion import engines

# Tags of the engines' own images are versions, with a letter before them and what they were built for behind.
_VERSION = re.compile(r"v?(\d+\.\d+\.\d+)(?![\d.])")
_SEPARATOR = re.compile(r"[-_.]")
# Words behind an engine's name that say what an image is built for; any other word makes it an image of something else.
_BUILDS = frozenset(
    {
        "openai",
        "cpu",
        "gpu",
        "cuda",
        "rocm",
        "xpu",
        "hpu",
        "tpu",
        "neuron",
        "arm64",
        "amd64",
        "nonroot",
        "base",
    }
)


def told_version(image: str, profile: engines.Profile) -> str | None:
    """The engine's version: the profile's for an image that it pins, else by the tag; None: the name tells nothing."""
    if image in profile.images.values():
        return profile.version
    name, _, tag = image.partition("@")[0].rpartition("/")[2].partition(":")
    found = _VERSION.match(tag) if _named_after_engine(name, profile) else None
    return found[1] if found is not None else None


def _named_after_engine(name: str, profile: engines.Profile) -> bool:
    """Whether an image is called as the engine's own are, or as the engine itself, wherever it is kept."""
    own = (image.rpartition("/")[2].partition(":")[0] for image in profile.images.values())
    words = _SEPARATOR.split(name)
    starts = [_SEPARATOR.split(start) for start in (*own, profile.name.lower())]
    return any(words[: len(start)] == start and _BUILDS.issuperset(words[len(start) :]) for start in starts)
