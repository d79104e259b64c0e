"""How does the engine's own planning code divide a cache? Runs in the engine's Python; see asking.py.

A job has `id`, `layers` (what each keeps: its kind and numbers), `context`, `in_flight` (tokens) and `room` (bytes). No
model is made: the specifications that layers would have are handed to the functions that group them.
"""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace
from typing import Any

import torch
from vllm.v1 import kv_cache_interface as kinds
from vllm.v1.core import kv_cache_utils
from vllm.v1.kv_cache_layout import KVCacheLayout


def settings(job: dict[str, Any]) -> Any:
    """As much of the engine's configuration as its planning reads."""
    return SimpleNamespace(
        model_config=SimpleNamespace(max_model_len=job["context"], supports_kv_cache_grouping=False),
        scheduler_config=SimpleNamespace(disable_hybrid_kv_cache_manager=False),
        cache_config=SimpleNamespace(
            num_gpu_blocks_override=None,
            mamba_cache_mode="align",
            prefix_cache_retention_interval=None,
            get_resolved_kv_cache_layout=lambda: KVCacheLayout.LBNHC,
        ),
        parallel_config=SimpleNamespace(decode_context_parallel_size=1, tensor_parallel_size=1),
        attention_config=SimpleNamespace(hisparse_config=None),
        speculative_config=None,
        max_in_flight_tokens=job["in_flight"],
    )


def specification(layer: dict[str, Any]) -> Any:
    """What the engine's layer of this kind would say of itself."""
    if layer["kind"] == "State":
        return kinds.MambaSpec(
            block_size=layer["block_tokens"],
            shapes=((layer["page_bytes"],),),
            dtypes=(torch.int8,),
            mamba_cache_mode="align",
            num_prefill_checkpoint_blocks=layer["states"] - 2,
        )
    heads = {
        "block_size": layer["block_tokens"],
        "num_kv_heads": layer["kv_heads"],
        "head_size": layer["head_dim"],
        "dtype": torch.bfloat16,
    }
    if layer["kind"] == "Sliding":
        return kinds.SlidingWindowSpec(**heads, sliding_window=layer["window"])
    if layer["kind"] == "Chunked":
        return kinds.ChunkedLocalAttentionSpec(**heads, attention_chunk_size=layer["window"])
    return kinds.FullAttentionSpec(**heads)


def planned(job: dict[str, Any]) -> dict[str, Any]:
    """Groups, blocks and tokens."""
    config = settings(job)
    layers = {f"layers.{index}.attn": specification(layer) for index, layer in enumerate(job["layers"])}
    groups = kv_cache_utils.get_kv_cache_groups(config, layers)
    made = kv_cache_utils.get_kv_cache_config_from_groups(config, groups, job["room"])
    tokens, concurrency = kv_cache_utils.get_kv_cache_capacity(config, made)
    return {"groups": len(groups), "blocks": made.num_blocks, "tokens": tokens, "concurrency": concurrency}


for line in sys.stdin.read().splitlines():
    job = json.loads(line)
    print("ANSWER " + json.dumps({"id": job["id"], **planned(job)}), flush=True)
