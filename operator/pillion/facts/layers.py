"""Which of a decoder's layers keeps what?

Configurations say it in a dozen ways: a list of kinds, a pattern of letters, a period, a list of exceptions. Each way
is one function; the first that finds its own words decides.
"""

from collections.abc import Callable, Mapping

from pillion.facts.documents import Json
from pillion.facts.model import CacheKind
from pillion.facts.reading import first, listed

Kinds = tuple[CacheKind, ...]  # what one layer keeps: nothing, one thing, or a cache and a state beside it
NONE: Kinds = ()
FULL: Kinds = (CacheKind.FULL,)
SLIDING: Kinds = (CacheKind.SLIDING,)
CHUNKED: Kinds = (CacheKind.CHUNKED,)
STATE: Kinds = (CacheKind.STATE,)
BOTH: Kinds = (CacheKind.FULL, CacheKind.STATE)

_WORDS: Mapping[str, Kinds] = {
    "full_attention": FULL,
    "attention": FULL,
    "global": FULL,
    "sliding_attention": SLIDING,
    "local": SLIDING,
    "chunked_attention": CHUNKED,
    "linear_attention": STATE,
    "mamba": STATE,
    "recurrent": STATE,
    "conv": STATE,
    "hybrid": BOTH,
    "mlp": NONE,
    "moe": NONE,
}
_PURE_STATES = frozenset({"mamba", "mamba2", "falcon_mamba"})
_PARALLEL = frozenset({"falcon_h1"})
# Windows in all layers but each n-th one, where nothing else is said (transformers 5.19, the classes' __post_init__).
_EVERY_NTH_IS_FULL: Mapping[str, int] = {
    "gemma2": 2,
    "gemma3_text": 6,
    "gemma3": 6,
    "gemma3n_text": 5,
    "gemma4_text": 6,
    "cohere2": 4,
    "exaone4": 4,
    "olmo3": 4,
    "gpt_oss": 2,
    "afmoe": 4,
    "mimo_v2_flash": 6,
}
_CHUNKS_BUT_EVERY = 4  # Llama 4: layers without rotary positions see everything


def kinds(text: Json, model_type: str, layers: int) -> tuple[Kinds, ...]:
    """What each decoder layer keeps; the layers that read another layer's cache keep nothing."""
    ways = (way(text, model_type, layers) for way in _WAYS)
    found = next((said for said in ways if said), [SLIDING if _window(text) else FULL] * layers)
    if _window(text) is None:
        found = [FULL if kind == SLIDING else kind for kind in found]
    if not first(text, "attention_chunk_size"):
        found = [FULL if kind == CHUNKED else kind for kind in found]
    shared = first(text, "num_kv_shared_layers") or 0
    return tuple(NONE if layers - shared <= index else kind for index, kind in enumerate(found))


def _window(text: Json) -> int | None:
    if text.get("use_sliding_window") is False:
        return None
    return first(text, "sliding_window", "sliding_window_size")


def window(text: Json, kind: CacheKind) -> int | None:
    """Tokens that a layer of this kind looks back."""
    if kind is CacheKind.SLIDING:
        return _window(text)
    return first(text, "attention_chunk_size") if kind is CacheKind.CHUNKED else None


def _by_words(text: Json, _type: str, layers: int) -> list[Kinds]:
    words = listed(text, "layer_types", "layers_block_type")
    return [_WORDS.get(str(word), FULL) for word in words][:layers]


def _by_letters(text: Json, _type: str, _layers: int) -> list[Kinds]:
    pattern = text.get("hybrid_override_pattern")
    return (
        [{"M": STATE, "*": FULL}.get(letter, NONE) for letter in pattern] if isinstance(pattern, str) else []
    )


def _pure(_text: Json, model_type: str, layers: int) -> list[Kinds]:
    return [STATE] * layers if model_type in _PURE_STATES else []


def _parallel(_text: Json, model_type: str, layers: int) -> list[Kinds]:
    return [BOTH] * layers if model_type in _PARALLEL else []


def _kimi(text: Json, _type: str, layers: int) -> list[Kinds]:
    linear = text.get("linear_attn_config")
    full = listed(linear, "full_attn_layers") if isinstance(linear, Mapping) else []
    return [FULL if layer + 1 in full else STATE for layer in range(layers)] if full else []


