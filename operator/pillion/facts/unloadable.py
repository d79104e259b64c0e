"""Why can a repository's weights not be loaded by an engine, and what can be instead?"""

from collections.abc import Callable, Sequence

from pillion.api.reasons import Reason
from pillion.facts import files, understanding
from pillion.facts.documents import Documents
from pillion.facts.errors import FactsError
from pillion.facts.gguf import Header
from pillion.facts.model import ModelFacts
from pillion.facts.words import OPERATOR, Words

_USUAL_BITS = 4  # what nearly all GGUF files have


def failure(
    documents: Documents,
    *,
    header: Header | None = None,
    nearest: ModelFacts | None = None,
    words: Words = OPERATOR,
) -> FactsError:
    """The failure of a repository without weights that an engine loads.

    Args:
        documents: its files and its card.
        header: of one of its GGUF files, where there are some and one was read.
        nearest: a published checkpoint of the same model that an engine loads.
        words: what its reader does to get another repository.
    """
    if files.gguf_files(documents.files):
        return FactsError(Reason.FORMAT_UNSUPPORTED, _gguf(documents, header, nearest, words))
    base = understanding.base_model(documents.card)
    if documents.has("adapter_config.json"):
        instead = f"{words.take} {base}" if base else "choose the model that it belongs to"
        return FactsError(
            Reason.FORMAT_UNSUPPORTED,
            f"{documents.repo} is an adapter (LoRA) and no whole model; {instead}.",
        )
    return FactsError(
        Reason.FORMAT_UNSUPPORTED,
        f"{documents.repo} has no weights that an engine loads: looked for *.safetensors, then "
        "pytorch_model*.bin in its top folder; choose a repository that has them.",
    )


def base_of(documents: Documents, header: Header | None) -> str | None:
    """The model that a repository's weights were made from: as its card says, else as its file says."""
    return understanding.base_model(documents.card) or (header.base_model if header else None)


def nearest_checkpoint(
    base: str,
    *,
    read: Callable[[str], ModelFacts],
    quantizations: Callable[[ModelFacts], Sequence[ModelFacts]],
) -> ModelFacts | None:
    """A quantized checkpoint of a model, as small as a GGUF file nearly is; None where there is none to be found."""
    try:
        found = quantizations(read(base))
    except FactsError:
        return None  # the message does without
    return min(found, key=lambda each: (_bits_away(each), each.repo), default=None)


def _bits_away(model: ModelFacts) -> int:
    bits = model.quantization.bits if model.quantization else None
    return abs((bits or 16) - _USUAL_BITS)


def _gguf(documents: Documents, header: Header | None, nearest: ModelFacts | None, words: Words) -> str:
    base = base_of(documents, header)
    found = (
        f"{documents.repo} has its weights in GGUF, llama.cpp's format, which the engines here do not load"
    )
    if header is not None and header.architecture:
        said = " ".join(word for word in (header.size_label, header.file_type, header.architecture) if word)
        found += f" (its file says: {said})"
    if base and nearest is not None and nearest.quantization is not None:
        return (
            f"{found}; {words.take} {nearest.repo}, a checkpoint of {base} in "
            f"{nearest.quantization.scheme}, or {words.take} {base} itself."
        )
    if base:
        return (
            f"{found}; {words.take} {base}, the model it was made from, or {words.take} a quantized checkpoint of it "
            "with safetensors files (AWQ, GPTQ, FP8)."
        )
    return (
        f"{found}; choose the repository it was made from, or a quantized checkpoint of it with safetensors."
    )
