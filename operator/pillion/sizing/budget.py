"""How is the memory of one accelerator divided, and what is left for the KV cache?"""

import math
from dataclasses import dataclass

from pillion.facts import ModelFacts
from pillion.sizing import constants, kv_cache, lora, margin, overheads, versions, weights
from pillion.sizing.versions import Version


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
    pipeline_parallel: int = 1
    context_tokens: int | None = None  # the limit of one request; None: the model's own
    version: Version = versions.PINNED
    capability: tuple[int, int] | None = None
    unified_memory: bool = False  # shared with the processor
    adapters: lora.Adapters | None = None

    @property
    def on_cpu(self) -> bool:
        """Whether the engine has the processor alone."""
        return self.block_tokens == kv_cache.CPU_BLOCK_TOKENS

    @property
    def batch(self) -> overheads.Batch:
        """How much is computed at once."""
        return overheads.Batch(
            max_num_seqs=self.max_num_seqs,
            batched_tokens=self.batched_tokens,
            samples=self.samples,
            tensor_parallel=self.tensor_parallel,
            text_only=self.text_only,
            context_tokens=self.context_tokens,
            version=self.version,
            capability=self.capability,
            unified_memory=self.unified_memory,
            on_cpu=self.on_cpu,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Division:
    """Bytes on one accelerator; what is left for the KV cache may be below zero.

    `margin` is what a promise leaves unspent: the engine has `expected_room`, a plan counts on `room`.
    """

    usable: int
    weights: int
    activation: int
    graphs: int
    other: int
    margin: int = 0

    @property
    def expected_room(self) -> int:
        """What the engine is expected to have for the KV cache."""
        return self.usable - self.weights - self.activation - self.graphs - self.other

    @property
    def room(self) -> int:
        """What it has in nineteen cases of twenty: a plan counts on no more."""
        return self.expected_room - self.margin


def divide(demand: Demand, *, total_bytes: int, utilization: float) -> Division:
    """Divide an accelerator's memory as vLLM does when it starts.

    Args:
        demand: what is run.
        total_bytes: of one accelerator, as the framework sees it.
        utilization: the engine's share of it.

    Source: v1/worker/gpu_worker.py, determine_available_memory, of vLLM 0.8.5 to 0.33.0. Needs are rounded up, room
    down.
    """
    held = weights_bytes(demand)
    activation = overheads.activation_peak_bytes(demand.model, demand.batch)
    graphs = (
        overheads.graphs_bytes(
            demand.model,
            max_num_seqs=demand.max_num_seqs,
            batched_tokens=demand.batched_tokens,
            version=demand.version,
            capability=demand.capability,
        )
        if demand.graphs and not demand.on_cpu
        else 0
    )
    fragments = overheads.fragments_bytes(demand.model, demand.batch, compiled=demand.graphs)
    return Division(
        usable=math.floor(total_bytes * utilization),
        weights=held,
        activation=activation,
        graphs=graphs,
        other=overheads.other_bytes(demand.model, demand.batch) + fragments,
        margin=margin.margin_bytes(
            weights=held,
            activation=activation,
            graphs=graphs,
            total=total_bytes,
            fragments=fragments,
            quantized=demand.model.quantization is not None or demand.loading.online is not None,
            several=demand.tensor_parallel > 1,
            unified_memory=demand.unified_memory,
            known_architecture=demand.model.known_architecture,
        ),
    )


def weights_bytes(demand: Demand) -> int:
    """Bytes of weights on the fullest accelerator, with the room for adapters."""
    held = weights.weights_bytes(
        demand.model,
        tensor_parallel=demand.tensor_parallel,
        loading=demand.loading,
        pipeline_parallel=demand.pipeline_parallel,
    )
    if demand.adapters is None:
        return held
    return held + lora.adapter_bytes(
        demand.model,
        demand.adapters,
        tensor_parallel=demand.tensor_parallel,
        element_bytes=demand.loading.plain_bytes,
    )


def layout(demand: Demand) -> kv_cache.KvLayout | None:
    """How the KV cache would be divided; None for a model without one."""
    return kv_cache.layout(
        demand.model.attention,
        tensor_parallel=demand.tensor_parallel,
        pipeline_parallel=demand.pipeline_parallel,
        element_bytes=demand.kv_element_bytes,
        model_element_bytes=demand.loading.plain_bytes,
        batched_tokens=demand.batched_tokens,
        block_tokens=demand.block_tokens,
        engine_version=str(demand.version),
        capability=demand.capability,
    )


def cpu_container_bytes(demand: Demand, *, kv_cache_bytes: int, shm_bytes: int) -> tuple[int, int]:
    """Memory of an engine's container on CPU: what it needs while it serves, and the limit with room to spare.

    Weights, KV cache and the peak of activations are the container's own memory there, beside the engine itself;
    shared memory counts against the limit, and so do compilers while the engine starts.
    """
    needed = (
        weights_bytes(demand)
        + kv_cache_bytes
        + overheads.activation_peak_bytes(demand.model, demand.batch)
        + constants.gib(constants.CPU_ENGINE)
    )
    limit = (
        math.ceil(needed * constants.CPU_HEADROOM.value) + shm_bytes + constants.gib(constants.CPU_COMPILERS)
    )
    return needed, limit
