"""Which version of vLLM is meant, and what changed when, as far as memory is concerned?

Every gate was read in the wheels of the versions on both sides of it.
"""

import re
from typing import Final, NamedTuple


class Version(NamedTuple):
    """Major and minor number: memory is handled alike in all patches of a minor version."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


PINNED: Final = Version(0, 33)  # the version that plans are made for

V1_ENGINE: Final = Version(0, 8)  # before: another profiling run, another scheduler
LARGE_DEVICES_BY_NAME: Final = Version(0, 9)  # A100s left the group of large devices (engine/arg_utils.py)
LEANER_TOWERS: Final = Version(0, 12)  # vision towers' dry runs take less in logs from here on
# Top-k and top-p by a Triton kernel (v1/sample/ops/topk_topp_triton.py).
SORTLESS_SAMPLER: Final = Version(0, 17)
# VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS is on by default (envs.py).
GRAPHS_IN_BUDGET: Final = Version(0, 20)
LARGER_SHARE: Final = Version(0, 20)  # gpu_memory_utilization 0.92 instead of 0.9 (config/cache.py)
WHOLE_BLOCKS: Final = Version(0, 21)  # weights load with max_split_size_mb=20 (v1/worker/gpu_worker.py)
RUNNER_2_FOR_QWEN3: Final = Version(0, 22)  # DEFAULT_V2_MODEL_RUNNER_ARCHITECTURES (config/vllm.py)
RUNNER_2_FOR_SOME: Final = Version(0, 24)
RUNNER_2_FOR_DENSE: Final = Version(0, 25)
LARGEST_DEVICES: Final = Version(0, 28)  # 16384 tokens from 160 GiB on (engine/arg_utils.py)
# "auto" follows a checkpoint's FP8 cache (utils/torch_utils.py).
CACHE_AS_CHECKPOINT_SAYS: Final = Version(0, 14)
# Free memory before and after decides, fragments included (mem_utils.py).
CONSUMED_AS_MEASURED: Final = Version(0, 27)
# No more fragments of its large blocks (v1/worker/gpu_worker.py).
WHOLE_BLOCKS_IN_DRY_RUN: Final = Version(0, 31)
# Before, its estimate of CUDA graphs was nothing (gpu/model_runner.py).
GRAPHS_BY_RUNNER_2: Final = Version(0, 29)
RUNNER_2_FOR_ALL: Final = Version(0, 29)
# DeepSeek V3.2 by itself (model_executor/models/config.py).
SPARSE_CACHE_IN_8_BIT_UNTIL: Final = Version(0, 11)
GLM_CACHE_IN_8_BIT: Final = Version(0, 32)  # GLM 5 by itself, on compute capability 10 (the same)
# The profiling run samples with all parameters (gpu/model_runner.py).
SAMPLER_IN_32_BIT: Final = Version(0, 33)

_NUMBERS = re.compile(r"v?(\d+)\.(\d+)")
_OF_MAIN = re.compile(r"v?\d+\.\d+\.[1-9]\d*rc\d+\.dev\d+")


def parse(text: str | None) -> Version | None:
    """The version that a text such as "0.11.0", "v0.33" or "0.16.1rc1.dev111+gafd0" names; None: it names none.

    A build such as the last is of the main branch after 0.16.0, which became 0.17: it has what 0.17 has.
    """
    text = (text or "").strip()
    found = _NUMBERS.match(text)
    if found is None:
        return None
    return Version(int(found[1]), int(found[2]) + (1 if _OF_MAIN.match(text) else 0))
