"""Does the candidate fit on its accelerator, or in the memory of a node?"""

from pillion.api.reasons import Reason
from pillion.planner import wording
from pillion.planner.candidates import FULL_FP8_FROM, PLAIN
from pillion.planner.node_checks import counts_on_autoscaler
from pillion.planner.rejection import Rejection
from pillion.planner.trial import Trial
from pillion.sizing import parallelism

_MAKERS = {"amd": "AMD", "intel": "Intel"}
_TOLD = 3  # drivers that a sentence names one by one


def product_allowed(trial: Trial) -> Rejection | None:
    """The spec lets the accelerator through, and a shared one was named."""
    pool, spec = trial.candidate.pool, trial.request.spec
    if pool is None:
        return None
    named = pool.product in spec.hardware.products
    if spec.hardware.products and not named:
        return Rejection(
            reason=Reason.PRODUCT_NOT_ALLOWED,
            message=f"spec.hardware.products names {', '.join(spec.hardware.products)}, and not {pool.product}.",
        )
    if pool.partial and not named:
        part = (
            f"a share of a GPU, on which {pool.replicas} pods take turns"
            if pool.shared
            else "a slice of a GPU"
        )
        return Rejection(
            reason=Reason.SHARED_ACCELERATOR,
            message=f"{pool.product} is {part}; name it in spec.hardware.products to use it.",
        )
    return None


def engine_shares(trial: Trial) -> Rejection | None:
    """The engine can keep to a share: TGI takes what is free of the whole card, and so less where others use theirs."""
    pool = trial.candidate.pool
    if pool is None or not pool.shared or trial.profile.name != "TGI":
        return None
    return Rejection(
        reason=Reason.SHARED_ACCELERATOR,
        message=f"{trial.profile.name} cannot keep to a share of {pool.product}; a whole card, a slice, or vLLM can.",
    )


def vendor_has_image(trial: Trial) -> Rejection | None:
    """There is an image of the engine for the accelerator's maker: of others than NVIDIA's only the user's own.

    An image that was meant for the cluster's NVIDIA cards is no reason to take another maker's beside them.
    """
    pool, spec = trial.candidate.pool, trial.request.spec
    if pool is None or pool.vendor == "nvidia":
        return None
    missing = [
        *(["name it in spec.hardware.products"] if pool.product not in spec.hardware.products else []),
        *(["set spec.engine.image to one"] if spec.engine.image is None else []),
    ]
    if not missing:
        return None
    maker = _MAKERS.get(pool.vendor, pool.vendor)
    return Rejection(
        reason=Reason.ENGINE_IMAGE_MISSING,
        message=f"{pool.product} needs an image of {trial.profile.name} for {maker}'s accelerators, which this "
        f"version does not pin; {' and '.join(missing)}.",
    )


def driver_new_enough(trial: Trial) -> Rejection | None:
    """At least one open node has a driver that the engine's image starts on, or says nothing of it."""
    pool, cuda = trial.candidate.pool, trial.places.cuda
    there = trial.places.open_to(pool)
    if (
        pool is None
        or cuda is None
        or there.accelerators
        or not there.outdated
        or counts_on_autoscaler(trial)
    ):
        return None
    versions = sorted({node.room.driver.version for node in there.outdated if node.room.driver is not None})
    told = wording.listed(versions) if len(versions) <= _TOLD else f"{versions[0]} to {versions[-1]}"
    variable = cuda.compatibility_variable
    own = f", or on data-centre cards {variable}=1 in spec.engine.env" if variable is not None else ""
    return Rejection(
        reason=Reason.DRIVER_TOO_OLD,
        message=f"{wording.doing(len(there.outdated), 'node', 'has')} {pool.product} with the driver {told}, and the "
        f"image of {trial.profile.name} {trial.profile.version} (CUDA {cuda.text}) needs {cuda.minimum_driver} or "
        f"newer. What helps: a newer driver, an image built for an older CUDA in spec.engine.image{own}.",
    )


