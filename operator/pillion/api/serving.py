"""Which number formats may the weights have, and how is the model served?"""

from typing import Annotated, ClassVar

from pydantic import Field

from pillion.api.choices import BITS, Checkpoints, KvCacheDtype, Method, Modalities, Policy
from pillion.api.forms import Count
from pillion.api.shape import ApiModel, Rule, written_as

ParserName = Annotated[
    str,
    Field(max_length=64),
    written_as(
        r"^(Auto|None|[a-z0-9][a-z0-9_.-]*)$",
        "must be Auto, None, or the name of one of the engine's parsers in lower case, such as hermes",
    ),
]


def _pin_is_within(method: Method, bits: int) -> Rule:
    return Rule(
        cel=f"self.method != '{method}' || (self.minBits <= {bits} && {bits} <= self.maxBits)",
        holds=lambda wanted: wanted.method != method or wanted.min_bits <= bits <= wanted.max_bits,
        message=f"{method} has {bits} bits a weight, which minBits and maxBits must let through",
        path=".method",
    )


class Quantization(ApiModel):
    """Which number formats the weights may have, and what is preferred among them."""

    policy: Policy = Field(
        Policy.BALANCED,
        description="What is preferred among candidates that fit: Quality takes the least loss, Balanced the"
        " least accelerators down to 8 bit before it goes lower, Economy the least accelerator memory.",
    )
    checkpoints: Checkpoints = Field(
        Checkpoints.TRUSTED_PUBLISHERS,
        description="Where quantized checkpoints may come from: TrustedPublishers adds those of known"
        " publishers that match the model, Declared takes repo and variants only.",
    )
    method: Method = Field(
        Method.AUTO,
        description="A pinned scheme, or None for 16 bit; Auto lets the planner choose. A pin is a"
        " requirement.",
    )
    min_bits: Annotated[int, Field(ge=2, le=16, strict=True)] = Field(
        4, description="The fewest bits a weight may have."
    )
    max_bits: Annotated[int, Field(ge=2, le=16, strict=True)] = Field(
        16, description="The most bits a weight may have."
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.minBits <= self.maxBits",
            holds=lambda wanted: wanted.min_bits <= wanted.max_bits,
            message="must not be more than maxBits",
            path=".minBits",
        ),
        *(_pin_is_within(method, bits) for method, bits in BITS.items()),
    )


class Generation(ApiModel):
    """What the engine does where a request says nothing."""

    temperature: Annotated[float, Field(ge=0, strict=True)] | None = Field(
        None,
        description="The default temperature, 0 or more; 0 always takes the likeliest token. Absent, the"
        " model's own default.",
    )
    top_p: Annotated[float, Field(gt=0, le=1, strict=True)] | None = Field(
        None,
        description="The default share of probability that is sampled from, above 0 and up to 1. Absent, the"
        " model's own default.",
    )
    output_limit: Count | None = Field(
        None,
        description="The most tokens an answer may have. It is a limit, also where the request asks for"
        " more.",
    )


class Serving(ApiModel):
    """How the model is served."""

    context_length: Count | None = Field(
        None,
        description="Tokens that one request may have, prompt and answer together. Set, it is required;"
        " absent, 8192 (on CPU 4096) or the model's own limit is preferred, and status says what was given"
        " up.",
    )
    concurrency: Count | None = Field(
        None,
        description="Requests of full length whose KV cache fits at once; shorter ones share the same"
        " memory. Set, it is required; absent, 8 (on CPU 1) are preferred.",
    )
    kv_cache_dtype: KvCacheDtype = Field(
        KvCacheDtype.AUTO,
        description="The element type of the KV cache; Auto takes what the checkpoint declares, else the"
        " model's own.",
    )
    generation: Generation | None = Field(
        None,
        description="Defaults of generation where a request says nothing; only for models that generate"
        " text.",
    )
    tool_calls: ParserName = Field(
        "Auto",
        description="How tool calls are recognised: Auto by the model's architecture, None not at all, or a"
        " parser's name.",
    )
    reasoning: ParserName = Field(
        "Auto",
        description="How reasoning is told from the answer: Auto by the model's architecture, None not at"
        " all, or a parser's name.",
    )
    modalities: Modalities = Field(
        Modalities.ALL,
        description="All serves every input the model knows; Text saves the memory that images and audio"
        " would need.",
    )
