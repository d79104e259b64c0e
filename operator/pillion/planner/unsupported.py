"""Which fields ask for something that this version cannot do?

They are refused with a sentence each, never ignored.
"""

import difflib
from collections.abc import Iterator

from pillion import engines
from pillion.api.modeldeployment import EngineName, Method, ModelDeploymentSpec

_CHOICES = frozenset({"Auto", "None"})


def unsupported(spec: ModelDeploymentSpec) -> list[tuple[str, str]]:
    """The path of each such field, and what is accepted instead."""
    return [*_sources(spec), *_engine(spec), *_parsers(spec)]


def _sources(spec: ModelDeploymentSpec) -> Iterator[tuple[str, str]]:
    later = "this version plans models from the Hub alone; set spec.model.repo (weights can be kept by spec.cache)"
    if spec.model.persistent_volume_claim is not None:
        yield "spec.model.persistentVolumeClaim", later
    if spec.model.image is not None:
        yield "spec.model.image", later


def _engine(spec: ModelDeploymentSpec) -> Iterator[tuple[str, str]]:
    if spec.engine.name is EngineName.TGI:
        yield "spec.engine.name", "this version runs vLLM alone; set it to vLLM or leave it at Auto"
    profile = engines.profile("vLLM")
    method = spec.quantization.method
    if method is not Method.AUTO and method.value not in profile.minimum_capability:
        loadable = ", ".join(sorted(profile.minimum_capability))
        yield (
            "spec.quantization.method",
            f"{profile.name} {profile.version} does not load {method.value} weights; it loads {loadable}",
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
