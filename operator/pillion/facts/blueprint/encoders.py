"""Which tensors does an encoder have, which sees its whole input at once?

Heads that only training uses (masked words) are left out, as engines leave them out; a classifier is counted.

Source: transformers 5.16, models/{bert,roberta,distilbert,modernbert,nomic_bert,mpnet,deberta_v2,electra,albert},
and the code that came with the checkpoints for `new` (GTE) and the first `nomic_bert`.
"""

from collections.abc import Callable, Iterator

from pillion.facts.blueprint import decoder, feed_forward
from pillion.facts.blueprint.attention import hidden_size
from pillion.facts.blueprint.parts import Part, Settings, linear, plain


def bert(settings: Settings, *, task_head: str) -> Iterator[Part]:
    """BERT and those that changed only its training: RoBERTa, XLM-R, CamemBERT, MPNet."""
    hidden, width = hidden_size(settings), feed_forward.intermediate_size(settings)
    narrow = settings.number("embedding_size") or hidden  # ELECTRA and ALBERT embed in fewer dimensions
    yield from plain("embeddings.word_embeddings", decoder.vocabulary(settings), narrow)
    yield from plain("embeddings.position_embeddings", settings.needed("max_position_embeddings"), narrow)
    if types := settings.count("type_vocab_size"):
        yield from plain("embeddings.token_type_embeddings", types, narrow)
    yield from plain("embeddings.LayerNorm", narrow, bias=True)
    if narrow != hidden:
        yield from linear("embeddings_project", hidden, narrow, bias=True)
    shared = settings.model_type == "albert"  # all of its layers are the same one
    for layer in range(settings.number("num_hidden_groups") or 1 if shared else decoder.layers(settings)):
        prefix = f"encoder.layer.{layer}"
        yield from _bert_attention(f"{prefix}.attention", hidden)
        yield from linear(f"{prefix}.intermediate.dense", width, hidden, bias=True)
        yield from linear(f"{prefix}.output.dense", hidden, width, bias=True)
        yield from plain(f"{prefix}.output.LayerNorm", hidden, bias=True)
    if settings.model_type == "mpnet":
        heads = settings.needed("num_attention_heads")
        yield from plain("encoder.relative_attention_bias", 32, heads)
    yield from _bert_head(settings, hidden, task_head)


def distilbert(settings: Settings, *, task_head: str) -> Iterator[Part]:
    """DistilBERT: BERT without token types and pooler, under names of its own."""
    hidden, width = hidden_size(settings), settings.number("hidden_dim") or 4 * hidden_size(settings)
    yield from plain("embeddings.word_embeddings", decoder.vocabulary(settings), hidden)
    yield from plain("embeddings.position_embeddings", settings.needed("max_position_embeddings"), hidden)
    yield from plain("embeddings.LayerNorm", hidden, bias=True)
    for layer in range(decoder.layers(settings)):
        prefix = f"transformer.layer.{layer}"
        for name in ("q_lin", "k_lin", "v_lin", "out_lin"):
            yield from linear(f"{prefix}.attention.{name}", hidden, hidden, bias=True)
        yield from plain(f"{prefix}.sa_layer_norm", hidden, bias=True)
        yield from linear(f"{prefix}.ffn.lin1", width, hidden, bias=True)
        yield from linear(f"{prefix}.ffn.lin2", hidden, width, bias=True)
        yield from plain(f"{prefix}.output_layer_norm", hidden, bias=True)
    if task_head:
        yield from linear("pre_classifier", hidden, hidden, bias=True)
        yield from linear("classifier", _labels(settings), hidden, bias=True)


def modernbert(settings: Settings, *, task_head: str) -> Iterator[Part]:
    """ModernBERT: one projection for queries, keys and values, a gated feed-forward, no biases."""
    hidden, width = hidden_size(settings), feed_forward.intermediate_size(settings)
    yield from plain("embeddings.tok_embeddings", decoder.vocabulary(settings), hidden)
    yield from plain("embeddings.norm", hidden)
    for layer in range(decoder.layers(settings)):
        prefix = f"layers.{layer}"
        if layer:
            yield from plain(f"{prefix}.attn_norm", hidden)
        bias = settings.flag("attention_bias")
        yield from linear(f"{prefix}.attn.Wqkv", 3 * hidden, hidden, bias=bias)
        yield from linear(f"{prefix}.attn.Wo", hidden, hidden, bias=bias)
        yield from plain(f"{prefix}.mlp_norm", hidden)
        yield from linear(f"{prefix}.mlp.Wi", 2 * width, hidden, bias=settings.flag("mlp_bias"))
        yield from linear(f"{prefix}.mlp.Wo", hidden, width, bias=settings.flag("mlp_bias"))
    yield from plain("final_norm", hidden)
    if task_head:
        yield from linear("head.dense", hidden, hidden, bias=settings.flag("classifier_bias"))
        yield from plain("head.norm", hidden)
        yield from linear("classifier", _labels(settings), hidden, bias=True)


