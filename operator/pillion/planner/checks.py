"""Why is a candidate turned down?

An ordered row of small checks; the first that objects is the answer. Cheap ones come first, and each may count on
what those before it let through. How far down the row a candidate came says how near it was to fitting.
"""

from collections.abc import Callable
from dataclasses import dataclass

from pillion.api.modeldeployment import Capacity, Method, Task
from pillion.api.reasons import Reason
from pillion.facts import sameness
from pillion.planner import obstacles, wording
from pillion.planner.candidates import FULL_FP8_FROM, PLAIN
from pillion.planner.model import Device
from pillion.planner.trial import Trial


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """Why not: in one word, and in one sentence with its numbers."""

    reason: Reason
    message: str


Check = Callable[[Trial], Rejection | None]

# Tasks that a model of each kind can do; a generating model can also embed and rank with its last layer.
_POSSIBLE_TASKS = {
    Task.TEXT_GENERATION: {Task.TEXT_GENERATION, Task.EMBEDDING, Task.RERANK, Task.CLASSIFICATION},
    Task.EMBEDDING: {Task.EMBEDDING, Task.RERANK},
    Task.RERANK: {Task.RERANK, Task.CLASSIFICATION},
    Task.CLASSIFICATION: {Task.CLASSIFICATION},
}


def architecture_served(trial: Trial) -> Rejection | None:
    """The engine has the model's architecture, or nobody knows that it has not."""
    model, profile = trial.model, trial.profile
    if model.architecture is None:
        return None
    if profile.knows_architecture(model.architecture) is not False:
        known = profile.knows_architecture(model.architecture)
        if known or not model.brings_code or trial.request.spec.model.trust_remote_code:
            return None
        return Rejection(
            reason=Reason.REMOTE_CODE_REQUIRED,
            message=f"{model.repo} ({model.architecture}) runs only with Python code of its own, inside the "
            "application's pod; read it, and set spec.model.trustRemoteCode: true if you trust it.",
        )
    return Rejection(
        reason=Reason.ARCHITECTURE_UNSUPPORTED,
        message=f"{model.repo} is a {model.architecture}, which {profile.name} {profile.version} does not "
        "serve any more; choose a model of another family.",
    )


def same_model(trial: Trial) -> Rejection | None:
    """A variant has the shape of the model that it stands in for."""
    base = trial.request.checkpoints[0]
    different = sameness.differing_shape(base, trial.model)
    if not different:
        return None
    return Rejection(
        reason=Reason.CHECKPOINT_MISMATCH,
        message=f"{trial.model.repo} is not {base.repo} in another form: they differ in "
        f"{', '.join(name.replace('_', ' ') for name in different)}.",
    )


def task_possible(trial: Trial) -> Rejection | None:
    """The model can do what is asked."""
    if trial.task in _POSSIBLE_TASKS.get(trial.model.task, {trial.task}):
        return None
    return Rejection(
        reason=Reason.TASK_UNSUPPORTED,
        message=f"{trial.model.repo} is made for {trial.model.task.value} and cannot do {trial.task.value}; "
        "choose another model, or leave spec.model.task at Auto.",
    )


def context_within_model(trial: Trial) -> Rejection | None:
    """A required length is one that the model was made for."""
    wanted = trial.wishes
    if wanted.context_tokens <= wanted.model_limit:
        return None
    return Rejection(
        reason=Reason.CONTEXT_EXCEEDS_MODEL,
        message=f"spec.serving.contextLength is {wanted.context_tokens:,}; {trial.model.repo} was made for "
        f"{wanted.model_limit:,} tokens at most.",
    )


def quantization_allowed(trial: Trial) -> Rejection | None:
    """The pinned method and the bounds on bits let the weights through."""
    wanted, candidate = trial.request.spec.quantization, trial.candidate
    label = wording.weights_name(candidate.quantization)
    if wanted.method is not Method.AUTO and wanted.method.value != candidate.quantization:
        return Rejection(
            reason=Reason.QUANTIZATION_NOT_ALLOWED,
            message=f"spec.quantization.method asks for {wanted.method.value}, and this is {label}.",
        )
    bits = candidate.bits
    if bits is None or wanted.min_bits <= bits <= wanted.max_bits:
        return None
    bound = f"minBits is {wanted.min_bits}" if bits < wanted.min_bits else f"maxBits is {wanted.max_bits}"
    return Rejection(
        reason=Reason.QUANTIZATION_NOT_ALLOWED,
        message=f"{label} has {bits} bits a weight, and spec.quantization.{bound}.",
    )


