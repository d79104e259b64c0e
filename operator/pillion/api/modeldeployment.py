"""What does a user ask for when they want a model beside an application?

Field descriptions are the sentences of `kubectl explain`. Absent stays absent (None, or an empty tuple):
unset is a preference, set is a requirement, so a default is published only where it says the same as the
absence.
"""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, ValidationError, ValidatorFunctionWrapHandler, field_validator

from pillion.api import names, quantities
from pillion.api.shape import (
    ATOMIC,
    BY_NAME,
    LABEL_KEYS,
    SET,
    ApiModel,
    Count,
    DnsLabel,
    Flag,
    KeyName,
    LabelKey,
    LabelValue,
    ObjectName,
    Port,
    Quantity,
    RelativePath,
    Rule,
    VariableName,
    written_as,
)
from pillion.api.status import Status

MAX_REPO_LENGTH: Final = 193  # two names of at most 96 characters, as the Hub has them, and the slash


class Task(StrEnum):
    """What the model is used for."""

    AUTO = "Auto"
    TEXT_GENERATION = "TextGeneration"
    EMBEDDING = "Embedding"
    RERANK = "Rerank"
    CLASSIFICATION = "Classification"


class Policy(StrEnum):
    """What is preferred where several candidates fit."""

    QUALITY = "Quality"
    BALANCED = "Balanced"
    ECONOMY = "Economy"


class Checkpoints(StrEnum):
    """Which repositories the planner may take weights from."""

    TRUSTED_PUBLISHERS = "TrustedPublishers"
    DECLARED = "Declared"


class Method(StrEnum):
    """A quantization scheme, as plans report it."""

    AUTO = "Auto"
    NONE = "None"
    FP8 = "FP8"
    INT8 = "INT8"
    MXFP8 = "MXFP8"
    W8A16 = "W8A16"
    AWQ = "AWQ"
    GPTQ = "GPTQ"
    W4A16 = "W4A16"
    W4A8 = "W4A8"
    NVFP4 = "NVFP4"
    MXFP4 = "MXFP4"
    BITS_AND_BYTES = "BitsAndBytes"


# Bits of a weight under a scheme. GPTQ is made with 2, 3, 4 and 8 bits and BitsAndBytes with 4 and 8, so they
# have no row.
BITS: Final[dict[Method, int]] = {
    Method.NONE: 16,
    Method.FP8: 8,
    Method.INT8: 8,
    Method.MXFP8: 8,
    Method.W8A16: 8,
    Method.AWQ: 4,
    Method.W4A16: 4,
    Method.W4A8: 4,
    Method.NVFP4: 4,
    Method.MXFP4: 4,
}


class KvCacheDtype(StrEnum):
    """The element type of the KV cache."""

    AUTO = "Auto"
    BF16 = "BF16"
    FP16 = "FP16"
    FP8 = "FP8"
    FP8_E5M2 = "FP8E5M2"


class Modalities(StrEnum):
    """Which inputs the engine prepares for."""

    ALL = "All"
    TEXT = "Text"


class Accelerator(StrEnum):
    """The kind of device."""

    AUTO = "Auto"
    GPU = "GPU"
    CPU = "CPU"


class Capacity(StrEnum):
    """Whether the plan may count on nodes that are not there yet."""

    EXISTING = "Existing"
    AUTOSCALED = "Autoscaled"


class EngineName(StrEnum):
    """The inference engine."""

    AUTO = "Auto"
    VLLM = "vLLM"
    TGI = "TGI"


class ModelGate(StrEnum):
    """What waits for the model."""

    AUTO = "Auto"
    NONE = "None"
    STARTUP = "Startup"
    READINESS = "Readiness"


class UpdateStrategyType(StrEnum):
    """How running pods follow a change."""

    IN_PLACE_IF_POSSIBLE = "InPlaceIfPossible"
    ROLLING_UPDATE = "RollingUpdate"
    ON_DELETE = "OnDelete"


_REPO_FORM: Final = r"^[A-Za-z0-9][-A-Za-z0-9._]{0,95}/[A-Za-z0-9][-A-Za-z0-9._]{0,95}$"
_HAS_SCHEME: Final = r"^[A-Za-z][A-Za-z0-9+.-]*://"
_HAS_HOST: Final = r"^(www\.)?(huggingface\.co|hf\.co)/"
_HAS_TAG: Final = r"^[^:/]+(/[^:/]+)?:[^/].*$"
_HAS_REVISION: Final = r"^[^@:]+@.*$"

