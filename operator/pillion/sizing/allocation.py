"""How much memory does the framework's allocator hold for tensors of some sizes?

It gives out blocks of whole 2 MiB for tensors from 10 MiB on. A rest above 1 MiB is split off for others, smaller ones
stay with the tensor; while vLLM loads weights, from 0.21 on, nothing above 20 MiB is split at all. For shapes that are
no multiples of 2 MiB that makes 0.2 to 0.7 % of the weights, to the MiB what start-up logs show beyond the tensors.

Source: PyTorch 2.14, c10/cuda/CUDACachingAllocator.cpp (kMinLargeAlloc, kRoundLarge, should_split). Checked:
Qwen2.5-7B takes 57 MiB more than its tensors in vllm-137 and 99 MiB in vllm-114 (0.27.1), Qwen3-32B 64 MiB more on
each of two GPUs in vllm-031: all as computed here.
"""

from typing import Final

from pillion.sizing.constants import MIB

_FROM: Final = 10 * MIB
_WHOLE: Final = 2 * MIB
_KEPT: Final = 1 * MIB
_NEVER_SPLIT: Final = 20 * MIB


def beyond_bytes(tensor_bytes: int, *, whole_blocks: bool) -> int:
    """What is held for one tensor beyond its size.

    Args:
        tensor_bytes: the tensor as the engine holds it, after fusing and dividing over ranks.
        whole_blocks: whether blocks above 20 MiB are never split.
    """
    if tensor_bytes < _FROM:
        return 0
    rest = -tensor_bytes % _WHOLE
    block = tensor_bytes + rest
    return rest if rest <= _KEPT or (whole_blocks and block > _NEVER_SPLIT) else 0
