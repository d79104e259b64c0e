"""Models of a few MB, one for each way of keeping what was seen: configurations alone, the engine makes the weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MIB = 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class Tiny:
    """A configuration, and how the engine is started with it."""

    config: dict[str, Any]
    context: int = 3000
    cache_mib: int = 400
    batched_tokens: int = 1024  # windows keep what is under way, too
    keeps_a_cache: bool = True
    engine: dict[str, Any] = field(default_factory=dict)


def model(architecture: str, model_type: str, **more: Any) -> dict[str, Any]:
    """A config.json with the numbers that most of them share."""
    return {
        "architectures": [architecture],
        "model_type": model_type,
        "hidden_size": 256,
        "intermediate_size": 384,
        "num_hidden_layers": 5,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "vocab_size": 640,
        "max_position_embeddings": 8192,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "torch_dtype": "bfloat16",
        **more,
    }


LATENT = {
    "kv_lora_rank": 512,
    "q_lora_rank": 96,
    "qk_rope_head_dim": 64,
    "qk_nope_head_dim": 32,
    "v_head_dim": 32,
    "num_key_value_heads": 8,
    "n_routed_experts": 4,
    "n_shared_experts": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 64,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
    "topk_method": "noaux_tc",
    "scoring_func": "sigmoid",
    "routed_scaling_factor": 1.0,
    "norm_topk_prob": True,
}
DELTA = {
    "linear_num_key_heads": 4,
    "linear_num_value_heads": 8,
    "linear_key_head_dim": 64,
    "linear_value_head_dim": 64,
    "linear_conv_kernel_dim": 4,
    "num_hidden_layers": 9,
}
EXPERTS = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 64,
    "shared_expert_intermediate_size": 64,
    "norm_topk_prob": True,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
}
MAMBA2 = {
    "mamba_n_heads": 16,
    "mamba_d_head": 32,
    "mamba_n_groups": 2,
    "mamba_d_state": 64,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
}

ALL: dict[str, Tiny] = {
    "multi-head, GPT-2": Tiny(
        config={
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "n_embd": 256,
            "n_head": 8,
            "n_layer": 4,
            "n_positions": 1024,
            "vocab_size": 640,
            "torch_dtype": "bfloat16",
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
        context=1000,
    ),
    "grouped queries, Llama": Tiny(config=model("LlamaForCausalLM", "llama")),
    "grouped queries in 32 bit": Tiny(
        config=model("LlamaForCausalLM", "llama", torch_dtype="float32"), engine={"dtype": "float32"}
    ),
    "one KV head, Falcon": Tiny(
        config={
            "architectures": ["FalconForCausalLM"],
            "model_type": "falcon",
            "hidden_size": 256,
            "num_hidden_layers": 4,
            "num_attention_heads": 8,
            "multi_query": True,
            "new_decoder_architecture": False,
            "parallel_attn": True,
            "bias": False,
            "alibi": False,
            "vocab_size": 640,
            "torch_dtype": "bfloat16",
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
        context=1000,
    ),
    "one KV head, GPT-BigCode": Tiny(
        config={
            "architectures": ["GPTBigCodeForCausalLM"],
            "model_type": "gpt_bigcode",
            "n_embd": 256,
            "n_head": 8,
            "n_layer": 4,
            "n_positions": 1024,
            "n_inner": 512,
            "multi_query": True,
            "vocab_size": 640,
            "torch_dtype": "bfloat16",
            "bos_token_id": 1,
            "eos_token_id": 2,
        },
        context=1000,
    ),
    "latent vectors, DeepSeek": Tiny(config=model("DeepseekV3ForCausalLM", "deepseek_v3", **LATENT)),
    "latent vectors kept as heads, MiniCPM3": Tiny(
        config=model(
            "MiniCPM3ForCausalLM",
            "minicpm3",
            kv_lora_rank=64,
            q_lora_rank=64,
            qk_nope_head_dim=32,
            qk_rope_head_dim=32,
            v_head_dim=32,
            num_key_value_heads=8,
            scale_emb=1,
            scale_depth=1,
            dim_model_base=256,
            hidden_act="silu",
        )
    ),
    "a window in every layer, Mistral": Tiny(
        config=model("MistralForCausalLM", "mistral", sliding_window=512)
    ),
    "a window in every layer, Phi-3": Tiny(
        config=model("Phi3ForCausalLM", "phi3", sliding_window=700, original_max_position_embeddings=8192)
    ),
    "a window in every second layer, Gemma 2": Tiny(
        config=model(
            "Gemma2ForCausalLM", "gemma2", num_hidden_layers=7, sliding_window=600, query_pre_attn_scalar=32
        )
    ),
    "five windows, one full, Gemma 3": Tiny(
        config=model(
            "Gemma3ForCausalLM",
            "gemma3_text",
            num_hidden_layers=14,
            sliding_window=256,
            query_pre_attn_scalar=32,
        )
    ),
    "shared layers, Gemma 3n": Tiny(
        config=model(
            "Gemma3nForCausalLM",
            "gemma3n_text",
            num_hidden_layers=10,
            num_kv_shared_layers=4,
            sliding_window=256,
            intermediate_size=[384] * 10,
            vocab_size_per_layer_input=640,
            hidden_size_per_layer_input=32,
            laurel_rank=16,
            activation_sparsity_pattern=[0.0] * 10,
        )
    ),
    "two sizes of heads, Gemma 4": Tiny(
        config=model(
            "Gemma4ForCausalLM",
            "gemma4_text",
            num_hidden_layers=12,
            num_key_value_heads=2,
            sliding_window=256,
            global_head_dim=64,
            num_kv_shared_layers=2,
            hidden_size_per_layer_input=32,
            vocab_size_per_layer_input=640,
        )
    ),
    "three windows, one full, Cohere 2": Tiny(
        config=model(
            "Cohere2ForCausalLM", "cohere2", num_hidden_layers=9, sliding_window=512, logit_scale=0.1
        )
    ),
    "three windows, one full, Olmo 3": Tiny(
        config=model("Olmo3ForCausalLM", "olmo3", num_hidden_layers=8, sliding_window=512)
    ),
    "three windows, one full, EXAONE 4": Tiny(
        config=model(
            "Exaone4ForCausalLM", "exaone4", num_hidden_layers=8, sliding_window=512, sliding_window_pattern=4
        )
    ),
    "chunks, Llama 4": Tiny(
        config=model(
            "Llama4ForCausalLM",
            "llama4_text",
            num_hidden_layers=8,
            attention_chunk_size=1024,
            num_local_experts=4,
            num_experts_per_tok=1,
            interleave_moe_layer_step=2,
            intermediate_size_mlp=384,
        )
    ),
    "experts, Mixtral": Tiny(
        config=model("MixtralForCausalLM", "mixtral", num_local_experts=4, num_experts_per_tok=2)
    ),
    "experts, Qwen3": Tiny(config=model("Qwen3MoeForCausalLM", "qwen3_moe", **EXPERTS)),
    "experts, windows and sinks, gpt-oss": Tiny(
        config=model(
            "GptOssForCausalLM",
            "gpt_oss",
            num_hidden_layers=6,
            head_dim=64,
            sliding_window=128,
            num_local_experts=4,
            num_experts_per_tok=2,
            layer_types=["sliding_attention", "full_attention"] * 3,
        )
    ),
    "gated delta nets and experts, Qwen3-Next": Tiny(
        config=model("Qwen3NextForCausalLM", "qwen3_next", **DELTA, **EXPERTS, full_attention_interval=4)
    ),
    "gated delta nets, Qwen3.5": Tiny(
        config=model(
            "Qwen3_5ForCausalLM",
            "qwen3_5_text",
            **DELTA,
            full_attention_interval=4,
            mamba_ssm_dtype="float32",
        )
    ),
    "Mamba and attention, Jamba": Tiny(
        config=model(
            "JambaForCausalLM",
            "jamba",
            num_hidden_layers=9,
            attn_layer_period=4,
            attn_layer_offset=2,
            num_experts=1,
            num_experts_per_tok=1,
            expert_layer_period=2,
            expert_layer_offset=1,
            mamba_d_state=16,
            mamba_d_conv=4,
            mamba_expand=2,
            mamba_dt_rank=16,
            mamba_conv_bias=True,
            mamba_proj_bias=False,
        )
    ),
    "Mamba-2 and attention, Granite 4": Tiny(
        config=model(
            "GraniteMoeHybridForCausalLM",
            "granitemoehybrid",
            num_hidden_layers=8,
            num_local_experts=0,
            num_experts_per_tok=0,
            shared_intermediate_size=256,
            layer_types=["mamba", "mamba", "mamba", "attention"] * 2,
            **MAMBA2,
        )
    ),
    "Mamba-2 beside attention, Falcon-H1": Tiny(
        config=model("FalconH1ForCausalLM", "falcon_h1", num_hidden_layers=4, mamba_d_ssm=512, **MAMBA2)
    ),
    "Mamba-2, attention and experts apart, Nemotron-H": Tiny(
        config=model(
            "NemotronHForCausalLM",
            "nemotron_h",
            num_hidden_layers=9,
            hybrid_override_pattern="M-M*M-M*-",
            mamba_num_heads=16,
            mamba_head_dim=32,
            n_groups=2,
            ssm_state_size=64,
            conv_kernel=4,
            expand=2,
            mlp_hidden_act="relu2",
        )
    ),
    "Mamba-2 and shared attention, Zamba 2": Tiny(
        config=model(
            "Zamba2ForCausalLM",
            "zamba2",
            num_hidden_layers=9,
            num_key_value_heads=8,
            mamba_d_state=64,
            mamba_d_conv=4,
            mamba_expand=2,
            mamba_ngroups=2,
            n_mamba_heads=16,
            mamba_headdim=32,
            layers_block_type=["mamba", "mamba", "hybrid"] * 3,
            hybrid_layer_ids=[2, 5, 8],
            num_mem_blocks=1,
            attention_head_dim=64,
            attention_hidden_size=512,
            adapter_rank=16,
        )
    ),
    "Mamba alone": Tiny(
        config=model(
            "MambaForCausalLM", "mamba", state_size=16, conv_kernel=4, expand=2, intermediate_size=512
        )
    ),
    "Mamba-2 alone": Tiny(
        config=model(
            "Mamba2ForCausalLM",
            "mamba2",
            state_size=64,
            conv_kernel=4,
            expand=2,
            num_heads=16,
            n_groups=2,
            intermediate_size=512,
        )
    ),
    "short convolutions, LFM2": Tiny(
        config=model(
            "Lfm2ForCausalLM",
            "lfm2",
            num_hidden_layers=8,
            conv_L_cache=3,
            conv_dim=256,
            full_attn_idxs=[2, 5],
            layer_types=["conv", "conv", "full_attention", "conv", "conv", "full_attention", "conv", "conv"],
            block_dim=256,
            conv_bias=False,
            conv_dim_out=256,
            block_ff_dim=384,
            norm_eps=1e-5,
        )
    ),
    "windows with fewer heads, MiMo V2": Tiny(
        config=model(
            "MiMoV2FlashForCausalLM",
            "mimo_v2_flash",
            num_hidden_layers=7,
            head_dim=64,
            v_head_dim=32,
            swa_head_dim=64,
            swa_v_head_dim=32,
            swa_num_attention_heads=8,
            swa_num_key_value_heads=4,
            sliding_window=128,
            sliding_window_size=128,
            hybrid_layer_pattern=[0, 1, 1, 0, 1, 1, 1],
            moe_layer_freq=[0, 1, 1, 1, 1, 1, 1],
            n_routed_experts=4,
            num_experts_per_tok=2,
            moe_intermediate_size=64,
            n_group=1,
            topk_group=1,
            scoring_func="sigmoid",
            norm_topk_prob=True,
            layernorm_epsilon=1e-5,
            rope_theta=10000.0,
            swa_rope_theta=10000.0,
            partial_rotary_factor=0.5,
            attention_bias=False,
        )
    ),
    "a decoder that embeds, Qwen3": Tiny(
        config=model("Qwen3ForCausalLM", "qwen3"), engine={"runner": "pooling"}
    ),
    "an encoder that embeds, BERT": Tiny(
        config={
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_size": 256,
            "intermediate_size": 384,
            "num_hidden_layers": 3,
            "num_attention_heads": 8,
            "vocab_size": 640,
            "max_position_embeddings": 512,
            "torch_dtype": "float32",
        },
        context=512,
        engine={"runner": "pooling"},
        keeps_a_cache=False,
    ),
}
