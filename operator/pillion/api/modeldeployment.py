"""What does a user ask for when they want a model beside an application?

Field descriptions are the sentences of `kubectl explain`. Absent stays absent (None, or an empty tuple):
unset is a preference, set is a requirement, so a default is published only where it says the same as the
absence.
"""

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, field_validator

from pillion.api import names
from pillion.api.choices import (
    BITS,
    Accelerator,
    Capacity,
    Checkpoints,
    EngineName,
    KvCacheDtype,
    Method,
    Modalities,
    ModelGate,
    Policy,
    Task,
    UpdateStrategyType,
)
from pillion.api.engine import Engine, EngineResources, EngineVariable
from pillion.api.forms import Flag
from pillion.api.placement import Environment, Hardware, TargetRef, Toleration, Tolerations
from pillion.api.serving import Generation, Quantization, Serving
from pillion.api.shape import ApiModel, Rule, WrittenWhole, written_as
from pillion.api.source import Cache, ClaimPath, ImageVolume, Model, SecretKey
from pillion.api.status import Status

__all__ = [
    "BITS",
    "NAME_IS_SHORT_LABEL",
    "Accelerator",
    "Cache",
    "Capacity",
    "Checkpoints",
    "ClaimPath",
    "Engine",
    "EngineName",
    "EngineResources",
    "EngineVariable",
    "Environment",
    "Generation",
    "Hardware",
    "ImageVolume",
    "KvCacheDtype",
    "Method",
    "Modalities",
    "Model",
    "ModelDeployment",
    "ModelDeploymentSpec",
    "ModelGate",
    "ObjectMeta",
    "Policy",
    "Quantization",
    "SecretKey",
    "Serving",
    "Status",
    "TargetRef",
    "Task",
    "Toleration",
    "Tolerations",
    "UpdateStrategy",
    "UpdateStrategyType",
]


class UpdateStrategy(ApiModel):
    """How running pods follow a change."""

    type: UpdateStrategyType = Field(
        UpdateStrategyType.IN_PLACE_IF_POSSIBLE,
        description="InPlaceIfPossible changes running pods where the new model fits what they have,"
        " RollingUpdate always rolls the target out, OnDelete leaves running pods alone.",
    )


