"""How does each family of decoders differ from the usual one?

The usual decoder is Llama's: separate projections without biases, a gated feed-forward, two RMS norms a layer.
A row says where a family differs, and which names its checkpoints use where these are not Llama's.

Source: the parameters that the classes of transformers 5.16 create (models/*/modeling_*.py), and for families
whose code is in their own repositories vLLM 0.33.0, model_executor/models.
"""

from dataclasses import dataclass
from enum import Enum, auto


class QueryNorm(Enum):
    """What is normed in queries and keys before attention."""

    NONE = auto()
    PER_HEAD = auto()  # one weight for all heads, as long as a head
    WHOLE = auto()  # a weight for each element of all heads together


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """One family of decoders. A string instead of a flag names the setting that decides."""

    layer: str = "model.layers.{}"
    attention: str = "self_attn"
    fused_qkv: str = ""  # the name of one projection for queries, keys and values
    query_bias: bool | str = False
    output: str = "o_proj"
    output_bias: bool | str = False
    query_norm: QueryNorm = QueryNorm.NONE
    query_norm_if: str = ""  # the setting that decides whether there are such norms
    sinks: bool = False
    gated_query: bool = False  # the query projection holds an output gate as large as the queries
    output_gate: str = ""  # the name of a projection that gates what attention gives
    gate_per_head: bool = False  # the gate has one number a head, and not one for each element

    feed_forward: str = "mlp"
    gated: bool = True
    fused_gate: bool = False
    plain_names: tuple[str, str] = ("up_proj", "down_proj")  # of a feed-forward without a gate
    feed_forward_bias: bool | str = False
    router: str = "gate"
    router_bias: bool = False
    correction_bias: bool = False  # one number for each expert, in 32 bit
    expert_bias: bool = False
    shared: str = ""  # the name of the shared expert
    shared_gate: bool = False

    norms: tuple[str, ...] = ("input_layernorm", "post_attention_layernorm")
    norm_weight: bool = True
    norm_bias: bool | str = False
    embedding: str = "model.embed_tokens"
    positions: str = ""  # the name of learned positions
    spare_positions: int = 0
    embedding_norm: bool = False
    final_norm: str = "model.norm"
    head: str = "lm_head"
    head_bias: bool = False


