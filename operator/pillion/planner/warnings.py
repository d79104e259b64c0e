"""What works, and should be known?"""

from collections.abc import Iterator

from pillion.api.modeldeployment import Capacity, Task
from pillion.api.reasons import Reason
from pillion.planner import candidates, memory, number_formats, wording
from pillion.planner.model import Plan, TargetShape, Warned
from pillion.planner.trial import Trial

# Labels that a labeller writes once a node is there; the cloud's own are known before.
_WRITTEN_ON_NODES = ("nvidia.com/", "amd.com/", "gpu.intel.com/")


def found(trial: Trial, plan: Plan) -> tuple[Warned, ...]:
    """All warnings of a plan."""
    return (
        *_about_the_model(trial),
        *_about_the_weights(trial),
        *_about_the_memory(trial, plan),
        *_about_the_device(trial),
        *_about_the_engine(trial),
        *_about_the_rollout(trial, plan),
    )


def _about_the_model(trial: Trial) -> Iterator[Warned]:
    model, spec = trial.model, trial.request.spec
    if trial.task is Task.TEXT_GENERATION and not model.chat_template:
        yield Warned(
            reason=Reason.NO_CHAT_TEMPLATE,
            message=f"{model.repo} has no chat template: /v1/completions works, /v1/chat/completions will answer "
            "with an error. Choose the instruct model of the family, or give a template by --chat-template in "
            "spec.engine.extraArgs.",
        )
    if spec.model.trust_remote_code and model.brings_code:
        yield Warned(
            reason=Reason.REMOTE_CODE,
            message=f"Python code from {model.repo} runs in the engine's container, inside the application's pod.",
        )
    if model.architecture is None or trial.profile.knows_architecture(model.architecture) is None:
        name = model.architecture or "an architecture that its configuration does not name"
        yield Warned(
            reason=Reason.NOT_SUPPORTED_WELL,
            message=f"{trial.profile.name} {trial.profile.version} does not list {name}; it may run it through "
            "Transformers, slower, or not at all.",
        )
    for note in model.notes:
        yield Warned(reason=Reason.ESTIMATE_UNVERIFIED, message=f"{model.repo}: {note}.")


def _about_the_weights(trial: Trial) -> Iterator[Warned]:
    candidate = trial.candidate
    if not candidate.calibrated and candidate.bits is not None and candidate.bits <= 4:
        yield Warned(
            reason=Reason.UNCALIBRATED_QUANTIZATION,
            message=f"{candidate.quantization} weights of {candidate.model.repo} were made without calibration data; a "
            "calibrated checkpoint (AWQ, GPTQ) in spec.model.variants loses less.",
        )
    if candidate.kv_cache_quantized:
        yield Warned(
            reason=Reason.KV_CACHE_QUANTIZED,
            message="Keys and values are kept in 8 bit, which the checkpoint does not ask for; "
            "spec.serving.kvCacheDtype: BF16 keeps them in 16.",
        )
    if candidate.kv_cache_quantized and candidate.pool is None:
        yield Warned(
            reason=Reason.NOT_SUPPORTED_WELL,
            message="On CPU an FP8 KV cache needs AVX-512 or AMX; on a node without, the engine does not start.",
        )
    if number_formats.widens_fp8(candidate):
        yield Warned(
            reason=Reason.NOT_SUPPORTED_WELL,
            message=f"{candidate.product} computes no FP8: the weights are kept in 8 bit and widened while computing, "
            "which saves memory and no time.",
        )
    if number_formats.lacks_bfloat16(candidate):
        yield Warned(
            reason=Reason.NOT_SUPPORTED_WELL,
            message=f"{candidate.product} has no bfloat16, in which {candidate.model.repo} was published; the engine "
            "computes in float16 or, where the model does not bear that, in float32.",
        )


