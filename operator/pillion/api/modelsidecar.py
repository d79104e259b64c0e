"""What exactly does admission add to a pod?

A ModelSidecar is written by the operator and read by the admission policy, which copies its values into pods
as they are. An unknown field or a bad value in it would make *every* marked pod fail to decode, so everything
is typed to the last field, with the enums and forms that Kubernetes itself asks for, and nothing unknown is
preserved. What the schema cannot see is found by the dry run before it is written.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from pillion.api import names
from pillion.api.forms import (
    LABEL_KEY,
    DnsLabel,
    Flag,
    KeyName,
    LabelKey,
    LabelValue,
    ObjectName,
    Quantity,
    RelativePath,
    VariableName,
)
from pillion.api.modeldeployment import NAME_IS_SHORT_LABEL, ImageVolume, ModelGate, ObjectMeta, Tolerations
from pillion.api.shape import ATOMIC, BY_NAME, ApiModel, ListOf, Rule, WrittenWhole, written_as

FORMAT_VERSION: Final = 1
MAX_INSTRUCTION_LENGTH: Final = 131_072  # characters; all annotations of a pod together may have 256 KiB

AnyPort = Annotated[int, Field(ge=1, le=65_535, strict=True)]
FileMode = Annotated[int, Field(ge=0, le=0o777, strict=True)]
Seconds = Annotated[int, Field(ge=1, le=86_400, strict=True)]
AbsolutePath = Annotated[
    str,
    Field(min_length=2, max_length=1024),
    written_as(r"^/[^:]+$", "must be an absolute path without ':'"),
]
Argument = Annotated[str, Field(max_length=16_384)]
FieldPath = Annotated[
    str,
    Field(max_length=512),
    written_as(
        r"^(metadata\.(name|namespace|uid|labels\['[^']+'\]|annotations\['[^']+'\])"
        r"|spec\.(nodeName|serviceAccountName)|status\.(hostIP|podIP)s?)$",
        "must be a field that the kubelet knows, such as status.podIP or metadata.annotations['key']",
    ),
]


class PlainPolicy(StrEnum):
    """Whether containers get OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL from this model."""

    ALWAYS = "Always"
    SINGLE_MODEL = "SingleModel"
    NEVER = "Never"


class FieldRef(ApiModel):
    """A field of the pod."""

    field_path: FieldPath = Field(description="The field's path in the pod.")
    api_version: Literal["v1"] | None = Field(
        None, description="The version of the pod's schema that the path is in; absent, v1."
    )


class SecretKeyRef(ApiModel):
    """One value of a Secret."""

    name: ObjectName = Field(description="The Secret's name.")
    key: KeyName = Field(description="The key in its data.")
    optional: Flag | None = Field(None, description="Whether the container may start without it.")


class VariableSource(ApiModel):
    """Where a variable's value comes from."""

    secret_key_ref: SecretKeyRef | None = Field(None, description="A value of a Secret.")
    field_ref: FieldRef | None = Field(None, description="A field of the pod.")

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.secretKeyRef) != has(self.fieldRef)",
            holds=lambda source: (source.secret_key_ref is None) != (source.field_ref is None),
            message="must have exactly one of secretKeyRef and fieldRef",
        ),
    )


class Variable(ApiModel):
    """A variable of the engine's container."""

    name: VariableName = Field(description="The variable's name.")
    value: Annotated[str, Field(max_length=16_384)] | None = Field(None, description="The value.")
    value_from: VariableSource | None = Field(None, description="Where the value comes from instead.")

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!(has(self.value) && self.value != '' && has(self.valueFrom))",
            holds=lambda variable: not (variable.value and variable.value_from),
            message="must not have both value and valueFrom",
        ),
    )


class PlainVariable(ApiModel):
    """A variable with a value."""

    name: VariableName = Field(description="The variable's name.")
    value: Annotated[str, Field(max_length=4096)] = Field(description="The value.")


class ContainerPort(ApiModel):
    """A port that the engine's container listens on; never one of the host's."""

    name: (
        Annotated[
            str,
            Field(max_length=15),
            written_as(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "must be lower-case letters, digits and '-'"),
            Rule(
                cel="self.matches('[a-z]') && !self.contains('--')",
                holds=lambda name: any(letter.isalpha() for letter in name) and "--" not in name,
                message="must have a letter, and no two '-' in a row",
            ),
        ]
        | None
    ) = Field(None, description="The port's name, unique in the pod.")
    container_port: AnyPort = Field(description="The port's number.")
    protocol: Literal["TCP", "UDP", "SCTP"] = Field(description="The protocol.")


