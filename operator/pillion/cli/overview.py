"""Where does a model fit: on which common GPU, in which format, at which context and concurrency?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pillion import sizing
from pillion.cli import what_if
from pillion.cli.questions import Question
from pillion.facts import ModelFacts
from pillion.hardware import gpus

__all__ = ["COMMON", "COUNTS", "Place", "length_of", "places"]

COMMON = (  # what clouds rent, from small to large
    "Tesla-T4",
    "NVIDIA-L4",
    "NVIDIA-A10G",
    "NVIDIA-L40S",
    "NVIDIA-A100-SXM4-40GB",
    "NVIDIA-A100-SXM4-80GB",
    "NVIDIA-H100-80GB-HBM3",
    "NVIDIA-H200",
    "NVIDIA-B200",
    "AMD_Instinct_MI300X_OAM",
)
COUNTS = (1, 2, 4, 8)  # GPUs of one machine
PREFERRED_CONTEXT = 8192  # what a plan prefers, too


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One format of a model on one GPU: the fewest of them that hold it, or why not even the most do."""

    gpu: gpus.GpuModel
    form: str
    count: int
    estimate: sizing.Estimate


def length_of(question: Question, model: ModelFacts) -> int:
    """Tokens of the requests that are counted."""
    wanted = question.settings.get("max_model_len")
    return int(wanted) if wanted else min(PREFERRED_CONTEXT, model.max_context_tokens or PREFERRED_CONTEXT)


def places(question: Question, model: ModelFacts) -> Iterator[Place]:
    """Every common GPU with every format of a model.

    Raises:
        SizingError: the question makes no sense.
    """
    for product in COMMON:
        gpu = gpus.find(product)
        assert gpu is not None, product
        for form, facts, on_the_fly in _forms(question, model):
            yield _smallest(
                question=question,
                gpu=gpu,
                form=form,
                model=facts,
                on_the_fly=on_the_fly,
                length=length_of(question, model),
            )


def _forms(question: Question, model: ModelFacts) -> Iterator[tuple[str, ModelFacts, str | None]]:
    """Label, facts, and what is converted while loading."""
    asked = question.settings.get("quantization")
    if asked:
        yield f"{asked} on the fly", model, asked
        return
    if model.quantization is not None:
        yield model.quantization.scheme, model, None
        return
    yield "16 bit", model, None
    yield "FP8 on the fly", model, "fp8"
    four_bit = what_if.four_bit(model)
    if four_bit is not None:
        yield "AWQ, 4 bit", four_bit, None


def _smallest(
    *,
    question: Question,
    gpu: gpus.GpuModel,
    form: str,
    model: ModelFacts,
    on_the_fly: str | None,
    length: int,
) -> Place:
    place: Place | None = None
    asked = question.settings.get("tensor_parallel")
    for count in (asked,) if asked else COUNTS:
        request = replace(
            question,
            product=gpu.product,
            gpu=gpu,
            settings={
                **question.settings,
                "quantization": on_the_fly,
                "max_model_len": length,
                "tensor_parallel": count,
            },
        ).request(model)
        place = Place(gpu=gpu, form=form, count=count, estimate=sizing.estimate(request))
        if place.estimate.fits:
            break
    assert place is not None
    return place
