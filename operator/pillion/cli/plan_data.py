"""What does a program get of a plan?"""

from typing import Any

from pillion import planner
from pillion.api.engine import EngineResources
from pillion.cli.planning import Answer
from pillion.facts import ModelFacts
from pillion.planner import wording

__all__ = ["of"]


def of(answer: Answer) -> dict[str, Any]:
    """The answer for programs: status' own fields, with every candidate."""
    outcome = answer.outcome
    found: dict[str, Any] = {
        "name": answer.deployment.metadata.name,
        "namespace": answer.namespace,
        "planned": isinstance(outcome, planner.Planned),
    }
    if isinstance(outcome, planner.Planned):
        found |= {
            "reason": "Planned",
            "message": outcome.plan.sentence,
            "plan": outcome.plan.to_status(),
            "settings": _settings(outcome.plan, answer.deployment.spec.engine.resources),
            "accelerators": {
                "perPod": outcome.plan.count,
                "pods": answer.pods,
                "total": outcome.accelerators_total,
                "free": outcome.accelerators_free,
            },
        }
    else:
        found |= {"reason": outcome.reason.value, "message": outcome.message}
    if answer.facts is not None:
        found["model"] = _model(answer.facts)
    return found | {
        "warnings": [
            {"reason": warned.reason.value, "message": warned.message} for warned in outcome.warnings
        ],
        "candidates": [_candidate(rejected) for rejected in outcome.rejected],
        "assumptions": list(answer.notes),
    }


def _candidate(rejected: planner.Rejected) -> dict[str, Any]:
    return {
        "checkpoint": rejected.checkpoint,
        "quantization": rejected.quantization,
        "product": rejected.product or "CPU",
        "count": rejected.count,
        "reason": rejected.reason.value,
        "message": rejected.message,
    }


def _settings(plan: planner.Plan, resources: EngineResources | None) -> dict[str, Any]:
    """What the engine and its container are given."""
    sizes = planner.container_sizes(plan, resources)
    return {
        key: value
        for key, value in {
            "maxModelLen": plan.context_tokens,
            "maxNumSeqs": plan.max_num_seqs,
            "maxNumBatchedTokens": plan.max_num_batched_tokens,
            "gpuMemoryUtilization": plan.gpu_memory_utilization,
            "kvCacheBytes": plan.kv_cache_bytes,
            "kvCacheDtype": plan.kv_cache_dtype,
            "dtype": plan.dtype,
            "quantization": plan.on_the_fly,
            "tensorParallel": plan.tensor_parallel,
            "cpuRequest": f"{sizes.cpu_request_millis}m",
            "memoryRequest": wording.quantity(sizes.memory_request_bytes),
            "memoryLimit": wording.quantity(sizes.memory_limit_bytes),
            "startupTimeoutSeconds": plan.startup_timeout_seconds,
        }.items()
        if value is not None
    }


def _model(facts: ModelFacts) -> dict[str, Any]:
    """What is known of the checkpoint, under the names of status; absent where it is not."""
    known = {
        "commit": facts.commit,
        "architecture": facts.architecture,
        "parameters": facts.parameters,
        "activeParameters": facts.active_parameters,
        "dtype": facts.dtype,
        "task": facts.task.value,
        "chatTemplate": facts.chat_template,
        "instruct": facts.instruct,
        "distilled": facts.distilled,
        "baseModel": facts.base_model,
        "license": facts.license,
    }
    return {name: value for name, value in known.items() if value not in (None, "")}
