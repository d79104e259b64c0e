"""Which towers and projectors stand before the language model in a model of several modalities?

Source: transformers 5.16, the modeling files of the model types in the tables, and for `internvl_chat` and
`kimi_vl` vLLM 0.33.0, model_executor/models/{internvl,kimi_vl}.py.
"""

from collections.abc import Callable, Iterator

from pillion.facts.blueprint import conformers, towers
from pillion.facts.blueprint.attention import hidden_size
from pillion.facts.blueprint.parts import Part, Settings, bare, linear, plain

# Towers that no configuration describes. The totals of gemma-3n-E2B (5,439,438,272) and -E4B (7,849,978,192) are larger
# than their language models by the same number; its conformer and embedders are counted from transformers' classes, and
# the rest is MobileNetV5 with its embedder.
_GEMMA3N_CONFORMER = 681_348_640 + 3_345_408
_MOBILENET_V5 = 983_281_504 - _GEMMA3N_CONFORMER
# Phi-4-multimodal-instruct has 5,574,460,384 parameters, of which 3,836,021,760 are Phi-4-mini's.
# Phi-3.5-vision-instruct has 4,146,621,440, of which 3,821,079,552 are Phi-3-mini's.
_UNDESCRIBED = {"phi3_v": 4_146_621_440 - 3_821_079_552, "phi4mm": 5_574_460_384 - 3_836_021_760}
UNKNOWN_TOWER = 700_000_000  # parameters, ASSUMED: the towers of Qwen2-VL and RADIO-H have 630 to 680 million
_SEEING = frozenset({"gemma3", "gemma3n", "gemma4", "llama4", "minimax_m3_vl", "mllama"})
_HEARING = frozenset(
    {"gemma3n", "gemma4", "qwen2_5_omni_thinker", "qwen2_audio", "qwen3_omni_moe_thinker", "voxtral"}
)
# Towers by the type that `vision_config` names, where the wrapper does not settle it.
_BY_TYPE: dict[str, towers.Tower] = {
    "clip_vision_model": towers.clip,
    "siglip_vision_model": towers.siglip,
    "siglip2_vision_model": towers.siglip,
    "pixtral": towers.pixtral,
    "intern_vit_6b": towers.intern_vit,
    "internvl_vision": towers.intern_vit,
    "kimi_k25_vision": towers.moon_vit,
    "moonvit": towers.moon_vit,
    "idefics3_vision": towers.siglip,
    "smolvlm_vision": towers.siglip,
    "whisper": conformers.whisper,
    "qwen2_audio_encoder": conformers.whisper,
    "voxtral_encoder": conformers.whisper,
}
_QWEN: dict[str, towers.Tower] = {
    "qwen2_vl": towers.qwen2_vl,
    "qwen2_5_vl": towers.qwen2_5_vl,
    "qwen3_vl": towers.qwen3_vl,
    "qwen3_vl_moe": towers.qwen3_vl,
    "qwen3_5": towers.qwen3_vl,
    "qwen3_5_moe": towers.qwen3_vl,
    "qwen3_omni_moe_thinker": towers.qwen3_vl,
    "qwen2_5_omni_thinker": towers.qwen2_5_vl,
    "glm4v": towers.glm4v,
    "glm4v_moe": towers.glm4v,
    "glm46v": towers.glm4v,
}


def seeing(config: Settings, text: Settings) -> Iterator[Part]:
    """The tensors of `vision_config`: the tower and what projects from it. Nothing where there is none."""
    vision, outer = config.part("vision_config"), config.model_type
    if outer in _UNDESCRIBED:
        yield from bare("model.embed_tokens_extend", _UNDESCRIBED[outer])
    if vision is None:
        return
    if outer in _QWEN:
        yield from _QWEN[outer](vision, "visual")
        return
    hidden, name = hidden_size(text), "vision_tower"
    match outer:
        case "gemma3n":
            yield from bare("model.vision_tower", _MOBILENET_V5)
        case "minimax_m3_vl":
            yield from _minimax(vision, name, hidden)
        case "llama4":
            yield from towers.llama4_vision(vision, "vision_model")
            width = vision.number("vision_output_dim") or vision.needed("intermediate_size")
            yield from linear("multi_modal_projector.linear_1", hidden, width)
        case "mllama":
            yield from towers.mllama_vision(vision, "vision_model")
            width = vision.needed("vision_output_dim")
            yield from linear("multi_modal_projector", hidden, width, bias=True)
        case "gemma4":
            yield from towers.gemma4_vision(vision, name)
            yield from linear("embed_vision.embedding_projection", hidden, vision.needed("hidden_size"))
        case "gemma3":
            yield from towers.siglip(vision, name)
            yield from bare(
                "multi_modal_projector.mm_input_projection_weight", vision.needed("hidden_size"), hidden
            )
            yield from plain("multi_modal_projector.mm_soft_emb_norm", vision.needed("hidden_size"))
        case _:
            yield from tower_of(vision)(vision, name)
            yield from _PROJECTORS.get(outer, _two_layers)(config, vision, hidden)


def hearing(config: Settings, text: Settings) -> Iterator[Part]:
    """The tensors of `audio_config`."""
    audio = config.part("audio_config")
    if audio is None:
        return
    if config.model_type == "gemma3n":
        yield from bare("model.audio_tower", _GEMMA3N_CONFORMER)
        return
    hidden = hidden_size(text)
    if config.model_type == "gemma4":
        yield from conformers.gemma4_audio(audio, "audio_tower")
        width = audio.number("output_proj_dims") or 1536
        yield from linear("embed_audio.embedding_projection", hidden, width)
        return
    yield from conformers.whisper(audio, "audio_tower")
    width = audio.needed("d_model", "hidden_size")
    if config.model_type == "voxtral":
        yield from linear("multi_modal_projector.linear_1", hidden, audio.needed("intermediate_size"))
        yield from linear("multi_modal_projector.linear_2", hidden, hidden)
        return
    yield from linear("multi_modal_projector.linear", hidden, width, bias=True)