ResourceAmounts = Annotated[
    dict[str, Quantity],
    Field(max_length=16),
    Rule(
        cel=f"self.all(k, {LABEL_KEY.cel.replace('self', 'k')})",
        holds=lambda amounts: all(len(key) <= 317 and LABEL_KEY.holds(key) for key in amounts),
        message="must have names of resources, such as cpu, ephemeral-storage or nvidia.com/gpu",
    ),
]


class Resources(ApiModel):
    """What the engine's container requests and may take."""

    requests: ResourceAmounts = Field(default_factory=dict, description="What the scheduler keeps free.")
    limits: ResourceAmounts = Field(default_factory=dict, description="What may be taken at most.")


class VolumeMount(ApiModel):
    """A volume in the engine's container."""

    name: Annotated[str, Field(min_length=1, max_length=63)] = Field(
        description="The name of one of the volumes beside the container."
    )
    mount_path: AbsolutePath = Field(description="Where it is mounted.")
    sub_path: RelativePath | None = Field(None, description="The folder of the volume that is mounted.")
    read_only: Flag | None = Field(None, description="Whether it cannot be written.")


class Capabilities(ApiModel):
    """Linux capabilities."""

    drop: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=64)], ...], Field(max_length=64), ATOMIC
    ] = Field((), description="Those that are taken away; ALL for all.")


class SeccompProfile(ApiModel):
    """Which system calls are let through."""

    type: Literal["RuntimeDefault"] = Field(description="The profile: the container runtime's own.")


class SecurityContext(ApiModel):
    """What the engine's container may do: only what the restricted Pod Security Standard lets be."""

    run_as_user: Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)] | None = Field(
        None, description="The user's number, never root's."
    )
    run_as_group: Annotated[int, Field(ge=0, le=2**31 - 1, strict=True)] | None = Field(
        None, description="The group's number."
    )
    run_as_non_root: Flag | None = Field(None, description="Whether the kubelet refuses to start it as root.")
    allow_privilege_escalation: Flag | None = Field(
        None, description="Whether a process may gain more privileges than its parent."
    )
    read_only_root_filesystem: Flag | None = Field(
        None, description="Whether the image's own files cannot be written."
    )
    capabilities: Capabilities | None = Field(None, description="Linux capabilities.")
    seccomp_profile: SeccompProfile | None = Field(None, description="Which system calls are let through.")


class Container(ApiModel):
    """The engine's container; the policy adds restartPolicy and the start-up probe where they belong."""

    name: Annotated[str, Field(min_length=1, max_length=63)] = Field(
        description="The container's name: pillion- and the ModelSidecar's."
    )
    image: Annotated[
        str,
        Field(max_length=512),
        written_as(r"^[^\s]+$", "must be an image's reference without spaces"),
    ] = Field(description="The engine's image.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None, description="When the image is pulled."
    )
    command: Annotated[tuple[Argument, ...], Field(max_length=64), ATOMIC] = Field(
        (), description="The program and its first arguments."
    )
    args: Annotated[tuple[Argument, ...], Field(max_length=128), ATOMIC] = Field(
        (), description="Its further arguments."
    )
    env: Annotated[tuple[Variable, ...], Field(max_length=128), BY_NAME] = Field(
        (), description="Its variables."
    )
    ports: Annotated[
        tuple[ContainerPort, ...], Field(max_length=8), ListOf(kind="map", keys=("containerPort", "protocol"))
    ] = Field((), description="Its ports: the engine's and the supervisor's.")
    resources: Resources | None = Field(None, description="What it requests and may take.")
    volume_mounts: Annotated[
        tuple[VolumeMount, ...], Field(max_length=32), ListOf(kind="map", keys=("mountPath",))
    ] = Field((), description="Its volumes.")
    security_context: SecurityContext | None = Field(None, description="What it may do.")
    working_dir: AbsolutePath | None = Field(None, description="The folder it starts in.")
    termination_message_policy: Literal["File", "FallbackToLogsOnError"] | None = Field(
        None, description="Where the message of its end comes from."
    )


class HttpGet(ApiModel):
    """A request to the container."""

    path: Annotated[str, Field(min_length=1, max_length=1024)] = Field(description="The path to ask for.")
    port: AnyPort = Field(description="The port's number.")
    scheme: Literal["HTTP", "HTTPS"] | None = Field(None, description="The protocol; absent, HTTP.")