_FOUR_NORMS = (
    "input_layernorm",
    "post_attention_layernorm",
    "pre_feedforward_layernorm",
    "post_feedforward_layernorm",
)
_AFTER = ("post_attention_layernorm", "post_feedforward_layernorm")
_GPT = Family(
    layer="transformer.h.{}",
    attention="attn",
    fused_qkv="c_attn",
    query_bias=True,
    output="c_proj",
    output_bias=True,
    gated=False,
    plain_names=("c_fc", "c_proj"),
    feed_forward_bias=True,
    norms=("ln_1", "ln_2"),
    norm_bias=True,
    embedding="transformer.wte",
    positions="transformer.wpe",
    final_norm="transformer.ln_f",
)
_FALCON_LIKE = Family(
    layer="transformer.h.{}",
    attention="self_attention",
    fused_qkv="query_key_value",
    query_bias="bias",
    output_bias="bias",
    feed_forward_bias="bias",
    output="dense",
    gated=False,
    plain_names=("dense_h_to_4h", "dense_4h_to_h"),
    norm_bias=True,
    embedding="transformer.word_embeddings",
    final_norm="transformer.ln_f",
)
_GPTJ = Family(
    layer="transformer.h.{}",
    attention="attn",
    output="out_proj",
    gated=False,
    plain_names=("fc_in", "fc_out"),
    feed_forward_bias=True,
    norms=("ln_1",),
    norm_bias=True,
    embedding="transformer.wte",
    final_norm="transformer.ln_f",
    head_bias=True,
)
_PHI = Family(
    query_bias=True,
    output="dense",
    output_bias=True,
    gated=False,
    plain_names=("fc1", "fc2"),
    feed_forward_bias=True,
    norms=("input_layernorm",),
    norm_bias=True,
    final_norm="model.final_layernorm",
    head_bias=True,
)
_LLAMA = Family(query_bias="attention_bias", output_bias="attention_bias", feed_forward_bias="mlp_bias")
_USUAL = Family()
_BIASED = Family(query_bias="attention_bias", output_bias="attention_bias")
_QWEN2 = Family(query_bias=True)
_QWEN3 = Family(query_bias="attention_bias", output_bias="attention_bias", query_norm=QueryNorm.PER_HEAD)
_PHI3 = Family(fused_qkv="qkv_proj", fused_gate=True)
_CHATGLM = Family(
    layer="transformer.encoder.layers.{}",
    attention="self_attention",
    fused_qkv="query_key_value",
    query_bias="add_qkv_bias",
    output="dense",
    fused_gate=True,
    embedding="transformer.embedding.word_embeddings",
    final_norm="transformer.encoder.final_layernorm",
    head="transformer.output_layer",
)
_MIXTRAL = Family(feed_forward="block_sparse_moe")
_DEEPSEEK = Family(shared="shared_experts", correction_bias=True, query_bias="attention_bias")
_GLM4_MOE = Family(
    shared="shared_experts",
    correction_bias=True,
    query_bias="attention_bias",
    query_norm=QueryNorm.PER_HEAD,
    query_norm_if="use_qk_norm",
)
_GLM4 = Family(
    query_bias="attention_bias",
    fused_gate=True,
    norms=(
        "input_layernorm",
        "post_attention_layernorm",
        "post_self_attn_layernorm",
        "post_mlp_layernorm",
    ),
)
_ERNIE_MOE = Family(
    query_bias="use_bias",
    output_bias="use_bias",
    feed_forward_bias="use_bias",
    shared="shared_experts",
    correction_bias=True,
)
_BAILING = Family(
    attention="attention",
    fused_qkv="query_key_value",
    query_bias="use_qkv_bias",
    output="dense",
    output_bias="use_bias",
    query_norm=QueryNorm.PER_HEAD,
    query_norm_if="use_qk_norm",
    shared="shared_experts",
    correction_bias=True,
    embedding="model.word_embeddings",
)
_GEMMA3 = Family(
    norms=_FOUR_NORMS,
    query_norm=QueryNorm.PER_HEAD,
    query_bias="attention_bias",
    output_bias="attention_bias",
)
_COHERE = Family(
    norms=("input_layernorm",),
    query_bias="attention_bias",
    output_bias="attention_bias",
    query_norm=QueryNorm.WHOLE,
    query_norm_if="use_qk_norm",
)
_QWEN3_5 = Family(
    query_norm=QueryNorm.PER_HEAD,
    query_bias="attention_bias",
    output_bias="attention_bias",
    gated_query=True,
    shared="shared_expert",
    shared_gate=True,
)
_OLMO2 = Family(
    query_norm=QueryNorm.WHOLE, norms=_AFTER, query_bias="attention_bias", output_bias="attention_bias"
)
_GRANITE = Family(
    query_bias="attention_bias",
    output_bias="attention_bias",
    feed_forward="block_sparse_moe",
    router="router.layer",
    shared="shared_mlp",
)
_MINIMAX_M3 = Family(
    feed_forward="block_sparse_moe",
    query_norm=QueryNorm.PER_HEAD,
    correction_bias=True,
    shared="shared_experts",
)
_STABLELM = Family(
    query_bias="use_qkv_bias", norm_bias=True, query_norm=QueryNorm.WHOLE, query_norm_if="qk_layernorm"
)
_STEP = Family(
    query_norm=QueryNorm.PER_HEAD,
    output_gate="g_proj",
    gate_per_head=True,
    shared="shared_experts",
    correction_bias=True,
)
_JAMBA = Family(feed_forward="feed_forward", router="router", final_norm="model.final_layernorm")