def tower_of(vision: Settings) -> towers.Tower:
    """The tower that a configuration names; SigLIP's for one that is not known, whose build is usual."""
    return _BY_TYPE.get(vision.model_type, towers.siglip)


def is_known(config: Settings) -> bool:
    """Whether the wrapper's towers are computed rather than guessed."""
    vision, audio = config.part("vision_config"), config.part("audio_config")
    sees = config.model_type in _PROJECTORS or config.model_type in _QWEN or config.model_type in _SEEING
    return (vision is None or sees) and (audio is None or config.model_type in _HEARING)


def _minimax(vision: Settings, name: str, hidden: int) -> Iterator[Part]:
    """CLIP's layers over patches of two frames, without learned positions; a second projector merges patches."""
    width, frames = vision.needed("hidden_size"), vision.number("temporal_patch_size") or 2
    side = vision.number("patch_size") or 14
    yield from plain(f"{name}.embeddings.proj", width, 3, frames, side, side)
    yield from plain(f"{name}.pre_layrnorm", width, bias=True)
    for layer in range(vision.needed("num_hidden_layers")):
        prefix = f"{name}.layers.{layer}"
        yield from towers.transformer_layer(prefix, width, vision.needed("intermediate_size"))
    merged = hidden * (vision.number("spatial_merge_size") or 2) ** 2
    for first, inputs in (("linear_1", width), ("merge_linear_1", merged)):
        yield from linear(f"multi_modal_projector.{first}", hidden, inputs, bias=True)
    for second in ("linear_2", "merge_linear_2"):
        yield from linear(f"multi_modal_projector.{second}", hidden, hidden, bias=True)


def _two_layers(_config: Settings, vision: Settings, hidden: int) -> Iterator[Part]:
    yield from linear("multi_modal_projector.linear_1", hidden, vision.needed("hidden_size"), bias=True)
    yield from linear("multi_modal_projector.linear_2", hidden, hidden, bias=True)


def _next(config: Settings, vision: Settings, hidden: int) -> Iterator[Part]:
    yield from bare("image_newline", hidden)
    yield from _two_layers(config, vision, hidden)


def _one_layer(_config: Settings, vision: Settings, hidden: int) -> Iterator[Part]:
    yield from linear("multi_modal_projector.linear", hidden, vision.needed("hidden_size"), bias=True)


def _patch_merger(config: Settings, vision: Settings, hidden: int) -> Iterator[Part]:
    width = vision.needed("hidden_size")
    merged = width * (config.number("spatial_merge_size") or 2) ** 2
    yield from plain("multi_modal_projector.norm", width)
    yield from linear("multi_modal_projector.patch_merger.merging_layer", width, merged)
    bias = config.flag("multimodal_projector_bias")
    yield from linear("multi_modal_projector.linear_1", hidden, width, bias=bias)
    yield from linear("multi_modal_projector.linear_2", hidden, hidden, bias=bias)


def _pixel_shuffle(config: Settings, vision: Settings, hidden: int) -> Iterator[Part]:
    ratio = config.raw("downsample_ratio")
    merged = int(vision.needed("hidden_size") / (ratio if isinstance(ratio, float) else 0.5) ** 2)
    yield from plain("multi_modal_projector.layer_norm", merged, bias=True)
    yield from linear("multi_modal_projector.linear_1", hidden, merged, bias=True)
    yield from linear("multi_modal_projector.linear_2", hidden, hidden, bias=True)


def _connector(config: Settings, vision: Settings, hidden: int) -> Iterator[Part]:
    merged = vision.needed("hidden_size") * (config.number("scale_factor") or 2) ** 2
    yield from linear("multi_modal_projector.modality_projection", hidden, merged)


def _lfm2_projector(config: Settings, vision: Settings, hidden: int) -> Iterator[Part]:
    merged = vision.needed("hidden_size") * (config.number("downsample_factor") or 2) ** 2
    width = config.number("projector_hidden_size") or hidden
    yield from plain("multi_modal_projector.layer_norm", merged, bias=True)
    yield from linear("multi_modal_projector.linear_1", width, merged, bias=True)
    yield from linear("multi_modal_projector.linear_2", hidden, width, bias=True)


def _kimi_projector(_config: Settings, vision: Settings, hidden: int) -> Iterator[Part]:
    width = vision.needed("hidden_size", "vt_hidden_size")
    yield from plain("mm_projector.pre_norm", width, bias=True)
    yield from linear("mm_projector.linear_1", 4 * width, 4 * width, bias=True)
    yield from linear("mm_projector.linear_2", hidden, 4 * width, bias=True)


_PROJECTORS: dict[str, Callable[[Settings, Settings, int], Iterator[Part]]] = {
    "idefics3": _connector,
    "internvl": _pixel_shuffle,
    "internvl_chat": _pixel_shuffle,
    "lfm2_vl": _lfm2_projector,
    "kimi_k25": _kimi_projector,
    "kimi_k3": _kimi_projector,
    "kimi_vl": _kimi_projector,
    "lighton_ocr": _patch_merger,
    "llava": _two_layers,
    "llava_next": _next,
    "llava_onevision": _next,
    "mistral3": _patch_merger,
    "paligemma": _one_layer,
    "smolvlm": _connector,
}
