"""Checkpoints of well-known shapes, built from their dimensions: configurations and tensor lists, no weights."""

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pillion.facts import ModelFacts, understanding
from pillion.facts.documents import Documents, RepoFile, Tensor
from pillion.facts.tensors import stored_bytes

COMMIT = "0123456789abcdef0123456789abcdef01234567"
Linear = Callable[[str, int, int], Iterator[Tensor]]


def plain(dtype: str = "BF16") -> Linear:
    """A linear layer as one matrix."""

    def tensors(name: str, rows: int, columns: int) -> Iterator[Tensor]:
        yield Tensor(name=f"{name}.weight", dtype=dtype, shape=(rows, columns))

    return tensors


def awq(name: str, rows: int, columns: int) -> Iterator[Tensor]:
    """Eight 4-bit weights in an int32, a scale and a zero point for each group of 128."""
    yield Tensor(name=f"{name}.qweight", dtype="I32", shape=(columns, rows // 8))
    yield Tensor(name=f"{name}.qzeros", dtype="I32", shape=(columns // 128, rows // 8))
    yield Tensor(name=f"{name}.scales", dtype="F16", shape=(columns // 128, rows))


def fp8_blocks(name: str, rows: int, columns: int) -> Iterator[Tensor]:
    """8-bit weights with a scale for each block of 128 by 128."""
    yield Tensor(name=f"{name}.weight", dtype="F8_E4M3", shape=(rows, columns))
    yield Tensor(name=f"{name}.weight_scale_inv", dtype="BF16", shape=(-(-rows // 128), -(-columns // 128)))


def decoder_config(
    *,
    layers: int,
    hidden: int,
    intermediate: int,
    heads: int,
    kv_heads: int,
    vocabulary: int,
    context: int,
    head_dim: int | None = None,
    architecture: str = "LlamaForCausalLM",
    model_type: str = "llama",
    **more: Any,
) -> dict[str, Any]:
    """config.json of a decoder of the Llama family."""
    return {
        "architectures": [architecture],
        "model_type": model_type,
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "intermediate_size": intermediate,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim or hidden // heads,
        "vocab_size": vocabulary,
        "max_position_embeddings": context,
        "torch_dtype": "bfloat16",
        "tie_word_embeddings": False,
        **more,
    }


def decoder_tensors(
    config: Mapping[str, Any], *, linear: Linear | None = None, dtype: str = "BF16"
) -> tuple[Tensor, ...]:
    """The tensors of such a decoder."""
    return tuple(_decoder_tensors(config, linear or plain(dtype), dtype))


def _decoder_tensors(config: Mapping[str, Any], linear: Linear, dtype: str) -> Iterator[Tensor]:
    hidden, inner, head_dim = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * head_dim, config["num_key_value_heads"] * head_dim
    yield Tensor(name="model.embed_tokens.weight", dtype=dtype, shape=(config["vocab_size"], hidden))
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}"
        yield Tensor(name=f"{prefix}.input_layernorm.weight", dtype=dtype, shape=(hidden,))
        yield from linear(f"{prefix}.self_attn.q_proj", queries, hidden)
        yield from linear(f"{prefix}.self_attn.k_proj", keys, hidden)
        yield from linear(f"{prefix}.self_attn.v_proj", keys, hidden)
        yield from linear(f"{prefix}.self_attn.o_proj", hidden, queries)
        yield Tensor(name=f"{prefix}.post_attention_layernorm.weight", dtype=dtype, shape=(hidden,))
        yield from linear(f"{prefix}.mlp.gate_proj", inner, hidden)
        yield from linear(f"{prefix}.mlp.up_proj", inner, hidden)
        yield from linear(f"{prefix}.mlp.down_proj", hidden, inner)
    yield Tensor(name="model.norm.weight", dtype=dtype, shape=(hidden,))
    if not config["tie_word_embeddings"]:
        yield Tensor(name="lm_head.weight", dtype=dtype, shape=(config["vocab_size"], hidden))


def documents(
    repo: str,
    config: Mapping[str, Any],
    tensors: tuple[Tensor, ...] | None,
    *,
    files: tuple[RepoFile, ...] | None = None,
    **more: Any,
) -> Documents:
    """A repository with these documents, and a chat template unless other settings of the tokenizer are given."""
    weights_bytes = sum(stored_bytes(tensor) for tensor in tensors or ())
    files = files or (RepoFile(name="model.safetensors", size_bytes=weights_bytes),)
    more.setdefault("tokenizer_config", {"chat_template": "{{ messages }}", "tokenizer_class": "Tokens"})
    return Documents(repo=repo, commit=COMMIT, config=config, tensors=tensors, files=files, **more)


LLAMA_8B = decoder_config(
    layers=32,
    hidden=4096,
    intermediate=14336,
    heads=32,
    kv_heads=8,
    vocabulary=128_256,
    context=131_072,
    rope_scaling={"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192},
)
QWEN3_8B = decoder_config(
    layers=36,
    hidden=4096,
    intermediate=12288,
    heads=32,
    kv_heads=8,
    vocabulary=151_936,
    context=40_960,
    head_dim=128,
    architecture="Qwen3ForCausalLM",
    model_type="qwen3",
)
LLAMA_70B = decoder_config(
    layers=80,
    hidden=8192,
    intermediate=28672,
    heads=64,
    kv_heads=8,
    vocabulary=128_256,
    context=131_072,
)
AWQ_SETTINGS = {"quant_method": "awq", "bits": 4, "group_size": 128}
FP8_SETTINGS = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}


def model(
    repo: str, config: Mapping[str, Any], *, linear: Linear | None = None, dtype: str = "BF16", **more: Any
) -> ModelFacts:
    """The facts of a decoder."""
    return understanding.facts(
        documents(repo, config, decoder_tensors(config, linear=linear, dtype=dtype), **more)
    )


def llama_8b() -> ModelFacts:
    return model("meta-llama/Llama-3.1-8B-Instruct", LLAMA_8B)


def llama_70b() -> ModelFacts:
    return model("meta-llama/Llama-3.3-70B-Instruct", LLAMA_70B)


def qwen3_8b() -> ModelFacts:
    return model("Qwen/Qwen3-8B", QWEN3_8B)


def qwen3_8b_awq() -> ModelFacts:
    return model(
        "Qwen/Qwen3-8B-AWQ", {**QWEN3_8B, "quantization_config": AWQ_SETTINGS}, linear=awq, dtype="F16"
    )


def qwen3_8b_fp8() -> ModelFacts:
    return model("Qwen/Qwen3-8B-FP8", {**QWEN3_8B, "quantization_config": FP8_SETTINGS}, linear=fp8_blocks)


def tiny() -> ModelFacts:
    """A few MB, as the test Hub's."""
    config = decoder_config(
        layers=4, hidden=256, intermediate=512, heads=4, kv_heads=2, vocabulary=320, context=8192, head_dim=64
    )
    return model("pillion-test/tiny-river", config)


def gguf(values: Mapping[str, str | int | list[str]], *, tensors: int = 291) -> bytes:
    """The head of a GGUF file: texts, whole numbers of 32 bit and lists of texts."""
    head = b"GGUF" + struct.pack("<IQQ", 3, tensors, len(values))
    for key, value in values.items():
        head += _gguf_text(key)
        match value:
            case str():
                head += struct.pack("<I", 8) + _gguf_text(value)
            case int():
                head += struct.pack("<II", 4, value)
            case list():
                head += struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_gguf_text, value))
    return head


def _gguf_text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded
