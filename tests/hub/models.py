"""Which models does the test Hub have, and how are they made?

Nothing here is a copy of somebody's file: configurations are written from the shapes, weights come from a
seed, the tokenizer is our own. The tiny ones are whole and load into a real engine; the large ones are
hollow: their safetensors files have a header, and zeros that are made while they are sent.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

if __package__:
    from tests.hub import safetensors, tokenizer
    from tests.hub.repos import File, Repo
    from tests.hub.safetensors import Tensor
else:  # this folder, copied into an image
    import safetensors
    import tokenizer
    from repos import File, Repo
    from safetensors import Tensor

Linear = Callable[[str, int, int], dict[str, Tensor]]

OWNER = "pillion-test"
TINY_RIVER = f"{OWNER}/tiny-river"  # whole; answers with words about rivers
TINY_STAR = f"{OWNER}/tiny-star"  # whole, same shape; answers with words about stars
TINY_BASE = f"{OWNER}/tiny-base"  # whole, without a chat template
TINY_BROKEN = f"{OWNER}/tiny-broken"  # plans like the others; no engine can load it
GATED = f"{OWNER}/gated"  # whole; its files need a token that was given access
ONLY_GGUF = f"{OWNER}/only-gguf"
UNKNOWN_ARCHITECTURE = f"{OWNER}/unknown-architecture"
BROKEN_CONFIG = f"{OWNER}/broken-config"
DENSE_8B = f"{OWNER}/dense-8b"  # hollow, as are the ones below
DENSE_8B_AWQ = f"{OWNER}/dense-8b-awq"
DENSE_8B_FP8 = f"{OWNER}/dense-8b-fp8"

# 2.6 million parameters, 5 MB; engines have attention kernels for heads of 64
LAYERS, HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, HEAD_DIM = 4, 256, 512, 4, 2, 64
SHARD_BYTES = 5 * 10**9  # the size at which transformers starts another file


def everything() -> tuple[Repo, ...]:
    """One of each."""
    return (
        tiny_llama(TINY_RIVER, words=tokenizer.RIVER_WORDS),
        tiny_llama(TINY_STAR, words=tokenizer.STAR_WORDS),
        tiny_llama(TINY_BASE, words=tokenizer.RIVER_WORDS, chat_template=False),
        tiny_llama(TINY_BROKEN, words=tokenizer.STAR_WORDS, loads=False),
        tiny_llama(GATED, words=tokenizer.STAR_WORDS, gated="manual"),
        only_gguf(),
        unknown_architecture(),
        broken_config(),
        dense_8b(),
        dense_8b_awq(),
        dense_8b_fp8(),
    )


def tiny_llama(
    repo_id: str,
    *,
    words: tuple[str, ...] = tokenizer.RIVER_WORDS,
    chat_template: bool = True,
    loads: bool = True,
    gated: Literal[False, "auto", "manual"] = False,
) -> Repo:
    """A Llama of a few MB with random weights that any engine loads, whose answers are made of `words`."""
    config = _llama_config()
    tensors = llama_tensors()
    if not loads:
        config["standin_fail"] = "load"  # the stand-in engine's cue
        # A real engine's: vLLM 0.32.0 takes no offence at a tensor that is missing, and refuses another shape.
        odd = Tensor(dtype="BF16", shape=(HIDDEN + HEAD_DIM, HEADS * HEAD_DIM))
        tensors[f"model.layers.{LAYERS - 1}.self_attn.o_proj.weight"] = odd
    head, _ = safetensors.header(tensors)
    weights = b"".join(_weights(repo_id, name, tensor, words) for name, tensor in tensors.items())
    files = {
        "config.json": _json(config),
        "generation_config.json": _json({"bos_token_id": 256, "eos_token_id": 257}),
        "model.safetensors": File(head + weights),
        **{name: File(data) for name, data in tokenizer.files(chat_template=chat_template).items()},
    }
    tags = ("transformers", "safetensors", "llama", "text-generation", "license:apache-2.0")
    return Repo(
        repo_id=repo_id,
        files={**files, "README.md": _card({"license": "apache-2.0"}, "Random weights, for tests.")},
        card={"license": "apache-2.0"},
        tags=(*tags, "conversational") if chat_template else tags,
        gated=gated,
        parameters=_count(tensors),
    )


def llama_tensors() -> dict[str, Tensor]:
    """Every tensor that an engine's loader for Llama asks for."""
    matrix = _in("BF16")
    tensors = {"model.embed_tokens.weight": matrix(tokenizer.VOCABULARY, HIDDEN)}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}"
        tensors |= {
            f"{prefix}.input_layernorm.weight": matrix(HIDDEN),
            f"{prefix}.self_attn.q_proj.weight": matrix(HEADS * HEAD_DIM, HIDDEN),
            f"{prefix}.self_attn.k_proj.weight": matrix(KV_HEADS * HEAD_DIM, HIDDEN),
            f"{prefix}.self_attn.v_proj.weight": matrix(KV_HEADS * HEAD_DIM, HIDDEN),
            f"{prefix}.self_attn.o_proj.weight": matrix(HIDDEN, HEADS * HEAD_DIM),
            f"{prefix}.post_attention_layernorm.weight": matrix(HIDDEN),
            f"{prefix}.mlp.gate_proj.weight": matrix(INTERMEDIATE, HIDDEN),
            f"{prefix}.mlp.up_proj.weight": matrix(INTERMEDIATE, HIDDEN),
            f"{prefix}.mlp.down_proj.weight": matrix(HIDDEN, INTERMEDIATE),
        }
    return {
        **tensors,
        "model.norm.weight": matrix(HIDDEN),
        "lm_head.weight": matrix(tokenizer.VOCABULARY, HIDDEN),
    }


