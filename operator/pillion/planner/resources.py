"""How much CPU, memory and disk does an engine's container get, and how long may it take to load?

By class of accelerator rather than by model, so that most changes of the model fit the pods that run. On CPU the
model's own memory is the container's, so that it is sized by steps.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

from pillion.api.engine import EngineResources, ResourceList
from pillion.facts import Basis, Fact
from pillion.hardware import AcceleratorPool, quantities
from pillion.planner.model import Plan, TargetShape
from pillion.sizing.constants import GIB, MIB

_LARGE_ACCELERATOR: Final = 40 * GIB

GPU_HOST_MEMORY: Final = Fact(
    value=6,
    unit="GiB, and 2 GiB for each accelerator",
    basis=Basis.ASSUMED,
    source="resident memory of vLLM's processes with CUDA; weights are read through the page cache",
)
COMPILED_FILES: Final = Fact(
    value=6,
    unit="GiB",
    basis=Basis.ASSUMED,
    source="what Inductor, Triton, FlashInfer and CUDA graphs leave on disk for some models of one engine",
)
LOADING_RATE: Final = Fact(
    value=50 * MIB,
    unit="bytes/s",
    basis=Basis.ASSUMED,
    source="a slow network disk; the download itself is not counted",
)
START_BASE_SECONDS: Final = Fact(
    value=600,
    unit="s",
    basis=Basis.ASSUMED,
    source="imports, compilation and graph capture took 1 to 5 minutes in reports of users",
)
# Steps of memory limits on CPU: a change to a model of about the same size keeps its pods.
_MEMORY_STEPS: Final = tuple(
    step * GIB for step in (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024)
)
_LARGEST_CPU_MILLIS: Final = 16_000
_ONE_CORE: Final = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Needs:
    """Requests that decide where a pod can go."""

    cpu_millis: int
    memory_bytes: int
    ephemeral_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """Requests and limits of an engine's container, and the sizes of its volumes."""

    cpu_request_millis: int
    cpu_limit_millis: int
    memory_request_bytes: int
    memory_limit_bytes: int
    shm_bytes: int
    ephemeral_request_bytes: int
    ephemeral_limit_bytes: int
    cache_bytes: int

    @property
    def needs(self) -> Needs:
        """The part that the scheduler counts."""
        return Needs(
            cpu_millis=self.cpu_request_millis,
            memory_bytes=self.memory_request_bytes,
            ephemeral_bytes=self.ephemeral_request_bytes,
        )


def on_accelerators(
    pool: AcceleratorPool, *, count: int, download_bytes: int, target: TargetShape | None, claims_cache: bool
) -> Sizes:
    """Sizes for a class of accelerator.

    Args:
        pool: the accelerator.
        count: of one pod.
        download_bytes: of the checkpoint.
        target: tells whether the pod is Guaranteed, and has to stay so.
        claims_cache: whether weights live on the user's own claim rather than on the node's disk.
    """
    large = pool.memory_bytes >= _LARGE_ACCELERATOR
    shm = shared_memory_bytes(tensor_parallel=count)
    memory = round(GPU_HOST_MEMORY.value) * GIB + 2 * GIB * count + shm
    cpu = (2 if large else 1) * _ONE_CORE * count
    # The largest checkpoint that could be held once it is loaded, twice for one that is halved while loading.
    held = pool.memory_bytes * count
    cache = _whole_gib(max(held, math.ceil(download_bytes * 1.1)) + round(COMPILED_FILES.value) * GIB)
    return _guaranteed(
        _with_disk(
            cpu_request=cpu,
            cpu_limit=4 * cpu,
            memory_request=memory,
            memory_limit=memory,
            shm=shm,
            cache=cache,
            download_bytes=download_bytes,
            claims_cache=claims_cache,
        ),
        target,
    )


