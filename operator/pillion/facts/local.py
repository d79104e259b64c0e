"""What does a directory with a checkpoint, or with its config.json alone, say of a model?

Headers of safetensors files are read where these are there; where they are not, the tensors follow from the
configuration. Nothing is executed, and nothing but headers and small files is read.
"""

import hashlib
import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pillion.api.reasons import Reason
from pillion.facts import documents as docs
from pillion.facts import files, gguf, mistral_format, understanding, unloadable
from pillion.facts.documents import Documents, RepoFile, Tensor
from pillion.facts.errors import FactsError
from pillion.facts.model import ModelFacts
from pillion.facts.words import OPERATOR, Words

_LARGEST_HEADER_BYTES = 100 * 2**20  # as the safetensors library allows
_LARGEST_DOCUMENT_BYTES = 32 * 2**20


def read(path: Path, *, words: Words = OPERATOR) -> ModelFacts:
    """The facts of the checkpoint in a directory.

    Args:
        path: a directory with at least config.json; `commit` is a digest of that file.
        words: in which failures are told.

    Raises:
        FactsError: with the reason, and what would help.
    """
    return understanding.facts(documents(path, words=words))


def documents(path: Path, *, words: Words = OPERATOR) -> Documents:
    """What a directory holds, unread but for headers and small files."""
    listed = _files(path)
    there = {file.name for file in listed}
    name = path.resolve().name
    partial = Documents(repo=name, commit="", files=listed, config={}, card=_card(path))
    named = docs.CONFIG if docs.CONFIG in there else docs.PARAMS
    if named not in there:
        if files.gguf_files(listed) or "adapter_config.json" in there:
            raise unloadable.failure(partial, header=_gguf_header(path, listed), words=words)
        raise FactsError(
            Reason.CONFIG_INVALID,
            f"{path} has no config.json, which says what shape the model has; name a directory in the form of the "
            "transformers library, or a repository on the Hub (owner/name).",
        )
    weights = [file for file in files.weight_files(listed) if file.name.endswith(".safetensors")]
    tensors = tuple(tensor for file in weights for tensor in _header(path / file.name))
    return Documents(
        repo=name,
        commit=hashlib.sha256((path / named).read_bytes()).hexdigest()[:40],
        files=listed,
        config=_json(path, named) if named == docs.CONFIG else mistral_format.config(_json(path, named)),
        tokenizer_config=_json(path, docs.TOKENIZER_CONFIG) if docs.TOKENIZER_CONFIG in there else {},
        quantization_config=_json(path, docs.QUANTIZATION_CONFIG)
        if docs.QUANTIZATION_CONFIG in there
        else None,
        sentence_config=_json(path, docs.SENTENCE_CONFIG) if docs.SENTENCE_CONFIG in there else {},
        tensors=tensors if weights else None,
        card=partial.card,
        pipeline_tag=partial.card.get("pipeline_tag"),
        without_weights=not files.weight_files(listed),
        declared_bytes=_declared_bytes(path, listed),
    )


def _files(path: Path) -> tuple[RepoFile, ...]:
    if not path.is_dir():
        found = "is a file" if path.exists() else "does not exist"
        raise FactsError(
            Reason.CONFIG_INVALID, f"{path} {found}; name the directory that holds the model's config.json."
        )
    try:
        return tuple(
            RepoFile(name=file.relative_to(path).as_posix(), size_bytes=file.stat().st_size)
            for file in sorted(path.rglob("*"))
            if file.is_file() and ".git" not in file.relative_to(path).parts
        )
    except OSError as error:
        raise FactsError(Reason.CONFIG_INVALID, f"{path} cannot be read: {error.strerror}.") from error


def _json(path: Path, name: str) -> Mapping[str, Any]:
    file = path / name
    try:
        if file.stat().st_size > _LARGEST_DOCUMENT_BYTES:
            raise FactsError(
                Reason.CONFIG_INVALID, f"{file} is longer than {_LARGEST_DOCUMENT_BYTES // 2**20} MiB."
            )
        parsed = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise FactsError(Reason.CONFIG_INVALID, f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise FactsError(Reason.CONFIG_INVALID, f"{file} is no valid JSON: {error}.") from error
    if not isinstance(parsed, dict):
        raise FactsError(Reason.CONFIG_INVALID, f"{file} holds no JSON object at its top level.")
    return parsed


def _header(file: Path) -> tuple[Tensor, ...]:
    """The tensors that a safetensors file names in its header."""
    try:
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            header = json.loads(opened.read(min(length, _LARGEST_HEADER_BYTES)))
        return tuple(
            Tensor(name=name, dtype=str(found["dtype"]), shape=tuple(found["shape"]))
            for name, found in header.items()
            if name != "__metadata__"
        )
    except OSError as error:
        raise FactsError(Reason.FORMAT_UNSUPPORTED, f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, TypeError, KeyError, AttributeError, struct.error) as error:
        raise FactsError(
            Reason.FORMAT_UNSUPPORTED,
            f"{file} is no safetensors file: {error}; download it again (a pointer of Git LFS looks like this).",
        ) from error


def _gguf_header(path: Path, listed: tuple[RepoFile, ...]) -> gguf.Header | None:
    """What the first of the GGUF files says of itself."""
    for file in files.gguf_files(listed)[:1]:
        try:
            with (path / file.name).open("rb") as opened:
                return gguf.header(opened.read(gguf.BEGINNING_BYTES))
        except OSError:
            return None
    return None


def _declared_bytes(path: Path, listed: tuple[RepoFile, ...]) -> int | None:
    """The size that an index of shards states, where the shards themselves are not here."""
    for file in listed:
        if file.name.endswith(".safetensors.index.json"):
            try:
                metadata = _json(path, file.name).get("metadata")
            except FactsError:
                return None
            size = metadata.get("total_size") if isinstance(metadata, Mapping) else None
            return int(size) if isinstance(size, int | float) and size > 0 else None
    return None


def _card(path: Path) -> Mapping[str, Any]:
    """The head of README.md, where publishers say licence and base model; nothing where it cannot be read."""
    readme = path / "README.md"
    if not readme.is_file():
        return {}
    from huggingface_hub.repocard import metadata_load  # noqa: PLC0415 (a quarter of a second, and rarely needed)

    try:
        return metadata_load(readme) or {}
    except (OSError, ValueError):
        return {}
