"""Which engine serves, and what may be changed about its container?"""

from typing import Annotated, ClassVar, Final

from pydantic import Field

from pillion.api import quantities
from pillion.api.choices import EngineName
from pillion.api.forms import Flag, Port, Quantity, VariableName
from pillion.api.shape import ATOMIC, BY_NAME, ApiModel, Rule, written_as
from pillion.api.source import SecretKey


class SecretKeyChoice(SecretKey):
    """One value of a Secret, which may be missing."""

    optional: Flag | None = Field(
        None, description="Whether the pod may start without the Secret or its key; absent, it may not."
    )


class EngineVariableSource(ApiModel):
    """Where a variable's value comes from."""

    secret_key_ref: SecretKeyChoice = Field(
        description="A value of a Secret in the ModelDeployment's namespace."
    )


class EngineVariable(ApiModel):
    """A variable of the engine's container."""

    name: VariableName = Field(description="The variable's name.")
    value: Annotated[str, Field(max_length=8192)] | None = Field(
        None, description="The value; exactly one of value and valueFrom is set."
    )
    value_from: EngineVariableSource | None = Field(None, description="A Secret that has the value.")

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.value) != has(self.valueFrom)",
            holds=lambda variable: (variable.value is None) != (variable.value_from is None),
            message="must have exactly one of value and valueFrom",
        ),
        Rule(
            cel="!self.name.startsWith('PILLION_')",
            holds=lambda variable: not variable.name.startswith("PILLION_"),
            message="must not start with PILLION_: those names belong to the operator",
            path=".name",
        ),
        Rule(
            cel="!(self.name in ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN'])",
            holds=lambda variable: variable.name not in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
            message="must not be the Hub token: spec.model.tokenSecretRef names it, so that the operator can"
            " look the model up too",
            path=".name",
        ),
    )


class ResourceList(ApiModel):
    """Amounts of what a node has; accelerators are the plan's."""

    cpu: Quantity | None = Field(None, description="CPU, in cores: 4 or 500m.")
    memory: Quantity | None = Field(None, description="Memory in bytes, /dev/shm included: 16Gi.")
    ephemeral_storage: Quantity | None = Field(
        None,
        alias="ephemeral-storage",
        description="Disk of the node in bytes, an emptyDir cache included: 40Gi.",
    )


def _within(resource: str, attribute: str) -> Rule:
    """A request is at most its limit. In CEL a dash inside a field's name is written `__dash__`."""
    request, limit = (f"self.{half}.{resource.replace('-', '__dash__')}" for half in ("requests", "limits"))

    def holds(resources: "EngineResources") -> bool:
        low = getattr(resources.requests, attribute, None)
        high = getattr(resources.limits, attribute, None)
        return low is None or high is None or quantities.parse(low) <= quantities.parse(high)

    return Rule(
        cel=f"!has(self.requests) || !has(self.limits) || !has({request}) || !has({limit})"
        f" || quantity(string({request})).compareTo(quantity(string({limit}))) <= 0",
        holds=holds,
        message=f"must not have a request of {resource} that is more than its limit",
        path=".requests",
    )


class EngineResources(ApiModel):
    """CPU, memory and ephemeral storage of the engine's container."""

    requests: ResourceList | None = Field(None, description="What the scheduler keeps free for the engine.")
    limits: ResourceList | None = Field(None, description="What the engine may take at most.")

    RULES: ClassVar[tuple[Rule, ...]] = (
        _within("cpu", "cpu"),
        _within("memory", "memory"),
        _within("ephemeral-storage", "ephemeral_storage"),
    )


_OWNED_FLAG: Final = written_as(
    r"^--(host|hostname|port|uds|model|model[-_]id|served[-_]model[-_]name|api[-_]key|root[-_]path)(=.*)?$",
    "",
)


class Engine(ApiModel):
    """The inference engine and its container."""

    name: EngineName = Field(
        EngineName.AUTO,
        description="The engine; Auto takes vLLM. TGI is archived by its authors and legacy here.",
    )
    image: (
        Annotated[
            str,
            Field(max_length=512),
            written_as(
                r"^[^\s]+$", "must be an image's reference without spaces, such as vllm/vllm-openai:v0.33.0"
            ),
        ]
        | None
    ) = Field(
        None,
        description="The engine's image; absent, the one that this version of the operator is tested with.",
    )
    extra_args: Annotated[
        tuple[Annotated[str, Field(max_length=4096)], ...], Field(max_length=64), ATOMIC
    ] = Field(
        (),
        description="Arguments appended to the engine's command line as they are. The plan's memory does not"
        " know them.",
    )
    env: Annotated[tuple[EngineVariable, ...], Field(max_length=64), BY_NAME] = Field(
        (), description="Further variables of the engine's container."
    )
    resources: EngineResources | None = Field(
        None, description="CPU, memory and ephemeral storage, where they shall differ from what was computed."
    )
    port: Port | None = Field(
        None,
        description="The engine's port on the pod's loopback; the supervisor takes the next one. Absent,"
        " 18000, or the next pair that neither a container of the pod nor another ModelDeployment has.",
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=f"!has(self.extraArgs) || !self.extraArgs.exists(a, {_OWNED_FLAG.cel.replace('self', 'a')})",
            holds=lambda engine: not any(_OWNED_FLAG.holds(argument) for argument in engine.extra_args),
            message="must not have --host, --port, --uds, --model, --served-model-name, --api-key or"
            " --root-path: the operator sets them, because the application's address and the engine's"
            " isolation depend on them (use engine.port and model.servedNames)",
            path=".extraArgs",
        ),
    )