_address = written_as(_HAS_SCHEME, "")
_host = written_as(_HAS_HOST, "")
_tag = written_as(_HAS_TAG, "")
_revision = written_as(_HAS_REVISION, "")


def _none_of(*forms: Rule) -> str:
    return " && ".join(f"!{form.cel}" for form in forms)


REPO_IS_NO_ADDRESS: Final = Rule(
    cel=_none_of(_address, _host),
    holds=lambda repo: not (_address.holds(repo) or _host.holds(repo)),
    message="must be owner/name as on the Hub, without https://, hf:// or a host: write Qwen/Qwen3-8B"
    " (another Hub's address is the operator's setting, not the model's)",
)
REPO_HAS_NO_TAG: Final = Rule(
    cel=_none_of(_tag),
    holds=lambda repo: not _tag.holds(repo),
    message="must be owner/name as on the Hub, not name:tag as other registries have it: write Qwen/Qwen3-8B;"
    " sizes are repositories of their own, and quantization is chosen by spec.quantization",
)
REPO_HAS_NO_REVISION: Final = Rule(
    cel=_none_of(_revision),
    holds=lambda repo: not _revision.holds(repo),
    message="must be owner/name alone: a branch, tag or commit goes into spec.model.revision",
)
REPO_IS_OWNER_AND_NAME: Final = Rule(
    cel=f"{_address.cel} || {_host.cel} || {_tag.cel} || {_revision.cel} || {written_as(_REPO_FORM, '').cel}",
    holds=lambda repo: (
        _address.holds(repo)
        or _host.holds(repo)
        or _tag.holds(repo)
        or _revision.holds(repo)
        or written_as(_REPO_FORM, "").holds(repo)
    ),
    message="must be owner/name as on the Hub, with letters, digits, '-', '_' and '.': for example"
    " Qwen/Qwen3-8B",
)  # holds for what the rules above refuse, so that one mistake brings one message

Repo = Annotated[
    str,
    Field(min_length=1, max_length=MAX_REPO_LENGTH),
    REPO_IS_NO_ADDRESS,
    REPO_HAS_NO_TAG,
    REPO_HAS_NO_REVISION,
    REPO_IS_OWNER_AND_NAME,
]
ServedName = Annotated[
    str,
    Field(min_length=1, max_length=256),
    written_as(r"^[-A-Za-z0-9._:/@+]+$", "must be a name without spaces, such as gpt-4o or Qwen/Qwen3-8B"),
]
ParserName = Annotated[
    str,
    Field(min_length=1, max_length=64),
    written_as(
        r"^(Auto|None|[a-z0-9][a-z0-9_.-]*)$",
        "must be Auto, None, or the name of one of the engine's parsers in lower case, such as hermes",
    ),
]


class SecretKey(ApiModel):
    """One value of a Secret."""

    name: ObjectName = Field(description="The Secret's name, in the ModelDeployment's namespace.")
    key: KeyName = Field(description="The key of the value in the Secret's data.")


class ClaimPath(ApiModel):
    """A folder on a persistent volume claim."""

    claim_name: ObjectName = Field(description="The claim's name, in the ModelDeployment's namespace.")
    sub_path: RelativePath | None = Field(
        None,
        description="The folder on the volume; absent, the volume's root. It may not start with '/' or"
        " contain '..'.",
    )


class ImageVolume(ApiModel):
    """An OCI image whose files are the model."""

    reference: Annotated[
        str,
        Field(min_length=1, max_length=512),
        written_as(
            r"^[^\s]+$",
            "must be an image's reference without spaces, such as registry.example.com/models/chat:1",
        ),
    ] = Field(
        description="The image's reference, mounted read-only as it is: the model's files are at its root."
    )
    pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None,
        description="When the image is pulled; absent, Always for the tag latest and IfNotPresent otherwise.",
    )


class Cache(ApiModel):
    """Where weights are kept."""

    persistent_volume_claim: ClaimPath = Field(
        description="A claim that keeps the weights; pods that share it download once. The engine's user"
        " must be able to write it."
    )


