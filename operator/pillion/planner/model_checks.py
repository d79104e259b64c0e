"""Can the engine run the checkpoint as the spec asks, wherever that may be?

The cheap part of the row of checks: nothing here looks at an accelerator or a node.
"""

from pillion.api.modeldeployment import KvCacheDtype, Method, Task
from pillion.api.reasons import Reason
from pillion.facts import AttentionKind, sameness
from pillion.planner import memory, wording
from pillion.planner.candidates import KV_CACHE_DTYPES
from pillion.planner.model import Device
from pillion.planner.rejection import Rejection
from pillion.planner.trial import Trial
from pillion.sizing import served_versions

# Tasks that a model of each kind can do as the engine loads it: a generating one embeds with its last layer, and an
# embedding one ranks by the distance of two texts.
_POSSIBLE_TASKS = {
    Task.TEXT_GENERATION: {Task.TEXT_GENERATION, Task.EMBEDDING},
    Task.EMBEDDING: {Task.EMBEDDING, Task.RERANK},
    Task.RERANK: {Task.RERANK, Task.CLASSIFICATION},
    Task.CLASSIFICATION: {Task.CLASSIFICATION},
}
# Architectures that generate text. Told to pool, the engine makes them embed (vLLM 0.33.0, config/model.py,
# _get_default_convert_type), also where their page says ranking: only overrides of its configuration make one rank.
_GENERATING = ("ForCausalLM", "ForConditionalGeneration", "LMHeadModel")
_OVERRIDES = ("--hf-overrides", "--hf_overrides")


def architecture_served(trial: Trial) -> Rejection | None:
    """The engine has the model's architecture, or nobody knows that it has not."""
    model, profile = trial.model, trial.profile
    known = None if model.architecture is None else profile.knows_architecture(model.architecture)
    standing = served_versions.standing(
        model.architecture,
        by_vllm=profile.name != memory.TGI,
        engine_version=trial.planned_version,
        listed=known is True,
        encoder_decoder=model.encoder_decoder,
    )
    if isinstance(standing, served_versions.OtherVersion):
        return _other_version(trial, standing.why)
    if standing is served_versions.Standing.SERVED:
        return None
    if known is False:
        return Rejection(
            reason=Reason.ARCHITECTURE_UNSUPPORTED,
            message=f"{model.repo} is a {model.architecture}, which {profile.name} {profile.version} does not "
            "serve any more; choose a model of another family.",
        )
    if standing is served_versions.Standing.NEEDS_A_CLASS:
        return Rejection(
            reason=Reason.ARCHITECTURE_UNSUPPORTED,
            message=f"{model.repo} is an encoder-decoder ({model.architecture or model.model_type}), which "
            f"{profile.name} {profile.version} does not list; choose a model that is a decoder alone, of any family.",
        )
    if model.architecture is None or not model.brings_code or trial.request.spec.model.trust_remote_code:
        return None
    return Rejection(
        reason=Reason.REMOTE_CODE_REQUIRED,
        message=f"{model.repo} ({model.architecture}) runs only with Python code of its own, inside the "
        "application's pod; read it, and set spec.model.trustRemoteCode: true if you trust it.",
    )


def _other_version(trial: Trial, why: str) -> Rejection:
    """An architecture that other versions serve; an image that somebody named can be another one."""
    version = trial.planned_version
    named = version != trial.profile.version
    remedy = (
        f"choose an image of a version that does, or remove spec.engine.image to take {trial.profile.version}"
        if named and trial.profile.knows_architecture(trial.model.architecture or "")
        else "choose a model of another family"
    )
    return Rejection(
        reason=Reason.ARCHITECTURE_UNSUPPORTED,
        message=f"{trial.model.repo} is a {trial.model.architecture}, {why}, and "
        f"{trial.image if named else 'this'} is {trial.profile.name} {version}; {remedy}.",
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
    model, task = trial.model, trial.task
    if task is not Task.TEXT_GENERATION and trial.profile.name == "TGI":
        return Rejection(
            reason=Reason.TASK_UNSUPPORTED,
            message=f"{trial.profile.name} generates text alone, and {model.repo} is served for {task.value}; set "
            "spec.engine.name to vLLM.",
        )
    scores = task in {Task.RERANK, Task.CLASSIFICATION}
    if scores and any(each.startswith(_OVERRIDES) for each in trial.request.spec.engine.extra_args):
        return None
    if task not in _POSSIBLE_TASKS.get(model.task, {task}):
        return Rejection(
            reason=Reason.TASK_UNSUPPORTED,
            message=f"{model.repo} is made for {model.task.value} and cannot do {task.value}; "
            "choose another model, or leave spec.model.task at Auto.",
        )
    if scores and model.task is not Task.EMBEDDING and (model.architecture or "").endswith(_GENERATING):
        return Rejection(
            reason=Reason.TASK_UNSUPPORTED,
            message=f"{model.repo} is a {model.architecture}, which {trial.profile.name} cannot use for {task.value} "
            "as it is: it would embed instead. Choose a checkpoint whose architecture ends in "
            "ForSequenceClassification, or give its --hf-overrides in spec.engine.extraArgs.",
        )
    return None


def settings_have_effect(trial: Trial) -> Rejection | None:
    """What is set about generated text is set for a model that generates it."""
    if trial.task is Task.TEXT_GENERATION:
        return None
    serving = trial.request.spec.serving
    without_effect = [
        f"spec.serving.{name}"
        for name, is_set in (
            ("generation", serving.generation is not None),
            ("toolCalls", serving.tool_calls not in {"Auto", "None"}),
            ("reasoning", serving.reasoning not in {"Auto", "None"}),
        )
        if is_set
    ]
    if not without_effect:
        return None
    return Rejection(
        reason=Reason.TASK_UNSUPPORTED,
        message=f"{trial.model.repo} is served for {trial.task.value} and generates no text: remove "
        f"{wording.listed(without_effect)}.",
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


def cache_format_known(trial: Trial) -> Rejection | None:
    """The engine keeps keys and values, or the vectors that stand for them, in the pinned format.

    Source: vLLM 0.33.0, v1/attention/backends/mla: none of the backends for latent attention takes fp8_e5m2, and the
    one for CPU the model's own format alone.
    """
    candidate, model = trial.candidate, trial.model
    if model.attention.kind is not AttentionKind.LATENT or candidate.kv_cache_dtype is None:
        return None
    on_cpu = candidate.device is Device.CPU
    if not on_cpu and candidate.kv_cache_dtype != KV_CACHE_DTYPES[KvCacheDtype.FP8_E5M2]:
        return None
    pinned = trial.request.spec.serving.kv_cache_dtype.value
    where = " on CPU" if on_cpu else ""
    return Rejection(
        reason=Reason.QUANTIZATION_UNSUPPORTED,
        message=f"{model.repo} has latent attention, whose cache {trial.profile.name} {trial.profile.version} does not "
        f"keep as spec.serving.kvCacheDtype: {pinned}{where}; Auto is accepted{'' if on_cpu else ', and FP8'}.",
    )
