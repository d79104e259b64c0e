"""How does an engine divide the memory for one demand?

The memory model is a function of values, and many candidates, of one plan and of the next, ask it the same question:
what was answered is remembered by content.
"""

import functools
import math
from dataclasses import replace

from pillion.planner import resources, tgi_memory
from pillion.sizing import budget, constants, kv_cache, weights

TGI = "TGI"
_REMEMBERED = 4096  # questions; a plan for a dozen products asks a few hundred


def layout(demand: budget.Demand, *, engine: str) -> kv_cache.KvLayout | None:
    """How the KV cache would be divided; None for a model without one."""
    # The number of sequences decides nothing here, and is what candidates are tried with.
    return _layout(replace(demand, max_num_seqs=1), engine)


@functools.lru_cache(maxsize=_REMEMBERED)
def _layout(demand: budget.Demand, engine: str) -> kv_cache.KvLayout | None:
    return tgi_memory.layout(demand) if engine == TGI else budget.layout(demand)


@functools.lru_cache(maxsize=_REMEMBERED)
def on_accelerator(
    demand: budget.Demand, *, engine: str, total_bytes: int, utilization: float
) -> budget.Division:
    """The memory of one accelerator.

    Args:
        demand: what is run.
        engine: its name.
        total_bytes: of the accelerator, as the framework sees it.
        utilization: the engine's share of it, where it can be told one.
    """
    if engine == TGI:
        return tgi_memory.division(demand, total_bytes=total_bytes)
    return budget.divide(demand, total_bytes=total_bytes, utilization=utilization)


def least_on_cpu(needed_bytes: int) -> int:
    """The memory that a node has to leave to a pod, so that what an engine on CPU needs is usable of it."""
    shm = resources.shared_memory_bytes(tensor_parallel=1)
    return math.ceil(needed_bytes * constants.CPU_HEADROOM.value) + shm


@functools.lru_cache(maxsize=_REMEMBERED)
def on_cpu(demand: budget.Demand, *, total_bytes: int) -> budget.Division:
    """The memory of a container on CPU, where the engine itself is in it too."""
    shm = resources.shared_memory_bytes(tensor_parallel=1)
    without_cache, _ = budget.cpu_container_bytes(demand, kv_cache_bytes=0, shm_bytes=shm)
    held = weights.weights_bytes(demand.model, tensor_parallel=1, loading=demand.loading)
    engine = constants.gib(constants.CPU_ENGINE)
    return budget.Division(
        usable=math.floor((total_bytes - shm) / constants.CPU_HEADROOM.value),
        weights=held,
        activation=without_cache - held - engine,
        graphs=0,
        other=engine,
    )