class Model(ApiModel):
    """Which model."""

    repo: Repo | None = Field(
        None,
        description="The model's repository on the Hub, as owner/name. Exactly one of repo,"
        " persistentVolumeClaim and image is set.",
    )
    revision: (
        Annotated[
            str,
            Field(min_length=1, max_length=255),
            written_as(r"^[-A-Za-z0-9._/]+$", "must be a branch, a tag or a commit, such as main"),
        ]
        | None
    ) = Field(
        None,
        description="A branch, tag or commit of repo; absent, main. It is resolved to a commit, which"
        " status.plan.commit records.",
    )
    variants: Annotated[tuple[Repo, ...], Field(max_length=16), SET] = Field(
        (),
        description="Further checkpoints of the same model, quantized ones above all, that the planner may"
        " choose instead of repo.",
    )
    token_secret_ref: SecretKey | None = Field(
        None,
        description="The Hub token for gated and private repositories. Only the engine's container and the"
        " operator's look-up use it.",
    )
    persistent_volume_claim: ClaimPath | None = Field(
        None,
        description="A claim that has the model's files, in a folder as the Hub would give them. It is"
        " mounted read-only.",
    )
    image: ImageVolume | None = Field(
        None, description="An OCI image that has the model's files. It is mounted as a volume."
    )
    served_names: Annotated[tuple[ServedName, ...], Field(min_length=1, max_length=16), SET] = Field(
        (),
        description="The names under which the engine serves the model; absent, the object's own name. The"
        " first is told to applications.",
    )
    task: Task = Field(
        Task.AUTO, description="What the model is used for; Auto takes it from the model's configuration."
    )
    trust_remote_code: Flag = Field(
        default=False,
        description="Whether Python code from the model's repository may run in the engine's container,"
        " inside the application's pod.",
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="[has(self.repo), has(self.persistentVolumeClaim), has(self.image)].filter(x, x).size() == 1",
            holds=lambda model: (
                sum(source is not None for source in (model.repo, model.persistent_volume_claim, model.image))
                == 1
            ),
            message="must have exactly one source: repo, persistentVolumeClaim or image",
        ),
        Rule(
            cel="has(self.repo) || !has(self.revision)",
            holds=lambda model: model.repo is not None or model.revision is None,
            message="must not be set without repo: a claim or an image has no revisions",
            path=".revision",
        ),
        Rule(
            cel="has(self.repo) || !has(self.variants) || self.variants.size() == 0",
            holds=lambda model: model.repo is not None or not model.variants,
            message="must not be set without repo: variants are repositories of the same model",
            path=".variants",
        ),
        Rule(
            cel="has(self.repo) || !has(self.tokenSecretRef)",
            holds=lambda model: model.repo is not None or model.token_secret_ref is None,
            message="must not be set without repo: the token is for the Hub",
            path=".tokenSecretRef",
        ),
        Rule(
            cel="!has(self.repo) || !has(self.variants) || !self.variants.exists(v, v == self.repo)",
            holds=lambda model: model.repo is None or model.repo not in model.variants,
            message="must not name repo again: the planner always considers it",
            path=".variants",
        ),
    )


class TargetRef(ApiModel):
    """The workload whose pods get the engine."""

    api_version: Annotated[str, Field(max_length=64)] = Field(
        "apps/v1", description="The workload's API version. Only apps/v1 is accepted."
    )
    kind: Annotated[str, Field(max_length=63)] = Field(
        "Deployment", description="The workload's kind: Deployment, StatefulSet or DaemonSet."
    )
    name: ObjectName = Field(
        description="The workload's name, in the ModelDeployment's namespace. It may be created later than"
        " the ModelDeployment."
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.apiVersion == 'apps/v1' && self.kind in ['Deployment', 'StatefulSet', 'DaemonSet']",
            holds=lambda ref: (
                ref.api_version == "apps/v1" and ref.kind in ("Deployment", "StatefulSet", "DaemonSet")
            ),
            message="must be a Deployment, StatefulSet or DaemonSet of apps/v1; for Jobs, CronJobs, bare"
            " pods and other kinds"
            " leave targetRef away and put the label pillion.dev/inject and the annotation"
            " model.pillion.dev/<name>"
            " on the pod template yourself",
        ),
    )


class Environment(ApiModel):
    """Which containers are told where the model is."""

    containers: Annotated[tuple[DnsLabel, ...], Field(min_length=1, max_length=64), SET] = Field(
        (), description="The containers that get the variables; absent, all of the pod's own."
    )


def _pin_is_within(method: Method, bits: int) -> Rule:
    return Rule(
        cel=f"self.method != '{method}' || (self.minBits <= {bits} && {bits} <= self.maxBits)",
        holds=lambda wanted: wanted.method != method or wanted.min_bits <= bits <= wanted.max_bits,
        message=f"{method} has {bits} bits a weight, which minBits and maxBits must let through",
        path=".method",
    )


