"""Which words may a user choose from?

The values are API; a new one may be added, none may change its meaning.
"""

from enum import StrEnum
from typing import Final


class Task(StrEnum):
    """What the model is used for."""

    AUTO = "Auto"
    TEXT_GENERATION = "TextGeneration"
    EMBEDDING = "Embedding"
    RERANK = "Rerank"
    CLASSIFICATION = "Classification"


class Policy(StrEnum):
    """What is preferred where several candidates fit."""

    QUALITY = "Quality"
    BALANCED = "Balanced"
    ECONOMY = "Economy"


class Checkpoints(StrEnum):
    """Which repositories the planner may take weights from."""

    TRUSTED_PUBLISHERS = "TrustedPublishers"
    DECLARED = "Declared"


class Method(StrEnum):
    """A quantization scheme, as plans report it."""

    AUTO = "Auto"
    NONE = "None"
    FP8 = "FP8"
    INT8 = "INT8"
    MXFP8 = "MXFP8"
    W8A16 = "W8A16"
    AWQ = "AWQ"
    GPTQ = "GPTQ"
    W4A16 = "W4A16"
    W4A8 = "W4A8"
    NVFP4 = "NVFP4"
    MXFP4 = "MXFP4"
    BITS_AND_BYTES = "BitsAndBytes"


# Bits of a weight under a scheme. GPTQ is made with 2, 3, 4 and 8 bits and BitsAndBytes with 4 and 8, so they
# have no row.
BITS: Final[dict[Method, int]] = {
    Method.NONE: 16,
    Method.FP8: 8,
    Method.INT8: 8,
    Method.MXFP8: 8,
    Method.W8A16: 8,
    Method.AWQ: 4,
    Method.W4A16: 4,
    Method.W4A8: 4,
    Method.NVFP4: 4,
    Method.MXFP4: 4,
}


class KvCacheDtype(StrEnum):
    """The element type of the KV cache."""

    AUTO = "Auto"
    BF16 = "BF16"
    FP16 = "FP16"
    FP8 = "FP8"
    FP8_E5M2 = "FP8E5M2"


class Modalities(StrEnum):
    """Which inputs the engine prepares for."""

    ALL = "All"
    TEXT = "Text"


class Accelerator(StrEnum):
    """The kind of device."""

    AUTO = "Auto"
    GPU = "GPU"
    CPU = "CPU"


class Capacity(StrEnum):
    """Whether the plan may count on nodes that are not there yet."""

    EXISTING = "Existing"
    AUTOSCALED = "Autoscaled"


class EngineName(StrEnum):
    """The inference engine."""

    AUTO = "Auto"
    VLLM = "vLLM"
    TGI = "TGI"


class ModelGate(StrEnum):
    """What waits for the model."""

    AUTO = "Auto"
    NONE = "None"
    STARTUP = "Startup"
    READINESS = "Readiness"


class UpdateStrategyType(StrEnum):
    """How running pods follow a change."""

    IN_PLACE_IF_POSSIBLE = "InPlaceIfPossible"
    ROLLING_UPDATE = "RollingUpdate"
    ON_DELETE = "OnDelete"
