"""How many whole pieces are "1500m" CPU, "2Gi" or "1e3"?

What a pod asks for is rounded up, as the API server does. Answers are kept: the pods of a large cluster ask for
the same few amounts again and again.
"""

import functools
import math

from pillion.api import quantities


@functools.lru_cache(maxsize=4096)
def whole(quantity: str | float | None) -> int:
    """The value in whole units (bytes, accelerators), rounded up; absent is 0.

    Raises:
        ValueError: the text is no quantity.
    """
    return 0 if quantity is None else math.ceil(quantities.parse(str(quantity)))


@functools.lru_cache(maxsize=4096)
def millis(quantity: str | float | None) -> int:
    """The value in thousandths (CPU), rounded up; absent is 0.

    Raises:
        ValueError: the text is no quantity.
    """
    return 0 if quantity is None else math.ceil(quantities.parse(str(quantity)) * 1000)