class Quantization(ApiModel):
    """Which number formats the weights may have, and what is preferred among them."""

    policy: Policy = Field(
        Policy.BALANCED,
        description="What is preferred among candidates that fit: Quality takes the least loss, Balanced"
        " the least accelerators"
        " down to 8 bit before it goes lower, Economy the least accelerator memory.",
    )
    checkpoints: Checkpoints = Field(
        Checkpoints.TRUSTED_PUBLISHERS,
        description="Where quantized checkpoints may come from: TrustedPublishers adds those of known"
        " publishers that match the"
        " model, Declared takes repo and variants only.",
    )
    method: Method = Field(
        Method.AUTO,
        description="A pinned scheme, or None for 16 bit; Auto lets the planner choose. A pin is a"
        " requirement.",
    )
    min_bits: Annotated[int, Field(ge=2, le=16, strict=True)] = Field(
        4, description="The fewest bits a weight may have."
    )
    max_bits: Annotated[int, Field(ge=2, le=16, strict=True)] = Field(
        16, description="The most bits a weight may have."
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.minBits <= self.maxBits",
            holds=lambda wanted: wanted.min_bits <= wanted.max_bits,
            message="must not be more than maxBits",
            path=".minBits",
        ),
        *(_pin_is_within(method, bits) for method, bits in BITS.items()),
    )


class Generation(ApiModel):
    """What the engine does where a request says nothing."""

    temperature: Annotated[float, Field(ge=0, strict=True)] | None = Field(
        None,
        description="The default temperature, 0 or more; 0 always takes the likeliest token. Absent, the"
        " model's own default.",
    )
    top_p: Annotated[float, Field(gt=0, le=1, strict=True)] | None = Field(
        None,
        description="The default share of probability that is sampled from, above 0 and up to 1. Absent,"
        " the model's own default.",
    )
    output_limit: Count | None = Field(
        None,
        description="The most tokens an answer may have. It is a limit, also where the request asks for"
        " more.",
    )


class Serving(ApiModel):
    """How the model is served."""

    context_length: Count | None = Field(
        None,
        description="Tokens that one request may have, prompt and answer together. Set, it is required;"
        " absent, 8192 (on CPU 4096)"
        " or the model's own limit is preferred, and status says what was given up.",
    )
    concurrency: Count | None = Field(
        None,
        description="Requests of full length whose KV cache fits at once; shorter ones share the same"
        " memory. Set, it is required;"
        " absent, 8 (on CPU 1) are preferred.",
    )
    kv_cache_dtype: KvCacheDtype = Field(
        KvCacheDtype.AUTO,
        description="The element type of the KV cache; Auto takes what the checkpoint declares, else the"
        " model's own.",
    )
    generation: Generation | None = Field(
        None,
        description="Defaults of generation where a request says nothing; only for models that generate"
        " text.",
    )
    tool_calls: ParserName = Field(
        "Auto",
        description="How tool calls are recognised: Auto by the model's architecture, None not at all, or a"
        " parser's name.",
    )
    reasoning: ParserName = Field(
        "Auto",
        description="How reasoning is told from the answer: Auto by the model's architecture, None not at"
        " all, or a parser's name.",
    )
    modalities: Modalities = Field(
        Modalities.ALL,
        description="All serves every input the model knows; Text saves the memory that images and audio"
        " would need.",
    )


class Toleration(ApiModel):
    """A taint that the pods put up with."""

    key: LabelKey | None = Field(None, description="The taint's key; absent with operator Exists, every key.")
    operator: Literal["Exists", "Equal"] | None = Field(
        None, description="Exists for any value, Equal for one; absent, Equal."
    )
    value: LabelValue | None = Field(None, description="The taint's value, for operator Equal.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        None, description="The taint's effect; absent, every effect."
    )
    toleration_seconds: Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)] | None = Field(
        None,
        description="Seconds until eviction from a node with the taint, for effect NoExecute; absent, no"
        " eviction.",
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.key) || (has(self.operator) && self.operator == 'Exists')",
            holds=lambda one: one.key is not None or one.operator == "Exists",
            message="must have a key, or the operator Exists for every key",
        ),
        Rule(
            cel="!has(self.operator) || self.operator != 'Exists' || !has(self.value) || self.value == ''",
            holds=lambda one: one.operator != "Exists" or not one.value,
            message="must not have a value with the operator Exists",
        ),
        Rule(
            cel="!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            holds=lambda one: one.toleration_seconds is None or one.effect == "NoExecute",
            message="must have the effect NoExecute where tolerationSeconds is set",
        ),
    )


