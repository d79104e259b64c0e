"""What may be asked about one model on one accelerator?"""

from dataclasses import dataclass

from pillion.facts import ModelFacts
from pillion.sizing import kv_dtypes, served_versions
from pillion.sizing.errors import SizingError

VLLM = "vllm"
TGI = "tgi"


@dataclass(frozen=True, kw_only=True, slots=True)
class EstimateRequest:
    """A question. `None` is the engine's default for its version; no memory: only what the model says is answered."""

    model: ModelFacts
    gpu_memory_bytes: int | None = None  # of one accelerator, as the framework sees it
    product: str | None = None  # a product's name, where defaults depend on it; "cpu" for none
    compute_capability: tuple[int, int] | None = None
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    engine: str = VLLM  # or TGI
    engine_version: str | None = None
    gpu_memory_utilization: float | None = None
    max_model_len: int | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    dtype: str | None = None
    quantization: str | None = None  # on the fly, as the engine's flag names it
    kv_cache_dtype: str | None = None  # one of kv_dtypes.NAMES
    enforce_eager: bool | None = None
    kv_cache_memory_bytes: int | None = None
    listed: bool | None = None  # whether the engine's own list has the architecture; None: nobody has looked
    text_only: bool = False  # inputs beside text are turned off
    max_loras: int = 0  # adapters at once; 0: they are off
    max_lora_rank: int = 16

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            SizingError: a count below one, a share of memory outside of 0 to 1, an engine or an element type of the
                KV cache that is not known.
        """
        counts = {
            "tensor_parallel": self.tensor_parallel,
            "pipeline_parallel": self.pipeline_parallel,
            "max_model_len": self.max_model_len,
            "max_num_seqs": self.max_num_seqs,
            "max_num_batched_tokens": self.max_num_batched_tokens,
            "max_lora_rank": self.max_lora_rank,
            "gpu_memory_bytes": self.gpu_memory_bytes,
            "kv_cache_memory_bytes": self.kv_cache_memory_bytes,
        }
        for name, value in counts.items():
            if value is not None and value < 1:
                raise SizingError(f"{name} is {value}; it is at least 1.")
        share = self.gpu_memory_utilization
        if share is not None and not 0 < share <= 1:
            raise SizingError(f"gpu_memory_utilization is {share}; it is above 0 and at most 1.")
        if self.engine not in (VLLM, TGI):
            raise SizingError(f"engine is {self.engine!r}; estimates are made for 'vllm' and 'tgi'.")
        cached = self.kv_cache_dtype
        if cached is not None and cached not in kv_dtypes.NAMES:
            raise SizingError(
                f"kv_cache_dtype is {cached!r}; sizes are known of {', '.join(kv_dtypes.NAMES)}; it is one of them."
            )

    @property
    def standing(self) -> served_versions.Standing | served_versions.OtherVersion:
        """How the engine stands to the model's architecture."""
        return served_versions.standing(
            self.model.architecture,
            by_vllm=self.engine == VLLM,
            engine_version=self.engine_version,
            listed=self.listed,
            encoder_decoder=self.model.encoder_decoder,
        )