def rotary_bert(settings: Settings, *, task_head: str) -> Iterator[Part]:
    """BERT with rotated positions and mostly a gated feed-forward: Nomic, GTE (`new`), Snowflake Arctic."""
    hidden, width = hidden_size(settings), feed_forward.intermediate_size(settings)
    nomic = settings.model_type == "nomic_bert"
    bias = settings.flag("qkv_proj_bias", default=not nomic)
    gated = (
        str(settings.raw("activation_function", "hidden_act") or "swiglu") not in {"gelu", "relu"}
        or not nomic
    )
    yield from plain("embeddings.word_embeddings", decoder.vocabulary(settings), hidden)
    if types := settings.count("type_vocab_size"):
        yield from plain("embeddings.token_type_embeddings", types, hidden)
    yield from plain("embeddings.LayerNorm", hidden, bias=True)
    for layer in range(decoder.layers(settings)):
        prefix = f"encoder.layers.{layer}"
        yield from linear(f"{prefix}.attn.Wqkv", 3 * hidden, hidden, bias=bias)
        yield from linear(f"{prefix}.attn.out_proj", hidden, hidden, bias=bias)
        yield from linear(f"{prefix}.mlp.up_proj", width * (2 if gated else 1), hidden)
        yield from linear(f"{prefix}.mlp.down_proj", hidden, width, bias=not nomic)
        yield from plain(f"{prefix}.norm1", hidden, bias=True)
        yield from plain(f"{prefix}.norm2", hidden, bias=True)
    if task_head:
        yield from linear("pooler.dense", hidden, hidden, bias=True)
        yield from linear("classifier", _labels(settings), hidden, bias=True)


def deberta(settings: Settings, *, task_head: str) -> Iterator[Part]:
    """DeBERTa v2 and v3: relative positions, embedded once for all layers."""
    hidden, width = hidden_size(settings), feed_forward.intermediate_size(settings)
    yield from plain("embeddings.word_embeddings", decoder.vocabulary(settings), hidden)
    if settings.flag("position_biased_input", default=True):
        yield from plain("embeddings.position_embeddings", settings.needed("max_position_embeddings"), hidden)
    yield from plain("embeddings.LayerNorm", hidden, bias=True)
    if settings.flag("relative_attention"):
        buckets = settings.number("position_buckets") or settings.needed("max_position_embeddings")
        yield from plain("encoder.rel_embeddings", 2 * buckets, hidden)
        yield from plain("encoder.LayerNorm", hidden, bias=True)
    for layer in range(decoder.layers(settings)):
        prefix = f"encoder.layer.{layer}"
        yield from _bert_attention(f"{prefix}.attention", hidden)
        yield from linear(f"{prefix}.intermediate.dense", width, hidden, bias=True)
        yield from linear(f"{prefix}.output.dense", hidden, width, bias=True)
        yield from plain(f"{prefix}.output.LayerNorm", hidden, bias=True)
    if task_head:
        yield from linear("pooler.dense", hidden, hidden, bias=True)
        yield from linear("classifier", _labels(settings), hidden, bias=True)


def _bert_attention(prefix: str, hidden: int) -> Iterator[Part]:
    for name in ("query", "key", "value"):
        yield from linear(f"{prefix}.self.{name}", hidden, hidden, bias=True)
    yield from linear(f"{prefix}.output.dense", hidden, hidden, bias=True)
    yield from plain(f"{prefix}.output.LayerNorm", hidden, bias=True)


def _bert_head(settings: Settings, hidden: int, task_head: str) -> Iterator[Part]:
    """The pooler; RoBERTa's classifiers have a layer of their own instead."""
    robertas = settings.model_type in {"roberta", "xlm-roberta", "camembert"}
    if task_head and robertas:
        yield from linear("classifier.dense", hidden, hidden, bias=True)
        yield from linear("classifier.out_proj", _labels(settings), hidden, bias=True)
        return
    if settings.model_type != "electra":
        yield from linear("pooler.dense", hidden, hidden, bias=True)
    if task_head:
        yield from linear("classifier", _labels(settings), hidden, bias=True)


def _labels(settings: Settings) -> int:
    named = settings.raw("id2label")
    return settings.number("num_labels") or (len(named) if isinstance(named, dict) and named else 2)


Encoder = Callable[..., Iterator[Part]]
ENCODERS: dict[str, Encoder] = {
    "albert": bert,
    "bert": bert,
    "camembert": bert,
    "deberta-v2": deberta,
    "distilbert": distilbert,
    "electra": bert,
    "gte": rotary_bert,
    "modernbert": modernbert,
    "mpnet": bert,
    "new": rotary_bert,
    "nomic_bert": rotary_bert,
    "roberta": bert,
    "xlm-roberta": bert,
}
