"""What does Text Generation Inference leave for the requests of one candidate?

It divides memory in its own way, and so has a model of its own; what comes out has the same shape as for the other
engine, so that every check reads it the same way.
"""

import math

from pillion.sizing import budget, kv_cache, tgi


def layout(demand: budget.Demand) -> kv_cache.KvLayout | None:
    """How its KV cache is divided: every layer keeps every token."""
    return kv_cache.layout(
        demand.model.attention,
        tensor_parallel=demand.tensor_parallel,
        element_bytes=demand.kv_element_bytes,
        batched_tokens=demand.batched_tokens,
        block_tokens=tgi.block_tokens(demand.capability),
        engine="tgi",
        capability=demand.capability,
    )


def division(demand: budget.Demand, *, total_bytes: int) -> budget.Division:
    """Weights, the warm-up pass, and of what is left the part that is sure."""
    found = tgi.divide(
        demand.model,
        tensor_parallel=demand.tensor_parallel,
        loading=demand.loading,
        element_bytes=demand.kv_element_bytes,
        total_bytes=total_bytes,
        memory_fraction=None,
        capability=demand.capability,
    )
    usable = math.floor(total_bytes * tgi.WIGGLE_ROOM.value)
    room = max(0, usable - found.weights - found.activation)
    return budget.Division(
        usable=usable,
        weights=found.weights,
        activation=found.activation,
        graphs=0,
        other=0,
        margin=math.ceil(room * (1 - tgi.SURE_SHARE.value)),
    )
