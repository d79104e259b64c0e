"""What do transformers' configuration classes add where a published config.json is silent?

    python -m tools.class_defaults transformers-5.16.1-py3-none-any.whl

reads the classes out of a wheel (`pip download transformers==5.16.1 --no-deps`), without running them, and writes
the defaults of those families that Pillion knows beside the facts.
"""

import ast
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from pillion.facts import blueprint, class_defaults

_WANTED = """
    vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim
    max_position_embeddings tie_word_embeddings attention_bias mlp_bias use_bias bias sliding_window
    use_sliding_window sliding_window_pattern layer_types n_embd n_layer n_head n_inner n_positions ffn_dim
    word_embed_proj_dim do_layer_norm_before enable_bias multi_query new_decoder_architecture parallel_attn alibi
    num_kv_heads num_ln_in_parallel_attn d_model n_heads n_layers max_seq_len expansion_ratio no_bias
    use_qkv_bias use_parallel_residual partial_rotary_factor rotary_pct rotary_dim qk_layernorm
    num_experts num_local_experts n_routed_experts num_experts_per_tok moe_intermediate_size moe_num_experts moe_k
    shared_expert_intermediate_size shared_intermediate_size n_shared_experts moe_num_shared_experts moe_layer_freq
    first_k_dense_replace decoder_sparse_step mlp_only_layers moe_layer_start_index moe_layer_end_index
    moe_layer_interval interleave_moe_layer_step intermediate_size_mlp num_dense_layers expert_layer_period
    expert_layer_offset attn_layer_period attn_layer_offset kv_lora_rank q_lora_rank qk_rope_head_dim
    qk_nope_head_dim v_head_dim index_n_heads index_head_dim index_topk linear_num_value_heads
    linear_num_key_heads linear_key_head_dim linear_value_head_dim linear_conv_kernel_dim full_attention_interval
    mamba_d_state mamba_d_conv mamba_expand mamba_n_heads mamba_d_head mamba_n_groups mamba_d_ssm mamba_dt_rank
    mamba_num_heads mamba_head_dim ssm_state_size conv_kernel n_groups expand state_size time_step_rank
    mamba_rms_norm mamba_proj_bias mamba_conv_bias attn_layer_indices conv_L_cache conv_bias
    block_auto_adjust_ff_dim block_ff_dim block_ffn_dim_multiplier block_multiple_of
    hidden_size_per_layer_input vocab_size_per_layer_input num_kv_shared_layers altup_num_inputs laurel_rank
    global_head_dim num_global_key_value_heads attention_k_eq_v use_double_wide_mlp enable_moe_block top_k_experts
    type_vocab_size embedding_size num_hidden_groups position_buckets relative_attention position_biased_input
    hidden_dim dim cross_attention_layers attention_chunk_size num_heads embed_dim depth mlp_ratio out_hidden_size
    in_channels num_channels patch_size temporal_patch_size spatial_merge_size image_size num_position_embeddings
    deepstack_visual_indexes projector_input_dim projector_output_dim vision_output_dim num_global_layers
    max_num_tiles position_embedding_size standardize encoder_layers encoder_ffn_dim num_mel_bins
    max_source_positions output_proj_dims subsampling_conv_channels conv_kernel_size multimodal_projector_bias
    scale_factor downsample_ratio attn_output_gate swa_num_attention_heads swa_num_key_value_heads swa_head_dim
    swa_v_head_dim share_expert_dim use_qk_norm o_groups o_lora_rank hc_mult num_shared_experts num_layers
    lm_head_bias vision_use_head zero_expert_num ffn_hidden_size expert_ffn_hidden_size num_mem_blocks adapter_rank
    attention_hidden_size n_mamba_heads mamba_headdim mamba_ngroups
"""
WANTED = frozenset(_WANTED.split())
# What a wrapper puts into a part of its configuration that names no type.
_AUTO_PARTS = {
    "llava": {"vision_config": "clip_vision_model", "text_config": "llama"},
    "llava_next": {"vision_config": "clip_vision_model", "text_config": "llama"},
    "gemma3": {"vision_config": "siglip_vision_model", "text_config": "gemma3_text"},
    "mistral3": {"vision_config": "pixtral", "text_config": "mistral"},
    "paligemma": {"vision_config": "siglip_vision_model", "text_config": "gemma"},
    "idefics3": {"vision_config": "idefics3_vision", "text_config": "llama"},
    "smolvlm": {"vision_config": "smolvlm_vision", "text_config": "llama"},
    "voxtral": {"audio_config": "voxtral_encoder", "text_config": "llama"},
    "lighton_ocr": {"vision_config": "pixtral", "text_config": "qwen3"},
    "internvl": {"vision_config": "internvl_vision", "text_config": "qwen2"},
    "minimax_m3_vl": {"vision_config": "minimax_m3_vl_vision", "text_config": "minimax_m3_vl_text"},
    "kimi_k25": {"vision_config": "kimi_k25_vision", "text_config": "deepseek_v3"},
    "qwen2_audio": {"audio_config": "qwen2_audio_encoder", "text_config": "qwen2"},
}


