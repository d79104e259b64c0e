"""What is the planner asked, and what does it answer?

The question is a value, the answer is a value, and every candidate that lost is in the answer with its reason.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pillion.api.modeldeployment import ModelDeploymentSpec
from pillion.api.reasons import Reason
from pillion.facts import ModelFacts
from pillion.hardware import Inventory
from pillion.planner import wording

Raw = Mapping[str, Any]


class Device(StrEnum):
    """What the engine computes on."""

    GPU = "GPU"
    CPU = "CPU"


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetShape:
    """The target's pods as far as they decide where an engine can run."""

    pods: int  # that should exist now: spec.replicas, or the nodes of a DaemonSet
    surge_pods: int = 0  # further ones that a rollout makes before it removes old ones
    max_pods: int | None = None  # an autoscaler's maximum
    node_selector: Mapping[str, str] = field(default_factory=dict)
    affinity: Raw | None = None
    tolerations: tuple[Raw, ...] = ()
    cpu_millis: int = 0  # requests of one pod's own containers, and of the engines beside the new one
    memory_bytes: int = 0
    ephemeral_bytes: int = 0
    accelerators: Mapping[str, int] = field(default_factory=dict)  # requests by resource name
    one_pod_per_node: bool = False  # a DaemonSet
    # Its containers request what they are limited to, and have to with an engine too.
    guaranteed: bool = False
    beside: tuple[str, ...] = ()  # models with engines in the same pods: counted above like the pods' own
    # Accelerators that models of the same pods will want which have no plan yet: left, where possible.
    awaited: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryBudget:
    """How the memory of one accelerator (or of the engine's container on CPU) is divided, in bytes."""

    total: int  # what the framework sees
    usable: int  # the engine's share of it
    weights: int
    kv_cache: int  # what is needed by the requests that the plan promises
    activation: int
    graphs: int
    other: int
    headroom: int  # usable minus everything above; the engine gives it to the KV cache
    sixteen_bit_weights: int | None  # what the weights would have taken in 16 bit
    unverified: bool = False  # no log of this hardware, or of this kind of model, confirms the estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The chosen candidate with everything that an engine's container is made from."""

    checkpoint: str
    commit: str
    quantization: str  # label; "None" for plain 16 bit
    bits: int
    calibrated: bool
    on_the_fly: str | None  # the value of the engine's --quantization
    device: Device
    product: str | None
    resource: str | None
    count: int  # accelerators of one pod
    tensor_parallel: int
    kv_cache_dtype: str | None  # None: the engine's default, the model's dtype
    dtype: str | None  # None: the engine's default
    context_tokens: int  # the engine's limit on one request
    promised_context_tokens: int  # the length for which `concurrency` was counted
    concurrency: int  # requests of the promised length whose KV cache fits at once
    max_num_seqs: int
    max_num_batched_tokens: int | None
    gpu_memory_utilization: float | None
    kv_cache_bytes: int | None  # explicit on shared accelerators and on CPU
    engine: str
    engine_version: str | None  # None: an image whose name does not tell
    image: str
    memory: MemoryBudget
    cpu_request_millis: int
    cpu_limit_millis: int
    memory_request_bytes: int
    memory_limit_bytes: int
    shm_bytes: int
    ephemeral_request_bytes: int
    ephemeral_limit_bytes: int
    cache_bytes: int
    node_requirements: tuple[Raw, ...]
    tolerations: tuple[Raw, ...]
    startup_timeout_seconds: int
    given_up: str | None  # what was given up of the preference, in a sentence
    # That the engine is expected to report; None: it keeps no cache, or an older version made the plan.
    kv_cache_tokens: int | None = None

    def to_status(self) -> dict[str, Any]:
        """The plan as status shows it, with what is not known left out."""
        memory = self.memory
        shown = {
            "checkpoint": self.checkpoint,
            "commit": self.commit,
            "quantization": self.quantization,
            "bits": self.bits,
            "device": self.device.value,
            "accelerator": wording.device(self.count, self.product),
            "product": self.product,
            "resource": self.resource,
            "count": self.count or None,
            "tensorParallel": self.tensor_parallel,
            "kvCacheDtype": self.kv_cache_dtype,
            "contextLength": self.context_tokens,
            "concurrency": self.concurrency,
            "concurrencyLength": self.promised_context_tokens,
            "engine": self.engine,
            "engineVersion": self.engine_version,
            "image": self.image,
            "memory": {
                "weights": wording.quantity(memory.weights),
                # An encoder keeps none, which is no cache of 0 bytes.
                "kvCache": wording.quantity(memory.kv_cache) if memory.kv_cache else None,
                "activation": wording.quantity(memory.activation),
                "graphs": wording.quantity(memory.graphs),
                "other": wording.quantity(memory.other),
                "usable": wording.quantity(memory.usable),
                "total": wording.quantity(memory.total),
                "headroom": wording.quantity(memory.headroom),
                "sixteenBit": wording.quantity(memory.sixteen_bit_weights)
                if memory.sixteen_bit_weights is not None
                else None,
                "kvCacheTokens": self.kv_cache_tokens,
                "estimate": self._estimate,
            },
            "givenUp": self.given_up,
        }
        return _without_nothing(shown)

    @property
    def sentence(self) -> str:
        """The plan in one sentence, or two where something was given up."""
        engine = self.engine if self.engine_version is None else f"{self.engine} {self.engine_version}"
        sentence = (
            f"{engine} serves {self.checkpoint} ({wording.weights_name(self.quantization)}) on "
            f"{wording.device(self.count, self.product)} with room for "
            f"{wording.requests_of(self.concurrency, self.promised_context_tokens)}."
        )
        return sentence if self.given_up is None else f"{sentence} {self.given_up}"

    @property
    def _estimate(self) -> str | None:
        """Whether logs stand behind the budget; nothing is said of the CPU, where memory is the container's limit."""
        if self.device is Device.CPU:
            return None
        return "Unverified" if self.memory.unverified else "Verified"

    @property
    def class_key(self) -> tuple[str, str | None, str | None, int]:
        """What a running pod cannot change: device, product, resource and count."""
        return (self.device.value, self.product, self.resource, self.count)