def quantization_known(trial: Trial) -> Rejection | None:
    """The engine loads the weights' form, on this kind of device."""
    candidate, profile = trial.candidate, trial.profile
    engine = f"{profile.name} {profile.version}"
    if candidate.quantization not in profile.minimum_capability:
        return Rejection(
            reason=Reason.QUANTIZATION_UNSUPPORTED,
            message=f"{candidate.model.repo} is quantized as {candidate.quantization}, which {engine} does not "
            "load; an AWQ, GPTQ or FP8 checkpoint of the model would do.",
        )
    if candidate.device is Device.CPU and candidate.quantization not in profile.cpu_quantizations:
        return Rejection(
            reason=Reason.QUANTIZATION_UNSUPPORTED,
            message=f"{engine} does not run {candidate.quantization} weights on CPU; 16 bit, AWQ, GPTQ and INT8 run.",
        )
    return None


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
    if pool.shared and not named:
        return Rejection(
            reason=Reason.SHARED_ACCELERATOR,
            message=f"{pool.product} is a share of a GPU; name it in spec.hardware.products to use it.",
        )
    return None


def a_node_is_open(trial: Trial) -> Rejection | None:
    """At least one node lets the pods in: an own rule against all of them is told before any size."""
    pool = trial.candidate.pool
    there = trial.places.open_to(pool)
    if there.rooms or (pool is not None and _counts_on_autoscaler(trial)):
        return None
    why = obstacles.told(there.closed) or "there is none"
    return Rejection(
        reason=Reason.NO_NODE_FITS,
        message=f"The target's pods can go to no node{_with_product(trial)}: {why}.",
    )


