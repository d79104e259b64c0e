"""What was read of a checkpoint, before anybody understood it?

Whoever reads a checkpoint fills this in; understanding is a function of it, and reads nothing more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]

CONFIG = "config.json"
PARAMS = "params.json"  # Mistral's own form of it
TOKENIZER_CONFIG = "tokenizer_config.json"
QUANTIZATION_CONFIG = "hf_quant_config.json"
SENTENCE_CONFIG = "sentence_bert_config.json"
CHAT_TEMPLATE_FILES = ("chat_template.jinja", "chat_template.json")


@dataclass(frozen=True, kw_only=True, slots=True)
class RepoFile:
    """One file of a checkpoint; `fingerprint` is the same for equal contents, None where it is not known."""

    name: str
    size_bytes: int
    fingerprint: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Tensor:
    """One tensor of a safetensors file, as its header describes it."""

    name: str
    dtype: str  # safetensors' names: F32, F16, BF16, F8_E4M3, I32, U8, ...
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Documents:
    """A checkpoint's files at one commit."""

    repo: str
    commit: str
    files: tuple[RepoFile, ...]
    config: Json
    tokenizer_config: Json = field(default_factory=dict)
    quantization_config: Json | None = None  # hf_quant_config.json
    sentence_config: Json = field(default_factory=dict)
    tensors: tuple[Tensor, ...] | None = None  # None: there are no safetensors files
    card: Json = field(default_factory=dict)
    pipeline_tag: str | None = None
    without_weights: bool = False  # no weight files are at hand, and the configuration stands for them
    declared_bytes: int | None = None  # of all weight files, as an index of shards states

    def has(self, name: str) -> bool:
        """Whether the checkpoint has a file of this name."""
        return any(file.name == name for file in self.files)
