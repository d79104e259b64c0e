"""Which combinations are worth a look?

Every checkpoint as it is, plain ones also as FP8 or MXFP4 made while loading, on each kind of accelerator in each
number that could divide it, and on CPU. What the spec forbids is a candidate all the same: it is rejected with that
reason, because "why not?" is the first question.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pillion import engines, hardware
from pillion.api.modeldeployment import (
    Accelerator,
    Capacity,
    KvCacheDtype,
    Method,
    ModelDeploymentSpec,
    Policy,
)
from pillion.facts import Basis, Fact, ModelFacts
from pillion.hardware import AcceleratorPool, Inventory
from pillion.planner import wording
from pillion.planner.model import Device, PlanRequest

SMALL_ENCODER: Final = Fact(
    value=600_000_000,
    unit="parameters",
    basis=Basis.ASSUMED,
    source="the encoders that people embed with end there: XLM-RoBERTa-large has 560 million, BGE-M3 568 million",
)
PLAIN = "None"
FP8 = "FP8"
SIXTEEN_BIT = 16
BFLOAT16_FROM = (8, 0)  # compute capability
FULL_FP8_FROM = (8, 9)  # compute capability; below it FP8 weights are widened while computing
# What engines make of plain weights while they load them, and its bits. MXFP8 takes 3 % more than FP8 and loses no
# less, so that it never comes first: it is looked at where it is asked for.
MADE_WHILE_LOADING: Final = {FP8: 8, "MXFP8": 8, "MXFP4": 4}
_ONLY_WHERE_PINNED: Final = frozenset({"MXFP8"})
KV_CACHE_DTYPES = {
    KvCacheDtype.BF16: "bfloat16",
    KvCacheDtype.FP16: "float16",
    KvCacheDtype.FP8: "fp8",
    KvCacheDtype.FP8_E5M2: "fp8_e5m2",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """One way to run the model."""

    model: ModelFacts
    quantization: str
    bits: int | None
    calibrated: bool
    on_the_fly: str | None  # the engine's name of it
    kv_cache_dtype: str | None  # the engine's name of it; None: its own choice
    pool: AcceleratorPool | None  # None: CPU
    count: int

    @property
    def device(self) -> Device:
        """What it computes on."""
        return Device.CPU if self.pool is None else Device.GPU

    @property
    def product(self) -> str | None:
        """The accelerator's name."""
        return None if self.pool is None else self.pool.product

    @property
    def capability(self) -> tuple[int, int] | None:
        """What the accelerator can compute; None on CPU, and where nobody says."""
        return None if self.pool is None else self.pool.compute_capability

    @property
    def names(self) -> tuple[str, ...]:
        """What ties are broken by, at last."""
        return (
            self.product or "",
            self.pool.resource if self.pool else "",
            self.model.repo,
            self.on_the_fly or "",
            self.kv_cache_dtype or "",
        )

    @property
    def form(self) -> str:
        """How the weights are held, in words: 16 bit, AWQ, FP8 made while loading."""
        made = " made while loading" if self.on_the_fly else ""
        cache = " with an FP8 KV cache" if self.kv_cache_quantized else ""
        return f"{wording.weights_name(self.quantization)}{made}{cache}"

    @property
    def kv_cache_quantized(self) -> bool:
        """Whether the KV cache has 8 bit, by whoever's wish."""
        return bool(self.kv_cache_dtype and self.kv_cache_dtype.startswith("fp8"))


def candidates(request: PlanRequest, profile: engines.Profile) -> tuple[Candidate, ...]:
    """All candidates of a request, in an order that does not depend on the nodes'."""
    found = [
        candidate
        for model in request.checkpoints
        for form in _forms(model, profile, request.spec.quantization.method)
        for candidate in _on_devices(form, request)
    ]
    return tuple(found)


def pools(inventory: Inventory, spec: ModelDeploymentSpec) -> tuple[AcceleratorPool, ...]:
    """The cluster's accelerators, and with an autoscaler those that the user names and no node has yet."""
    there = inventory.accelerators
    if spec.hardware.capacity is not Capacity.AUTOSCALED:
        return there
    known = {pool.product for pool in there}
    awaited = (
        hardware.awaited(name, inventory)
        for name in dict.fromkeys(spec.hardware.products)
        if name not in known
    )
    return there + tuple(pool for pool in awaited if pool is not None)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Form:
    """A checkpoint, and how its weights are held."""

    model: ModelFacts
    quantization: str
    bits: int | None
    calibrated: bool
    on_the_fly: str | None


