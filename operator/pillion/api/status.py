"""What does the operator tell about a ModelDeployment?

Everything here can be computed again from the cluster and the Hub. Amounts of memory are quantities
(`14.99Gi`), because the API conventions keep fractions out of objects; counts are integers. What is not known
is absent.
"""

from typing import Annotated, Literal

from pydantic import Field

from pillion.api.forms import MAX_INTEGER
from pillion.api.reasons import ConditionType
from pillion.api.shape import ATOMIC, ApiModel, ListOf, WrittenWhole

Text = Annotated[str, Field(max_length=1024)]
Sentence = Annotated[str, Field(max_length=4096)]
Whole = Annotated[int, Field(ge=0, le=MAX_INTEGER)]
Amount = Annotated[str, Field(max_length=32)]


class Condition(ApiModel):
    """One aspect of the state, as Kubernetes' conditions are."""

    type: Annotated[str, Field(max_length=316)] = Field(
        description="Which aspect: Planned, Injected, ModelReady or Ready."
    )
    status: Literal["True", "False", "Unknown"] = Field(
        description="True, False, or Unknown where it has not been looked at or cannot be told."
    )
    reason: Annotated[str, Field(min_length=1, max_length=256)] = Field(
        description="Why, in one word for machines; the reference lists them."
    )
    message: Annotated[str, Field(max_length=32_768)] = Field(
        description="Why, in sentences for people: what was found, what is accepted, what to do."
    )
    observed_generation: Whole | None = Field(
        None, description="The generation of the spec that this was said about."
    )
    last_transition_time: Annotated[str, Field(json_schema_extra={"format": "date-time"})] = Field(
        description="When status last changed."
    )


class ModelStatus(ApiModel):
    """What is known of the model."""

    commit: Text | None = Field(None, description="The commit that the revision was resolved to.")
    architecture: Text | None = Field(
        None, description="The class that implements the model, by its configuration."
    )
    parameters: Whole | None = Field(None, description="Weights of the model, counted.")
    active_parameters: Whole | None = Field(
        None,
        description="Weights that one token passes through; fewer than parameters for a mixture of experts.",
    )
    download_gb: Amount | None = Field(
        None,
        alias="downloadGB",
        description="What a pod with an empty cache downloads, in units of 1000^3 bytes.",
    )
    dtype: Text | None = Field(None, description="The number format that the model was published in.")
    task: Text | None = Field(None, description="What the model is used for.")
    chat_template: bool | None = Field(None, description="Whether the model brings a chat template.")
    instruct: bool | None = Field(
        None, description="Whether the model was trained to follow instructions, where the Hub tells."
    )
    distilled: bool | None = Field(
        None, description="Whether the model was distilled from another, where the Hub tells."
    )
    base_model: Text | None = Field(
        None, description="The model that this one was made from, where the Hub tells."
    )
    license: Text | None = Field(None, description="The license, as the Hub has it.")


class TargetStatus(ApiModel):
    """The workload that was found."""

    api_version: Text | None = Field(None, description="The workload's API version.")
    kind: Text | None = Field(None, description="The workload's kind.")
    name: Text | None = Field(None, description="The workload's name.")
    uid: Text | None = Field(None, description="The workload's uid.")
    revision: Text | None = Field(
        None, description="The revision of the engine that its pod template asks for."
    )


class MemoryStatus(ApiModel):
    """How the memory of one accelerator is spent, in GiB."""

    weights: Amount | None = Field(None, description="The weights' share of this accelerator.")
    kv_cache: Amount | None = Field(None, description="The KV cache.")
    activation: Amount | None = Field(
        None, description="The larger of the peaks of activations and of the sampler."
    )
    graphs: Amount | None = Field(None, description="CUDA graphs.")
    other: Amount | None = Field(
        None, description="Memory outside the framework: the context, communication, the allocator's slack."
    )
    usable: Amount | None = Field(None, description="What the engine may use of the accelerator in all.")
    total: Amount | None = Field(None, description="What the accelerator has, as its driver shows it.")
    headroom: Amount | None = Field(None, description="What is usable and not spent.")
    sixteen_bit: Amount | None = Field(
        None, description="What the weights would have taken with 16 bit each."
    )
    kv_cache_tokens: Whole | None = Field(
        None,
        description="Tokens that the KV cache and the headroom are expected to hold, counted as the engine reports"
        " them.",
    )
    estimate: Literal["Verified", "Unverified"] | None = Field(
        None,
        description="Unverified where neither a start-up log nor a driver has confirmed these numbers for the"
        " accelerator, or for this kind of model; absent on CPU.",
    )