@dataclass(frozen=True, kw_only=True, slots=True)
class Warned:
    """Something that works, and that the user should know."""

    reason: Reason
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    """A candidate that was considered and lost: which, why in one word, and one sentence with numbers."""

    checkpoint: str
    quantization: str
    product: str | None
    count: int
    reason: Reason
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanRequest:
    """Everything a plan depends on."""

    spec: ModelDeploymentSpec
    name: str
    checkpoints: tuple[ModelFacts, ...]  # the model first, then its variants
    inventory: Inventory
    target: TargetShape | None = None
    # By product: counted on by plans without pods yet.
    reserved: Mapping[str, int] = field(default_factory=dict)
    # By node and resource: held by this target's own pods, and free once these are replaced.
    own: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    previous: Plan | None = None  # sticky: its choice stays while it is possible
    images: Mapping[str, str] = field(default_factory=dict)  # by device: in place of the pinned ones


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """A plan was found."""

    plan: Plan
    rejected: tuple[Rejected, ...] = ()
    warnings: tuple[Warned, ...] = ()
    accelerators_total: int = 0  # of the chosen product, in nodes that the target's pods can go to
    accelerators_free: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class NotPlanned:
    """No candidate fits: the reason, and a sentence with the nearest remedy."""

    reason: Reason
    message: str
    rejected: tuple[Rejected, ...] = ()
    warnings: tuple[Warned, ...] = ()

    @property
    def about_nodes(self) -> bool:
        """Whether it was for want of a node, or of accelerators on it: other models there, or gone, would matter."""
        return self.reason in {Reason.NO_NODE_FITS, Reason.INSUFFICIENT_ACCELERATORS}


Outcome = Planned | NotPlanned


def _without_nothing(shown: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nothing(value) if isinstance(value, Mapping) else value
        for key, value in shown.items()
        if value is not None
    }
