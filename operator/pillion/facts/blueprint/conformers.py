"""Which tensors hear: the towers of models that listen?

Source: transformers 5.16, models/{gemma4,whisper}/modeling_*.py.
"""

from collections.abc import Iterator

from pillion.facts.blueprint import towers
from pillion.facts.blueprint.parts import Part, Settings, bare, linear, plain


def gemma4_audio(audio: Settings, name: str) -> Iterator[Part]:
    """Gemma 4's conformer."""
    hidden = audio.needed("hidden_size")
    first, second = (audio.each("subsampling_conv_channels") or [128, 32])[:2]
    yield from plain(f"{name}.subsample.layer0.conv", first, 1, 3, 3)
    yield from plain(f"{name}.subsample.layer0.norm", first)
    yield from plain(f"{name}.subsample.layer1.conv", second, first, 3, 3)
    yield from plain(f"{name}.subsample.layer1.norm", second)
    yield from linear(f"{name}.subsample.input_proj_linear", hidden, 32 * second)
    for layer in range(audio.needed("num_hidden_layers")):
        prefix = f"{name}.layers.{layer}"
        for block in ("feed_forward1", "feed_forward2"):
            yield from linear(f"{prefix}.{block}.ffw_layer_1", 4 * hidden, hidden)
            yield from linear(f"{prefix}.{block}.ffw_layer_2", hidden, 4 * hidden)
        for projection in ("q_proj", "k_proj", "v_proj", "post", "relative_k_proj"):
            yield from linear(f"{prefix}.self_attn.{projection}", hidden, hidden)
        yield from linear(f"{prefix}.lconv1d.linear_start", 2 * hidden, hidden)
        yield from linear(f"{prefix}.lconv1d.linear_end", hidden, hidden)
        yield from plain(
            f"{prefix}.lconv1d.depthwise_conv1d", hidden, 1, audio.number("conv_kernel_size") or 5
        )
        yield from bare(f"{prefix}.self_attn.per_dim_scale", hidden // audio.needed("num_attention_heads"))
        for norm in range(9):
            yield from plain(f"{prefix}.norm{norm}", hidden)
    yield from linear(f"{name}.output_proj", audio.number("output_proj_dims") or 1536, hidden, bias=True)


def whisper(audio: Settings, name: str) -> Iterator[Part]:
    """Whisper's encoder, as Qwen2-Audio, Voxtral and Ultravox use it."""
    hidden, width = (
        audio.needed("d_model", "hidden_size"),
        audio.needed("encoder_ffn_dim", "intermediate_size"),
    )
    yield from plain(f"{name}.conv1", hidden, audio.number("num_mel_bins") or 128, 3, bias=True)
    yield from plain(f"{name}.conv2", hidden, hidden, 3, bias=True)
    yield from plain(f"{name}.embed_positions", audio.number("max_source_positions") or 1500, hidden)
    for layer in range(audio.needed("encoder_layers", "num_hidden_layers")):
        yield from towers.transformer_layer(f"{name}.layers.{layer}", hidden, width, key_bias=False)
    yield from plain(f"{name}.layer_norm", hidden, bias=True)
