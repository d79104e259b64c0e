"""What would help, where nothing fits?

The same question is asked again with one thing changed at a time, the least first; the first that has an answer is
the remedy. So a remedy is never a guess: it was planned.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from pillion.api.modeldeployment import (
    Accelerator,
    Capacity,
    KvCacheDtype,
    Method,
    ModelDeploymentSpec,
)
from pillion.hardware import gpus
from pillion.planner import wording
from pillion.planner.model import Plan, PlanRequest
from pillion.planner.wishes import LENGTH_STEP

Ask = Callable[[PlanRequest], Plan | None]

_MORE_ACCELERATORS = (2, 4, 8)


def nearest(request: PlanRequest, ask: Ask, *, missing_memory: bool, missing_number: bool) -> str | None:
    """A sentence on the least change that gives a plan; None where no change that we know does.

    Args:
        request: the question that had no answer.
        ask: answers a changed question.
        missing_memory: whether another accelerator could help.
        missing_number: whether more accelerators of the kind that there is could help.
    """
    for changed, sentence in _changes(
        request, ask, missing_memory=missing_memory, missing_number=missing_number
    ):
        answer = ask(changed)
        if answer is not None:
            return sentence(answer)
    return None


_Sentence = Callable[[Plan], str]


def _changes(
    request: PlanRequest, ask: Ask, *, missing_memory: bool, missing_number: bool
) -> Iterator[tuple[PlanRequest, _Sentence]]:
    spec = request.spec
    yield from _smaller_requests(request, ask)
    yield from _less_pinned(request)
    yield from _more_per_pod(request)
    yield from _fewer_bits(request)
    yield from _more_bits(request)
    yield from _other_products(request)
    yield from _computed_sizes(request)
    yield from _fewer_pods(request, ask)
    yield from _any_node(request)
    if missing_number:
        yield from _more_nodes(request)
    if missing_memory and spec.hardware.accelerator is not Accelerator.CPU:
        yield from _another_accelerator(request)


def _smaller_requests(request: PlanRequest, ask: Ask) -> Iterator[tuple[PlanRequest, _Sentence]]:
    """The most requests, or the longest, that fit; where neither does alone, what is preferred of both."""
    serving = request.spec.serving
    concurrency, length = serving.concurrency, serving.context_length
    if concurrency is not None:
        most = _most(ask, concurrency, lambda number: _with(request, serving={"concurrency": number}))
        if most is not None:
            yield most, lambda plan: f"It fits with spec.serving.concurrency: {plan.concurrency}."
    if length is not None:
        step = LENGTH_STEP if length > LENGTH_STEP else 1
        longest = _most(
            ask, -(-length // step), lambda number: _with(request, serving={"context_length": number * step})
        )
        if longest is not None:
            yield (
                longest,
                lambda plan: f"It fits with spec.serving.contextLength: {plan.promised_context_tokens}.",
            )
    if concurrency is not None and length is not None:
        yield (
            _with(request, serving={"context_length": None, "concurrency": None}),
            lambda plan: (
                f"It fits with spec.serving.contextLength: {plan.promised_context_tokens} and concurrency: "
                f"{plan.concurrency}."
            ),
        )


def _most(ask: Ask, too_many: int, changed: Callable[[int], PlanRequest]) -> PlanRequest | None:
    """The request with the largest number below `too_many` that gives a plan; None where not even 1 does."""
    fitting = 0
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        if ask(changed(middle)) is None:
            too_many = middle
        else:
            fitting = middle
    return changed(fitting) if fitting else None


def _less_pinned(request: PlanRequest) -> Iterator[tuple[PlanRequest, _Sentence]]:
    """A form of the weights, or of the cache, that the spec insists on."""
    if request.spec.quantization.method is not Method.AUTO:
        yield (
            _with(request, quantization={"method": Method.AUTO}),
            lambda plan: (
                f"It fits with spec.quantization.method: Auto, as {wording.weights_name(plan.quantization)} on "
                f"{wording.device(plan.count, plan.product)}."
            ),
        )
    if request.spec.serving.kv_cache_dtype is not KvCacheDtype.AUTO:
        yield (
            _with(request, serving={"kv_cache_dtype": KvCacheDtype.AUTO}),
            lambda plan: (
                "It fits with spec.serving.kvCacheDtype: Auto, on "
                f"{wording.device(plan.count, plan.product)}."
            ),
        )


def _fewer_bits(request: PlanRequest) -> Iterator[tuple[PlanRequest, _Sentence]]:
    wanted = request.spec.quantization
    for bits in (8, 4):
        if wanted.min_bits > bits:
            yield (
                _with(request, quantization={"min_bits": bits}),
                lambda plan, bits=bits: (  # type: ignore[misc] # a lambda's default binds the row
                    f"It fits with spec.quantization.minBits: {bits}, as {plan.quantization}."
                ),
            )


def _more_bits(request: PlanRequest) -> Iterator[tuple[PlanRequest, _Sentence]]:
    for bits in (4, 8, 16):
        if request.spec.quantization.max_bits < bits:
            yield (
                _with(request, quantization={"max_bits": bits}),
                lambda plan, bits=bits: (  # type: ignore[misc] # a lambda's default binds the row
                    f"It fits with spec.quantization.maxBits: {bits}, as {wording.weights_name(plan.quantization)}."
                ),
            )


def _more_per_pod(request: PlanRequest) -> Iterator[tuple[PlanRequest, _Sentence]]:
    for number in _MORE_ACCELERATORS:
        if number > request.spec.hardware.max_per_pod:
            yield (
                _with(request, hardware={"max_per_pod": number}),
                lambda plan, number=number: (  # type: ignore[misc] # a lambda's default binds the row
                    f"It fits with spec.hardware.maxPerPod: {number}, on "
                    f"{wording.device(plan.count, plan.product)}."
                ),
            )


def _other_products(request: PlanRequest) -> Iterator[tuple[PlanRequest, _Sentence]]:
    if request.spec.hardware.products:
        yield (
            _with(request, hardware={"products": ()}),
            lambda plan: (
                f"It fits on {plan.product}, which spec.hardware.products leaves out."
                if plan.product
                else "It fits on CPU without spec.hardware.products."
            ),
        )


def _any_node(request: PlanRequest) -> Iterator[tuple[PlanRequest, _Sentence]]:
    if request.spec.hardware.node_selector:
        yield (
            _with(request, hardware={"node_selector": {}}),
            lambda plan: (
                "Label a node, or remove spec.hardware.nodeSelector: it fits on "
                f"{wording.device(plan.count, plan.product)} then."
            ),
        )


def _computed_sizes(request: PlanRequest) -> Iterator[tuple[PlanRequest, _Sentence]]:
    if request.spec.engine.resources is not None:
        yield (
            _with(request, engine={"resources": None}),
            lambda plan: (
                f"It fits on {wording.device(plan.count, plan.product)} without spec.engine.resources."
            ),
        )


def _fewer_pods(request: PlanRequest, ask: Ask) -> Iterator[tuple[PlanRequest, _Sentence]]:
    """As many pods of the target as there is room for."""
    target = request.target
    if target is None:
        return
    most = _most(ask, target.pods, lambda number: replace(request, target=replace(target, pods=number)))
    if most is not None and most.target is not None:
        fitting = most.target.pods
        yield (
            most,
            lambda plan: (
                f"It fits for {wording.count(fitting, 'pod')}, on {wording.device(plan.count, plan.product)} each; "
                f"add {'accelerators' if plan.product else 'nodes'}, or set spec.hardware.capacity: Autoscaled where "
                "an autoscaler does."
            ),
        )


def _more_nodes(request: PlanRequest) -> Iterator[tuple[PlanRequest, _Sentence]]:
    """What a target does whose first pod has no accelerator: it waits, or nodes are added."""
    yield (
        _with(request, hardware={"capacity": Capacity.AUTOSCALED}),
        lambda plan: (
            f"It fits once {wording.device(plan.count, plan.product)} is free; add nodes, or set "
            "spec.hardware.capacity: Autoscaled where an autoscaler does."
        ),
    )


def _another_accelerator(request: PlanRequest) -> Iterator[tuple[PlanRequest, _Sentence]]:
    """The smallest card of our table on which one would do, or two, four, eight."""
    verified = sorted(
        (row for row in gpus.known() if row.verified and row.vendor == "nvidia" and row.cloud_labels),
        key=lambda row: (row.label_mib, row.product),
    )
    for number in (1, *_MORE_ACCELERATORS):
        for row in verified:
            imagined = _with(
                request,
                hardware={
                    "products": (row.product,),
                    "capacity": Capacity.AUTOSCALED,
                    "accelerator": Accelerator.GPU,
                    "max_per_pod": max(number, request.spec.hardware.max_per_pod),
                },
            )
            yield (
                imagined,
                lambda plan: (
                    f"It would fit on a node with {wording.device(plan.count, plan.product)}, as "
                    f"{wording.weights_name(plan.quantization)}."
                ),
            )


def _with(request: PlanRequest, **changes: dict[str, object]) -> PlanRequest:
    """The request with some values of one part of its spec changed."""
    spec: ModelDeploymentSpec = request.spec
    parts = {name: getattr(spec, name).model_copy(update=values) for name, values in changes.items()}
    return replace(request, spec=spec.model_copy(update=parts), previous=None)
