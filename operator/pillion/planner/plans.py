"""What plan does an accepted candidate become?

Here a candidate gets the settings that make it true: limits on requests, shares of memory, the container's sizes,
and where its pods may go.
"""

from typing import Any

from pillion.planner import obstacles, placement, resources
from pillion.planner.candidates import SIXTEEN_BIT
from pillion.planner.model import Device, MemoryBudget, Plan
from pillion.planner.trial import Trial
from pillion.planner.wishes import LENGTH_STEP
from pillion.sizing import weights

Raw = dict[str, Any]


def made(trial: Trial) -> Plan:
    """The plan of a candidate that passed every check."""
    candidate, share, sizes = trial.candidate, trial.share, trial.computed_sizes
    granted = share.granted
    if granted is None:
        raise ValueError(f"{candidate.names} holds no request and cannot become a plan")
    pool = candidate.pool
    explicit_cache = pool is None or pool.shared
    spec = trial.request.spec
    return Plan(
        checkpoint=candidate.model.repo,
        commit=candidate.model.commit,
        quantization=candidate.quantization,
        bits=candidate.bits or SIXTEEN_BIT,
        calibrated=candidate.calibrated,
        on_the_fly=candidate.on_the_fly,
        device=candidate.device,
        product=candidate.product,
        resource=pool.resource if pool else None,
        count=candidate.count,
        tensor_parallel=max(1, candidate.count),
        kv_cache_dtype=candidate.kv_cache_dtype,
        dtype=None,
        context_tokens=_context_tokens(trial),
        promised_context_tokens=granted.context_tokens,
        concurrency=granted.concurrency,
        max_num_seqs=share.demand.max_num_seqs,
        max_num_batched_tokens=_batched_tokens(trial),
        gpu_memory_utilization=trial.utilization if pool else None,
        kv_cache_bytes=_explicit_cache_bytes(trial) if explicit_cache and share.layout else None,
        engine=trial.profile.name,
        engine_version=trial.told_version,
        image=trial.image,
        memory=_memory(trial),
        kv_cache_tokens=_cache_tokens(trial),
        cpu_request_millis=sizes.cpu_request_millis,
        cpu_limit_millis=sizes.cpu_limit_millis,
        memory_request_bytes=sizes.memory_request_bytes,
        memory_limit_bytes=sizes.memory_limit_bytes,
        shm_bytes=sizes.shm_bytes,
        ephemeral_request_bytes=sizes.ephemeral_request_bytes,
        ephemeral_limit_bytes=sizes.ephemeral_limit_bytes,
        cache_bytes=sizes.cache_bytes,
        node_requirements=placement.asked_of_nodes(trial.request, pool, trial.places.open_to(pool)),
        tolerations=obstacles.plan_tolerations(pool),
        startup_timeout_seconds=spec.startup_timeout_seconds
        or resources.startup_timeout_seconds(trial.model.weights.stored_bytes),
        given_up=granted.given_up(trial.wishes),
    )


def _context_tokens(trial: Trial) -> int:
    """The engine's limit: as required, or as long as one request can be with the memory that there is.

    The engine does not start where one request of that length does not fit, so the room counted on is what it has
    in nineteen cases of twenty.
    """
    share, wanted = trial.share, trial.wishes
    promised = share.granted.context_tokens if share.granted else wanted.context_floor
    if wanted.context_required or share.layout is None:
        return promised
    if trial.candidate.device is Device.CPU:
        return promised  # there the cache is as large as the promise, by our own choice
    longest = share.layout.longest(
        concurrency=1, room_bytes=max(0, _cache_room(trial)), at_most=wanted.model_limit
    )
    if longest < wanted.model_limit:
        longest = longest // LENGTH_STEP * LENGTH_STEP
    return max(promised, longest)


def _cache_room(trial: Trial) -> int:
    explicit = trial.candidate.pool is not None and trial.candidate.pool.shared
    return _explicit_cache_bytes(trial) if explicit else trial.share.division.room


def _cache_tokens(trial: Trial) -> int | None:
    """Tokens that the engine is expected to find room for, by the same count as it reports them."""
    layout = trial.share.layout
    if layout is None:
        return None
    explicit = trial.candidate.pool is None or trial.candidate.pool.shared
    room = _explicit_cache_bytes(trial) if explicit else trial.share.division.expected_room
    return layout.tokens(context_tokens=_context_tokens(trial), room_bytes=max(0, room))


def _explicit_cache_bytes(trial: Trial) -> int:
    """KV cache that is asked for by name: the promise on CPU, all of its share on a shared accelerator."""
    return trial.kv_cache_bytes if trial.candidate.pool is None else trial.share.division.room


def _batched_tokens(trial: Trial) -> int | None:
    """Tokens at once, where the engine's default is not right: what is computed in one piece has to fit."""
    pool = trial.candidate.pool
    if pool is None:
        return None
    batched = trial.share.demand.batched_tokens
    return batched if not trial.share.demand.samples and batched == trial.wishes.context_tokens else None


def _memory(trial: Trial) -> MemoryBudget:
    division = trial.share.division
    candidate = trial.candidate
    sixteen = weights.sixteen_bit_bytes(trial.model, tensor_parallel=max(1, candidate.count))
    return MemoryBudget(
        total=trial.total_bytes if candidate.pool else trial.sizes.memory_limit_bytes,
        usable=division.usable if candidate.pool else trial.sizes.memory_limit_bytes,
        weights=division.weights,
        kv_cache=trial.kv_cache_bytes,
        activation=division.activation,
        graphs=division.graphs,
        other=division.other,
        headroom=division.expected_room - trial.kv_cache_bytes
        if candidate.pool
        else trial.sizes.memory_limit_bytes
        - trial.cpu_container[0],  # below 0 where the user limits it to less
        sixteen_bit_weights=sixteen,
        unverified=trial.unverified is not None,
    )
