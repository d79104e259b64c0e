"""What is a repository on the Hub: its files, their identities, and what the Hub tells about it?"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHUNK_BYTES = 1 << 20
LARGE_FILES = (".safetensors", ".gguf", ".bin")  # what the Hub keeps in LFS whatever its size


@dataclass(frozen=True)
class File:
    """A file of some given bytes and then zeros, which take no memory."""

    head: bytes
    zeros: int = 0

    @property
    def size_bytes(self) -> int:
        """Bytes as a client counts them."""
        return len(self.head) + self.zeros

    @cached_property
    def blob_id(self) -> str:
        """The SHA-1 under which git would know a whole file; a hollow one has an id of its own."""
        return hashlib.sha1(b"blob %d\0" % self.size_bytes + self.head, usedforsecurity=False).hexdigest()

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of a whole file; a hollow one has an id of its own, for zeros take minutes to hash."""
        hashed = hashlib.sha256(self.head)
        if self.zeros:
            hashed.update(b"and %d zeros" % self.zeros)
        return hashed.hexdigest()

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` up to `stop`, in pieces of at most a MiB."""
        while start < stop:
            end = min(stop, start + CHUNK_BYTES)
            piece = self.head[start:end]
            yield piece + bytes(end - start - len(piece))
            start = end


def is_large(path: str) -> bool:
    """Whether the Hub would keep the file in LFS."""
    return path.endswith(LARGE_FILES)


@dataclass(frozen=True, kw_only=True)
class Repo:
    """One commit of one model repository; its id follows from the files: equal files are an equal commit."""

    repo_id: str
    files: Mapping[str, File]
    card: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    pipeline_tag: str | None = "text-generation"
    gated: Literal[False, "auto", "manual"] = False
    parameters: Mapping[str, int] = field(default_factory=dict)  # numbers by dtype, as the Hub counts them
    gguf: Mapping[str, Any] | None = None

    @cached_property
    def commit(self) -> str:
        """40 hexadecimal digits."""
        lines = "".join(f"{path} {file.blob_id} {file.sha256}\n" for path, file in sorted(self.files.items()))
        return hashlib.sha1(f"{self.repo_id}\n{lines}".encode(), usedforsecurity=False).hexdigest()

    def siblings(self, *, blobs: bool) -> list[dict[str, Any]]:
        """The files as `model_info` lists them; sizes only where they were asked for."""
        listed = []
        for path, file in sorted(self.files.items()):
            entry: dict[str, Any] = {"rfilename": path}
            if blobs:
                entry |= {"size": file.size_bytes, "blobId": file.blob_id}
                if is_large(path):
                    entry["lfs"] = {"sha256": file.sha256, "size": file.size_bytes, "pointerSize": 134}
            listed.append(entry)
        return listed

    def tree(self) -> list[dict[str, Any]]:
        """The files as the `tree` route lists them."""
        listed = []
        for path, file in sorted(self.files.items()):
            entry = {"type": "file", "oid": file.blob_id, "size": file.size_bytes, "path": path}
            if is_large(path):
                entry["lfs"] = {"oid": file.sha256, "size": file.size_bytes, "pointerSize": 134}
            listed.append(entry)
        return listed

    def describe(self, *, blobs: bool = False) -> dict[str, Any]:
        """All that the Hub tells about the repository."""
        told: dict[str, Any] = {
            "_id": self.commit[:24],
            "id": self.repo_id,
            "modelId": self.repo_id,
            "author": self.repo_id.partition("/")[0],
            "sha": self.commit,
            "lastModified": "2026-01-01T00:00:00.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "private": False,
            "gated": self.gated,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "library_name": "transformers",
            "tags": list(self.tags),
            "cardData": dict(self.card),
            "siblings": self.siblings(blobs=blobs),
            "usedStorage": sum(file.size_bytes for file in self.files.values()),
            "spaces": [],
        }
        if self.pipeline_tag is not None:
            told["pipeline_tag"] = self.pipeline_tag
        if self.parameters:
            told["safetensors"] = {
                "parameters": dict(self.parameters),
                "total": sum(self.parameters.values()),
            }
        if self.gguf is not None:
            told["gguf"] = dict(self.gguf)
        config = self._config()
        if config is not None:
            told["config"] = config
        return told

    def _config(self) -> dict[str, Any] | None:
        """The Hub's own extract of config.json; absent where that cannot be read."""
        try:
            config = json.loads(self.files["config.json"].head)
        except (KeyError, ValueError):
            return None
        extract = {
            key: config[key]
            for key in ("architectures", "model_type", "quantization_config")
            if key in config
        }
        tokenizer = self.files.get("tokenizer_config.json")
        if tokenizer is not None:
            extract["tokenizer_config"] = json.loads(tokenizer.head)
        return extract
