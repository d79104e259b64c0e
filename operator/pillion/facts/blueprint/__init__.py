"""Which tensors does a checkpoint have, going by its configuration alone?

    config.json ──> class defaults ──> parts (this package) ──> packed as a quantizer stores them ──> tensors

Families are rows of a table where they can be, and generators where they are built otherwise. What is not known is
estimated as Llama's, and said to be so.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pillion.facts.blueprint import attention, decoder, wrappers
from pillion.facts.blueprint.encoders import ENCODERS
from pillion.facts.blueprint.families import FAMILIES, Family
from pillion.facts.blueprint.parts import MissingSettingError, Part, Settings
from pillion.facts.blueprint.unusual import UNUSUAL
from pillion.facts.documents import Json

__all__ = ["Blueprint", "MissingSettingError", "Part", "blueprint", "known_types"]

_SCORING = ("ForSequenceClassification", "ForTokenClassification")
_HEADS = ("lm_head.", "embed_out.", "output.", "transformer.output_layer.")
_TEXT_PARTS = ("text_config", "llm_config", "language_config", "language_model_config")


@dataclass(frozen=True, kw_only=True, slots=True)
class Blueprint:
    """The parts of a checkpoint, unquantized."""

    parts: tuple[Part, ...]
    known: bool  # False: an estimate after the usual build


def blueprint(config: Json) -> Blueprint:
    """The tensors that follow from a configuration whose class defaults are filled in.

    Raises:
        MissingSettingError: it lacks a number without which nothing can be said.
    """
    whole = Settings(config)
    text, nested = _language_model(whole)
    kind = text.model_type or whole.model_type
    encoder = ENCODERS.get(kind)
    if encoder is not None and not text.flag("is_decoder"):
        return Blueprint(parts=tuple(encoder(text, task_head=_task_head(whole))), known=True)
    unusual, family = UNUSUAL.get(kind), FAMILIES.get(kind)
    parts = unusual(text) if unusual is not None else decoder.decoder(text, family or _nearest(text))
    named = (replace(part, name=_inside(part.name)) if nested else part for part in parts)
    outer = whole.part("thinker_config") or whole
    beside, all_seen = _towers(outer, text)
    return Blueprint(
        parts=(*_headed(named, text, _architecture(whole)), *beside),
        known=(unusual is not None or family is not None) and all_seen,
    )


def known_types() -> frozenset[str]:
    """Model types whose tensors are known."""
    return frozenset(FAMILIES) | frozenset(UNUSUAL) | frozenset(ENCODERS)


def _language_model(config: Settings) -> tuple[Settings, bool]:
    part = config.part(*_TEXT_PARTS)
    if part is not None:
        return part, True
    thinker = config.part("thinker_config")
    return (_language_model(thinker)[0], True) if thinker is not None else (config, False)


def _inside(name: str) -> str:
    """Where a wrapper keeps the language model's tensors."""
    return f"model.language_model.{name.removeprefix('model.')}" if name.startswith("model.") else name


def _nearest(text: Settings) -> Family:
    """The usual build for a family that is not known, with all that could be there: never too little."""
    return Family(
        query_bias=text.flag("attention_bias", default=True),
        output_bias=text.flag("attention_bias", default=True),
        shared="shared_experts",
        correction_bias=True,
    )


def _towers(config: Settings, text: Settings) -> tuple[tuple[Part, ...], bool]:
    """Towers of other modalities, and whether they are known; a large one stands for what cannot be counted."""
    try:
        found = (*wrappers.seeing(config, text), *wrappers.hearing(config, text))
    except (MissingSettingError, ArithmeticError, TypeError, ValueError):
        return (Part(name="vision_tower.unknown", shape=(wrappers.UNKNOWN_TOWER,)),), False
    return found, wrappers.is_known(config)


def _headed(parts: Iterable[Part], text: Settings, architecture: str) -> Iterator[Part]:
    """A decoder that embeds or scores has no head over words, and mostly a small one instead."""
    scores = architecture.endswith(_SCORING)
    embeds = architecture.endswith("Model") and not architecture.endswith(("LMHeadModel", "ChatGLMModel"))
    for part in parts:
        if not (scores or embeds) or not part.name.startswith(_HEADS):
            yield part
    if scores:
        labels = text.number("num_labels") or len(text.raw("id2label") or (0,))
        yield Part(name="score.weight", shape=(labels, attention.hidden_size(text)))


def _task_head(config: Settings) -> str:
    return "classifier" if _architecture(config).endswith(_SCORING) else ""


def _architecture(config: Settings) -> str:
    names = config.each("architectures")
    return str(names[0]) if names else ""
