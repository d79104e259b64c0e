"""What does a params.json, in Mistral's own format, say in the words of a config.json?

Some repositories of Mistral have no config.json at first. Engines read both, and so does everybody here after this.

Source: vLLM 0.33.0, transformers_utils/configs/mistral.py, which translates for the engine.
"""

from collections.abc import Mapping
from typing import Any

from pillion.facts.documents import Json

_NAMES = {
    "dim": "hidden_size",
    "n_layers": "num_hidden_layers",
    "n_heads": "num_attention_heads",
    "n_kv_heads": "num_key_value_heads",
    "hidden_dim": "intermediate_size",
    "tied_embeddings": "tie_word_embeddings",
}
_EXPERTS = {
    "num_experts": "n_routed_experts",
    "num_experts_per_tok": "num_experts_per_tok",
    "num_shared_experts": "n_shared_experts",
    "expert_hidden_dim": "moe_intermediate_size",
    "first_k_dense_replace": "first_k_dense_replace",
    "route_every_n": "moe_layer_freq",
}
_DEFAULT_CONTEXT_TOKENS = 128_000


def config(params: Json) -> dict[str, Any]:
    """The configuration that a params.json stands for."""
    vision = _vision(params)
    text = _text(params)
    architecture = text.pop("architectures")
    outer: dict[str, Any] = {"torch_dtype": params.get("dtype") or "bfloat16"}
    quantized = _quantization(params)
    if quantized:
        outer["quantization_config"] = quantized
    if vision is None:
        return {**outer, "architectures": architecture, **text}
    merges = vision.pop("merges")
    return {
        **outer,
        "architectures": ["PixtralForConditionalGeneration"],
        "model_type": "mistral3" if merges else "llava",
        "text_config": text,
        "vision_config": vision,
    }


def _text(params: Json) -> dict[str, Any]:
    text: dict[str, Any] = {
        "max_position_embeddings": params.get("max_seq_len") or _DEFAULT_CONTEXT_TOKENS,
        **{_NAMES.get(key, key): value for key, value in params.items() if not isinstance(value, dict)},
    }
    text["tie_word_embeddings"] = bool(text.get("tie_word_embeddings"))
    moe = params.get("moe")
    latent = bool(params.get("qk_nope_head_dim"))
    if isinstance(moe, Mapping) and (moe.get("num_shared_experts") or latent):
        named = {_EXPERTS[key]: value for key, value in moe.items() if key in _EXPERTS}
        return {**text, **named, "model_type": "deepseek_v3", "architectures": ["MistralLarge3ForCausalLM"]}
    if isinstance(moe, Mapping) and moe:
        experts = {
            "num_local_experts": moe.get("num_experts"),
            "num_experts_per_tok": moe.get("num_experts_per_tok"),
        }
        return {**text, **experts, "model_type": "mixtral", "architectures": ["MixtralForCausalLM"]}
    return {**text, "model_type": "mistral", "architectures": ["MistralForCausalLM"]}


def _vision(params: Json) -> dict[str, Any] | None:
    several = params.get("multimodal")
    inner = several.get("vision_encoder_args") if isinstance(several, Mapping) else None
    encoder = inner or params.get("vision_encoder")
    if not isinstance(encoder, Mapping) or not encoder:
        return None
    return {
        "model_type": "pixtral",
        "num_channels": encoder.get("num_channels", 3),
        "image_size": encoder.get("max_image_size") or encoder.get("image_size"),
        "patch_size": encoder.get("patch_size"),
        "hidden_size": encoder.get("hidden_size"),
        "intermediate_size": encoder.get("intermediate_size"),
        "num_hidden_layers": encoder.get("num_hidden_layers"),
        "num_attention_heads": encoder.get("num_attention_heads"),
        "merges": encoder.get("mm_projector_id") == "patch_merge",
    }


def _quantization(params: Json) -> Json | None:
    declared = params.get("quantization")
    if not isinstance(declared, Mapping) or not declared:
        return None
    if declared.get("qformat_weight") == "fp8_e4m3":
        dynamic = declared.get("qscheme_act") == "NO_SCALES"
        return {"quant_method": "fp8", "activation_scheme": "dynamic" if dynamic else "static"}
    return declared
