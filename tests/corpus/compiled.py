"""What ModelSidecar do the engines and the compiler make together, without a planner?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pillion import engines, injection
from pillion.api.choices import Task

if TYPE_CHECKING:
    from tests.corpus import Raw

GIB = 2**30


def settings(name: str, **changes: Any) -> engines.EngineSettings:
    """One model on one GPU; `changes` are fields of `engines.EngineSettings`."""
    usual: dict[str, Any] = {
        "name": name,
        "image": "engine.example/vllm:1",
        "device": engines.GPU,
        "model": engines.HubModel(repo="example/tiny", commit="0" * 40, files=("*.json", "*.safetensors")),
        "served_names": (name,),
        "task": Task.TEXT_GENERATION,
        "port": 18000,
        "resources": engines.Resources(
            cpu_request_millis=2000,
            cpu_limit_millis=4000,
            memory_request_bytes=8 * GIB,
            memory_limit_bytes=8 * GIB,
            shm_bytes=GIB,
            ephemeral_request_bytes=GIB,
            accelerator_resource="nvidia.com/gpu",
            accelerator_count=1,
        ),
        "cache": engines.CacheVolume(size_limit_bytes=20 * GIB),
        "supervisor_config_map": injection.config_map_name(),
        "startup_timeout_seconds": 600,
    }
    return engines.EngineSettings(**usual | changes)


def compiled(*, name: str, namespace: str, gate: str = "Auto", port: int = 18000, **changes: Any) -> Raw:
    """The whole ModelSidecar; `changes` are arguments of `injection.compile_sidecar`."""
    usual: dict[str, Any] = {
        "name": name,
        "namespace": namespace,
        "uid": "00000000-0000-0000-0000-000000000000",
        "rendering": engines.render(settings(name, port=port)),
        "port": port,
        "served_name": name,
        "gate": gate,
        "plain_policy": "Always",
        "plan_json": "{}",
        "spec_hash": "0" * 16,
    }
    return injection.compile_sidecar(**usual | changes)