def gpu_computes_format(trial: Trial) -> Rejection | None:
    """The engine has kernels for the weights and the KV cache on this accelerator."""
    candidate = trial.candidate
    pool = candidate.pool
    if pool is None or pool.vendor != "nvidia":
        return None
    if pool.compute_capability is None:
        return Rejection(
            reason=Reason.COMPUTE_CAPABILITY_UNKNOWN,
            message=f"{pool.product}: no label says what it can compute (nvidia.com/gpu.compute.major); install "
            "GPU Feature Discovery on its nodes.",
        )
    has = _capability(pool.compute_capability)
    needed = trial.profile.minimum_capability[candidate.quantization]
    if pool.compute_capability < needed:
        return Rejection(
            reason=Reason.COMPUTE_CAPABILITY_TOO_LOW,
            message=f"{wording.weights_name(candidate.quantization)} weights need compute capability "
            f"{_capability(needed)}, and {pool.product} has {has}.",
        )
    most = trial.profile.maximum_capability
    if most is not None and pool.compute_capability > most:
        return Rejection(
            reason=Reason.COMPUTE_CAPABILITY_TOO_HIGH,
            message=f"{trial.profile.name} {trial.profile.version} has kernels up to compute capability "
            f"{_capability(most)}, and {pool.product} has {has}; vLLM runs on it.",
        )
    if candidate.kv_cache_quantized and pool.compute_capability < FULL_FP8_FROM:
        return Rejection(
            reason=Reason.COMPUTE_CAPABILITY_TOO_LOW,
            message=f"An FP8 KV cache needs compute capability {_capability(FULL_FP8_FROM)}, and {pool.product} "
            f"has {has}.",
        )
    if candidate.kv_cache_dtype == "bfloat16" and pool.compute_capability < (8, 0):
        return Rejection(
            reason=Reason.COMPUTE_CAPABILITY_TOO_LOW,
            message=f"BF16 needs compute capability 8.0, and {pool.product} has {has}; FP16 would do.",
        )
    return None


def heads_divide(trial: Trial) -> Rejection | None:
    """The model's heads, inner dimensions and groups of quantized weights divide over the accelerators."""
    candidate = trial.candidate
    obstacle = parallelism.obstacle(
        trial.model,
        ranks=max(1, candidate.count),
        quantization=candidate.quantization,
        on_the_fly=candidate.on_the_fly is not None,
    )
    return None if obstacle is None else Rejection(reason=Reason.PARALLELISM_IMPOSSIBLE, message=obstacle)


def weights_fit(trial: Trial) -> Rejection | None:
    """Weights and the engine's own memory leave something for a KV cache."""
    division = trial.share.division
    if division.room >= 0 and trial.total_bytes > 0:
        return None
    return Rejection(
        reason=Reason.WEIGHTS_EXCEED_MEMORY,
        message=f"{_needs(trial)}; {_room(trial)}, which leaves nothing for a KV cache.",
    )


def requests_fit(trial: Trial) -> Rejection | None:
    """The KV cache holds the requests that are required, or the fewest and shortest that are accepted."""
    share, wanted = trial.share, trial.wishes
    if share.granted is not None or share.layout is None:
        return None
    room, length = max(0, share.division.room), wanted.context_floor
    least = wanted.concurrency if wanted.concurrency_required else 1
    holds = share.layout.concurrency(context_tokens=length, room_bytes=room)
    if holds:
        counted = f"{wording.requests_of(holds, length)}, {least:,} wanted"
    else:
        one = wording.gib(share.layout.bytes_for(context_tokens=length, concurrency=1))
        counted = f"no request of {length:,} tokens, which takes {one}"
    return Rejection(
        reason=Reason.CONCURRENCY_DOES_NOT_FIT if holds else Reason.CONTEXT_DOES_NOT_FIT,
        message=f"{_needs(trial)}; {_room(trial)}, of which {wording.gib(room)} are left for KV cache: {counted}.",
    )


def _needs(trial: Trial) -> str:
    """What the candidate takes beside its KV cache."""
    division, count = trial.share.division, trial.candidate.count
    beside = "in" if trial.candidate.quantization == PLAIN else "as"
    needed = division.usable - division.room
    each = "" if count <= 1 else f" on each of {count} accelerators"
    engine = (
        f"{wording.gib(needed - division.weights)} for the engine{' and a margin' if division.margin else ''}"
    )
    return (
        f"{trial.model.repo} {beside} {trial.candidate.form} needs {wording.gib(needed)}{each} "
        f"({wording.gib(division.weights)} for weights, {engine})"
    )


def _room(trial: Trial) -> str:
    """What there is for it."""
    pool = trial.candidate.pool
    if pool is None:
        return (
            f"the largest node leaves {wording.gib(trial.total_bytes)} to a pod "
            f"({wording.gib(max(0, trial.share.division.usable))} usable beside shared memory and headroom)"
        )
    percent = round(trial.utilization * 100)
    return (
        f"{pool.product} has {wording.gib(trial.share.division.usable)} usable of {wording.gib(pool.memory_bytes)} "
        f"({percent} %)"
    )


def _capability(value: tuple[int, int]) -> str:
    return f"{value[0]}.{value[1]}"
