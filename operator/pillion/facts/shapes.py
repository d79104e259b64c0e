"""What shape has the model that a config.json describes?

Configurations of a dozen families use different names for the same thing; this is the one place that knows
them. Wrappers for several modalities keep the language model's part under a key of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pillion.facts import blueprint, cached, class_defaults, two_stacks
from pillion.facts.documents import Json
from pillion.facts.model import AttentionKind, AttentionShape, CacheKind, RecurrentState
from pillion.facts.reading import first

_TEXT_PARTS = ("text_config", "llm_config", "language_config", "language_model_config")
_LENGTH_KEYS = (
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "model_max_length",
    "max_target_positions",
    "max_sequence_length",
    "n_ctx",
)
# Scaled lengths that are already in max_position_embeddings (vLLM 0.33.0, config/model.py).
_ALREADY_SCALED = frozenset({"su", "longrope", "llama3", "mrope", "default", "deepseek_yarn", "proportional"})
_ENCODER_TYPES = frozenset(
    {
        "albert",
        "bert",
        "camembert",
        "deberta",
        "deberta-v2",
        "distilbert",
        "electra",
        "eurobert",
        "gte",
        "new",
    }
    | {"jina_embeddings_v3", "modernbert", "mpnet", "nomic_bert", "roberta", "roformer", "xlm-roberta"}
    | {"xlm-roberta-xl"}
)
_NAMES_ITS_WINDOW = frozenset({"mistral", "mixtral", "ministral", "ministral3", "mistral4"})
_LAYERS = ("decoder_layers", "num_decoder_layers", "num_hidden_layers", "n_layer", "n_layers", "num_layers")
_HIDDEN = ("hidden_size", "n_embd", "d_model", "model_dim", "dim")
_STATES_ALONE = frozenset({"mamba", "mamba2", "falcon_mamba"})
_QUERY_HEADS = ("decoder_attention_heads", "num_attention_heads", "n_head", "n_heads", "num_heads")
_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert"})  # the first two positions are padding


class ShapeUnknownError(ValueError):
    """The configuration lacks a number without which nothing can be sized. Caught where facts are made."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """Dimensions of the language model."""

    attention: AttentionShape
    all_layers: int
    hidden_size: int
    intermediate_size: int
    vocab_size: int
    max_context_tokens: int | None
    experts: int
    experts_per_token: int
    tied_embeddings: bool
    multimodal: bool


def text_part(config: Json) -> Json:
    """The language model's own configuration: a part of the file in models of several modalities."""
    for key in _TEXT_PARTS:
        part = config.get(key)
        if isinstance(part, Mapping) and part:
            return {"tie_word_embeddings": config.get("tie_word_embeddings"), **part}
    thinker = config.get("thinker_config")
    return text_part(thinker) if isinstance(thinker, Mapping) else config


def shape(config: Json, *, sentence_config: Json | None = None) -> Shape:
    """The dimensions that a config.json describes.

    Raises:
        ShapeUnknownError: layers, hidden size, heads or vocabulary are nowhere in it.
    """
    config_said, said = config, text_part(config)
    config = class_defaults.filled(config)
    text = text_part(config)
    model_type = str(text.get("model_type") or config.get("model_type") or "")
    silent = _never_meant(said, model_type)
    text = {key: value for key, value in text.items() if value is not None and key not in silent}
    # A part of a wrapper may leave out what its class knows; a whole file may not.
    whole = said is config_said
    layers = _listed_layers(text) or _needed(said if whole else text, *_LAYERS)
    hidden = _needed(said if whole else text, *_HIDDEN)
    experts = first(
        text, "num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts", "num_routed_experts"
    )
    return Shape(
        attention=_attention(
            text,
            model_type,
            layers=layers,
            hidden=hidden,
            queries=_queries(said if whole else text, model_type),
        ),
        all_layers=layers,
        hidden_size=hidden,
        intermediate_size=first(text, "intermediate_size", "n_inner", "ffn_hidden_size", "ffn_dim", "d_ff")
        or 4 * hidden,
        vocab_size=_needed(said if whole else text, "vocab_size", "padded_vocab_size"),
        max_context_tokens=_max_context(text, model_type, sentence_config or {}),
        experts=experts or 0,
        experts_per_token=first(
            text, "num_experts_per_tok", "num_experts_per_token", "top_k_experts", "moe_top_k", "moe_topk"
        )
        or 0,
        tied_embeddings=bool(text.get("tie_word_embeddings")),
        multimodal=text_part(config) is not config or "vision_config" in config or "audio_config" in config,
    )


def _never_meant(said: Json, model_type: str) -> frozenset[str]:
    """Keys that each file of a family names, often as null: without them nothing is meant."""
    return frozenset({"sliding_window"} - said.keys()) if model_type in _NAMES_ITS_WINDOW else frozenset()


def _queries(text: Json, model_type: str) -> int:
    alone = model_type in _STATES_ALONE and not first(text, *_QUERY_HEADS)
    return 1 if alone else _needed(text, *_QUERY_HEADS)


