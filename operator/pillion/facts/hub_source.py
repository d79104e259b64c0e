"""How is one repository of a Hub read?

Several requests run at a time, each with a time limit. Of files that hold weights only the beginning is asked for.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import httpx2
from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import SafetensorsParsingError
from huggingface_hub.hf_api import ModelInfo
from huggingface_hub.utils import (  # type: ignore[attr-defined] # documented, not re-exported for checkers
    build_hf_headers,
    get_session,
    hf_raise_for_status,
)

from pillion.api.reasons import Reason
from pillion.facts import documents as docs
from pillion.facts import files, gguf, hub_errors, mistral_format, unloadable
from pillion.facts.documents import Documents, Json, RepoFile, Tensor
from pillion.facts.errors import FactsError
from pillion.facts.model import ModelFacts
from pillion.facts.words import OPERATOR, Words

_PARALLEL_REQUESTS = 8
_LARGEST_DOCUMENT_BYTES = 32 * 2**20  # tokenizer.json, the largest by far, is not read
Answer = TypeVar("Answer")


class UnloadableError(Exception):
    """A repository has no weights that an engine loads. Caught where what can be loaded is looked for."""

    def __init__(self, documents: Documents, header: gguf.Header | None, words: Words) -> None:
        super().__init__(documents.repo)
        self._words = words
        self._documents = documents
        self._header = header

    def plain(self) -> FactsError:
        """The failure for users."""
        return unloadable.failure(self._documents, header=self._header, words=self._words)

    def explained(
        self, read: Callable[[str], ModelFacts], quantizations: Callable[[ModelFacts], Sequence[ModelFacts]]
    ) -> FactsError:
        """The failure for users, with the nearest checkpoint that can be served."""
        base = unloadable.base_of(self._documents, self._header)
        if not base or base == self._documents.repo or not files.gguf_files(self._documents.files):
            return self.plain()
        nearest = unloadable.nearest_checkpoint(base, read=read, quantizations=quantizations)
        return unloadable.failure(self._documents, header=self._header, nearest=nearest, words=self._words)


class Source:
    """One repository of one Hub, read with one token; `words` are for its failures."""

    def __init__(
        self,
        *,
        repo: str,
        token: str | None,
        endpoint: str | None,
        timeout_seconds: float,
        words: Words = OPERATOR,
    ) -> None:
        self._words = words
        self._repo = repo
        self._token: str | bool = token or False
        self._timeout_seconds = timeout_seconds
        self._api = HfApi(endpoint=endpoint, token=self._token)

    @property
    def address(self) -> str:
        """The Hub's address."""
        return self._api.endpoint

    def ask(self, question: Callable[[], Answer], *, revision: str | None = None) -> Answer:
        """The answer, or the failure in our own words."""
        try:
            return question()
        except (httpx2.HTTPError, OSError, ValueError) as error:
            raise hub_errors.translated(
                error,
                repo=self._repo,
                revision=revision,
                endpoint=self.address,
                has_token=bool(self._token),
                words=self._words,
            ) from error

    def info(self, revision: str | None) -> ModelInfo:
        """The repository at a revision, with the sizes of its files."""
        return self._api.model_info(
            self._repo, revision=revision, files_metadata=True, timeout=self._timeout_seconds
        )

    def documents(self, info: ModelInfo, commit: str) -> Documents:
        """All documents of a commit, several requests at a time."""
        listed = tuple(
            RepoFile(name=each.rfilename, size_bytes=each.size or 0, fingerprint=each.blob_id)
            for each in info.siblings or ()
        )
        there = {file.name for file in listed}
        card: Json = dict(info.card_data.__dict__) if info.card_data is not None else {}
        partial = Documents(repo=self._repo, commit=commit, files=listed, config={}, card=card)
        if not files.weight_files(listed):
            raise UnloadableError(partial, self._gguf_header(listed, commit), self._words)
        if not there & {docs.CONFIG, docs.PARAMS}:
            raise FactsError(
                Reason.CONFIG_INVALID,
                f"{self._repo} has no config.json, which says what shape the model has; choose a repository "
                "in the form of the transformers library.",
            )
        with ThreadPoolExecutor(max_workers=_PARALLEL_REQUESTS) as pool:
            named = docs.CONFIG if docs.CONFIG in there else docs.PARAMS
            wanted = (named, docs.TOKENIZER_CONFIG, docs.QUANTIZATION_CONFIG, docs.SENTENCE_CONFIG)
            reading = {name: pool.submit(self._json, name, commit) for name in wanted if name in there}
            headers = [
                pool.submit(self._tensors, file.name, commit)
                for file in files.weight_files(listed)
                if file.name.endswith(".safetensors")
            ]
            read_json = {name: each.result() for name, each in reading.items()}
            tensors = tuple(tensor for each in headers for tensor in each.result())
        return Documents(
            repo=self._repo,
            commit=commit,
            files=listed,
            config=read_json[named] if named == docs.CONFIG else mistral_format.config(read_json[named]),
            tokenizer_config=read_json.get(docs.TOKENIZER_CONFIG, {}),
            quantization_config=read_json.get(docs.QUANTIZATION_CONFIG),
            sentence_config=read_json.get(docs.SENTENCE_CONFIG, {}),
            tensors=tensors if headers else None,
            card=card,
            pipeline_tag=info.pipeline_tag,
        )

    def _json(self, name: str, commit: str) -> Mapping[str, Any]:
        text = self.ask(lambda: self._content(name, commit))
        try:
            parsed = json.loads(text)
        except ValueError as error:
            raise FactsError(
                Reason.CONFIG_INVALID, f"{self._repo}: {name} is no valid JSON: {error}."
            ) from error
        if not isinstance(parsed, dict):
            raise FactsError(
                Reason.CONFIG_INVALID, f"{self._repo}: {name} holds no JSON object at its top level."
            )
        return parsed

    def _content(self, name: str, commit: str) -> bytes:
        url = hf_hub_url(self._repo, name, revision=commit, endpoint=self.address)
        with get_session().stream(
            "GET", url, headers=build_hf_headers(token=self._token), timeout=self._timeout_seconds
        ) as response:
            if response.is_error:
                response.read()  # the error's own words are in the body
            hf_raise_for_status(response)
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > _LARGEST_DOCUMENT_BYTES:
                    raise FactsError(
                        Reason.CONFIG_INVALID,
                        f"{self._repo}: {name} is longer than {_LARGEST_DOCUMENT_BYTES // 2**20} MiB.",
                    )
        return bytes(content)

    def _gguf_header(self, listed: Sequence[RepoFile], commit: str) -> gguf.Header | None:
        """What the smallest of the GGUF files says of itself, from its beginning; None where it cannot be had."""
        found = sorted(files.gguf_files(listed), key=lambda file: (file.size_bytes, file.name))
        if not found:
            return None
        url = hf_hub_url(self._repo, found[0].name, revision=commit, endpoint=self.address)
        headers = {**build_hf_headers(token=self._token), "Range": f"bytes=0-{gguf.BEGINNING_BYTES - 1}"}
        try:
            with get_session().stream("GET", url, headers=headers, timeout=self._timeout_seconds) as response:
                hf_raise_for_status(response)
                beginning = bytearray()
                for chunk in response.iter_bytes():
                    beginning += chunk
                    if len(beginning) >= gguf.BEGINNING_BYTES:
                        break
        except (httpx2.HTTPError, OSError, ValueError):
            return None  # the message does without
        return gguf.header(bytes(beginning))

    def _tensors(self, name: str, commit: str) -> tuple[Tensor, ...]:
        """The tensors of one safetensors file, from its header alone (range requests)."""
        try:
            header = self.ask(
                lambda: self._api.parse_safetensors_file_metadata(
                    self._repo, name, revision=commit, timeout=self._timeout_seconds
                )
            )
        except SafetensorsParsingError as error:
            raise FactsError(
                Reason.FORMAT_UNSUPPORTED, f"{self._repo}: {name} is no safetensors file: {error}."
            ) from error
        return tuple(
            Tensor(name=tensor, dtype=str(found.dtype), shape=tuple(found.shape))
            for tensor, found in header.tensors.items()
        )
