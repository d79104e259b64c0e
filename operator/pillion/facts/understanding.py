"""What kind of model do a checkpoint's documents describe?

A function of the documents alone. What was estimated rather than read is said in the facts' notes.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence

from pillion.api.modeldeployment import Task
from pillion.api.reasons import Reason
from pillion.facts import (
    class_defaults,
    computing,
    dimensions,
    files,
    hints,
    plausible,
    quantized,
    shapes,
    tensors,
    two_stacks,
)
from pillion.facts import documents as docs
from pillion.facts.documents import Documents, Json
from pillion.facts.errors import FactsError
from pillion.facts.model import ModelFacts, Quantization

_DTYPES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_PIPELINES = {
    "feature-extraction": Task.EMBEDDING,
    "sentence-similarity": Task.EMBEDDING,
    "text-ranking": Task.RERANK,
    "text-classification": Task.CLASSIFICATION,
}
_INSTRUCT_HINTS = ("instruct", "chat", "-it", "assistant")
_BASE_HINTS = ("-base", "-pt")


def facts(documents: Documents) -> ModelFacts:
    """The facts of a checkpoint.

    Raises:
        FactsError: config.json does not say the model's shape, or says what no model has.
    """
    wrong = plausible.mistake(documents.config)
    if wrong:
        raise FactsError(
            Reason.CONFIG_INVALID,
            f"{documents.repo}: config.json is not that of a model: {wrong}; download it again.",
        )
    try:
        return _facts(documents)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # One of a thousand settings is of a kind that no family has; which one, only the error knows.
        raise FactsError(
            Reason.CONFIG_INVALID,
            f"{documents.repo}: config.json has a setting of a kind that is not understood ({error}); compare it with "
            "the model's own repository.",
        ) from error


def _facts(documents: Documents) -> ModelFacts:
    weights_files = files.weight_files(documents.files)
    config = documents.config
    shape = _shape(documents)
    quantization = quantized.quantization(config, modelopt=documents.quantization_config)
    found = _weights(documents, shape, quantization, sum(file.size_bytes for file in weights_files) or None)
    tally = found.tally
    needed = files.needed_files(documents.files)
    download_bytes = sum(file.size_bytes for file in needed)
    architecture = _architecture(config)
    sizes = dimensions.dimensions(
        shapes.text_part(class_defaults.filled(config)), head_dim=shape.attention.key_head_dim
    )
    hint = hints.disagreement(documents.repo, quantized=quantization is not None)
    return ModelFacts(
        repo=documents.repo,
        commit=documents.commit,
        architecture=architecture,
        model_type=config["model_type"] if isinstance(config.get("model_type"), str) else None,
        task=task(architecture, documents),
        parameters=tally.parameters or None,
        active_parameters=_active(tally, shape) if tally.parameters else None,
        weights=tally.weights,
        download_bytes=download_bytes if weights_files else download_bytes + tally.weights.stored_bytes,
        files=files.patterns(needed),
        dtype=_dtype(documents),
        quantization=quantization,
        attention=shape.attention,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
        vocab_size=shape.vocab_size,
        max_context_tokens=shape.max_context_tokens,
        layers=shape.all_layers,
        rotary_dim=sizes.rotary_dim,
        expert_intermediate_size=sizes.expert_intermediate_size,
        shared_expert_intermediate_size=sizes.shared_expert_intermediate_size,
        experts=shape.experts,
        experts_per_token=shape.experts_per_token,
        multimodal=shape.multimodal,
        chat_template=_has_chat_template(documents),
        instruct=_instruct(documents),
        distilled=True if "distil" in documents.repo.lower() else None,
        base_model=base_model(documents.card),
        license=_license(documents.card),
        tokenizer_fingerprint=_tokenizer_fingerprint(documents),
        brings_code=bool(config.get("auto_map")),
        known_architecture=found.known,
        encoder_decoder=two_stacks.has_two(config),
        notes=(*found.notes, *((hint,) if hint else ())),
    )


def task(architecture: str | None, documents: Documents) -> Task:
    """What the model is made for. The page's pipeline decides where one architecture serves several tasks.

    | architecture                | and                              | task           |
    | any                         | the page says embedding, ranking | as it says     |
    | ...ForSequenceClassification| one label                        | Rerank         |
    | ...ForSequenceClassification| several labels                   | Classification |
    | any                         | a sentence-transformers module   | Embedding      |
    | encoders, ...Model          |                                  | Embedding      |
    | everything else             |                                  | TextGeneration |
    """
    name = architecture or ""
    if name.endswith("ForSequenceClassification"):
        labels = documents.config.get("num_labels") or len(documents.config.get("id2label") or (0, 1))
        return Task.RERANK if labels == 1 else Task.CLASSIFICATION
    named = _PIPELINES.get(documents.pipeline_tag or "")
    if named in {Task.EMBEDDING, Task.RERANK}:
        return named
    encodes = name.endswith(("Model", "ForMaskedLM")) and not name.endswith(("LMHeadModel", "ChatModel"))
    return Task.EMBEDDING if encodes or documents.has("modules.json") else Task.TEXT_GENERATION


def base_model(card: Json) -> str | None:
    """The model that this one was made from, as the card says; the first where it names several."""
    value = card.get("base_model")
    first = value[0] if isinstance(value, list) and value else value
    return first if isinstance(first, str) and first else None


def _shape(documents: Documents) -> shapes.Shape:
    try:
        return shapes.shape(documents.config, sentence_config=documents.sentence_config)
    except shapes.ShapeUnknownError as error:
        raise FactsError(
            Reason.CONFIG_INVALID,
            f"{documents.repo}: config.json says nothing of {error}, without which its memory cannot be "
            "known; the model's own repository is usually complete.",
        ) from error


def _weights(
    documents: Documents, shape: shapes.Shape, quantization: Quantization | None, file_bytes: int | None
) -> computing.Computed:
    if documents.tensors is not None:
        tally = tensors.tally(
            documents.tensors,
            layers=shape.all_layers,
            tied_embeddings=shape.tied_embeddings,
            bits=quantization.bits if quantization else None,
            given_up=quantized.given_up(documents.config),
        )
        return computing.Computed(tally=tally, known=True, notes=())
    return computing.computed(
        documents,
        shape,
        quantization,
        dtype=_dtype(documents),
        file_bytes=file_bytes or documents.declared_bytes,
    )


def _active(tally: tensors.Tally, shape: shapes.Shape) -> int:
    if not shape.experts or not shape.experts_per_token:
        return tally.parameters
    used = tally.expert_parameters * shape.experts_per_token // shape.experts
    return tally.parameters - tally.expert_parameters + used


def _architecture(config: Json) -> str | None:
    names = config.get("architectures")
    return str(names[0]) if isinstance(names, list) and names else None


def _dtype(documents: Documents) -> str | None:
    for part in (documents.config, shapes.text_part(documents.config)):
        named = part.get("torch_dtype") or part.get("dtype")
        if isinstance(named, str):
            return named.removeprefix("torch.")
    return _prevailing_dtype(documents.tensors or ())


def _prevailing_dtype(found: Sequence[docs.Tensor]) -> str | None:
    sizes: Counter[str] = Counter()
    for tensor in found:
        if tensor.dtype in _DTYPES:
            sizes[_DTYPES[tensor.dtype]] += math.prod(tensor.shape)
    return max(sizes, key=lambda name: (sizes[name], name)) if sizes else None


def _has_chat_template(documents: Documents) -> bool:
    return bool(documents.tokenizer_config.get("chat_template")) or any(
        documents.has(name) for name in docs.CHAT_TEMPLATE_FILES
    )


def _instruct(documents: Documents) -> bool | None:
    """Whether the model follows instructions, going by its name; a template alone says nothing."""
    name = documents.repo.lower()
    if any(hint in name for hint in _INSTRUCT_HINTS):
        return True
    return False if any(name.endswith(hint) for hint in _BASE_HINTS) else None


def _license(card: Json) -> str | None:
    named = card.get("license")
    if named == "other" and isinstance(card.get("license_name"), str):
        named = card["license_name"]
    return named if isinstance(named, str) and named else None


def _tokenizer_fingerprint(documents: Documents) -> str | None:
    """Equal for checkpoints with the same tokenizer, as far as its settings tell.

    Publishers of quantized checkpoints save the tokenizer's files anew, so that equal tokenizers differ in
    bytes; what must be equal is the class, the special tokens and the added ones.
    """
    config = documents.tokenizer_config
    if not config:
        return None
    added = config.get("added_tokens_decoder")
    parts = {
        "class": str(config.get("tokenizer_class") or "").removesuffix("Fast"),
        "special": {name: _content(config.get(name)) for name in ("bos_token", "eos_token")},
        "added": {key: _content(value) for key, value in sorted(added.items())}
        if isinstance(added, Mapping)
        else None,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _content(token: object) -> object:
    return token.get("content") if isinstance(token, Mapping) else token