FAMILIES: dict[str, Family] = {
    "afmoe": Family(
        query_norm=QueryNorm.PER_HEAD,
        norms=_FOUR_NORMS,
        output_gate="gate_proj",
        shared="shared_experts",
        correction_bias=True,
    ),
    "apertus": Family(
        query_norm=QueryNorm.PER_HEAD, query_bias="attention_bias", output_bias="attention_bias", gated=False
    ),
    "arcee": Family(
        gated=False, query_bias="attention_bias", output_bias="attention_bias", feed_forward_bias="mlp_bias"
    ),
    "aquila": _LLAMA,
    "baichuan": Family(fused_qkv="W_pack"),
    "bailing_moe": _BAILING,
    "bailing_moe_v2": _BAILING,
    "bamba": _JAMBA,
    "bloom": Family(
        layer="transformer.h.{}",
        attention="self_attention",
        fused_qkv="query_key_value",
        query_bias=True,
        output="dense",
        output_bias=True,
        gated=False,
        plain_names=("dense_h_to_4h", "dense_4h_to_h"),
        feed_forward_bias=True,
        norm_bias=True,
        embedding="transformer.word_embeddings",
        embedding_norm=True,
        final_norm="transformer.ln_f",
    ),
    "chatglm": _CHATGLM,
    "codegen": _GPTJ,
    "codeshell": _GPT,
    "cohere": _COHERE,
    "cohere2": _COHERE,
    "dbrx": Family(
        layer="transformer.blocks.{}",
        attention="norm_attn_norm.attn",
        fused_qkv="Wqkv",
        output="out_proj",
        feed_forward="ffn",
        router="router.layer",
        norms=("norm_attn_norm.norm_1", "norm_attn_norm.norm_2"),
        embedding="transformer.wte",
        final_norm="transformer.norm_f",
    ),
    "deepseek": _DEEPSEEK,
    "deepseek_v2": Family(shared="shared_experts", query_bias="attention_bias"),
    "deepseek_v3": _DEEPSEEK,
    "deepseek_v32": _DEEPSEEK,
    "dots1": Family(shared="shared_experts", correction_bias=True, query_norm=QueryNorm.PER_HEAD),
    "ernie4_5": Family(query_bias="use_bias", output_bias="use_bias", feed_forward_bias="use_bias"),
    "ernie4_5_moe": _ERNIE_MOE,
    "exaone": Family(
        layer="transformer.h.{}",
        attention="attn.attention",
        output="out_proj",
        norms=("ln_1", "ln_2"),
        embedding="transformer.wte",
        final_norm="transformer.ln_f",
    ),
    "exaone4": Family(query_norm=QueryNorm.PER_HEAD, norms=_AFTER),
    "exaone_moe": Family(query_norm=QueryNorm.PER_HEAD, shared="shared_experts", correction_bias=True),
    "falcon": _FALCON_LIKE,
    "RefinedWebModel": _FALCON_LIKE,
    "RefinedWeb": _FALCON_LIKE,
    "falcon_h1": Family(
        feed_forward="feed_forward",
        norms=("input_layernorm", "pre_ff_layernorm"),
        query_bias="attention_bias",
        output_bias="attention_bias",
        feed_forward_bias="mlp_bias",
        final_norm="model.final_layernorm",
    ),
    "flex_olmo": Family(query_norm=QueryNorm.WHOLE, norms=_AFTER),
    "gemma": _BIASED,
    "gemma2": Family(norms=_FOUR_NORMS, query_bias="attention_bias", output_bias="attention_bias"),
    "gemma3": _GEMMA3,
    "gemma3_text": _GEMMA3,
    "glm": Family(query_bias="attention_bias", fused_gate=True),
    "glm4": _GLM4,
    "glm4v_text": _GLM4,
    "glm46v_text": _GLM4,
    "glm4_moe": _GLM4_MOE,
    "glm4_moe_lite": _DEEPSEEK,
    "glm4v_moe_text": _GLM4_MOE,
    "glm_moe_dsa": _DEEPSEEK,
    "gpt2": _GPT,
    "gpt_bigcode": _GPT,
    "gpt_neo": Family(
        layer="transformer.h.{}",
        attention="attn.attention",
        output="out_proj",
        output_bias=True,
        gated=False,
        plain_names=("c_fc", "c_proj"),
        feed_forward_bias=True,
        norms=("ln_1", "ln_2"),
        norm_bias=True,
        embedding="transformer.wte",
        positions="transformer.wpe",
        final_norm="transformer.ln_f",
    ),
    "gpt_neox": Family(
        layer="gpt_neox.layers.{}",
        attention="attention",
        fused_qkv="query_key_value",
        query_bias="attention_bias",
        output="dense",
        output_bias="attention_bias",
        gated=False,
        plain_names=("dense_h_to_4h", "dense_4h_to_h"),
        feed_forward_bias=True,
        norm_bias=True,
        embedding="gpt_neox.embed_in",
        final_norm="gpt_neox.final_layer_norm",
        head="embed_out",
    ),
    "gpt_oss": Family(
        query_bias=True, output_bias=True, sinks=True, router="router", router_bias=True, expert_bias=True
    ),
    "gptj": _GPTJ,
    "granite": _LLAMA,
    "granitemoe": _GRANITE,
    "granitemoehybrid": _GRANITE,
    "granitemoeshared": _GRANITE,
    "helium": Family(query_bias="attention_bias", feed_forward_bias="mlp_bias"),
    "hunyuan_v1_dense": Family(
        query_bias="attention_bias", output_bias="attention_bias", query_norm=QueryNorm.PER_HEAD
    ),
    "hunyuan_v1_moe": Family(
        query_bias="attention_bias",
        output_bias="attention_bias",
        query_norm=QueryNorm.PER_HEAD,
        shared="shared_mlp",
        router="gate.wg",
    ),
    "hunyuan": Family(query_norm=QueryNorm.PER_HEAD, shared="shared_mlp", router="gate.wg"),
    "internlm": Family(query_bias="bias", output_bias="bias"),
    "internlm2": Family(
        attention="attention",
        fused_qkv="wqkv",
        query_bias="bias",
        output="wo",
        output_bias="bias",
        feed_forward="feed_forward",
        norms=("attention_norm", "ffn_norm"),
        embedding="model.tok_embeddings",
        head="output",
    ),
    "internlm3": Family(query_bias="qkv_bias", output_bias="bias", feed_forward_bias="bias"),
    "jamba": _JAMBA,
    "kimi_k2": _DEEPSEEK,
    "llama": _LLAMA,
    "llama4_text": Family(
        query_bias="attention_bias",
        output_bias="attention_bias",
        feed_forward="feed_forward",
        router="router",
        shared="shared_expert",
    ),
    "mimo": _QWEN2,
    "minicpm": _USUAL,
    "minicpm3": Family(query_bias="attention_bias"),
    "minimax_m2": Family(feed_forward="block_sparse_moe", query_norm=QueryNorm.WHOLE, correction_bias=True),
    "minimax_m3": _MINIMAX_M3,
    "minimax_m3_vl": _MINIMAX_M3,
    "minimax_m3_vl_text": _MINIMAX_M3,
    "ministral": _USUAL,
    "ministral3": _USUAL,
    "mistral": _USUAL,
    "mistral4": _DEEPSEEK,
    "mixtral": _MIXTRAL,
    "mllama_text_model": _USUAL,
    "mpt": Family(
        layer="transformer.blocks.{}",
        attention="attn",
        fused_qkv="Wqkv",
        output="out_proj",
        feed_forward="ffn",
        gated=False,
        norms=("norm_1", "norm_2"),
        embedding="transformer.wte",
        final_norm="transformer.norm_f",
    ),
    "nemotron": Family(
        gated=False,
        query_bias="attention_bias",
        output_bias="attention_bias",
        feed_forward_bias="mlp_bias",
        norm_bias=True,
    ),
    "olmo": Family(norm_weight=False, query_bias="attention_bias", output_bias="attention_bias"),
    "olmo2": _OLMO2,
    "olmo3": _OLMO2,
    "olmoe": Family(query_norm=QueryNorm.WHOLE, query_bias="attention_bias", output_bias="attention_bias"),
    "opt": Family(
        layer="model.decoder.layers.{}",
        query_bias="enable_bias",
        output="out_proj",
        output_bias="enable_bias",
        feed_forward="",
        gated=False,
        plain_names=("fc1", "fc2"),
        feed_forward_bias="enable_bias",
        norms=("self_attn_layer_norm", "final_layer_norm"),
        norm_bias=True,
        embedding="model.decoder.embed_tokens",
        positions="model.decoder.embed_positions",
        spare_positions=2,
        final_norm="model.decoder.final_layer_norm",
    ),
    "orion": Family(norm_bias=True),
    "persimmon": Family(
        fused_qkv="query_key_value",
        query_bias=True,
        output="dense",
        output_bias=True,
        gated=False,
        plain_names=("dense_h_to_4h", "dense_4h_to_h"),
        feed_forward_bias=True,
        norm_bias=True,
        query_norm=QueryNorm.PER_HEAD,
        final_norm="model.final_layernorm",
    ),
    "phi": _PHI,
    "phi-msft": _PHI,
    "phi3": _PHI3,
    "phi3_v": _PHI3,
    "phi4": _PHI3,
    "phi4mm": _PHI3,
    "phi4_multimodal": _PHI3,
    "phi3small": Family(
        fused_qkv="query_key_value",
        query_bias=True,
        output="dense",
        output_bias=True,
        fused_gate=True,
        feed_forward_bias=True,
        norm_bias=True,
        final_norm="model.final_layernorm",
    ),
    "phimoe": Family(
        query_bias="attention_bias",
        output_bias="attention_bias",
        norm_bias=True,
        feed_forward="block_sparse_moe",
        head_bias=True,
    ),
    "qwen": Family(
        layer="transformer.h.{}",
        attention="attn",
        fused_qkv="c_attn",
        query_bias=True,
        output="c_proj",
        norms=("ln_1", "ln_2"),
        embedding="transformer.wte",
        final_norm="transformer.ln_f",
    ),
    "qwen2": _QWEN2,
    "qwen2_5_vl": _QWEN2,
    "qwen2_5_vl_text": _QWEN2,
    "qwen2_5_omni_text": _QWEN2,
    "qwen2_vl": _QWEN2,
    "qwen2_vl_text": _QWEN2,
    "qwen2_moe": Family(query_bias=True, shared="shared_expert", shared_gate=True),
    "qwen3": _QWEN3,
    "qwen3_moe": _QWEN3,
    "qwen3_vl_text": _QWEN3,
    "qwen3_vl_moe_text": _QWEN3,
    "qwen3_omni_moe_text": _QWEN3,
    "qwen3_next": _QWEN3_5,
    "qwen3_5_text": _QWEN3_5,
    "qwen3_5_moe_text": _QWEN3_5,
    "seed_oss": Family(
        query_bias="attention_bias", output_bias="attention_out_bias", feed_forward_bias="mlp_bias"
    ),
    "smollm3": _LLAMA,
    "solar": _LLAMA,
    "solar_open": _GLM4_MOE,
    "stablelm": _STABLELM,
    "stablelm_epoch": _STABLELM,
    "starcoder2": Family(
        query_bias="use_bias",
        output_bias="use_bias",
        gated=False,
        plain_names=("c_fc", "c_proj"),
        feed_forward_bias="use_bias",
        norm_bias=True,
    ),
    "step3p5": _STEP,
    "step3p7": _STEP,
    "cohere2_moe": _COHERE,
    "cwm": _USUAL,
    "diffllama": _USUAL,
    "exaone4_5_text": Family(query_norm=QueryNorm.PER_HEAD, norms=_AFTER),
    "ernie4_5_vl_moe_text": _ERNIE_MOE,
    "eurobert": _USUAL,
    "granite_swa": _LLAMA,
    "granitemoe_swa": _GRANITE,
    "hyperclovax": _LLAMA,
    "jais2": Family(
        gated=False,
        norm_bias=True,
        query_bias="attention_bias",
        output_bias="attention_bias",
        feed_forward_bias="mlp_bias",
    ),
    "xverse": _LLAMA,
    "Yi": _LLAMA,
}
