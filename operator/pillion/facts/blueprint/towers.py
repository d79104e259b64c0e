"""Which tensors see: the towers of models that look at pictures?

Source: transformers 5.16, models/{siglip,clip,pixtral,qwen2_vl,qwen2_5_vl,qwen3_vl,llama4,mllama,gemma3,gemma4,
mistral3,llava,internvl,idefics3,kimi_k25}/modeling_*.py. Shapes of a tower follow from `vision_config`,
with the defaults of its class where these are silent.
"""

from collections.abc import Callable, Iterator

from pillion.facts.blueprint.parts import Part, Settings, bare, linear, plain


def transformer_layer(
    prefix: str,
    hidden: int,
    width: int,
    *,
    bias: bool = True,
    key_bias: bool = True,
    gated: bool = False,
    norm_bias: bool = True,
) -> Iterator[Part]:
    """One layer of a tower as nearly all have it."""
    for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
        has_bias = bias and (key_bias or name != "k_proj")
        yield from linear(f"{prefix}.self_attn.{name}", hidden, hidden, bias=has_bias)
    if gated:
        yield from linear(f"{prefix}.mlp.gate_proj", width, hidden, bias=bias)
    yield from linear(f"{prefix}.mlp.fc1", width, hidden, bias=bias)
    yield from linear(f"{prefix}.mlp.fc2", hidden, width, bias=bias)
    yield from plain(f"{prefix}.layer_norm1", hidden, bias=norm_bias)
    yield from plain(f"{prefix}.layer_norm2", hidden, bias=norm_bias)


def clip(vision: Settings, name: str) -> Iterator[Part]:
    """CLIP's tower: a class token, norms before and after."""
    hidden = vision.needed("hidden_size")
    yield from bare(f"{name}.embeddings.class_embedding", hidden)
    yield from plain(f"{name}.embeddings.patch_embedding", hidden, 3, *_patch(vision))
    yield from plain(f"{name}.embeddings.position_embedding", _patches(vision) + 1, hidden)
    for norm in ("pre_layrnorm", "post_layernorm"):
        yield from plain(f"{name}.{norm}", hidden, bias=True)
    yield from _layers(vision, name)


def siglip(vision: Settings, name: str) -> Iterator[Part]:
    """SigLIP's tower: no class token, one norm after, and mostly no pooling head."""
    hidden = vision.needed("hidden_size")
    yield from plain(f"{name}.embeddings.patch_embedding", hidden, 3, *_patch(vision), bias=True)
    yield from plain(f"{name}.embeddings.position_embedding", _patches(vision), hidden)
    yield from plain(f"{name}.post_layernorm", hidden, bias=True)
    yield from _layers(vision, name)
    if vision.flag("vision_use_head"):
        width = vision.needed("intermediate_size")
        yield from bare(f"{name}.head.probe", 1, 1, hidden)
        yield from linear(f"{name}.head.attention.in_proj", 3 * hidden, hidden, bias=True)
        yield from linear(f"{name}.head.attention.out_proj", hidden, hidden, bias=True)
        yield from plain(f"{name}.head.layernorm", hidden, bias=True)
        yield from linear(f"{name}.head.mlp.fc1", width, hidden, bias=True)
        yield from linear(f"{name}.head.mlp.fc2", hidden, width, bias=True)


def pixtral(vision: Settings, name: str) -> Iterator[Part]:
    """Pixtral's tower: built like a language model, without biases."""
    hidden, width = vision.needed("hidden_size"), vision.needed("intermediate_size")
    yield from plain(f"{name}.patch_conv", hidden, vision.number("num_channels") or 3, *_patch(vision))
    yield from plain(f"{name}.ln_pre", hidden)
    for layer in range(vision.needed("num_hidden_layers")):
        yield from transformer_layer(
            f"{name}.transformer.layers.{layer}", hidden, width, bias=False, gated=True, norm_bias=False
        )


