"""How many whole pieces are "1500m" CPU, "2Gi" or "1e3"?

What a pod asks for is rounded up, as the API server does.
"""

import math

from pillion.api import quantities


def whole(quantity: str | float | None) -> int:
    """The value in whole units (bytes, accelerators), rounded up; absent is 0.

    Raises:
        ValueError: the text is no quantity.
    """
    return 0 if quantity is None else math.ceil(quantities.parse(str(quantity)))


def millis(quantity: str | float | None) -> int:
    """The value in thousandths (CPU), rounded up; absent is 0.

    Raises:
        ValueError: the text is no quantity.
    """
    return 0 if quantity is None else math.ceil(quantities.parse(str(quantity)) * 1000)
