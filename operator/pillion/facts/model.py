"""What is known of one checkpoint, before any thought of hardware?

Everything here was read from the checkpoint's own files or its page on the Hub. `None` means that nothing
says so; it is never a default.
"""

from dataclasses import dataclass
from enum import StrEnum

from pillion.api.modeldeployment import Task


class AttentionKind(StrEnum):
    """How an attention layer keeps what it has seen."""

    GROUPED = "Grouped"  # keys and values per KV head: multi-head, grouped-query and multi-query alike
    LATENT = "Latent"  # one compressed vector a token for all heads (MLA)
    ENCODER = "Encoder"  # sees the whole input at once and keeps nothing


class CacheKind(StrEnum):
    """Which of a request's tokens a layer remembers, and in what form."""

    FULL = "Full"  # all of them
    SLIDING = "Sliding"  # the last ones, a window's worth
    CHUNKED = "Chunked"  # those of the chunk that the newest token is in
    CROSS = "Cross"  # those of the other side, an encoder's output of a fixed length
    STATE = "State"  # none by itself: one state of fixed size stands for all


class StateFamily(StrEnum):
    """Kinds of recurrent layers that engines treat alike."""

    MAMBA = "Mamba"
    MAMBA2 = "Mamba2"
    GATED_DELTA = "GatedDelta"  # Qwen3-Next and later, Olmo Hybrid
    KIMI_DELTA = "KimiDelta"
    LINEAR = "Linear"  # lightning attention: MiniMax-01, Ling
    SHORT_CONVOLUTION = "ShortConvolution"  # LFM2


@dataclass(frozen=True, kw_only=True, slots=True)
class RecurrentState:
    """What one recurrent layer keeps of one request, before tensor parallelism divides it.

    Shapes: a recurrent part of `elements`, and the last `remembered` inputs of a convolution over `channels` plus
    `group_channels` for each of `groups` (groups are repeated where ranks outnumber them).
    """

    family: StateFamily
    elements: int
    channels: int = 0
    group_channels: int = 0
    groups: int = 0
    remembered: int = 0
    dtype: str | None = None  # of the recurrent part, where the configuration names one


@dataclass(frozen=True, kw_only=True, slots=True)
class CachedLayers:
    """Layers that keep the same: as many bytes of a token, or a state of the same shape."""

    kind: CacheKind
    positions: tuple[int, ...]  # which of the decoder's layers; a layer may keep two things
    kv_heads: int = 0
    key_head_dim: int = 0
    value_head_dim: int = 0
    latent: bool = False  # one vector for all heads, whole on every rank
    index_bytes: int = 0  # of a token, in a cache of their own: a sparse-attention index
    window: int | None = None  # tokens: of a window, a chunk, or the encoder's output
    state: RecurrentState | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AttentionShape:
    """The layers that keep a KV cache, and what one token costs in each.

    Sliding-window layers are counted in `layers` too. `recurrent_layers` keep a state of fixed size instead
    of a cache, and are not in `layers`. With latent attention the one vector of a token stands as key: one KV
    head, `kv_lora_rank + qk_rope_head_dim` long, and no value. `cached` says the same layer by layer, where
    layers differ; what stands beside it is then the largest of a layer.
    """

    kind: AttentionKind
    layers: int
    heads: int
    kv_heads: int
    key_head_dim: int
    value_head_dim: int
    index_bytes: int = 0  # per token and layer, beside keys and values: a sparse-attention index
    sliding_window: int | None = None
    sliding_layers: int = 0
    recurrent_layers: int = 0
    recurrent_state_bytes: int = 0  # per layer and request, unsplit, states in float32
    cached: tuple[CachedLayers, ...] = ()  # empty: all layers of a kind are alike
    all_layers: int = 0  # of the decoder, which pipeline parallelism divides; 0: those counted above


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantization:
    """How a checkpoint's weights are stored, where that is not plain 16 or 32 bit."""

    method: str  # as its configuration names it: "awq", "gptq", "fp8", "compressed-tensors", "modelopt", ...
    scheme: str  # our label: AWQ, GPTQ, FP8, INT8, W4A16, W8A16, W4A8, NVFP4, MXFP4, MXFP8, BitsAndBytes
    bits: int | None  # None: an unknown method that does not say
    calibrated: bool  # made with sample data, or by a scheme that needs none to the same effect
    group_size: int | None = None
    kv_cache_fp8: bool = False  # the checkpoint brings scales for an FP8 KV cache and asks for it


@dataclass(frozen=True, kw_only=True, slots=True)
class WeightsShape:
    """The tensors that an engine loads, sorted by what happens to them on several GPUs or in another format.

    Bytes are as stored in the checkpoint. Tensors that engines do not load (extra prediction layers, a second
    copy of tied embeddings) are not in here.
    """

    stored_bytes: int
    plain_parameters: int  # stored as plain floats of 16 or 32 bit
    plain_bytes: int
    linear_parameters: int  # of the plain ones: what quantization on the fly converts
    linear_output_channels: int  # one scale each when converted
    replicated_bytes: int  # norms, biases, routers, latent down-projections: whole on every GPU
    kv_projection_bytes: int  # split over KV heads, and no further
    exact: bool  # from the tensors' own headers; otherwise from file sizes or computed from the configuration
    # Parts of stored_bytes, which do not overlap:
    embedding_bytes: int = 0  # the input embedding, which is also the head where the two are tied
    head_bytes: int = 0  # the output head; 0 where it is the input embedding
    vision_bytes: int = 0  # towers of other modalities, and what projects from them
    expert_bytes: int = 0  # routed experts; shared ones are not among them


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFacts:
    """One checkpoint at one commit."""

    repo: str
    commit: str
    architecture: str | None
    model_type: str | None
    task: Task
    parameters: int | None  # logical ones: a 4-bit checkpoint of an 8B model has 8 billion
    active_parameters: int | None  # those that one token passes; equal to `parameters` in dense models
    weights: WeightsShape
    download_bytes: int
    files: tuple[str, ...]  # names and patterns of the files an engine needs
    dtype: str | None  # "bfloat16", "float16", "float32"
    quantization: Quantization | None
    attention: AttentionShape
    hidden_size: int
    intermediate_size: int
    vocab_size: int
    max_context_tokens: int | None
    layers: int = 0  # of the decoder or encoder, those without a KV cache too
    rotary_dim: int | None = None  # elements of a head that are rotated; None: positions are told otherwise
    expert_intermediate_size: int | None = None  # of one routed expert; None in dense models
    shared_expert_intermediate_size: int | None = None  # of all shared experts of a layer together
    known_architecture: bool = True  # False: its tensors are a conservative estimate
    encoder_decoder: bool = False  # one stack of layers reads, another writes
    experts: int = 0  # routed experts in each layer that has some; all of them are resident
    experts_per_token: int = 0
    multimodal: bool = False
    chat_template: bool = False
    instruct: bool | None = None
    distilled: bool | None = None
    base_model: str | None = None
    license: str | None = None
    tokenizer_fingerprint: str | None = None  # equal fingerprints: the same tokenizer
    brings_code: bool = False  # Python files of its own, which run only where the user trusts them
    notes: tuple[str, ...] = ()  # what was estimated rather than read, in sentences

    @property
    def is_encoder(self) -> bool:
        """Whether the model keeps no KV cache."""
        return self.attention.kind is AttentionKind.ENCODER

    @property
    def weights_bytes(self) -> int:
        """Bytes of the weights as the checkpoint stores them."""
        return self.weights.stored_bytes