class PlanStatus(ApiModel):
    """What was chosen."""

    checkpoint: Text | None = Field(None, description="The repository whose weights are served.")
    commit: Text | None = Field(None, description="Its commit.")
    quantization: Text | None = Field(None, description="The weights' quantization; None for 16 bit.")
    bits: Whole | None = Field(None, description="Bits of a weight.")
    device: Literal["GPU", "CPU"] | None = Field(None, description="The kind of device.")
    accelerator: Text | None = Field(
        None, description="What one pod takes, as the Accelerator column shows it: 2 x NVIDIA-L4, or CPU."
    )
    product: Text | None = Field(None, description="The accelerator's name, as the nodes' labels have it.")
    resource: Text | None = Field(None, description="The resource that a pod requests it by.")
    count: Whole | None = Field(None, description="Accelerators for one pod.")
    tensor_parallel: Whole | None = Field(None, description="Accelerators that each layer is divided over.")
    kv_cache_dtype: Text | None = Field(None, description="The element type of the KV cache.")
    context_length: Whole | None = Field(None, description="Tokens that one request may have.")
    concurrency: Whole | None = Field(
        None, description="Requests of concurrencyLength tokens whose KV cache fits at once."
    )
    concurrency_length: Whole | None = Field(
        None,
        description="Tokens of each of those requests. One request may have up to contextLength, and then takes"
        " the room of several.",
    )
    engine: Text | None = Field(None, description="The inference engine.")
    engine_version: Text | None = Field(
        None, description="The engine's version; absent where the image's name does not tell it."
    )
    image: Text | None = Field(None, description="The engine's image.")
    memory: MemoryStatus | None = Field(None, description="The memory of one accelerator, as planned.")
    given_up: Sentence | None = Field(None, description="What was preferred and does not fit.")


class AcceleratorsStatus(ApiModel):
    """The accelerators of the planned product."""

    per_pod: Whole | None = Field(None, description="Accelerators that one pod takes.")
    total: Whole | None = Field(
        None, description="Accelerators of this product that the cluster's nodes have."
    )
    free: Whole | None = Field(None, description="Those that no pod had requested when the plan was made.")


class RejectedStatus(ApiModel):
    """A candidate that was considered and not chosen."""

    checkpoint: Text | None = Field(None, description="The repository.")
    quantization: Text | None = Field(None, description="The weights' quantization.")
    product: Text | None = Field(None, description="The accelerator, or CPU.")
    count: Whole | None = Field(None, description="Accelerators for one pod.")
    reason: Text = Field(description="Why not, in one word.")
    message: Sentence = Field(description="Why not, in one sentence with its numbers.")


class ObservedStatus(ApiModel):
    """What the engine itself reported, against the plan."""

    context_length: Whole | None = Field(None, description="Tokens that the engine accepts for one request.")
    kv_cache_tokens: Whole | None = Field(None, description="Tokens that the engine's KV cache holds.")
    planned_kv_cache_tokens: Whole | None = Field(
        None, description="Tokens that the plan expected it to hold."
    )


class PodsStatus(ApiModel):
    """The target's pods."""

    desired: Whole | None = Field(
        None, description="Pods that the target wants; absent where pods opt in themselves."
    )
    injected: Whole | None = Field(None, description="Pods that have the engine, with the wanted revision.")
    ready: Whole | None = Field(None, description="Pods whose engine serves the wanted model.")
    summary: Text | None = Field(
        None, description="Pods that serve of those wanted, as the Pods column shows it: 2/3."
    )

    @classmethod
    def counted(cls, *, desired: int | None, injected: int, ready: int) -> "PodsStatus":
        """With a summary; where pods opt in themselves, those that have the engine are the measure."""
        wanted = injected if desired is None else desired
        return cls(desired=desired, injected=injected, ready=ready, summary=f"{ready}/{wanted}")


class WarningStatus(ApiModel):
    """Something that works and may surprise."""

    reason: Annotated[str, Field(min_length=1, max_length=256)] = Field(
        description="What it is about, in one word."
    )
    message: Sentence = Field(description="What may surprise, and what to do about it.")


class Status(ApiModel):
    """What was planned, injected and observed."""

    observed_generation: Whole | None = Field(
        None, description="The generation of the spec that the rest of status is about."
    )
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16), ListOf(kind="map", keys=("type",))] = (
        Field((), description="Planned, Injected, ModelReady and Ready, always all four.")
    )
    model: Annotated[ModelStatus, WrittenWhole()] | None = Field(
        None, description="What is known of the model."
    )
    target: Annotated[TargetStatus, WrittenWhole()] | None = Field(
        None, description="The workload that was found; absent where pods opt in themselves."
    )
    endpoint: Text | None = Field(
        None, description="What applications in the pods talk to, such as http://127.0.0.1:18000/v1."
    )
    served_names: Annotated[tuple[Text, ...], Field(max_length=16), ATOMIC] = Field(
        (), description="The names under which the engine serves the model."
    )
    revision: Text | None = Field(None, description="The revision of the ModelSidecar that new pods get.")
    plan: Annotated[PlanStatus, WrittenWhole()] | None = Field(
        None, description="What was chosen: checkpoint, quantization, accelerator, lengths and memory."
    )
    accelerators: Annotated[AcceleratorsStatus, WrittenWhole()] | None = Field(
        None, description="The accelerators of the planned product."
    )
    candidates: Annotated[tuple[RejectedStatus, ...], Field(max_length=16), ATOMIC] = Field(
        (), description="The best few candidates that were not chosen, each with the reason."
    )
    observed: Annotated[ObservedStatus, WrittenWhole()] | None = Field(
        None, description="What the engine itself reported, against the plan."
    )
    pods: Annotated[PodsStatus, WrittenWhole()] | None = Field(
        None, description="How many pods are wanted, have the engine, and serve."
    )
    warnings: Annotated[
        tuple[WarningStatus, ...], Field(max_length=32), ListOf(kind="map", keys=("reason",))
    ] = Field((), description="What works and may surprise, one a reason.")

    def condition(self, kind: ConditionType) -> Condition | None:
        """The condition of that type, if it was ever written."""
        return next((one for one in self.conditions if one.type == kind), None)
