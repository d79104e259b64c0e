"""Are two checkpoints the same model in different forms?"""

from pillion.facts.model import ModelFacts

_SHAPE = (
    "architecture",
    "attention",
    "hidden_size",
    "intermediate_size",
    "vocab_size",
    "experts",
    "experts_per_token",
)


def differing_shape(base: ModelFacts, other: ModelFacts) -> tuple[str, ...]:
    """What of the shape differs, by name; nothing where the two are one model as far as that tells."""
    return tuple(name for name in _SHAPE if getattr(base, name) != getattr(other, name))


def same_tokenizer(base: ModelFacts, other: ModelFacts) -> bool:
    """Whether nothing is known against it: a tokenizer that cannot be compared is no objection."""
    return len({base.tokenizer_fingerprint, other.tokenizer_fingerprint} - {None}) <= 1
