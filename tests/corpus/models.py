"""Which published models does the corpus know, and which config.json does a line stand for?

`models.jsonl` has the dimensions of published models and how they are quantized, in a form of our own, each with its
source. A line's `parameters` are the model's own, unquantized; `verbatim: false` marks dimensions that were taken from
another program's table instead of from a config.json.
"""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("models.jsonl")
_KEYS = {
    "family": "model_type",
    "layers": "num_hidden_layers",
    "hidden": "hidden_size",
    "inner": "intermediate_size",
    "heads": "num_attention_heads",
    "kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "vocabulary": "vocab_size",
    "context": "max_position_embeddings",
    "tied": "tie_word_embeddings",
}
_KINDS = {
    "f": "full_attention",
    "s": "sliding_attention",
    "l": "linear_attention",
    "c": "chunked_attention",
    "m": "mamba",
    "a": "attention",
    "d": "deepseek_sparse_attention",
}


@cache
def lines() -> tuple[Mapping[str, Any], ...]:
    """All lines of the corpus."""
    return tuple(json.loads(line) for line in _FILE.read_text(encoding="utf-8").splitlines())


def config(line: Mapping[str, Any]) -> dict[str, Any]:
    """The config.json that a line stands for."""
    text = {key: line[ours] for ours, key in _KEYS.items() if ours in line} | dict(line.get("more", {}))
    if "kinds" in line:
        text["layer_types"] = [_KINDS[letter] for letter in line["kinds"]]
    outer: dict[str, Any] = {}
    if "architecture" in line:
        outer["architectures"] = [line["architecture"]]
    if "dtype" in line:
        outer["torch_dtype"] = line["dtype"]
    if "quantized" in line:
        outer["quantization_config"] = line["quantized"]
    if "wrapper" in line:
        return {**outer, "model_type": line["wrapper"], line["part"]: text}
    return {**outer, **text}


def write(line: Mapping[str, Any], folder: Path) -> Path:
    """Put the files that a line stands for into a folder."""
    (folder / "config.json").write_text(json.dumps(config(line)), encoding="utf-8")
    if "modelopt" in line:
        (folder / "hf_quant_config.json").write_text(json.dumps(line["modelopt"]), encoding="utf-8")
    return folder