def _attention(text: Json, model_type: str, *, layers: int, hidden: int, queries: int) -> AttentionShape:
    head_dim = first(text, "head_dim", "attention_head_dim", "kv_channels", "d_kv") or hidden // queries
    kv_heads = _kv_heads(text, queries)
    if _sees_everything_at_once(text, model_type):
        return AttentionShape(
            kind=AttentionKind.ENCODER,
            layers=0,
            heads=queries,
            kv_heads=kv_heads,
            key_head_dim=head_dim,
            value_head_dim=head_dim,
            all_layers=layers,
        )
    heads = _heads(text, model_type, queries=queries, kv_heads=kv_heads, head_dim=head_dim)
    kept = cached.cached(text, model_type, all_layers=layers, heads=heads)
    caching = {layer for entry in kept if entry.state is None for layer in entry.positions}
    windowed = [entry for entry in kept if entry.kind in {CacheKind.SLIDING, CacheKind.CHUNKED}]
    stateful = [entry for entry in kept if entry.state]
    widest = max((e for e in kept if e.kv_heads), key=lambda e: e.kv_heads * e.key_head_dim, default=None)
    return AttentionShape(
        kind=AttentionKind.LATENT if heads.latent else AttentionKind.GROUPED,
        layers=len(caching),
        heads=queries,
        kv_heads=widest.kv_heads if widest else heads.kv_heads,
        key_head_dim=widest.key_head_dim if widest else heads.key_dim,
        value_head_dim=widest.value_head_dim if widest else heads.value_dim,
        index_bytes=cached.index_bytes(text),
        sliding_window=next((entry.window for entry in windowed), None),
        sliding_layers=sum(len(entry.positions) for entry in windowed),
        recurrent_layers=sum(len(entry.positions) for entry in stateful),
        recurrent_state_bytes=max(
            (_state_bytes(entry.state) for entry in stateful if entry.state), default=0
        ),
        cached=kept,
        all_layers=layers,
    )


def _sees_everything_at_once(text: Json, model_type: str) -> bool:
    """Whether nothing has to be kept: an encoder, or a decoder that was made one to embed texts.

    Source: vLLM 0.33.0, `is_causal` in model_executor/models (llama, qwen2, qwen3, gemma3) and models/config.py.
    """
    if model_type in _ENCODER_TYPES and not text.get("is_decoder"):
        return True
    bidirectional = model_type.startswith("gemma3") and text.get("use_bidirectional_attention") is True
    return text.get("is_causal") is False or bidirectional


def _heads(text: Json, model_type: str, *, queries: int, kv_heads: int, head_dim: int) -> cached.Heads:
    """Keys and values of a layer about which nothing special is said."""
    # Engines keep latent vectors of families that they know as such; of others nobody knows it.
    known = model_type in blueprint.known_types() or model_type.startswith("deepseek")
    if known and cached.is_latent(text, model_type):
        return cached.latent_heads(text)
    if first(text, "kv_lora_rank"):  # latent vectors that engines expand, and cache as ordinary heads
        expanded = (first(text, "qk_nope_head_dim") or 0) + (first(text, "qk_rope_head_dim") or 0)
        return cached.Heads(kv_heads=queries, key_dim=expanded or head_dim, value_dim=expanded or head_dim)
    if model_type == "zamba2":
        head_dim = first(text, "attention_head_dim") or 2 * (first(text, "hidden_size") or 0) // queries
    if not known and model_type != "whisper" and two_stacks.has_two(text):
        kv_heads *= 2  # as much again for what was read, as if that were as long as what is written
    # Some models keep shorter values than keys; where the key exists beside ordinary heads, it counts.
    return cached.Heads(kv_heads=kv_heads, key_dim=head_dim, value_dim=first(text, "v_head_dim") or head_dim)


def _state_bytes(state: RecurrentState) -> int:
    """State of one recurrent layer for one request: the state in 32 bit, its convolution in 16."""
    inputs = state.channels + state.groups * state.group_channels
    return state.elements * 4 + inputs * state.remembered * 2


def _listed_layers(text: Json) -> int | None:
    """Layers where a configuration lists their kinds and gives no number."""
    if first(text, *_LAYERS):
        return None
    kinds = text.get("layer_types") or text.get("layers_block_type") or text.get("hybrid_override_pattern")
    return len(kinds) if isinstance(kinds, list | str) and kinds else None


def _kv_heads(text: Json, heads: int) -> int:
    nested = text.get("attn_config")
    named = first(
        text, "num_key_value_heads", "n_head_kv", "num_kv_heads", "multi_query_group_num", "n_kv_heads"
    ) or (first(nested, "kv_n_heads") if isinstance(nested, Mapping) else None)
    if text.get("multi_query") is True and not text.get("new_decoder_architecture"):
        return 1  # Falcon and GPT-BigCode say it in a word, and leave the number at its default
    # Per-layer counts (searched architectures) are charged at their largest.
    per_layer = [
        heads // group
        for block in text.get("block_configs") or ()
        if (group := ((block or {}).get("attention") or {}).get("n_heads_in_group"))
    ]
    return named or max(per_layer, default=heads)


def _max_context(text: Json, model_type: str, sentence_config: Json) -> int | None:
    """The longest request the model was made for.

    Source: vLLM 0.33.0, config/model.py, _get_and_verify_max_len.
    """
    limit = first(sentence_config, "max_seq_length")
    if limit:
        return limit
    lengths = [length for key in _LENGTH_KEYS if (length := first(text, key))]
    if not lengths:
        return None
    derived = min(lengths)
    if model_type in _OFFSET_POSITIONS:
        return derived - 2
    scaling = text.get("rope_scaling") or text.get("rope_parameters")
    if not isinstance(scaling, Mapping) or model_type.startswith("gemma3"):
        return derived
    kind = scaling.get("rope_type") or scaling.get("type")
    factor = scaling.get("factor")
    if kind is None or kind in _ALREADY_SCALED or not isinstance(factor, int | float):
        return derived
    original = first(scaling, "original_max_position_embeddings")
    if kind == "yarn" and original:
        derived = original
    return int(derived * factor)


def _needed(source: Json, *keys: str) -> int:
    value = first(source, *keys)
    if value is None:
        raise ShapeUnknownError(next(key for key in keys if "decoder_" not in key))  # the common name
    return value