def qwen2_vl(vision: Settings, name: str) -> Iterator[Part]:
    """Qwen2-VL's tower and its merger of four patches."""
    hidden = vision.needed("embed_dim")
    width = int((vision.raw("mlp_ratio") or 4) * hidden)
    output = vision.needed("hidden_size")
    yield from _moving_patches(vision, name, hidden)
    for layer in range(vision.needed("depth")):
        yield from _fused_layer(f"{name}.blocks.{layer}", hidden, width, norm_bias=True)
    yield from plain(f"{name}.merger.ln_q", hidden, bias=True)
    yield from _merger(vision, name, hidden, output)


def qwen2_5_vl(vision: Settings, name: str) -> Iterator[Part]:
    """Qwen2.5-VL's tower: gated, RMS norms."""
    hidden, width = vision.needed("hidden_size"), vision.needed("intermediate_size")
    yield from _moving_patches(vision, name, hidden)
    for layer in range(vision.needed("depth")):
        yield from _fused_layer(f"{name}.blocks.{layer}", hidden, width, norm_bias=False, gated=True)
    yield from plain(f"{name}.merger.ln_q", hidden)
    yield from _merger(vision, name, hidden, vision.needed("out_hidden_size"))


def qwen3_vl(vision: Settings, name: str) -> Iterator[Part]:
    """The tower of Qwen3-VL and Qwen3.5, which learned positions and sees several of its layers."""
    hidden, width = vision.needed("hidden_size"), vision.needed("intermediate_size")
    output, merged = (
        vision.needed("out_hidden_size"),
        hidden * (vision.number("spatial_merge_size") or 2) ** 2,
    )
    yield from _moving_patches(vision, name, hidden, bias=True)
    yield from plain(f"{name}.pos_embed", vision.needed("num_position_embeddings"), hidden)
    for layer in range(vision.needed("depth")):
        yield from _fused_layer(f"{name}.blocks.{layer}", hidden, width, norm_bias=True)
    deep = len(vision.each("deepstack_visual_indexes"))
    for number in range(deep + 1):
        merger = f"{name}.merger" if number == deep else f"{name}.deepstack_merger_list.{number}"
        yield from plain(f"{merger}.norm", hidden if number == deep else merged, bias=True)
        yield from linear(f"{merger}.linear_fc1", merged, merged, bias=True)
        yield from linear(f"{merger}.linear_fc2", output, merged, bias=True)


def gemma4_vision(vision: Settings, name: str) -> Iterator[Part]:
    """Gemma 4's tower: built like its language model, positions from a table of two axes."""
    hidden, width = vision.needed("hidden_size"), vision.needed("intermediate_size")
    patch = vision.number("patch_size") or 16
    yield from bare(
        f"{name}.patch_embedder.position_embedding_table", 2, vision.needed("position_embedding_size"), hidden
    )
    yield from linear(f"{name}.patch_embedder.input_proj", hidden, 3 * patch * patch)
    head = vision.number("head_dim") or hidden // vision.needed("num_attention_heads")
    for layer in range(vision.needed("num_hidden_layers")):
        prefix = f"{name}.encoder.layers.{layer}"
        yield from transformer_layer(prefix, hidden, width, bias=False, gated=True, norm_bias=False)
        for norm, size in (("q_norm", head), ("k_norm", head), ("norm3", hidden), ("norm4", hidden)):
            yield from plain(f"{prefix}.{norm}", size)
    if vision.flag("standardize"):
        yield from bare(f"{name}.std_bias", hidden)
        yield from bare(f"{name}.std_scale", hidden)


def llama4_vision(vision: Settings, name: str) -> Iterator[Part]:
    """Llama 4's tower and the adapter that shuffles its pixels."""
    hidden, width = vision.needed("hidden_size"), vision.needed("intermediate_size")
    patch = vision.number("patch_size") or 14
    yield from linear(f"{name}.patch_embedding.linear", hidden, 3 * patch * patch)
    yield from bare(f"{name}.class_embedding", hidden)
    yield from bare(f"{name}.positional_embedding_vlm", _patches(vision) + 1, hidden)
    for norm in ("layernorm_pre", "layernorm_post"):
        yield from plain(f"{name}.{norm}", hidden, bias=True)
    yield from _layers(vision, name)
    middle = vision.number("projector_input_dim") or 4096
    yield from linear(f"{name}.vision_adapter.mlp.fc1", middle, width)
    yield from linear(
        f"{name}.vision_adapter.mlp.fc2", vision.number("projector_output_dim") or middle, middle
    )


