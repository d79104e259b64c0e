"""How much less than expected may the engine have for its KV cache, so that a promise still holds?

A promise is kept where every part is as much above its expected size as it was in one log of twenty.
"""

import math
from typing import Final

from pillion.facts import Basis, Fact
from pillion.sizing import constants

PLAIN_WEIGHTS: Final = Fact(
    value=0.003,
    unit="x weights in 16 or 32 bit",
    basis=Basis.FITTED,
    source="near the 90th percentile of 16 logs: 0.57 % beyond what is computed in vllm-070, 0.38 in 174, 0.23 in 175, "
    "0.21 in 125, and at most 0.02 in vllm-028, 030, 032, 036, 061, 075, 114, 117, 137, 142, 154, 176",
)
QUANTIZED_WEIGHTS: Final = Fact(
    value=0.015,
    unit="x weights in other formats",
    basis=Basis.FITTED,
    source="kernels' own copies and repacking: up to 1.5 % more in logs of AWQ, GPTQ and NVFP4 checkpoints",
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
    unit="GiB on each accelerator, ALWAYS_AT_MOST of its memory at most",
    basis=Basis.FITTED,
    source="memory outside the framework differs by 0.05 GiB between like engines; totals by 0.1 between drivers",
)
ALWAYS_AT_MOST: Final = Fact(
    value=0.0125,
    unit="x memory of the accelerator",
    basis=Basis.FITTED,
    source="the 0.05 GiB between like engines, of a card of 4 GiB; vllm-103, 104, 108, 109 and 111 on such a card hold "
    "what is promised",
)
SEVERAL_GPUS: Final = Fact(
    value=0.6,
    unit="GiB on each accelerator, from two on",
    basis=Basis.ASSUMED,
    source="most of the two surpluses that logs show: 0.83 GiB (two H200: 1.38 for 0.55) and 0.73 (vllm-012, tensor "
    "parallel 8 in two stages: 2.53 for 1.8); the rest is left to the other parts of the margin",
)
UNIFIED_MEMORY: Final = Fact(
    value=5.0,
    unit="GiB",
    basis=Basis.FITTED,
    source="4.29 GiB beyond what is expected in vllm-065 (8.29 for 4, a Jetson), rounded up; vllm-006 has more, and "
    "holds what is promised",
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
    total: int,
    weights: int,
    activation: int,
    graphs: int,
    fragments: int,
    quantized: bool,
    several: bool,
    unified_memory: bool,
    known_architecture: bool,
) -> int:
    """What a promise leaves unspent on each accelerator."""
    parts = (
        weights * (QUANTIZED_WEIGHTS.value if quantized else PLAIN_WEIGHTS.value)
        + activation * ACTIVATION.value
        + graphs * GRAPHS.value
        + fragments  # as much again as is expected
        + min(constants.gib(ALWAYS), total * ALWAYS_AT_MOST.value)
        + (constants.gib(SEVERAL_GPUS) if several else 0)
        + (constants.gib(UNIFIED_MEMORY) if unified_memory else 0)
        + (0 if known_architecture else weights * ESTIMATED_WEIGHTS.value)
    )
    return math.ceil(parts)
