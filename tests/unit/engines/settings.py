"""Engines that tests ask for: a GPU's, a CPU's, and changes of them."""

from __future__ import annotations

from typing import Any

from pillion import engines
from pillion.api.choices import Task

GIB = 2**30
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def gpu(**changes: Any) -> engines.EngineSettings:
    """A chat model on one whole GPU, with most of what a user may set."""
    usual: dict[str, Any] = {
        "name": "chat",
        "image": "vllm/vllm-openai:v0.33.0",
        "device": engines.GPU,
        "model": engines.HubModel(repo="Qwen/Qwen3-8B", commit=COMMIT, files=("*.json", "*.safetensors")),
        "served_names": ("chat", "gpt-4o"),
        "task": Task.TEXT_GENERATION,
        "port": 18000,
        "resources": engines.Resources(
            cpu_request_millis=2000,
            cpu_limit_millis=4000,
            memory_request_bytes=8 * GIB,
            memory_limit_bytes=12 * GIB,
            shm_bytes=GIB,
            ephemeral_request_bytes=20 * GIB,
            accelerator_resource="nvidia.com/gpu",
            accelerator_count=1,
        ),
        "cache": engines.CacheVolume(size_limit_bytes=20 * GIB),
        "supervisor_config_map": "pillion-supervisor-0123456789ab",
        "startup_timeout_seconds": 900,
        "context_tokens": 8192,
        "max_num_seqs": 64,
        "gpu_memory_utilization": 0.92,
        "generation": engines.Generation(temperature=0.2, output_limit=512),
        "tool_parser": "hermes",
        "reasoning_parser": "qwen3",
        "token_secret": engines.SecretKey(name="hf", key="token"),
        "env": (
            {"name": "VLLM_LOGGING_LEVEL", "value": "DEBUG"},
            {"name": "CORPORATE", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}},
        ),
        "extra_args": ("--seed", "7"),
    }
    return engines.EngineSettings(**usual | changes)


def cpu(**changes: Any) -> engines.EngineSettings:
    """The smallest thing on CPU, with weights on a claim of the user's."""
    usual: dict[str, Any] = {
        "name": "tiny",
        "image": "vllm/vllm-openai-cpu:v0.33.0",
        "device": engines.CPU,
        "model": engines.HubModel(repo="Qwen/Qwen3-0.6B", commit=COMMIT, files=("*.json", "*.safetensors")),
        "served_names": ("tiny",),
        "task": Task.TEXT_GENERATION,
        "port": 18002,
        "resources": engines.Resources(
            cpu_request_millis=1500,
            cpu_limit_millis=2500,
            memory_request_bytes=4 * GIB,
            memory_limit_bytes=4 * GIB,
            shm_bytes=GIB // 2,
            ephemeral_request_bytes=GIB,
            ephemeral_limit_bytes=GIB,
        ),
        "cache": engines.CacheVolume(size_limit_bytes=None, claim_name="models", claim_sub_path="hub"),
        "supervisor_config_map": "pillion-supervisor-0123456789ab",
        "startup_timeout_seconds": 600,
        "context_tokens": 4096,
        "max_num_seqs": 1,
        "kv_cache_bytes": GIB,
        "hub_endpoint": "http://hub.example:8080",
    }
    return engines.EngineSettings(**usual | changes)