def mllama_vision(vision: Settings, name: str) -> Iterator[Part]:
    """Llama 3.2's tower: two transformers in a row, the second one gated, and positions for each tile."""
    hidden, width = vision.needed("hidden_size"), vision.needed("intermediate_size")
    tiles, patches = vision.number("max_num_tiles") or 4, _patches(vision) + 1
    kinds = len(vision.each("supported_aspect_ratios")) or 8
    yield from plain(f"{name}.patch_embedding", hidden, 3, *_patch(vision))
    yield from bare(f"{name}.class_embedding", hidden)
    yield from bare(f"{name}.gated_positional_embedding.embedding", patches, hidden)
    yield from plain(f"{name}.gated_positional_embedding.tile_embedding", kinds + 1, tiles * patches * hidden)
    for place in ("pre", "post"):
        yield from plain(f"{name}.{place}_tile_positional_embedding.embedding", kinds + 1, tiles * hidden)
        yield from plain(f"{name}.layernorm_{place}", hidden, bias=True)
    gates = 2 * (vision.number("num_global_layers") or 8) + 3  # of gated layers, tiles and positions
    yield from bare(f"{name}.gates", gates)
    count = vision.needed("num_hidden_layers") + (vision.number("num_global_layers") or 8)
    for layer in range(count):
        prefix = f"{name}.layers.{layer}"
        for part in ("q_proj", "k_proj", "v_proj", "o_proj"):
            yield from linear(f"{prefix}.self_attn.{part}", hidden, hidden)
        yield from linear(f"{prefix}.mlp.fc1", width, hidden, bias=True)
        yield from linear(f"{prefix}.mlp.fc2", hidden, width, bias=True)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield from plain(f"{prefix}.{norm}", hidden, bias=True)


def glm4v(vision: Settings, name: str) -> Iterator[Part]:
    """GLM-4.1V's tower: gated, without biases, and a merger as large as a layer of the language model."""
    hidden, width = vision.needed("hidden_size"), vision.needed("out_hidden_size")
    inner, merger = vision.needed("out_hidden_size"), vision.needed("intermediate_size")
    yield from _moving_patches(vision, name, hidden, bias=True)
    yield from plain(f"{name}.embeddings.position_embedding", _patches(vision), hidden)
    for layer in range(vision.needed("depth")):
        prefix = f"{name}.blocks.{layer}"
        yield from linear(f"{prefix}.attn.qkv", 3 * hidden, hidden, bias=vision.flag("attention_bias"))
        yield from linear(f"{prefix}.attn.proj", hidden, hidden)
        for matrix in ("gate_proj", "up_proj"):
            yield from linear(f"{prefix}.mlp.{matrix}", inner, hidden)
        yield from linear(f"{prefix}.mlp.down_proj", hidden, inner)
        for norm in ("norm1", "norm2"):
            yield from plain(f"{prefix}.{norm}", hidden)
    yield from plain(f"{name}.post_conv_layernorm", hidden)
    yield from plain(f"{name}.post_layernorm", hidden)
    side = vision.number("spatial_merge_size") or 2
    yield from plain(f"{name}.downsample", width, hidden, side, side, bias=True)
    yield from linear(f"{name}.merger.proj", width, width)
    yield from plain(f"{name}.merger.post_projection_norm", width, bias=True)
    for matrix in ("gate_proj", "up_proj"):
        yield from linear(f"{name}.merger.{matrix}", merger, width)
    yield from linear(f"{name}.merger.down_proj", width, merger)


