"""How is the memory of one accelerator divided, and what is left for the KV cache?"""

import math
from dataclasses import dataclass

from pillion.facts import ModelFacts
from pillion.sizing import constants, kv_cache, overheads, weights


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """A model as an engine would run it, before it is known what there is."""

    model: ModelFacts
    tensor_parallel: int
    loading: weights.Loading
    kv_element_bytes: int
    max_num_seqs: int
    batched_tokens: int
    samples: bool  # whether text is generated
    text_only: bool = False
    graphs: bool = True  # CUDA graphs; there are none on CPU
    block_tokens: int = kv_cache.GPU_BLOCK_TOKENS


@dataclass(frozen=True, kw_only=True, slots=True)
class Division:
    """Bytes on one accelerator; `room` is what is left for the KV cache, and may be below zero."""

    usable: int
    weights: int
    activation: int
    graphs: int
    other: int

    @property
    def room(self) -> int:
        """What is left for the KV cache."""
        return self.usable - self.weights - self.activation - self.graphs - self.other


def divide(demand: Demand, *, total_bytes: int, utilization: float) -> Division:
    """Divide an accelerator's memory as vLLM does when it starts.

    Args:
        demand: what is run.
        total_bytes: of one accelerator, as the framework sees it.
        utilization: the engine's share of it.

    Source: vLLM 0.33.0, v1/worker/gpu_worker.py, determine_available_memory. Needs are rounded up, room down.
    """
    return Division(
        usable=math.floor(total_bytes * utilization),
        weights=weights.weights_bytes(
            demand.model, tensor_parallel=demand.tensor_parallel, loading=demand.loading
        ),
        activation=overheads.activation_peak_bytes(
            demand.model,
            max_num_seqs=demand.max_num_seqs,
            batched_tokens=demand.batched_tokens,
            tensor_parallel=demand.tensor_parallel,
            samples=demand.samples,
            text_only=demand.text_only,
        ),
        graphs=overheads.graphs_bytes(demand.model, max_num_seqs=demand.max_num_seqs) if demand.graphs else 0,
        other=overheads.other_bytes(tensor_parallel=demand.tensor_parallel),
    )


def layout(demand: Demand) -> kv_cache.KvLayout | None:
    """How the KV cache would be divided; None for a model without one."""
    return kv_cache.layout(
        demand.model.attention,
        tensor_parallel=demand.tensor_parallel,
        element_bytes=demand.kv_element_bytes,
        batched_tokens=demand.batched_tokens,
        block_tokens=demand.block_tokens,
    )


def cpu_container_bytes(demand: Demand, *, kv_cache_bytes: int, shm_bytes: int) -> tuple[int, int]:
    """Memory of an engine's container on CPU: what it needs while it serves, and the limit with room to spare.

    Weights, KV cache and the peak of activations are the container's own memory there, beside the engine itself;
    shared memory counts against the limit, and so do compilers while the engine starts.
    """
    needed = (
        weights.weights_bytes(demand.model, tensor_parallel=1, loading=demand.loading)
        + kv_cache_bytes
        + overheads.activation_peak_bytes(
            demand.model,
            max_num_seqs=demand.max_num_seqs,
            batched_tokens=demand.batched_tokens,
            tensor_parallel=1,
            samples=demand.samples,
            text_only=demand.text_only,
        )
        + constants.gib(constants.CPU_ENGINE)
    )
    limit = (
        math.ceil(needed * constants.CPU_HEADROOM.value) + shm_bytes + constants.gib(constants.CPU_COMPILERS)
    )
    return needed, limit
