"""Where does a model fit: on which common GPU, in which format, at which context and concurrency?"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pillion import sizing
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
    """Every common GPU with every form of a model.

    Raises:
        SizingError: the question makes no sense.
    """
    for product in COMMON:
        gpu = gpus.find(product)
        assert gpu is not None, product
        for form, quantization in _forms(question, model):
            wanted = replace(question, product=gpu.product, gpu=gpu)
            yield _smallest(wanted, model, form=form, quantization=quantization)


def _forms(question: Question, model: ModelFacts) -> Iterator[tuple[str, str | None]]:
    """What a form is called, and how an engine would be told of it."""
    asked = question.settings.get("quantization")
    if asked:
        yield str(asked), str(asked)
    elif model.quantization is not None:
        yield model.quantization.scheme, None
    else:
        yield "16 bit", None
        yield "FP8 on the fly", "fp8"
        yield "AWQ, 4 bit", "awq"  # as if somebody had published such a checkpoint


def _smallest(question: Question, model: ModelFacts, *, form: str, quantization: str | None) -> Place:
    """With the fewest GPUs that hold one request; with the most, where not even those do."""
    assert question.gpu is not None
    place: Place | None = None
    asked = question.settings.get("tensor_parallel")
    for count in (asked,) if asked else COUNTS:
        settings = {
            **question.settings,
            "quantization": quantization,
            "max_model_len": length_of(question, model),
            "tensor_parallel": count,
        }
        request = replace(question, settings=settings).request(model)
        place = Place(gpu=question.gpu, form=form, count=count, estimate=sizing.estimate(request))
        if place.estimate.fits:
            break
    assert place is not None
    return place
