"""Which of a repository's files does an engine need, and are there weights that it can load at all?

Only these are downloaded. Shards are named by one pattern, so that a model of 160 files makes no long list.
"""

import re
from collections.abc import Sequence

from pillion.facts.documents import RepoFile

_SHARD = re.compile(r"^(?P<stem>.*?)(?P<number>\d{5})-of-(?P<total>\d{5})(?P<ending>\.[\w.]+)$")
_SIDE_FILE = re.compile(r"\.(json|txt|model|jinja|py|tiktoken|vocab)$")
_POOLING = re.compile(r"^\d+_\w+/config\.json$")  # sentence-transformers' modules
_INDEX = ".index.json"


def weight_files(files: Sequence[RepoFile]) -> tuple[RepoFile, ...]:
    """The files that hold the weights an engine would load: safetensors, else PyTorch's, else nothing.

    Mistral's own format (`consolidated*`) repeats the same weights, and counts only where nothing else does.
    """
    top = [file for file in files if "/" not in file.name]
    safetensors = [
        file for file in top if file.name.endswith(".safetensors") and not file.name.startswith("adapter_")
    ]
    usual = [file for file in safetensors if not file.name.startswith("consolidated")]
    if usual or safetensors:
        whole = [file for file in usual if file.name == "model.safetensors"]
        return tuple(whole or usual or safetensors)
    return tuple(
        file
        for file in top
        if file.name.endswith(".bin") and file.name.startswith(("pytorch_model", "model"))
    )


def gguf_files(files: Sequence[RepoFile]) -> tuple[RepoFile, ...]:
    """The files in llama.cpp's format."""
    return tuple(file for file in files if file.name.endswith(".gguf"))


def needed_files(files: Sequence[RepoFile]) -> tuple[RepoFile, ...]:
    """Weights, and the small files beside them that an engine reads."""
    weights = weight_files(files)
    ending = "." + weights[0].name.rsplit(".", 1)[-1] if weights else ""
    side = [file for file in files if _is_side_file(file.name, ending)]
    chosen = {file.name: file for file in (*weights, *side)}
    return tuple(chosen[name] for name in sorted(chosen))


def patterns(files: Sequence[RepoFile]) -> tuple[str, ...]:
    """Names, with one pattern in place of all shards of a set."""
    found: set[str] = set()
    for file in files:
        shard = _SHARD.match(file.name)
        found.add(f"{shard['stem']}*-of-{shard['total']}{shard['ending']}" if shard else file.name)
    return tuple(sorted(found))


def _is_side_file(name: str, weights_ending: str) -> bool:
    if _POOLING.match(name):
        return True
    if "/" in name:
        return False
    if name.endswith(_INDEX):
        return name.removesuffix(_INDEX).endswith(weights_ending)
    return bool(_SIDE_FILE.search(name))