def vendor_has_image(trial: Trial) -> Rejection | None:
    """There is an image of the engine for the accelerator's maker."""
    pool = trial.candidate.pool
    if pool is None or pool.vendor == "nvidia" or trial.request.spec.engine.image is not None:
        return None
    return Rejection(
        reason=Reason.QUANTIZATION_UNSUPPORTED,
        message=f"{pool.product} needs an image of {trial.profile.name} for {pool.vendor.upper()}, which this "
        "version does not pin; set spec.engine.image to one.",
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
    """The model's KV heads and inner dimension divide over the accelerators."""
    count, model = trial.candidate.count, trial.model
    if count <= 1:
        return None
    kv_heads = model.attention.kv_heads
    if kv_heads % count and count % kv_heads:
        return Rejection(
            reason=Reason.PARALLELISM_IMPOSSIBLE,
            message=f"{kv_heads} KV heads of {model.repo} divide neither over {count} accelerators nor into them.",
        )
    if model.intermediate_size % count:
        return Rejection(
            reason=Reason.PARALLELISM_IMPOSSIBLE,
            message=f"The inner dimension of {model.repo}, {model.intermediate_size}, does not divide by {count}.",
        )
    return None


def weights_fit(trial: Trial) -> Rejection | None:
    """Weights and the engine's own memory leave something for a KV cache."""
    division = trial.share.division
    if division.room >= 0 and trial.total_bytes > 0:
        return None
    wanted = division.weights + division.activation + division.graphs + division.other
    return Rejection(
        reason=Reason.WEIGHTS_EXCEED_MEMORY,
        message=f"{_subject(trial)} needs {wording.gib(division.weights)} for weights and "
        f"{wording.gib(wanted - division.weights)} for the engine{_each(trial)}; {_room(trial)}.",
    )


def requests_fit(trial: Trial) -> Rejection | None:
    """The KV cache holds the requests that are required, or the fewest and shortest that are accepted."""
    share, wanted = trial.share, trial.wishes
    if share.granted is not None or share.layout is None:
        return None
    least = wanted.concurrency if wanted.concurrency_required else 1
    one = share.layout.bytes_for(context_tokens=wanted.context_floor, concurrency=1)
    only_one_fits = share.division.room >= one and least > 1
    needed = share.layout.bytes_for(context_tokens=wanted.context_floor, concurrency=least)
    holds = share.layout.concurrency(
        context_tokens=wanted.context_floor, room_bytes=max(0, share.division.room)
    )
    return Rejection(
        reason=Reason.CONCURRENCY_DOES_NOT_FIT if only_one_fits else Reason.CONTEXT_DOES_NOT_FIT,
        message=f"{_subject(trial)} needs {wording.gib(needed)} of KV cache for "
        f"{wording.requests_of(least, wanted.context_floor)}{_each(trial)}, and has room for "
        f"{wording.gib(max(0, share.division.room))} ({wording.count(holds, 'such request')}) beside "
        f"{wording.gib(share.division.weights)} of weights; {_room(trial)}.",
    )


def a_node_can_take_it(trial: Trial) -> Rejection | None:
    """At least one node could take a pod with its engine, were it empty."""
    pool = trial.candidate.pool
    if trial.placement.nodes > 0 or (pool is not None and _counts_on_autoscaler(trial)):
        return None
    return Rejection(
        reason=Reason.NO_NODE_FITS,
        message=f"No node{_with_product(trial)} can take a pod with its engine: {trial.placement.obstacles}."
        f"{_own_requests(trial)}",
    )


def enough_for_all_pods(trial: Trial) -> Rejection | None:
    """There is room for as many pods as the target has today."""
    target, there = trial.request.target, trial.placement
    if target is None or there.pods >= target.pods or _counts_on_autoscaler(trial):
        return None
    if trial.candidate.pool is None:
        return Rejection(
            reason=Reason.NO_NODE_FITS,
            message=f"{wording.count(target.pods, 'pod')} with an engine on CPU request "
            f"{wording.gib(trial.sizes.memory_request_bytes)} of memory and "
            f"{wording.cores(trial.sizes.cpu_request_millis)} each for it; the nodes, were they empty, have room "
            f"for {wording.count(there.pods, 'pod')}.{_own_requests(trial)}",
        )
    count, product = trial.candidate.count, trial.candidate.product
    each = f" ({count} each)" if target.pods > 1 else ""
    free = f"{there.accelerators_free} of {there.accelerators_total} are free for them"
    promised = trial.request.reserved.get(product or "", 0)
    if promised:
        free += f" ({promised} more are promised to other ModelDeployments)"
    enough = f", enough for {wording.count(there.pods, 'pod')}" if there.pods else ""
    others = f" Beside these, {there.obstacles}." if there.obstacles else ""
    return Rejection(
        reason=Reason.INSUFFICIENT_ACCELERATORS,
        message=f"{wording.doing(target.pods, 'pod', 'needs')} {count * target.pods} x {product}{each}; "
        f"{free}{enough}.{others}",
    )


CHECKS: tuple[Check, ...] = (
    architecture_served,
    same_model,
    task_possible,
    context_within_model,
    quantization_allowed,
    quantization_known,
    product_allowed,
    a_node_is_open,
    vendor_has_image,
    gpu_computes_format,
    heads_divide,
    weights_fit,
    requests_fit,
    a_node_can_take_it,
    enough_for_all_pods,
)


def examine(trial: Trial) -> tuple[int, Rejection | None]:
    """How many checks a candidate passed, and what the next one objected; None: it fits."""
    for passed, check in enumerate(CHECKS):
        rejection = check(trial)
        if rejection is not None:
            return passed, rejection
    return len(CHECKS), None


def _counts_on_autoscaler(trial: Trial) -> bool:
    return trial.request.spec.hardware.capacity is Capacity.AUTOSCALED


def _with_product(trial: Trial) -> str:
    product = trial.candidate.product
    return f" with {product}" if product is not None else ""


def _own_requests(trial: Trial) -> str:
    """Says whose numbers the requests are, where they are not the plan's own."""
    if trial.sizes.needs == trial.computed_sizes.needs:
        return ""
    asked, computed = trial.sizes, trial.computed_sizes
    return (
        f" Of that, spec.engine.resources requests {wording.gib(asked.memory_request_bytes)} of memory and "
        f"{wording.cores(asked.cpu_request_millis)}; without it, {wording.gib(computed.memory_request_bytes)} and "
        f"{wording.cores(computed.cpu_request_millis)} would be requested."
    )


def _subject(trial: Trial) -> str:
    beside = "in" if trial.candidate.quantization == PLAIN else "as"
    return f"{trial.model.repo} {beside} {trial.candidate.form}"


def _each(trial: Trial) -> str:
    count = trial.candidate.count
    return "" if count <= 1 else f" on each of {count} accelerators"


def _room(trial: Trial) -> str:
    pool = trial.candidate.pool
    if pool is None:
        return f"the largest node leaves {wording.gib(trial.total_bytes)} to a pod"
    usable = trial.share.division.usable
    percent = round(trial.utilization * 100)
    return f"{pool.product} leaves {wording.gib(usable)} ({percent} % of {wording.gib(pool.memory_bytes)})"


def _capability(value: tuple[int, int]) -> str:
    return f"{value[0]}.{value[1]}"