def main(wheel: Path) -> None:
    """Write the defaults of a wheel's classes."""
    classes = {name: (fields, bases) for name, fields, bases in _classes(wheel)}
    types = {fields["model_type"]: name for name, (fields, _) in classes.items() if "model_type" in fields}
    parts = {
        kind: {key: part for key, part in _parts(name, classes).items() if part}
        for kind, name in types.items()
    } | _AUTO_PARTS
    outer = {kind: of for kind, of in parts.items() if kind in class_defaults.WRAPPERS and of}
    wanted = (
        set(blueprint.known_types()) | {part for of in outer.values() for part in of.values()} | set(outer)
    )
    found = {
        kind: {key: value for key, value in sorted(_inherited(name, classes).items()) if key in WANTED}
        for kind, name in sorted(types.items())
        if kind in wanted
    }
    document: dict[str, Any] = {
        "source": f"configuration classes of {wheel.name.split('-py3')[0].replace('-', ' ')} (tools/class_defaults.py)",
        "defaults": {kind: values for kind, values in found.items() if values},
        "parts": dict(sorted(outer.items())),
    }
    for kind, keys in class_defaults.ALWAYS_NAMED.items():
        for key in keys:
            document["defaults"].get(kind, {}).pop(key, None)
    class_defaults.FILE.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _classes(wheel: Path) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if PurePosixPath(name).name.startswith("configuration_") and "/models/" in name:
                tree = ast.parse(archive.read(name))
                yield from (_class(node) for node in tree.body if isinstance(node, ast.ClassDef))


def _class(node: ast.ClassDef) -> tuple[str, dict[str, Any], list[str]]:
    fields: dict[str, Any] = {}
    for statement in node.body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=key), value=ast.expr() as value):
                fields[key] = _value(value)
            case ast.Assign(targets=[ast.Name(id=key)], value=value):
                fields[key] = _value(value)
    return (
        node.name,
        {key: value for key, value in fields.items() if value is not None},
        [base.id for base in node.bases if isinstance(base, ast.Name)],
    )


def _value(node: ast.expr) -> Any:  # noqa: ANN401 (a literal of any type)
    """A literal, names of classes inside a dictionary, or None for what has to be run to be known."""
    if isinstance(node, ast.Dict):
        return {
            key.value: value.id
            for key, value in zip(node.keys, node.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(value, ast.Name)
        }
    try:
        return ast.literal_eval(node)
    except ValueError:
        product = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)
        sides = [_value(side) for side in (node.left, node.right)] if isinstance(node, ast.BinOp) else []
        return sides[0] * sides[1] if product and all(isinstance(side, int) for side in sides) else None


def _inherited(name: str, classes: dict[str, tuple[dict[str, Any], list[str]]]) -> dict[str, Any]:
    if name not in classes:
        return {}
    fields, bases = classes[name]
    above: dict[str, Any] = {}
    for base in reversed(bases):
        above |= _inherited(base, classes)
    return above | fields


def _parts(name: str, classes: dict[str, tuple[dict[str, Any], list[str]]]) -> dict[str, str]:
    named = _inherited(name, classes).get("sub_configs")
    return {
        key: classes[part][0].get("model_type", "")
        for key, part in (named or {}).items()
        if part in classes and key.endswith("_config")
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
