"""Files that users have, built to read as sentences."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.hub import models

if TYPE_CHECKING:
    from pathlib import Path

Raw = dict[str, Any]


def deployment(
    name: str = "chat", *, repo: str = models.DENSE_8B, target: str | None = "web", **spec: Any
) -> Raw:
    """A ModelDeployment."""
    reference = {} if target is None else {"targetRef": {"name": target}}
    return {
        "apiVersion": "pillion.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": {"model": {"repo": repo}, **reference, **spec},
    }


def workload(name: str = "web", *, replicas: int = 1, cpu: str = "100m") -> Raw:
    """A Deployment whose pods ask for a little."""
    container = {"name": "app", "image": "app:1", "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}},
    }


def config(**changes: Any) -> Raw:
    """A configuration of 0.6 billion parameters, written from the shapes."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "vocab_size": 151_936,
        "max_position_embeddings": 40_960,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        **changes,
    }


def folder(at: Path, **changes: Any) -> Path:
    """A directory with config.json alone."""
    at.mkdir(parents=True, exist_ok=True)
    (at / "config.json").write_text(json.dumps(config(**changes)))
    return at
