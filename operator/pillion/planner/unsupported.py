"""Which fields ask for something that this version cannot do?

They are refused with a sentence each, never ignored.
"""

import difflib
from collections.abc import Iterator

from pillion import engines
from pillion.api.modeldeployment import (
    Accelerator,
    EngineName,
    KvCacheDtype,
    Method,
    Modalities,
    ModelDeploymentSpec,
    Task,
)

_CHOICES = frozenset({"Auto", "None"})
_TGI = "TGI"


def unsupported(spec: ModelDeploymentSpec) -> list[tuple[str, str]]:
    """The path of each such field, and what is accepted instead."""
    others = _of_tgi(spec) if spec.engine.name is EngineName.TGI else _parsers(spec)
    return [*_sources(spec), *_engine(spec), *others]


def _sources(spec: ModelDeploymentSpec) -> Iterator[tuple[str, str]]:
    later = "this version plans models from the Hub alone; set spec.model.repo (weights can be kept by spec.cache)"
    if spec.model.persistent_volume_claim is not None:
        yield "spec.model.persistentVolumeClaim", later
    if spec.model.image is not None:
        yield "spec.model.image", later


def _engine(spec: ModelDeploymentSpec) -> Iterator[tuple[str, str]]:
    profile = engines.profile(_TGI if spec.engine.name is EngineName.TGI else "vLLM")
    method = spec.quantization.method
    if method is not Method.AUTO and method.value not in profile.minimum_capability:
        loadable = ", ".join(sorted(profile.minimum_capability))
        yield (
            "spec.quantization.method",
            f"{profile.name} {profile.version} does not load {method.value} weights; it loads {loadable}",
        )


def _of_tgi(spec: ModelDeploymentSpec) -> Iterator[tuple[str, str]]:
    """What Text Generation Inference cannot be told."""
    profile = engines.profile(_TGI)
    name = f"{profile.name} {profile.version}"
    vllm = "; remove it, or set spec.engine.name to vLLM"
    if profile.starts_for_root_alone and spec.engine.image is None:
        yield (
            "spec.engine.image",
            f"the image of {name} starts for root alone, and engines never run as root here: make one from it as "
            "docs/tgi.md shows, and name it, or set spec.engine.name to vLLM",
        )
    if spec.model.served_names:
        yield "spec.model.servedNames", f"{name} answers to every name and tells none{vllm}"
    if spec.model.task not in {Task.AUTO, Task.TEXT_GENERATION}:
        yield "spec.model.task", f"{name} generates text alone{vllm}"
    if spec.hardware.accelerator is Accelerator.CPU:
        yield "spec.hardware.accelerator", f"{name} runs on NVIDIA's accelerators alone here{vllm}"
    serving = spec.serving
    if serving.generation is not None:
        yield "spec.serving.generation", f"{name} knows no defaults for requests{vllm}"
    if serving.tool_calls != "Auto":
        yield "spec.serving.toolCalls", f"{name} makes tool calls in its own way, which cannot be set{vllm}"
    if serving.reasoning not in _CHOICES:
        yield "spec.serving.reasoning", f"{name} does not tell reasoning from the answer{vllm}"
    if serving.modalities is not Modalities.ALL:
        yield "spec.serving.modalities", f"{name} loads all of a multimodal model{vllm}"
    if serving.kv_cache_dtype not in {KvCacheDtype.AUTO, KvCacheDtype.FP8, KvCacheDtype.FP8_E5M2}:
        yield (
            "spec.serving.kvCacheDtype",
            f"{name} keeps keys and values in the model's own type, or in FP8{vllm}",
        )


def _parsers(spec: ModelDeploymentSpec) -> Iterator[tuple[str, str]]:
    profile = engines.profile("vLLM")
    for field, wanted, known in (
        ("toolCalls", spec.serving.tool_calls, profile.tool_parsers),
        ("reasoning", spec.serving.reasoning, profile.reasoning_parsers),
    ):
        if wanted not in _CHOICES and wanted not in known:
            near = difflib.get_close_matches(wanted, sorted(known), n=3, cutoff=0.4)
            meant = f"; near it are {', '.join(near)}" if near else ""
            yield (
                f"spec.serving.{field}",
                f"{profile.name} {profile.version} has no parser {wanted!r}{meant}; Auto takes the model's own",
            )
