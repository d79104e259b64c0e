"""Does a quantizer's list of modules name this one?

Source: vLLM 0.33.0, model_executor/layers/quantization (each method's check of ignored layers), and transformers
5.16, quantizers/quantizers_utils.py.
"""

import re
from fnmatch import fnmatchcase

_LAYER = re.compile(r"(?:^|\.)(?:layers|layer|h|blocks)\.\d+\.")
_TOWER = re.compile(
    r"(^|\.)(vision\w*|visual|audio\w*|multi_modal\w*|mm_projector|embed_vision|embed_audio)(\.|$)"
)
_PREFIX = re.compile(r"^(model\.|language_model\.|backbone\.|thinker\.)+")


def matches(name: str, patterns: object) -> bool:
    """Whether a list of a quantizer names a module.

    Entries are regular expressions (`re:`), wildcards, or names and parts of names between dots. Where the model is
    wrapped, lists and checkpoints put different words before the layers; those are left out of the comparison.
    """
    if not isinstance(patterns, list | tuple | set | frozenset):
        return False
    ways = {name, _PREFIX.sub("", name)}
    ways |= {way.replace(".experts.", ".experts.0.") for way in ways}
    full = ways | {f"model.{way}" for way in ways} | {f"language_model.model.{way}" for way in ways}
    return any(isinstance(pattern, str) and _matches(pattern, ways, full) for pattern in patterns)


def bare(name: str) -> str:
    """A name without the words that wrappers put before the language model."""
    return _PREFIX.sub("", name)


def in_tower(name: str) -> bool:
    """Whether a module sees or hears, or projects from what does."""
    return bool(_TOWER.search(name))


def in_language_layers(name: str) -> bool:
    """Whether a module is in a layer of the language model."""
    return bool(_LAYER.search(f"{name}.")) and not _TOWER.search(name)


def _matches(pattern: str, ways: set[str], full: set[str]) -> bool:
    if pattern.startswith("re:"):
        try:
            return any(re.match(pattern[3:], way) for way in full)
        except re.error:
            return False
    if "*" in pattern:
        bare = _PREFIX.sub("", pattern)
        return any(fnmatchcase(way, pattern) or fnmatchcase(way, f"{pattern}.*") for way in full) or any(
            fnmatchcase(way, bare) for way in ways
        )
    part = f".{_PREFIX.sub('', pattern).strip('.')}."
    return any(part in f".{way}." for way in ways)
