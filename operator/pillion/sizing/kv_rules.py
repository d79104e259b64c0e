"""How did each version of vLLM divide a KV cache?

Every rule was read in the wheels on both sides of the version that it names (v1/core/kv_cache_utils.py, from 0.33 on
v1/core/kv_cache_planning.py; v1/kv_cache_interface.py; config/model.py; model_executor/models/config.py).
"""

from dataclasses import dataclass
from typing import Final

from pillion.facts.model import StateFamily
from pillion.sizing import versions
from pillion.sizing.versions import Version

# Before: a window's layers keep everything (--disable-hybrid-kv-cache-manager).
WINDOWS_SAVE: Final = Version(0, 9)
# Kinds of nearly equal number become one group each: within 1.25.
GROUPS_WITHIN_A_QUARTER: Final = Version(0, 12)
CHUNKS_SAVE: Final = Version(0, 14)  # VLLM_ALLOW_CHUNKED_LOCAL_ATTN_WITH_HYBRID_KV_CACHE is on by default
GROUPS_WITHIN_A_HALF: Final = Version(0, 18)  # within 1.5
# The log's tokens are concurrency x length; before: blocks // groups x block.
REPORTS_REQUESTS: Final = Version(0, 21)
# Windows keep what two batches have under way (max_in_flight_tokens).
BATCHES_IN_FLIGHT: Final = Version(0, 26)
# Prefix caching of hybrid models is on by default: mamba_cache_mode "align".
STATES_ARE_CACHED: Final = Version(0, 26)
LATENT_BLOCKS_OF_128: Final = Version(0, 27)  # beside states, blocks of latent attention are multiples of 128
MAMBA2_CHECKPOINTS: Final = Version(0, 32)  # a third state a request: num_prefill_checkpoint_blocks
DELTA_CHECKPOINTS: Final = Version(0, 33)  # the same for gated delta nets where FlashInfer computes them
NEMOTRON_NAMES_ITS_DTYPE: Final = Version(0, 13)  # mamba_ssm_cache_dtype of config.json is heeded
QWEN_NAMES_ITS_DTYPE: Final = Version(0, 17)  # mamba_ssm_dtype of config.json is heeded

_HOPPER: Final = (9, 0)  # from here on FlashInfer computes gated delta nets (gdn/qwen_gdn_linear_attn.py)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What one version does on one kind of device."""

    version: Version = versions.PINNED
    on_cpu: bool = False
    capability: tuple[int, int] | None = None  # None: not known, and the larger need is assumed

    @property
    def windows_save(self) -> bool:
        """Whether layers with a window give blocks back."""
        return self.version >= WINDOWS_SAVE

    @property
    def chunks_save(self) -> bool:
        """Whether chunked layers give blocks back; where they do not, nor do windows of the same model."""
        return self.version >= CHUNKS_SAVE

    @property
    def one_group_within(self) -> float:
        """How many times more layers of a kind may be than of another, and still be one group; 1: never."""
        if self.version >= GROUPS_WITHIN_A_HALF:
            return 1.5
        return 1.25 if self.version >= GROUPS_WITHIN_A_QUARTER else 1.0

    @property
    def reports_requests(self) -> bool:
        """Whether the reported tokens are what requests of full length hold together."""
        return self.version >= REPORTS_REQUESTS

    @property
    def batches_in_flight(self) -> int:
        """Batches that may be under way at once; scheduling is not asynchronous on CPU."""
        return 2 if self.version >= BATCHES_IN_FLIGHT and not self.on_cpu else 1

    def states_per_request(self, family: StateFamily, *, beside_attention: bool) -> int:
        """States that one request holds in each group of recurrent layers.

        A model without attention has no prefix caching, and one state. With it a request keeps the state at its last
        block's start too, and some kernels a third one, of a block's border inside a batch.
        """
        if not beside_attention or self.version < STATES_ARE_CACHED:
            return 1
        return 3 if self._checkpoints(family) else 2

    def state_block_multiple(self, family: StateFamily) -> int:
        """Tokens of which blocks beside states are a multiple, apart from the attention kernels' own wish."""
        return 64 if family is StateFamily.GATED_DELTA and self._checkpoints(family) else 1

    def _checkpoints(self, family: StateFamily) -> bool:
        if family is StateFamily.MAMBA2:
            return self.version >= MAMBA2_CHECKPOINTS
        if family is not StateFamily.GATED_DELTA or self.version < DELTA_CHECKPOINTS or self.on_cpu:
            return False
        return self.capability is None or self.capability >= _HOPPER

    def heeds_state_dtype(self, family: StateFamily) -> bool:
        """Whether the dtype that a configuration names for its states is what they are kept in."""
        if family is StateFamily.MAMBA2:
            return self.version >= NEMOTRON_NAMES_ITS_DTYPE
        return self.version >= QWEN_NAMES_ITS_DTYPE


def of(
    engine_version: str | None, *, on_cpu: bool = False, capability: tuple[int, int] | None = None
) -> Rules:
    """The rules of a version; of the pinned one where none is named."""
    return Rules(
        version=versions.parse(engine_version) or versions.PINNED, on_cpu=on_cpu, capability=capability
    )