def on_cpu(
    *,
    needed_bytes: int,
    limit_bytes: int,
    parameters: int | None,
    download_bytes: int,
    node_cpu_millis: int,
    target: TargetShape | None,
    claims_cache: bool,
) -> Sizes:
    """Sizes for an engine that computes on the CPU.

    Args:
        needed_bytes: what the container is expected to take.
        limit_bytes: the same with room to spare and shared memory.
        parameters: that one token passes; more of them want more cores. None counts as a small model.
        download_bytes: of the checkpoint.
        node_cpu_millis: of the largest node: threads beyond its cores only wait.
        target: tells whether the pod is Guaranteed, and has to stay so.
        claims_cache: whether weights live on the user's own claim.
    """
    limit = next((step for step in _MEMORY_STEPS if step >= limit_bytes), _whole_gib(limit_bytes))
    # An old and a new model, and what is compiled.
    cache = _whole_gib(math.ceil(download_bytes * 2.2) + 2 * GIB)
    whole_cores = max(1, node_cpu_millis // _ONE_CORE) * _ONE_CORE
    cpu_request = _cpu_request_millis(parameters)
    return _guaranteed(
        _with_disk(
            cpu_request=cpu_request,
            cpu_limit=max(cpu_request, min(_LARGEST_CPU_MILLIS, whole_cores)),
            memory_request=min(limit, _whole(needed_bytes, 256 * MIB)),
            memory_limit=limit,
            shm=shared_memory_bytes(tensor_parallel=1),
            cache=cache,
            download_bytes=download_bytes,
            claims_cache=claims_cache,
        ),
        target,
    )


def shared_memory_bytes(*, tensor_parallel: int) -> int:
    """Size of /dev/shm: the engine's queues, and a share for each rank that talks to others.

    A killed engine left 160 to 240 MB there (measured, vLLM 0.32.0 on CPU). The rest is ASSUMED.
    """
    return GIB // 2 if tensor_parallel == 1 else (1 + tensor_parallel) * GIB


def kept(sizes: Sizes, previous: Plan | None, *, same_class: bool) -> Sizes:
    """The sizes that pods have already, where they are enough: then a change of the model needs no new pods."""
    if previous is None or not same_class:
        return sizes
    had = of_plan(previous)
    enough = (
        had.memory_limit_bytes >= sizes.memory_limit_bytes
        and had.shm_bytes >= sizes.shm_bytes
        and had.cache_bytes >= sizes.cache_bytes
    )
    return had if enough else sizes


def of_plan(plan: Plan) -> Sizes:
    """The sizes that a plan computed, without what the user sets in their place."""
    return Sizes(
        cpu_request_millis=plan.cpu_request_millis,
        cpu_limit_millis=plan.cpu_limit_millis,
        memory_request_bytes=plan.memory_request_bytes,
        memory_limit_bytes=plan.memory_limit_bytes,
        shm_bytes=plan.shm_bytes,
        ephemeral_request_bytes=plan.ephemeral_request_bytes,
        ephemeral_limit_bytes=plan.ephemeral_limit_bytes,
        cache_bytes=plan.cache_bytes,
    )


def as_asked(computed: Sizes, wanted: EngineResources | None) -> Sizes:
    """The sizes with what spec.engine.resources sets in their place.

    | set           | request                        | limit                                     |
    | nothing       | as computed                    | as computed                               |
    | a request     | the user's                     | as computed, or the request if it is more |
    | a limit       | the limit, as Kubernetes has it | the user's                               |
    | both          | the user's                     | the user's                                |
    """
    if wanted is None:
        return computed

    def pair(field: str, request: int, limit: int, *, millis: bool = False) -> tuple[int, int]:
        own_request = _amount(wanted.requests, field, millis=millis)
        own_limit = _amount(wanted.limits, field, millis=millis)
        if own_request is None:
            return (request, limit) if own_limit is None else (own_limit, own_limit)
        return own_request, max(limit, own_request) if own_limit is None else own_limit

    cpu = pair("cpu", computed.cpu_request_millis, computed.cpu_limit_millis, millis=True)
    memory = pair("memory", computed.memory_request_bytes, computed.memory_limit_bytes)
    disk = pair("ephemeral_storage", computed.ephemeral_request_bytes, computed.ephemeral_limit_bytes)
    return replace(
        computed,
        cpu_request_millis=cpu[0],
        cpu_limit_millis=cpu[1],
        memory_request_bytes=memory[0],
        memory_limit_bytes=memory[1],
        ephemeral_request_bytes=disk[0],
        ephemeral_limit_bytes=disk[1],
    )


def container_sizes(plan: Plan, wanted: EngineResources | None) -> Sizes:
    """What the container of a plan gets: the same numbers as were looked for on the nodes."""
    return as_asked(of_plan(plan), wanted)


def startup_timeout_seconds(weights_bytes: int) -> int:
    """How long loading may take once the weights are there."""
    return round(START_BASE_SECONDS.value) + math.ceil(weights_bytes / LOADING_RATE.value)


def _with_disk(
    *,
    cpu_request: int,
    cpu_limit: int,
    memory_request: int,
    memory_limit: int,
    shm: int,
    cache: int,
    download_bytes: int,
    claims_cache: bool,
) -> Sizes:
    logs_and_temporary = 2 * GIB
    on_disk = 0 if claims_cache else math.ceil(download_bytes * 1.1)
    return Sizes(
        cpu_request_millis=cpu_request,
        cpu_limit_millis=cpu_limit,
        memory_request_bytes=memory_request,
        memory_limit_bytes=memory_limit,
        shm_bytes=shm,
        ephemeral_request_bytes=_whole(on_disk + 512 * MIB, 512 * MIB),
        ephemeral_limit_bytes=(0 if claims_cache else cache) + logs_and_temporary,
        cache_bytes=cache,
    )


def _guaranteed(sizes: Sizes, target: TargetShape | None) -> Sizes:
    """A pod whose containers all have requests equal to limits keeps that with the engine in it."""
    if target is None or not target.guaranteed:
        return sizes
    cpu = max(_ONE_CORE, sizes.cpu_request_millis)
    return replace(
        sizes,
        cpu_request_millis=cpu,
        cpu_limit_millis=cpu,
        memory_request_bytes=sizes.memory_limit_bytes,
    )


def _amount(entries: ResourceList | None, field: str, *, millis: bool) -> int | None:
    text: str | None = getattr(entries, field, None)
    if text is None:
        return None
    return quantities.millis(text) if millis else quantities.whole(text)


def _cpu_request_millis(parameters: int | None) -> int:
    """Cores that are kept free: a quarter for a toy, then one for each two billion parameters."""
    if parameters is None or parameters < 100_000_000:
        return 250
    return min(_LARGEST_CPU_MILLIS, max(500, _whole(parameters // 2_000_000, 500)))


def _whole_gib(amount: int) -> int:
    return _whole(amount, GIB)


def _whole(amount: int, step: int) -> int:
    return -(-amount // step) * step