def _about_the_memory(trial: Trial, plan: Plan) -> Iterator[Warned]:
    if plan.given_up is not None:
        more = (
            "A larger accelerator, or spec.hardware.maxPerPod, gives"
            if plan.product is not None
            else "A node with more memory gives"
        )
        yield Warned(reason=Reason.PREFERENCE_GIVEN_UP, message=f"{plan.given_up} {more} room for more.")
    if trial.unverified is not None:
        yield Warned(
            reason=Reason.ESTIMATE_UNVERIFIED,
            message=f"What {trial.candidate.product} has room for is an estimate: {trial.unverified}. The plan keeps "
            "to the safe side; compare status.observed with it.",
        )


def _about_the_engine(trial: Trial) -> Iterator[Warned]:
    profile, architecture = trial.profile, trial.model.architecture
    if architecture is not None and profile.knows_architecture(architecture) is None:
        yield Warned(
            reason=Reason.NOT_SUPPORTED_WELL,
            message=f"{profile.name} {profile.version} does not list {architecture}: it runs on the classes of "
            "transformers or of the checkpoint itself, slower, or does not start at all.",
        )
    if profile.name == "TGI":
        yield Warned(
            reason=Reason.ENGINE_LEGACY,
            message=f"{profile.name} is archived by its authors: {profile.version} is its last version, and neither "
            "new models nor repairs will come. spec.engine.name: vLLM serves the same models.",
        )
    told, pinned = trial.told_version, f"{profile.name} {profile.version}"
    if told == profile.version:
        return
    if told is None:
        message = (
            f"The image {trial.image} does not tell its version of {profile.name}; the plan goes by {pinned}, whose "
            "flags, kernels and memory may differ."
        )
    elif profile.name == memory.TGI:
        message = (
            f"The image {trial.image} holds {profile.name} {told} by its tag; the plan goes by {pinned}, whose flags, "
            "kernels and memory may differ."
        )
    else:
        message = (
            f"The image {trial.image} holds {profile.name} {told} by its tag; memory and architectures are planned by "
            f"that, and all else by {pinned}, whose flags and kernels may differ."
        )
    yield Warned(reason=Reason.ESTIMATE_UNVERIFIED, message=message)


def _about_a_share(trial: Trial) -> Iterator[Warned]:
    """Nothing keeps pods that take turns on an accelerator within their parts of its memory."""
    pool = trial.candidate.pool
    if pool is not None and pool.shared:
        yield Warned(
            reason=Reason.NOT_SUPPORTED_WELL,
            message=f"{pool.product} is shared among {wording.count(pool.replicas, 'pod')}. The engine keeps to "
            f"1/{pool.replicas} of its memory; nothing keeps the other pods from taking more than theirs.",
        )


def _about_the_device(trial: Trial) -> Iterator[Warned]:
    yield from _about_a_share(trial)
    yield from _about_the_memory_limit(trial)
    if trial.candidate.pool is not None:
        return
    target = trial.request.target
    if target is not None and candidates.leaves_accelerators(trial.model, trial.request):
        message = (
            f"{trial.model.repo} is a small encoder and runs on CPU: it leaves the accelerators to ModelDeployment "
            f"{wording.listed(target.beside)} in the same pods. spec.hardware.accelerator: GPU gives it one of its own."
        )
    else:
        message = "The model runs on CPU: it answers, some tens of times slower than on a GPU."
    yield Warned(reason=Reason.CPU_IS_SLOW, message=message)


def _about_the_memory_limit(trial: Trial) -> Iterator[Warned]:
    """A limit of the user's own. On CPU it holds the model; elsewhere the engine's processes, whatever the model."""
    pool, limit = trial.candidate.pool, trial.sizes.memory_limit_bytes
    killed = "an engine that passes its limit is killed, and started again by the kubelet."
    asked = f"spec.engine.resources limits the engine to {wording.gib(limit)} of memory"
    if pool is None:
        needed, division = trial.cpu_container[0], trial.share.division
        if limit < needed:
            yield Warned(
                reason=Reason.MEMORY_LIMIT_LOW,
                message=f"{asked}, and it needs about {wording.gib(needed)}: {wording.gib(division.weights)} for "
                f"weights, {wording.gib(trial.kv_cache_bytes)} for KV cache, {wording.gib(division.activation)} while "
                f"it computes, {wording.gib(division.other)} for itself (assumed); {killed}",
            )
        return
    usual = trial.computed_sizes.memory_limit_bytes
    if limit < usual:
        on = wording.device(trial.candidate.count, pool.product)
        yield Warned(
            reason=Reason.MEMORY_LIMIT_LOW,
            message=f"{asked}, and engines on {on} are given {wording.gib(usual)} whatever their model, so that models "
            f"can be swapped; a small one may do with less, and {killed}",
        )