Tolerations = Annotated[tuple[Toleration, ...], Field(max_length=32), ATOMIC]


class Hardware(ApiModel):
    """Which devices and nodes may be used."""

    accelerator: Accelerator = Field(
        Accelerator.AUTO,
        description="GPU or CPU; Auto takes CPU only where the cluster has no accelerator at all, never"
        " because all are busy.",
    )
    products: Annotated[
        tuple[
            Annotated[
                str,
                Field(min_length=1, max_length=63),
                written_as(
                    r"^[-A-Za-z0-9._]+$",
                    "must be a product's name as the nodes' labels have it, such as NVIDIA-L4",
                ),
            ],
            ...,
        ],
        Field(max_length=32),
        SET,
    ] = Field(
        (),
        description="The only accelerators that may be used, by the names that the nodes' labels have."
        " Empty, all.",
    )
    max_per_pod: Annotated[int, Field(ge=1, le=64, strict=True)] = Field(
        1, description="The most accelerators that one pod may take."
    )
    capacity: Capacity = Field(
        Capacity.EXISTING,
        description="Existing counts the accelerators that nodes have now; Autoscaled trusts an autoscaler"
        " to add nodes like them.",
    )
    node_selector: Annotated[dict[str, LabelValue], Field(max_length=32), LABEL_KEYS] = Field(
        default_factory=dict, description="Labels that a node must have, beside what the pod itself asks for."
    )
    tolerations: Tolerations = Field((), description="Tolerations that the pods get with the engine.")
    runtime_class_name: ObjectName | None = Field(
        None,
        description="The RuntimeClass that the pods get with the engine, where the cluster needs one for"
        " its accelerators.",
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.accelerator != 'CPU' || !has(self.products) || self.products.size() == 0",
            holds=lambda hardware: hardware.accelerator != Accelerator.CPU or not hardware.products,
            message="must be empty with accelerator CPU: products name accelerators",
            path=".products",
        ),
    )


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
            message="must not be the Hub token: spec.model.tokenSecretRef names it, so that the operator"
            " can look the model up too",
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
            Field(min_length=1, max_length=512),
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
        description="Arguments appended to the engine's command line as they are. The plan's memory does"
        " not know them.",
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
        " 18000, or the next pair"
        " that neither a container of the pod nor another ModelDeployment has.",
    )

    RULES: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=f"!has(self.extraArgs) || !self.extraArgs.exists(a, {_OWNED_FLAG.cel.replace('self', 'a')})",
            holds=lambda engine: not any(_OWNED_FLAG.holds(argument) for argument in engine.extra_args),
            message="must not have --host, --port, --uds, --model, --served-model-name, --api-key or"
            " --root-path: the operator sets"
            " them, because the application's address and the engine's isolation depend on them"
            " (use engine.port and model.servedNames)",
            path=".extraArgs",
        ),
    )


class UpdateStrategy(ApiModel):
    """How running pods follow a change."""

    type: UpdateStrategyType = Field(
        UpdateStrategyType.IN_PLACE_IF_POSSIBLE,
        description="InPlaceIfPossible changes running pods where the new model fits what they have,"
        " RollingUpdate always rolls the"
        " target out, OnDelete leaves running pods alone.",
    )


class ModelDeploymentSpec(ApiModel):
    """What is wanted."""

    model: Model = Field(description="Which model, and where its files come from.")
    target_ref: TargetRef | None = Field(
        None,
        description="The workload whose pods get the engine. The operator writes one label and one"
        " annotation to its pod template and"
        " a label to itself, nothing else. Absent, pods opt in by carrying them.",
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
        " pod's readiness. Auto is"
        " Startup for pods that run to completion and None for the others.",
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
            " !has(self.serving.contextLength)"
            " || self.serving.generation.outputLimit <= self.serving.contextLength",
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
    status: Status | None = Field(
        None, description="What was planned, injected and observed; written by the operator alone."
    )

    RULES: ClassVar[tuple[Rule, ...]] = (NAME_IS_SHORT_LABEL,)

    @field_validator("status", mode="wrap")
    @classmethod
    def _readable_status(cls, raw: Any, read: ValidatorFunctionWrapHandler) -> Any:
        """Status can be computed again, so one that another version wrote differently is read as none."""
        try:
            return read(raw)
        except ValidationError:
            return None

    @property
    def served_names(self) -> tuple[str, ...]:
        """The names that requests may use; the first is told to applications."""
        return self.spec.model.served_names or (self.metadata.name,)