class Exec(ApiModel):
    """A command in the container."""

    command: Annotated[tuple[Argument, ...], Field(min_length=1, max_length=32), ATOMIC] = Field(
        description="The program and its arguments."
    )


class StartupProbe(ApiModel):
    """What the kubelet asks until the model serves, before it starts the application."""

    http_get: HttpGet | None = Field(None, description="A request that succeeds when the model serves.")
    exec: Exec | None = Field(None, description="A command that succeeds when the model serves.")
    initial_delay_seconds: Annotated[int, Field(ge=0, le=86_400, strict=True)] | None = Field(
        None, description="Seconds before the first try."
    )
    period_seconds: Seconds | None = Field(None, description="Seconds between tries.")
    timeout_seconds: Seconds | None = Field(None, description="Seconds that one try may take.")
    failure_threshold: Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)] | None = Field(
        None, description="Tries before the container is started anew."
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.httpGet) != has(self.exec)",
            holds=lambda probe: (probe.http_get is None) != (probe.exec is None),
            message="must have exactly one of httpGet and exec",
        ),
    )


class EmptyDir(ApiModel):
    """A folder that lives as long as the pod."""

    medium: Literal["", "Memory"] | None = Field(None, description="Memory, or the node's disk where absent.")
    size_limit: Quantity | None = Field(None, description="What it may hold; passing it evicts the pod.")


class Claim(ApiModel):
    """A persistent volume claim."""

    claim_name: ObjectName = Field(description="The claim's name.")
    read_only: Flag | None = Field(None, description="Whether it cannot be written.")


class ConfigMapItem(ApiModel):
    """One file of a ConfigMap."""

    key: KeyName = Field(description="The key in its data.")
    path: RelativePath = Field(description="The file's path in the volume.")
    mode: FileMode | None = Field(None, description="The file's permissions.")


class ConfigMapVolume(ApiModel):
    """A ConfigMap's files."""

    name: ObjectName = Field(description="The ConfigMap's name.")
    optional: Flag | None = Field(None, description="Whether the pod may start without it.")
    items: Annotated[tuple[ConfigMapItem, ...], Field(max_length=16), ATOMIC] = Field(
        (), description="The files; absent, all."
    )
    default_mode: FileMode | None = Field(None, description="The files' permissions.")


class DownwardItem(ApiModel):
    """One field of the pod as a file."""

    path: RelativePath = Field(description="The file's path in the volume.")
    field_ref: FieldRef = Field(description="The field of the pod.")
    mode: FileMode | None = Field(None, description="The file's permissions.")


class DownwardVolume(ApiModel):
    """Fields of the pod as files, which follow the pod's changes."""

    items: Annotated[tuple[DownwardItem, ...], Field(min_length=1, max_length=16), ATOMIC] = Field(
        description="The files."
    )
    default_mode: FileMode | None = Field(None, description="The files' permissions.")


class Volume(ApiModel):
    """A volume that the pod gets with the engine."""

    name: DnsLabel = Field(description="The volume's name: pillion-, the ModelSidecar's name, and a suffix.")
    empty_dir: EmptyDir | None = Field(None, description="A folder that lives as long as the pod.")
    persistent_volume_claim: Claim | None = Field(None, description="A persistent volume claim.")
    config_map: ConfigMapVolume | None = Field(None, description="A ConfigMap's files.")
    downward_api: DownwardVolume | None = Field(
        None, alias="downwardAPI", description="Fields of the pod as files."
    )
    image: ImageVolume | None = Field(None, description="An OCI image's files.")

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="[has(self.emptyDir), has(self.persistentVolumeClaim), has(self.configMap),"
            " has(self.downwardAPI), has(self.image)].filter(x, x).size() == 1",
            holds=lambda volume: (
                sum(
                    source is not None
                    for source in (
                        volume.empty_dir,
                        volume.persistent_volume_claim,
                        volume.config_map,
                        volume.downward_api,
                        volume.image,
                    )
                )
                == 1
            ),
            message="must have exactly one of emptyDir, persistentVolumeClaim, configMap, downwardAPI and"
            " image",
        ),
    )


