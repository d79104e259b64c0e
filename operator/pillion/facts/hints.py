"""What does a repository's name say of how its weights are stored, and does its configuration agree?

A name is a hint that people read, and no evidence: what counts is what the configuration declares.
"""

import re

_HINTS = (
    (re.compile(r"(?<![a-z0-9])i?q\d_[a-z0-9_]+", re.IGNORECASE), "GGUF"),
    (re.compile(r"(?<![a-z])gguf(?![a-z])", re.IGNORECASE), "GGUF"),
    (re.compile(r"(?<![a-z])awq(?![a-z])", re.IGNORECASE), "AWQ"),
    (re.compile(r"(?<![a-z])gptq(?![a-z])", re.IGNORECASE), "GPTQ"),
    (re.compile(r"(?<![a-z0-9])w4a16(?![0-9])", re.IGNORECASE), "W4A16"),
    (re.compile(r"(?<![a-z0-9])w8a8(?![0-9])", re.IGNORECASE), "W8A8"),
    (re.compile(r"(?<![a-z])nvfp4(?![a-z])", re.IGNORECASE), "NVFP4"),
    (re.compile(r"(?<![a-z])mxfp4(?![a-z])", re.IGNORECASE), "MXFP4"),
    (re.compile(r"(?<![a-z])fp8(?![a-z0-9])", re.IGNORECASE), "FP8"),
    (re.compile(r"(?<![a-z])bnb(?![a-z])", re.IGNORECASE), "BitsAndBytes"),
    (re.compile(r"(?<![a-z0-9])int[48](?![0-9])", re.IGNORECASE), "INT"),
)


def of_name(repo: str) -> str | None:
    """The form that a name hints at, in our words; None where it hints at none."""
    name = repo.rpartition("/")[2]
    return next((label for pattern, label in _HINTS if pattern.search(name)), None)


def disagreement(repo: str, *, quantized: bool) -> str | None:
    """A sentence where a name hints at quantized weights and the configuration declares none."""
    hint = of_name(repo)
    if hint is None or quantized:
        return None
    return (
        f"the name of {repo} hints at {hint}, but its configuration declares no quantization: its weights are taken "
        "for plain ones"
    )
