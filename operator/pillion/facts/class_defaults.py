"""What does a silent config.json mean?

Published configurations leave away what the configuration class of their family adds, so that a reader has to
know the class. The defaults were taken from transformers' classes by tools/class_defaults.py, which also writes
their version beside them.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pillion.facts.documents import Json

FILE = Path(__file__).with_name("class_defaults.json")
_WRAPPERS = """
    gemma3 gemma3n gemma4 gemma4_unified idefics3 internvl kimi_k25 lighton_ocr llama4 llava llava_next
    minimax_m3_vl mistral3 mllama paligemma qwen2_5_vl qwen2_audio qwen2_vl qwen3_5 qwen3_5_moe qwen3_vl
    qwen3_vl_moe smolvlm step3p7 voxtral glm4v glm4v_moe glm46v lfm2_vl qwen2_5_omni_thinker
    qwen3_omni_moe_thinker exaone4_5 ernie4_5_vl_moe
"""
WRAPPERS = frozenset(_WRAPPERS.split())
# Published files always name these, often as null or zero; a copy that left nulls away must not get the class's value.
ALWAYS_NAMED = {
    "deepseek_v2": ("q_lora_rank",),
    "gemma4_text": ("hidden_size_per_layer_input",),
    "gemma4_unified_text": ("hidden_size_per_layer_input",),
    "ministral": ("sliding_window",),
    "ministral3": ("sliding_window",),
    "mistral": ("sliding_window",),
    "mistral4": ("sliding_window",),
    "mixtral": ("sliding_window",),
    "nemotron_h": ("n_routed_experts", "num_experts_per_tok", "moe_intermediate_size", "n_shared_experts"),
}
# Keys that name the same thing: where one of them is there, no default stands for another.
_SAME = (
    ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "depth", "encoder_layers"),
    ("hidden_size", "n_embd", "d_model", "model_dim", "dim"),
    ("num_attention_heads", "n_head", "n_heads", "num_heads"),
    (
        "num_key_value_heads",
        "n_head_kv",
        "num_kv_heads",
        "n_kv_heads",
        "multi_query_group_num",
        "multi_query",
    ),
    ("intermediate_size", "n_inner", "ffn_hidden_size", "ffn_dim", "d_ff", "hidden_dim", "mlp_ratio"),
    ("vocab_size", "padded_vocab_size"),
    ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx"),
    ("layer_types", "layers_block_type", "hybrid_override_pattern"),
    ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"),
    ("sliding_window_pattern", "layer_types"),
    ("mamba_n_heads", "mamba_num_heads"),
    ("first_k_dense_replace", "mlp_layer_types", "moe_layer_freq"),
    ("moe_layers", "interleave_moe_layer_step"),
)
# Families whose classes are in their own repositories, or compute a default that is then none to be read.
_OTHERS: dict[str, dict[str, Any]] = {
    "gemma4_text": {"global_head_dim": 512},
    "gemma4_unified_text": {"global_head_dim": 512},
    "glm4_moe_lite": {"first_k_dense_replace": 1},
    "lighton_ocr": {"tie_word_embeddings": True},
    "mimo_v2_flash": {"first_k_dense_replace": 1},
    "minicpm": {"tie_word_embeddings": True},
    "qwen2_5_omni_text": {"tie_word_embeddings": False},
    "phi3small": {"tie_word_embeddings": True},
    "phimoe": {"lm_head_bias": True},
}
_INSTEAD = {key: set(group) for group in _SAME for key in group}
_ENDINGS = re.compile(r"(ForCausalLM|ForConditionalGeneration|LMHeadModel|ForMaskedLM|Model)$")
_LANGUAGE_PARTS = {"text_config", "llm_config", "language_config", "thinker_config"}
_PARTS = ("text_config", "vision_config", "audio_config", "thinker_config")


def filled(config: Json) -> dict[str, Any]:
    """The configuration with its family's defaults where it is silent; an explicit null stays one."""
    return _filled(config, family(config))


def family(config: Json) -> str:
    """The model type, which a few configurations only say by the name of their architecture."""
    named = config.get("model_type")
    if isinstance(named, str) and named:
        return named
    architectures = config.get("architectures")
    first = str(architectures[0]) if isinstance(architectures, list) and architectures else ""
    stem = _ENDINGS.sub("", first).lower()
    return next((kind for kind in sorted(_document()["defaults"]) if kind.replace("_", "") == stem), "")


def _filled(config: Json, model_type: str) -> dict[str, Any]:
    known = _document()
    parts = known["parts"].get(model_type, {})
    there = set(config)
    defaults = {**known["defaults"].get(model_type, {}), **_OTHERS.get(model_type, {})}
    found = {
        key: value
        for key, value in defaults.items()
        if not there & _INSTEAD.get(key, {key}) and key not in there
    }
    # A wrapper's own defaults for the language model are an older form's, and nothing where it has parts.
    merged = {**({} if "text_config" in config else found), **config}
    if model_type:
        merged["model_type"] = model_type
    if "text_config" in parts and not there & _INSTEAD["hidden_size"] and not there & _LANGUAGE_PARTS:
        merged["text_config"] = {}
    for key in _PARTS:
        inner = merged.get(key)
        if isinstance(inner, Mapping):
            kind = str(inner.get("model_type") or parts.get(key, ""))
            merged[key] = (
                {"model_type": kind, **_filled(_with_tie(config, inner, key), kind)} if kind else dict(inner)
            )
    return merged


def _with_tie(config: Json, inner: Json, key: str) -> Json:
    """A language model's part with the wrapper's word on tied embeddings, where it has none of its own."""
    if key != "text_config" or "tie_word_embeddings" in inner:
        return inner
    said = config.get(
        "tie_word_embeddings", _OTHERS.get(str(config.get("model_type")), {}).get("tie_word_embeddings")
    )
    return inner if said is None else {**inner, "tie_word_embeddings": said}


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return document