def _about_the_rollout(trial: Trial, plan: Plan) -> Iterator[Warned]:
    target, there = trial.request.target, trial.placement
    what = "accelerators" if trial.candidate.pool is not None else "memory and CPU"
    if trial.request.spec.hardware.capacity is Capacity.AUTOSCALED and trial.candidate.pool is not None:
        wanted = target.pods if target is not None else 1
        if not trial.candidate.pool.nodes:
            yield Warned(
                reason=Reason.NODE_AWAITED,
                message=f"No node has {plan.product} yet: the plan goes by what is known of the product "
                f"({trial.candidate.pool.memory_source}), and pods stay Pending until an autoscaler adds such a node.",
            )
        elif there.pods < wanted:
            yield Warned(
                reason=Reason.ACCELERATORS_BUSY,
                message=f"There are {what} for {wording.count(there.pods, 'pod')} of {wanted} now; the others wait "
                "for the autoscaler (spec.hardware.capacity: Autoscaled).",
            )
        if not trial.candidate.pool.nodes and any(
            each["key"].startswith(_WRITTEN_ON_NODES) for each in plan.node_requirements
        ):
            yield Warned(
                reason=Reason.AUTOSCALER_MAY_BLOCK,
                message=f"Pods ask for {plan.product} by the label {plan.node_requirements[0]['key']}, which is "
                "written once a node is there, and which an autoscaler may not expect of its new nodes. Name them by "
                "its own label in spec.hardware.nodeSelector (on GKE cloud.google.com/gke-accelerator), and that is "
                "asked for instead.",
            )
        return
    if target is None:
        if there.pods_now == 0:
            yield Warned(
                reason=Reason.ACCELERATORS_BUSY,
                message=f"All {what} that the model fits on are busy now, or the CPU and memory beside them; a pod "
                "that opts in waits for them.",
            )
        return
    yield from _about_surge(target, there.pods, what)
    if not trial.request.previous and there.pods_now < target.pods:
        nodes = "nodes" if trial.candidate.pool is None else "nodes with free accelerators"
        yield Warned(
            reason=Reason.ROLLOUT_WILL_BLOCK,
            message=f"The {nodes} have memory and CPU for {wording.count(there.pods_now, 'pod')} with an engine beside "
            f"what runs now, and the target has {target.pods}; the others wait until room is made.",
        )
    if target.max_pods is not None and target.max_pods > there.pods:
        yield Warned(
            reason=Reason.AUTOSCALER_MAY_BLOCK,
            message=f"An autoscaler may ask for {wording.count(target.max_pods, 'pod')}, and there are {what} for "
            f"{there.pods}; the others would stay Pending.",
        )


def _about_surge(target: TargetShape, pods: int, what: str) -> Iterator[Warned]:
    """A rolling update makes new pods before it removes old ones, which need room of their own."""
    missing = target.pods + target.surge_pods - pods
    if target.surge_pods == 0 or missing <= 0:
        return
    yield Warned(
        reason=Reason.ROLLOUT_WILL_BLOCK,
        message=f"Once every pod has its engine, a rolling update of the target makes "
        f"{wording.count(target.surge_pods, 'further pod')} before it removes an old one, and {what} for "
        f"{wording.count(missing, 'pod')} are missing for that. On the target, maxSurge: 0 and maxUnavailable: 1 in "
        "spec.strategy.rollingUpdate let it through.",
    )
