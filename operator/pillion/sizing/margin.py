"""How much less than expected may the engine have for its KV cache, so that a promise still holds?

A promise is kept where every part is as much above its expected size as it was in one log of twenty.
"""

import math
from typing import Final

from pillion.facts import Basis, Fact
from pillion.sizing import constants, versions
from pillion.sizing.versions import Version

PLAIN_WEIGHTS: Final = Fact(
    value=0.003,
    unit="x weights in 16 or 32 bit",
    basis=Basis.FITTED,
    source="the 90th percentile of what logs of such models on NVIDIA's cards show beyond, docs/accuracy.md",
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
    unit="GiB on each accelerator, 1.25 % of its memory at most",
    basis=Basis.FITTED,
    source="memory outside the framework differs by 0.05 GiB between like engines; totals by 0.1 between drivers",
)
ALWAYS_AT_MOST: Final = 0.0125
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
FRAGMENTS: Final = Fact(
    value=46.0,
    unit="bytes x max_num_seqs x vocabulary, up to 1.8 GiB",
    basis=Basis.FITTED,
    source="a compiled model had 1.8 GiB less than its eager twin (vllm-117 and 114, 0.27.1): freed blocks of the dry "
    "run that a small tensor holds count as consumed; nothing with one sequence (vllm-103 to 111, 0.28.0)",
    holds_for="vLLM 0.27 to 0.30 without --enforce-eager",
)
FRAGMENTS_LIMIT: Final = 1.8
ESTIMATED_WEIGHTS: Final = Fact(
    value=0.05,
    unit="x weights",
    basis=Basis.ASSUMED,
    source="weights of an architecture that is not known, from its dimensions alone",
)


def fragments_bytes(*, version: Version, compiled: bool, max_num_seqs: int, vocab_size: int) -> int:
    """What freed blocks of the dry run may hold back, where the engine counts them."""
    counted = versions.CONSUMED_AS_MEASURED <= version < versions.WHOLE_BLOCKS_IN_DRY_RUN
    if not compiled or not counted:
        return 0
    limit = FRAGMENTS_LIMIT * constants.GIB
    return math.ceil(min(limit, FRAGMENTS.value * max_num_seqs * vocab_size))


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
        + fragments
        + min(constants.gib(ALWAYS), total * ALWAYS_AT_MOST)
        + (constants.gib(SEVERAL_GPUS) if several else 0)
        + (constants.gib(UNIFIED_MEMORY) if unified_memory else 0)
        + (0 if known_architecture else weights * ESTIMATED_WEIGHTS.value)
    )
    return math.ceil(parts)