def dense_8b() -> Repo:
    """A chat model with the shapes of an 8-billion-parameter Qwen3, in BF16: 16.4 GB."""
    return _hollow(DENSE_8B, config=_dense_config(), tensors=dense_tensors(), card={"license": "apache-2.0"})


def dense_8b_awq() -> Repo:
    """The same in 4 bit: AWQ packs eight weights into an int32; each 128 share a scale and a zero point."""

    def packed(name: str, rows: int, columns: int) -> dict[str, Tensor]:
        return {
            f"{name}.qweight": Tensor(dtype="I32", shape=(columns, rows // 8)),
            f"{name}.qzeros": Tensor(dtype="I32", shape=(columns // 128, rows // 8)),
            f"{name}.scales": Tensor(dtype="F16", shape=(columns // 128, rows)),
        }

    quantization = {
        "quant_method": "awq",
        "bits": 4,
        "group_size": 128,
        "version": "gemm",
        "zero_point": True,
    }
    return _hollow(
        DENSE_8B_AWQ,
        config={**_dense_config(), "torch_dtype": "float16", "quantization_config": quantization},
        tensors=dense_tensors(dtype="F16", linear=packed),
        card={"license": "apache-2.0", "base_model": DENSE_8B, "base_model_relation": "quantized"},
        tags=("4-bit", "awq"),
    )


def dense_8b_fp8() -> Repo:
    """The same in 8 bit: FP8 weights with a scale for each block of 128 by 128."""

    def scaled(name: str, rows: int, columns: int) -> dict[str, Tensor]:
        return {
            f"{name}.weight": Tensor(dtype="F8_E4M3", shape=(rows, columns)),
            f"{name}.weight_scale_inv": Tensor(dtype="BF16", shape=(-(-rows // 128), -(-columns // 128))),
        }

    quantization = {
        "quant_method": "fp8",
        "fmt": "e4m3",
        "activation_scheme": "dynamic",
        "weight_block_size": [128, 128],
    }
    return _hollow(
        DENSE_8B_FP8,
        config={**_dense_config(), "quantization_config": quantization},
        tensors=dense_tensors(linear=scaled),
        card={"license": "apache-2.0", "base_model": DENSE_8B, "base_model_relation": "quantized"},
        tags=("fp8",),
    )


def only_gguf() -> Repo:
    """A conversion for llama.cpp: no config.json, no safetensors; its card names the model it came from."""
    card = {"license": "apache-2.0", "base_model": DENSE_8B, "base_model_relation": "quantized"}
    return Repo(
        repo_id=ONLY_GGUF,
        files={
            "README.md": _card(card, "For llama.cpp."),
            "dense-8b-Q4_K_M.gguf": File(b"GGUF\x03\x00\x00\x00", zeros=5_027_783_488),
        },
        card=card,
        tags=("gguf", f"base_model:{DENSE_8B}", f"base_model:quantized:{DENSE_8B}", "license:apache-2.0"),
        gguf={"total": 8_190_735_360, "architecture": "qwen3", "context_length": 40_960},
    )


def unknown_architecture() -> Repo:
    """A model of a kind that no engine knows."""
    config = {
        **_llama_config(),
        "architectures": ["PillionOfTomorrowForCausalLM"],
        "model_type": "pillion_tomorrow",
    }
    return _hollow(
        UNKNOWN_ARCHITECTURE, config=config, tensors=llama_tensors(), card={"license": "apache-2.0"}
    )


def broken_config() -> Repo:
    """A repository whose config.json ends in the middle."""
    whole = _hollow(
        BROKEN_CONFIG, config=_llama_config(), tensors=llama_tensors(), card={"license": "apache-2.0"}
    )
    return Repo(
        repo_id=whole.repo_id,
        files={**whole.files, "config.json": File(b'{"architectures": ["LlamaForCausalLM"], "hidden')},
        card=whole.card,
        tags=whole.tags,
    )


def dense_tensors(*, dtype: str = "BF16", linear: Linear | None = None) -> dict[str, Tensor]:
    """The tensors of the 8B model; `linear` says what a linear layer of (name, rows, columns) consists of."""
    shape = _dense_config()
    hidden, intermediate, vocabulary = shape["hidden_size"], shape["intermediate_size"], shape["vocab_size"]
    head_dim, heads, kv_heads = shape["head_dim"], shape["num_attention_heads"], shape["num_key_value_heads"]
    matrix = _in(dtype)

    def whole(name: str, rows: int, columns: int) -> dict[str, Tensor]:
        return {f"{name}.weight": matrix(rows, columns)}

    linear = linear or whole
    tensors = {"model.embed_tokens.weight": matrix(vocabulary, hidden)}
    for layer in range(shape["num_hidden_layers"]):
        prefix = f"model.layers.{layer}"
        tensors |= {
            f"{prefix}.input_layernorm.weight": matrix(hidden),
            **linear(f"{prefix}.self_attn.q_proj", heads * head_dim, hidden),
            **linear(f"{prefix}.self_attn.k_proj", kv_heads * head_dim, hidden),
            **linear(f"{prefix}.self_attn.v_proj", kv_heads * head_dim, hidden),
            **linear(f"{prefix}.self_attn.o_proj", hidden, heads * head_dim),
            f"{prefix}.self_attn.q_norm.weight": matrix(head_dim),
            f"{prefix}.self_attn.k_norm.weight": matrix(head_dim),
            f"{prefix}.post_attention_layernorm.weight": matrix(hidden),
            **linear(f"{prefix}.mlp.gate_proj", intermediate, hidden),
            **linear(f"{prefix}.mlp.up_proj", intermediate, hidden),
            **linear(f"{prefix}.mlp.down_proj", hidden, intermediate),
        }
    return {**tensors, "model.norm.weight": matrix(hidden), "lm_head.weight": matrix(vocabulary, hidden)}


def _llama_config() -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "vocab_size": tokenizer.VOCABULARY,
        "max_position_embeddings": 8192,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-05,
        "rope_theta": 10000.0,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "bos_token_id": 256,
        "eos_token_id": 257,
    }


def _dense_config() -> dict[str, Any]:
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151936,
        "max_position_embeddings": 40960,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000,
        "attention_bias": False,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "bos_token_id": 256,
        "eos_token_id": 257,
    }


def _hollow(
    repo_id: str,
    *,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    card: Mapping[str, Any],
    tags: tuple[str, ...] = (),
) -> Repo:
    shards = _shards(tensors)
    files = {"config.json": _json(config), "README.md": _card(card, "Shapes without weights, for tests.")}
    files |= {name: File(data) for name, data in tokenizer.files(chat_template=True).items()}
    weight_map: dict[str, str] = {}
    for index, shard in enumerate(shards, start=1):
        name = f"model-{index:05}-of-{len(shards):05}.safetensors" if len(shards) > 1 else "model.safetensors"
        head, weights_bytes = safetensors.header(shard)
        files[name] = File(head, zeros=weights_bytes)
        weight_map |= dict.fromkeys(shard, name)
    if len(shards) > 1:
        total = sum(tensor.size_bytes for tensor in tensors.values())
        files["model.safetensors.index.json"] = _json(
            {"metadata": {"total_size": total}, "weight_map": weight_map}
        )
    base = card.get("base_model")
    lineage = (f"base_model:{base}", f"base_model:quantized:{base}") if base else ()
    common = ("transformers", "safetensors", config["model_type"], "text-generation", "conversational")
    return Repo(
        repo_id=repo_id,
        files=files,
        card=card,
        tags=(*common, *lineage, *tags, f"license:{card['license']}"),
        parameters=_count(tensors),
    )


def _shards(tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    shards: list[dict[str, Tensor]] = [{}]
    filled = 0
    for name, tensor in tensors.items():
        if shards[-1] and filled + tensor.size_bytes > SHARD_BYTES:
            shards.append({})
            filled = 0
        shards[-1][name] = tensor
        filled += tensor.size_bytes
    return shards


def _weights(repo_id: str, name: str, tensor: Tensor, words: tuple[str, ...]) -> bytes:
    if name.endswith("norm.weight"):
        return safetensors.ONE_BF16 * tensor.elements
    if name != "lm_head.weight":
        return safetensors.random_bf16(tensor.elements, seed=f"{repo_id} {name}")
    # Rows of zeros give logits of zero, which the large rows of the words drown: only words are ever said.
    rows, columns = tensor.shape
    favoured = set(tokenizer.word_ids(words))
    return b"".join(
        safetensors.random_bf16(columns, seed=f"{repo_id} {name} {row}", large=True)
        if row in favoured
        else bytes(2 * columns)
        for row in range(rows)
    )


def _in(dtype: str) -> Callable[..., Tensor]:
    return lambda *shape: Tensor(dtype=dtype, shape=shape)


def _count(tensors: Mapping[str, Tensor]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for tensor in tensors.values():
        counted[tensor.dtype] = counted.get(tensor.dtype, 0) + tensor.elements
    return counted


def _json(document: Mapping[str, Any]) -> File:
    return File(json.dumps(document, indent=2).encode())


def _card(front_matter: Mapping[str, Any], text: str) -> File:
    lines: Iterable[str] = (f"{key}: {value}" for key, value in front_matter.items())
    return File(("---\n" + "\n".join(lines) + "\n---\n" + text + "\n").encode())