class ModelDeploymentSpec(ApiModel):
    """What is wanted."""

    model: Model = Field(description="Which model, and where its files come from.")
    target_ref: TargetRef | None = Field(
        None,
        description="The workload whose pods get the engine. The operator writes one label and one"
        " annotation to its pod template and a label to itself, nothing else. Absent, pods opt in by"
        " carrying them.",
    )
    suspend: Flag = Field(
        default=False,
        description="True: plan and report, but inject nothing, and take the marker away from the target.",
    )
    environment: Environment | None = Field(
        None, description="Which containers get the variables that name the model's address."
    )
    quantization: Quantization = Field(
        default_factory=Quantization,
        description="Which number formats the weights may have, and what is preferred among them.",
        json_schema_extra=Quantization.published_default(),
    )
    serving: Serving = Field(
        default_factory=Serving,
        description="Lengths, concurrency and defaults of what is served.",
        json_schema_extra=Serving.published_default(),
    )
    hardware: Hardware = Field(
        default_factory=Hardware,
        description="Which devices and nodes may be used.",
        json_schema_extra=Hardware.published_default(),
    )
    engine: Engine = Field(
        default_factory=Engine,
        description="The inference engine and its container.",
        json_schema_extra=Engine.published_default(),
    )
    cache: Cache | None = Field(
        None,
        description="Where weights are kept; absent, in an emptyDir with a computed size limit, which a"
        " pod's end empties.",
    )
    model_gate: ModelGate = Field(
        ModelGate.AUTO,
        description="What waits for the model: None nothing, Startup the application's start, Readiness the"
        " pod's readiness. Auto is Startup for pods that run to completion and None for the others.",
    )
    startup_timeout_seconds: Annotated[int, Field(ge=1, le=86_400, strict=True)] | None = Field(
        None,
        description="Seconds that loading may take once the weights are there; absent, computed from the"
        " weights' size.",
    )
    update_strategy: UpdateStrategy = Field(
        default_factory=UpdateStrategy,
        description="How running pods follow a change of the model or its settings.",
        json_schema_extra=UpdateStrategy.published_default(),
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.model.task in ['Auto', 'TextGeneration'] || !has(self.serving.generation)",
            holds=lambda spec: (
                spec.model.task in (Task.AUTO, Task.TEXT_GENERATION) or spec.serving.generation is None
            ),
            message="must not be set for a task that generates no text",
            path=".serving.generation",
        ),
        Rule(
            cel="self.model.task in ['Auto', 'TextGeneration'] || self.serving.toolCalls in ['Auto', 'None']",
            holds=lambda spec: (
                spec.model.task in (Task.AUTO, Task.TEXT_GENERATION)
                or spec.serving.tool_calls in ("Auto", "None")
            ),
            message="must not name a parser for a task that generates no text",
            path=".serving.toolCalls",
        ),
        Rule(
            cel="self.model.task in ['Auto', 'TextGeneration'] || self.serving.reasoning in ['Auto', 'None']",
            holds=lambda spec: (
                spec.model.task in (Task.AUTO, Task.TEXT_GENERATION)
                or spec.serving.reasoning in ("Auto", "None")
            ),
            message="must not name a parser for a task that generates no text",
            path=".serving.reasoning",
        ),
        Rule(
            cel="!has(self.serving.generation) || !has(self.serving.generation.outputLimit) ||"
            " !has(self.serving.contextLength) || self.serving.generation.outputLimit <="
            " self.serving.contextLength",
            holds=lambda spec: (
                spec.serving.generation is None
                or spec.serving.generation.output_limit is None
                or spec.serving.context_length is None
                or spec.serving.generation.output_limit <= spec.serving.context_length
            ),
            message="must not be more than contextLength: an answer is a part of the context",
            path=".serving.generation.outputLimit",
        ),
    )


class ObjectMeta(ApiModel):
    """The metadata that the operator reads; Kubernetes has more of it, which is no mistake in a file."""

    HAS_MORE: ClassVar[bool] = True

    name: Annotated[str, Field(min_length=1)]
    namespace: str | None = None
    uid: str | None = None
    generation: int | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


NAME_IS_SHORT_LABEL: Final = Rule(
    cel=f"self.metadata.name.size() <= {names.MAX_NAME_LENGTH}"
    f" && self.metadata.name.matches('{names.DNS_LABEL_PATTERN}')",
    holds=lambda whole: (
        len(whole.metadata.name) <= names.MAX_NAME_LENGTH
        and written_as(names.DNS_LABEL_PATTERN, "").holds(whole.metadata.name)
    ),
    message=f"metadata.name must be a DNS label of at most {names.MAX_NAME_LENGTH} characters (lower-case"
    f" letters, digits, '-'):"
    " it names containers, volumes and annotations",
)


class ModelDeployment(ApiModel):
    """A model beside an application that already runs."""

    api_version: Literal["pillion.dev/v1alpha1"] = names.API_VERSION
    kind: Literal["ModelDeployment"] = "ModelDeployment"
    metadata: ObjectMeta
    spec: ModelDeploymentSpec = Field(
        description="What is wanted: the model, its target, and how it may be served."
    )
    status: Annotated[Status, WrittenWhole()] | None = Field(
        None, description="What was planned, injected and observed; written by the operator alone."
    )

    RULES: ClassVar[tuple[Rule, ...]] = (NAME_IS_SHORT_LABEL,)

    @field_validator("status", mode="wrap")
    @classmethod
    def _readable_status(cls, raw: object, read: ValidatorFunctionWrapHandler) -> object:
        """Status can be computed again, so one that another version wrote differently is read as none."""
        try:
            return read(raw)
        except ValidationError:
            return None

    @property
    def served_names(self) -> tuple[str, ...]:
        """The names that requests may use; the first is told to applications."""
        return self.spec.model.served_names or (self.metadata.name,)
