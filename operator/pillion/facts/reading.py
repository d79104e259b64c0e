"""How is a number taken from somebody's JSON?"""

from typing import Any


def first(source: Any, *keys: str) -> int | None:  # noqa: ANN401 (a part of somebody's JSON)
    """The first of several keys that holds a whole number above zero."""
    for key in keys:
        value = source.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def listed(source: Any, *keys: str) -> list[Any]:  # noqa: ANN401 (a part of somebody's JSON)
    """The first of several keys that holds a list with something in it."""
    for key in keys:
        value = source.get(key)
        if isinstance(value, list | tuple) and value:
            return list(value)
    return []
