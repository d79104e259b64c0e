"""How much less than expected may the engine have for its KV cache, so that a promise still holds?

A promise is kept where every part is as much above its expected size as it was in one log of twenty.
"""

import math
from typing import Final

from pillion.facts import Basis, Fact
from pillion.sizing import constants

WEIGHTS: Final = Fact(
    value=0.01,
    unit="x weights",
    basis=Basis.FITTED,
    source="kernels' own copies, gaps between tensors: the 90th percentile of the logs' weights, docs/accuracy.md",
)
ACTIVATION: Final = Fact(
    value=0.15,
    unit="x peak of activations",
    basis=Basis.FITTED,
    source="peaks of start-up logs are up to 7 % above what is computed for text and 26 % for images",
)
GRAPHS: Final = Fact(
    value=0.4,
    unit="x CUDA graphs",
    basis=Basis.FITTED,
    source="1.2 MiB a layer and size in vllm-117 for 0.9 expected",
)
ALWAYS: Final = Fact(
    value=0.1,
    unit="GiB on each accelerator",
    basis=Basis.FITTED,
    source="memory outside the framework differs by 0.05 GiB between like engines; totals by 0.1 between drivers",
)
SEVERAL_GPUS: Final = Fact(
    value=0.6,
    unit="GiB on each accelerator, from two on",
    basis=Basis.MEASURED,
    source="1.38 GiB with two H200 where 0.55 is expected; 2.53 with eight GPUs where 1.8 is",
)
UNIFIED_MEMORY: Final = Fact(
    value=6.0,
    unit="GiB",
    basis=Basis.MEASURED,
    source="5.72 GiB on a GB10 in vllm-049, 8.29 on a Jetson in vllm-065",
    holds_for="memory that processor and accelerator share",
)
ESTIMATED_WEIGHTS: Final = Fact(
    value=0.05,
    unit="x weights",
    basis=Basis.ASSUMED,
    source="weights of an architecture that is not known, from its dimensions alone",
)


def margin_bytes(
    *,
    weights: int,
    activation: int,
    graphs: int,
    several: bool,
    unified_memory: bool,
    known_architecture: bool,
) -> int:
    """What a promise leaves unspent on each accelerator."""
    parts = (
        weights * WEIGHTS.value
        + activation * ACTIVATION.value
        + graphs * GRAPHS.value
        + constants.gib(ALWAYS)
        + (constants.gib(SEVERAL_GPUS) if several else 0)
        + (constants.gib(UNIFIED_MEMORY) if unified_memory else 0)
        + (0 if known_architecture else weights * ESTIMATED_WEIGHTS.value)
    )
    return math.ceil(parts)