def _forms(model: ModelFacts, profile: engines.Profile, pinned: Method) -> Iterator[_Form]:
    stored = model.quantization
    yield _Form(
        model=model,
        quantization=stored.scheme if stored else PLAIN,
        bits=stored.bits if stored else SIXTEEN_BIT,
        calibrated=stored.calibrated if stored else True,
        on_the_fly=None,
    )
    if stored is not None:
        return
    for label, bits in MADE_WHILE_LOADING.items():
        online = profile.on_the_fly.get(label)
        if online is not None and (label not in _ONLY_WHERE_PINNED or pinned.value == label):
            yield _Form(model=model, quantization=label, bits=bits, calibrated=False, on_the_fly=online)


def _on_devices(form: _Form, request: PlanRequest) -> Iterator[Candidate]:
    spec = request.spec
    any_accelerator = bool(pools(request.inventory, spec)) or request.inventory.any_accelerator
    asks_for_accelerator = any_accelerator or bool(spec.hardware.products)
    if spec.hardware.accelerator is not Accelerator.CPU:
        for pool in pools(request.inventory, spec):
            for count in _counts(form.model, pool, spec):
                for kv_cache_dtype in _kv_cache_dtypes(form, spec, pool):
                    yield _candidate(form, kv_cache_dtype, pool, count)
    wanted = spec.hardware.accelerator
    if wanted is Accelerator.CPU or (
        wanted is Accelerator.AUTO and (not asks_for_accelerator or leaves_accelerators(form.model, request))
    ):
        pinned = KV_CACHE_DTYPES.get(spec.serving.kv_cache_dtype)
        yield _candidate(form, pinned, None, 0)


def leaves_accelerators(model: ModelFacts, request: PlanRequest) -> bool:
    """Whether `Auto` lets the model have the CPU although there are accelerators.

    A small encoder answers in milliseconds there. Where a larger model of the same pod computes on accelerators, one
    more for the encoder would mostly wait, and every pod would need it.
    """
    target, parameters = request.target, model.parameters
    return (
        model.is_encoder
        and parameters is not None
        and parameters <= SMALL_ENCODER.value
        and not request.spec.hardware.products
        and target is not None
        and bool(target.beside and target.accelerators)
    )


def _candidate(
    form: _Form, kv_cache_dtype: str | None, pool: AcceleratorPool | None, count: int
) -> Candidate:
    return Candidate(
        model=form.model,
        quantization=form.quantization,
        bits=form.bits,
        calibrated=form.calibrated,
        on_the_fly=form.on_the_fly,
        kv_cache_dtype=kv_cache_dtype,
        pool=pool,
        count=count,
    )


def _counts(model: ModelFacts, pool: AcceleratorPool, spec: ModelDeploymentSpec) -> Iterator[int]:
    """Numbers of accelerators that the model's heads divide by, up to what one pod may take.

    Powers of two are what people have, so that one of these which does not divide is told rather than left out.
    """
    largest = 1 if pool.partial else spec.hardware.max_per_pod
    heads = max(1, model.attention.heads)
    return (count for count in range(1, largest + 1) if heads % count == 0 or count & (count - 1) == 0)


def _kv_cache_dtypes(form: _Form, spec: ModelDeploymentSpec, pool: AcceleratorPool) -> tuple[str | None, ...]:
    """The KV cache's element types: the pin, or the engine's own choice and, for Economy, FP8 beside it.

    The engine follows a checkpoint that declares FP8 on every accelerator. Where none of its kernels is sure to compute
    that, 16 bit is asked for by name.
    """
    pinned = KV_CACHE_DTYPES.get(spec.serving.kv_cache_dtype)
    if pinned is not None:
        return (pinned,)
    capability, stored = pool.compute_capability, form.model.quantization
    if stored is not None and stored.kv_cache_fp8:
        if capability is None or capability >= FULL_FP8_FROM:
            return (None,)
        return ("bfloat16" if capability >= BFLOAT16_FROM else "float16",)
    full_fp8 = capability is not None and capability >= FULL_FP8_FROM
    if spec.quantization.policy is Policy.ECONOMY and full_fp8 and not form.model.is_encoder:
        return (None, "fp8")
    return (None,)