def _by_position(text: Json, _type: str, layers: int) -> list[Kinds]:
    full = listed(text, "attn_layer_indices", "full_attn_idxs")
    return [FULL if layer in full else STATE for layer in range(layers)] if full else []


def _hybrid_layers(text: Json, model_type: str, layers: int) -> list[Kinds]:
    both = listed(text, "hybrid_layer_ids")
    if not both and model_type == "zamba2":
        both = list(range(6, layers, 6))
    return [BOTH if layer in both else STATE for layer in range(layers)] if both else []


def _by_period(text: Json, _type: str, layers: int) -> list[Kinds]:
    period = first(text, "attn_layer_period")
    offset = text.get("attn_layer_offset") or 0
    return [FULL if layer % period == offset else STATE for layer in range(layers)] if period else []


def _by_interval(text: Json, model_type: str, layers: int) -> list[Kinds]:
    interval = first(text, "full_attention_interval")
    if model_type.startswith("bailing"):
        interval = first(text, "layer_group_size")
    elif not first(text, "linear_num_value_heads"):
        return []
    interval = interval or 4  # Qwen3-Next and Qwen3.5 where their file is silent
    return [STATE if (layer + 1) % interval else FULL for layer in range(layers)]


def _by_numbers(text: Json, model_type: str, layers: int) -> list[Kinds]:
    types = listed(text, "attn_type_list")
    if types:  # MiniMax-01: 0 is lightning attention
        return [FULL if kind else STATE for kind in types][:layers]
    pattern = listed(text, "hybrid_layer_pattern") if model_type.startswith("mimo") else []
    return [SLIDING if kind else FULL for kind in pattern][:layers]


def _chunks(text: Json, model_type: str, layers: int) -> list[Kinds]:
    if not model_type.startswith("llama4"):
        return []
    rotary = listed(text, "no_rope_layers")  # 1: the layer has rotary positions, whatever the name says
    every = first(text, "no_rope_layer_interval") or _CHUNKS_BUT_EVERY
    return [
        CHUNKED if (rotary[layer] if layer < len(rotary) else (layer + 1) % every) else FULL
        for layer in range(layers)
    ]


def _by_pattern(text: Json, model_type: str, layers: int) -> list[Kinds]:
    said = text.get("sliding_window_pattern") or text.get("_sliding_window_pattern")
    if isinstance(said, str) and said:  # EXAONE 4's LLLG, repeated; its last layer sees everything
        letters = [said[layer % len(said)] for layer in range(layers - 1)]
        return [*(SLIDING if letter == "L" else FULL for letter in letters), FULL]
    every = said if isinstance(said, int) else first(text, "global_attn_every_n_layers")
    every = every or _EVERY_NTH_IS_FULL.get(model_type)
    if not every:
        return []
    found = [SLIDING if (layer + 1) % every else FULL for layer in range(layers)]
    if model_type == "gpt_oss":
        return [SLIDING if layer % every == 0 else FULL for layer in range(layers)]
    if model_type == "gemma4_text":
        found[-1:] = [FULL]  # its last layer sees everything
    if model_type == "mimo_v2_flash":
        found[:1] = [FULL]  # and so does this one's first
    return found


def _blocks(text: Json, _type: str, _layers: int) -> list[Kinds]:
    blocks = listed(text, "block_configs")
    return [NONE if ((block or {}).get("attention") or {}).get("no_op") else FULL for block in blocks]


def _compressed(_text: Json, model_type: str, layers: int) -> list[Kinds]:
    # Windows beside vectors for 4 or 128 tokens each, which no other kind here describes: all is counted, too much.
    return [FULL] * layers if model_type.startswith("deepseek_v4") else []


def _some_windows(text: Json, _type: str, layers: int) -> list[Kinds]:
    """Qwen2 and its kin: windows from a layer on, where they are switched on at all."""
    start = text.get("max_window_layers")
    if text.get("use_sliding_window") is not True or not isinstance(start, int):
        return []
    return [SLIDING if layer >= start else FULL for layer in range(layers)] if start < layers else []


_WAYS: tuple[Callable[[Json, str, int], list[Kinds]], ...] = (
    _by_words,
    _by_letters,
    _pure,
    _parallel,
    _kimi,
    _by_position,
    _hybrid_layers,
    _by_period,
    _by_interval,
    _by_numbers,
    _chunks,
    _by_pattern,
    _blocks,
    _compressed,
    _some_windows,
)