def intern_vit(vision: Settings, name: str) -> Iterator[Part]:
    """InternViT: BERT-like layers whose results are scaled."""
    hidden, width = vision.needed("hidden_size"), vision.needed("intermediate_size")
    yield from bare(f"{name}.embeddings.cls_token", 1, 1, hidden)
    yield from bare(f"{name}.embeddings.position_embeddings", 1, _patches(vision) + 1, hidden)
    yield from plain(f"{name}.embeddings.patch_embedding", hidden, 3, *_patch(vision), bias=True)
    for layer in range(vision.needed("num_hidden_layers")):
        prefix, bias = (
            f"{name}.encoder.layers.{layer}",
            vision.flag("qkv_bias", default=vision.flag("attention_bias")),
        )
        yield from linear(f"{prefix}.attn.qkv", 3 * hidden, hidden, bias=bias)
        yield from linear(f"{prefix}.attn.proj", hidden, hidden, bias=True)
        yield from linear(f"{prefix}.mlp.fc1", width, hidden, bias=True)
        yield from linear(f"{prefix}.mlp.fc2", hidden, width, bias=True)
        for norm in ("norm1", "norm2"):
            yield from plain(f"{prefix}.{norm}", hidden, bias=vision.raw("norm_type") != "rms_norm")
        for scale in ("ls1", "ls2"):
            yield from bare(f"{prefix}.{scale}", hidden)


def moon_vit(vision: Settings, name: str) -> Iterator[Part]:
    """MoonViT of Kimi-VL and Kimi K2.5."""
    hidden = vision.needed("hidden_size", "vt_hidden_size")
    width = vision.needed("intermediate_size", "vt_intermediate_size")
    tall = vision.number("init_pos_emb_height", "pos_emb_height") or 64
    wide = vision.number("init_pos_emb_width", "pos_emb_width") or 64
    yield from plain(f"{name}.patch_embed.proj", hidden, 3, *_patch(vision), bias=True)
    yield from bare(f"{name}.patch_embed.pos_emb", tall, wide, hidden)
    for layer in range(vision.needed("num_hidden_layers", "vt_num_hidden_layers")):
        yield from transformer_layer(f"{name}.blocks.{layer}", hidden, width)
    yield from plain(f"{name}.final_layernorm", hidden, bias=True)


def _layers(vision: Settings, name: str) -> Iterator[Part]:
    hidden, width = vision.needed("hidden_size"), vision.needed("intermediate_size")
    for layer in range(vision.needed("num_hidden_layers")):
        yield from transformer_layer(f"{name}.encoder.layers.{layer}", hidden, width)


def _fused_layer(
    prefix: str, hidden: int, width: int, *, norm_bias: bool, gated: bool = False
) -> Iterator[Part]:
    yield from linear(f"{prefix}.attn.qkv", 3 * hidden, hidden, bias=True)
    yield from linear(f"{prefix}.attn.proj", hidden, hidden, bias=True)
    if gated:
        yield from linear(f"{prefix}.mlp.gate_proj", width, hidden, bias=True)
    yield from linear(f"{prefix}.mlp.fc1", width, hidden, bias=True)
    yield from linear(f"{prefix}.mlp.fc2", hidden, width, bias=True)
    for norm in ("norm1", "norm2"):
        yield from plain(f"{prefix}.{norm}", hidden, bias=norm_bias)


def _moving_patches(vision: Settings, name: str, hidden: int, *, bias: bool = False) -> Iterator[Part]:
    channels = vision.number("in_channels", "in_chans") or 3
    frames = vision.number("temporal_patch_size") or 2
    yield from plain(f"{name}.patch_embed.proj", hidden, channels, frames, *_patch(vision), bias=bias)


def _merger(vision: Settings, name: str, hidden: int, output: int) -> Iterator[Part]:
    merged = hidden * (vision.number("spatial_merge_size") or 2) ** 2
    yield from linear(f"{name}.merger.mlp.0", merged, merged, bias=True)
    yield from linear(f"{name}.merger.mlp.2", output, merged, bias=True)


def _patch(vision: Settings) -> tuple[int, int]:
    size = vision.raw("patch_size")
    size = size[0] if isinstance(size, list | tuple) and size else size
    return (size, size) if isinstance(size, int) else (14, 14)


def _patches(vision: Settings) -> int:
    size = vision.raw("image_size")
    size = size[0] if isinstance(size, list | tuple) and size else size
    return int(size if isinstance(size, int) else 224) // _patch(vision)[0] and (
        (int(size if isinstance(size, int) else 224) // _patch(vision)[0]) ** 2
    )


Tower = Callable[[Settings, str], Iterator[Part]]
