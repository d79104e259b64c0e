"""Which models do the logs speak of, as facts?

Dimensions become a configuration in a directory of its own, which is read as any user's would be.
"""

import json
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pillion.facts import ModelFacts, local

_FILE = Path(__file__).parent / "models.yaml"
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
}


@cache
def shapes() -> Mapping[str, Mapping[str, Any]]:
    """What is known of each model, by its name."""
    return {entry["model"]: entry for entry in yaml.safe_load(_FILE.read_text(encoding="utf-8"))}


@cache
def facts(name: str) -> ModelFacts:
    """The facts of a model, read from a configuration that stands for it."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(configuration(shapes()[name])), encoding="utf-8")
        return local.read(Path(folder))


def configuration(shape: Mapping[str, Any]) -> dict[str, Any]:
    """A model's configuration with these dimensions."""
    text = {key: shape[ours] for ours, key in _KEYS.items() if shape.get(ours) is not None}
    text |= {"torch_dtype": shape.get("dtype", "bfloat16"), "tie_word_embeddings": bool(shape.get("tied"))}
    more = dict(shape.get("more", {}))
    every = more.pop("full_every", None)
    if every:
        text["layer_types"] = [
            "full_attention" if (layer + 1) % every == 0 else "sliding_attention"
            for layer in range(shape["layers"])
        ]
    text |= more
    outer = {"architectures": [shape["architecture"]], **shape.get("outer", {})}
    if shape.get("quantized"):
        outer["quantization_config"] = shape["quantized"]
    if "vision" in shape:
        outer["vision_config"] = shape["vision"]
    if "wrapper" not in shape:
        return outer | text
    return outer | {
        "model_type": shape["wrapper"],
        "tie_word_embeddings": text["tie_word_embeddings"],
        "torch_dtype": text["torch_dtype"],
        "text_config": text,
    }