class NodeRequirement(ApiModel):
    """A requirement on a node's label, added to every term of the pod's required node affinity."""

    key: LabelKey = Field(description="The label's key.")
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"] = Field(
        description="How the value is compared."
    )
    values: Annotated[tuple[LabelValue, ...], Field(max_length=64), ATOMIC] = Field(
        (), description="The values to compare with."
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.operator in ['In', 'NotIn'] ? has(self.values) && self.values.size() > 0"
            " : self.operator in ['Gt', 'Lt'] ? has(self.values) && self.values.size() == 1 &&"
            " self.values[0].matches('^[0-9]+$') : !has(self.values) || self.values.size() == 0",
            holds=lambda one: (
                len(one.values) > 0
                if one.operator in ("In", "NotIn")
                else len(one.values) == 1 and one.values[0].isdigit()
                if one.operator in ("Gt", "Lt")
                else not one.values
            ),
            message="must have values for In and NotIn, one whole number for Gt and Lt, and none for Exists"
            " and DoesNotExist",
            path=".values",
        ),
    )


class SidecarEnvironment(ApiModel):
    """The variables of the application's containers."""

    containers: Annotated[tuple[DnsLabel, ...], Field(min_length=1, max_length=64), ListOf(kind="set")] = (
        Field(
            (),
            description="The containers that get them; absent, all of spec.containers that are no engines.",
        )
    )
    own: Annotated[tuple[PlainVariable, ...], Field(max_length=16), BY_NAME] = Field(
        (), description="Variables that carry the model's name; each is left out where the container has it."
    )
    plain: Annotated[tuple[PlainVariable, ...], Field(max_length=16), BY_NAME] = Field(
        (),
        description="OPENAI_BASE_URL and its companions: all of them, or none where the container has one.",
    )
    plain_policy: PlainPolicy = Field(
        description="When the plain ones are given: Always, in pods with a SingleModel, or Never."
    )


class ModelSidecarSpec(ApiModel):
    """What admission adds to a marked pod."""

    format_version: Annotated[int, Field(ge=1, le=1000, strict=True)] = Field(
        description="The version of this form; a policy acts on the one it knows."
    )
    revision: Annotated[
        str,
        Field(max_length=64),
        written_as(names.REVISION_PATTERN, "must be r- and 12 hexadecimal digits"),
    ] = Field(description="The hash of all that follows but the instruction.")
    model_gate: ModelGate = Field(description="What waits for the model.")
    container: Container = Field(description="The engine's container.")
    startup_probe: StartupProbe | None = Field(
        None,
        description="Added to the container where it is an init container and the application's start waits"
        " for the model.",
    )
    volumes: Annotated[tuple[Volume, ...], Field(max_length=32), BY_NAME] = Field(
        (), description="Volumes that the pod gets."
    )
    tolerations: Tolerations = Field((), description="Tolerations that the pod gets.")
    node_requirements: Annotated[tuple[NodeRequirement, ...], Field(max_length=32), ATOMIC] = Field(
        (), description="Requirements added to every term of the pod's required node affinity."
    )
    runtime_class_name: ObjectName | None = Field(
        None, description="The RuntimeClass that the pod gets where it names none."
    )
    environment: SidecarEnvironment | None = Field(
        None, description="The variables of the application's containers."
    )
    instruction: Annotated[str, Field(min_length=1, max_length=MAX_INSTRUCTION_LENGTH)] = Field(
        description="What the supervisor in the engine's container is told to run, as JSON; stamped on the"
        " pod as an annotation."
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.container.volumeMounts) || self.container.volumeMounts.all(m,"
            " has(self.volumes) && self.volumes.exists(v, v.name == m.name))",
            holds=lambda spec: (
                {mount.name for mount in spec.container.volume_mounts}
                <= {volume.name for volume in spec.volumes}
            ),
            message="must name one of spec.volumes: a mount without its volume would have every marked pod"
            " refused",
            path=".container.volumeMounts",
        ),
    )


class ModelSidecar(ApiModel):
    """The compiled injection of one ModelDeployment."""

    api_version: Literal["pillion.dev/v1alpha1"] = names.API_VERSION
    kind: Literal["ModelSidecar"] = "ModelSidecar"
    metadata: ObjectMeta
    spec: Annotated[ModelSidecarSpec, WrittenWhole()] = Field(
        description="What admission adds to a marked pod; written by the operator alone."
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        NAME_IS_SHORT_LABEL,
        Rule(
            cel="self.spec.container.name == 'pillion-' + self.metadata.name",
            holds=lambda sidecar: sidecar.spec.container.name == names.container_name(sidecar.metadata.name),
            message="must be pillion- and the ModelSidecar's own name: admission knows by it whether a pod"
            " has the engine",
            path=".spec.container.name",
        ),
    )
