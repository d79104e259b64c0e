"""Which words does Pillion use to say why?

The values are API: they show in conditions, candidates, warnings, events and metrics, keep their meaning, and
are what code and tests compare. The meaning beside each is what the reference page prints.
"""

from enum import StrEnum
from typing import Self


class ConditionType(StrEnum):
    """The conditions of a ModelDeployment; all four are always present, Unknown until looked at."""

    PLANNED = "Planned"  # a checkpoint, its quantization and an accelerator were chosen
    INJECTED = "Injected"  # every pod of the target has the engine
    MODEL_READY = "ModelReady"  # the model serves in every pod that has the engine
    READY = "Ready"  # the three others together


class About(StrEnum):
    """What a reason is about, which is also the heading it stands under in the reference."""

    PLANNING = "Planning"
    INJECTION = "Injection"
    MODEL = "Model readiness"
    WARNING = "Warnings"
    PROGRESS = "Events"


class Reason(StrEnum):
    """Why something is as it is: one word for machines, with its meaning for people."""

    about: About
    meaning: str

    def __new__(cls, value: str, about: About = About.PLANNING, meaning: str = "") -> Self:
        """A member is its value; the rest comes along (and is left out where a member is looked up by its value)."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.about = about
        member.meaning = meaning
        return member

    # Planned
    PLANNED = "Planned", About.PLANNING, "A plan was made; status.plan has it."
    PLANNING = "Planning", About.PLANNING, "Nothing has been looked at yet."
    SPEC_INVALID = (
        "SpecInvalid",
        About.PLANNING,
        "The object breaks a rule of this version; the message names the field.",
    )
    FIELD_NOT_SUPPORTED = (
        "FieldNotSupported",
        About.PLANNING,
        "A field asks for something that this version or this engine cannot do; it is refused rather than"
        " ignored.",
    )
    MODEL_NOT_FOUND = (
        "ModelNotFound",
        About.PLANNING,
        "The Hub has no such repository, or hides it without a token.",
    )
    REVISION_NOT_FOUND = (
        "RevisionNotFound",
        About.PLANNING,
        "The repository has no such branch, tag or commit.",
    )
    MODEL_GATED = (
        "ModelGated",
        About.PLANNING,
        "The model needs a token, or an access that the token does not have.",
    )
    TOKEN_NOT_READABLE = (
        "TokenNotReadable",
        About.PLANNING,
        "The Secret with the Hub token does not exist, lacks the key, or may not be read by the operator.",
    )
    HUB_UNREACHABLE = "HubUnreachable", About.PLANNING, "The Hub gave no answer; it is asked again."
    FORMAT_UNSUPPORTED = (
        "FormatUnsupported",
        About.PLANNING,
        "The weights are in a form that the engine cannot load (GGUF).",
    )
    ARCHITECTURE_UNSUPPORTED = (
        "ArchitectureUnsupported",
        About.PLANNING,
        "The engine does not know the architecture.",
    )
    CONFIG_INVALID = (
        "ConfigInvalid",
        About.PLANNING,
        "The model's own configuration is missing or contradicts itself.",
    )
    TASK_UNSUPPORTED = "TaskUnsupported", About.PLANNING, "The model cannot do the task that was asked for."
    REMOTE_CODE_REQUIRED = (
        "RemoteCodeRequired",
        About.PLANNING,
        "The model brings code of its own, which runs only with spec.model.trustRemoteCode.",
    )
    NO_ACCELERATOR_FITS = (
        "NoAcceleratorFits",
        About.PLANNING,
        "No accelerator of the cluster can run the model as asked.",
    )
    NO_ACCELERATORS = (
        "NoAccelerators",
        About.PLANNING,
        "The spec asks for an accelerator, or for a product, that no node of the cluster has.",
    )
    ACCELERATOR_UNKNOWN = (
        "AcceleratorUnknown",
        About.PLANNING,
        "Nodes offer accelerators, and no label says which they are, or this version cannot plan with their kind.",
    )
    NO_NODE_FITS = (
        "NoNodeFits",
        About.PLANNING,
        "No node lets the target's pods in, or none of those that do has the CPU, memory or disk for the engine.",
    )
    INSUFFICIENT_ACCELERATORS = (
        "InsufficientAccelerators",
        About.PLANNING,
        "The target's pods need more accelerators than the cluster has free.",
    )
    WEIGHTS_EXCEED_MEMORY = (
        "WeightsExceedMemory",
        About.PLANNING,
        "The weights alone pass the engine's share of the memory.",
    )
    CONTEXT_DOES_NOT_FIT = (
        "ContextDoesNotFit",
        About.PLANNING,
        "Not even one request of the context length fits the KV cache.",
    )
    CONCURRENCY_DOES_NOT_FIT = (
        "ConcurrencyDoesNotFit",
        About.PLANNING,
        "The KV cache cannot hold as many full-length requests as are required.",
    )
    CONTEXT_EXCEEDS_MODEL = (
        "ContextExceedsModel",
        About.PLANNING,
        "The context length is more than the model was made for.",
    )
    COMPUTE_CAPABILITY_TOO_LOW = (
        "ComputeCapabilityTooLow",
        About.PLANNING,
        "The engine has no kernel for this quantization on this accelerator.",
    )
    COMPUTE_CAPABILITY_TOO_HIGH = (
        "ComputeCapabilityTooHigh",
        About.PLANNING,
        "The accelerator is newer than the engine's kernels.",
    )
    COMPUTE_CAPABILITY_UNKNOWN = (
        "ComputeCapabilityUnknown",
        About.PLANNING,
        "The node's labels do not tell what the accelerator can compute.",
    )
    DRIVER_TOO_OLD = (
        "DriverTooOld",
        About.PLANNING,
        "The driver of the accelerator's nodes cannot run the CUDA that the engine's image was made with.",
    )
    ENGINE_IMAGE_MISSING = (
        "EngineImageMissing",
        About.PLANNING,
        "This version pins no image of the engine for the accelerator's maker; the spec may name one.",
    )
    QUANTIZATION_NOT_ALLOWED = (
        "QuantizationNotAllowed",
        About.PLANNING,
        "The policy, minBits, maxBits or the pinned method leaves this quantization out.",
    )
    QUANTIZATION_UNSUPPORTED = (
        "QuantizationUnsupported",
        About.PLANNING,
        "The engine cannot load or make this quantization on this kind of device.",
    )
    CHECKPOINT_MISMATCH = (
        "CheckpointMismatch",
        About.PLANNING,
        "A variant is not the same model: shape, vocabulary or tokenizer differ.",
    )
    PARALLELISM_IMPOSSIBLE = (
        "ParallelismImpossible",
        About.PLANNING,
        "The model's heads or dimensions cannot be divided over this number of accelerators.",
    )
    SHARED_ACCELERATOR = (
        "SharedAccelerator",
        About.PLANNING,
        "The accelerator is a share or a slice of one, and is used only where it is named.",
    )
    PRODUCT_NOT_ALLOWED = (
        "ProductNotAllowed",
        About.PLANNING,
        "spec.hardware.products leaves this accelerator out.",
    )
    PIN_IMPOSSIBLE = (
        "PinImpossible",
        About.PLANNING,
        "What the spec pins exists for no checkpoint of the model.",
    )
    ORDERED_AFTER = "OrderedAfter", About.PLANNING, "It fits; another candidate comes first by the policy."

    # Injected
    INJECTED = "Injected", About.INJECTION, "Every pod of the target has its engine."
    NOT_INJECTED = "NotInjected", About.INJECTION, "Nothing is injected, because there is no plan."
    OPT_IN = "OptIn", About.INJECTION, "There is no targetRef: pods that carry the marker get the engine."
    SUSPENDED = "Suspended", About.INJECTION, "spec.suspend is true: the marker is taken away."
    WAITING_FOR_PODS = (
        "WaitingForPods",
        About.INJECTION,
        "The target is marked; its rollout has not replaced every pod yet.",
    )
    TARGET_NOT_FOUND = (
        "TargetNotFound",
        About.INJECTION,
        "There is no such workload yet; it is looked for again.",
    )
    TARGET_DELETED = "TargetDeleted", About.INJECTION, "The workload was there and is gone."
    PORT_CONFLICT = (
        "PortConflict",
        About.INJECTION,
        "Another ModelDeployment of the namespace has one of the two ports.",
    )
    PORT_IN_USE = "PortInUse", About.INJECTION, "A container of the target declares one of the two ports."
    SERVED_NAME_CONFLICT = (
        "ServedNameConflict",
        About.INJECTION,
        "Another ModelDeployment beside the same application serves one of the names.",
    )
    HOST_NETWORK = (
        "HostNetwork",
        About.INJECTION,
        "Pods with hostNetwork share the node's loopback and are left alone.",
    )
    NAME_TAKEN = (
        "NameTaken",
        About.INJECTION,
        "The target has a container or volume with the engine's name already.",
    )
    WINDOWS = "Windows", About.INJECTION, "Windows pods are left alone: the engines' images are for Linux."
    NAMESPACE_EXCLUDED = (
        "NamespaceExcluded",
        About.INJECTION,
        "Pods of kube-system and of the operator's namespace are left alone.",
    )
    POD_SECURITY_VIOLATION = (
        "PodSecurityViolation",
        About.INJECTION,
        "The namespace's Pod Security level would refuse the pods.",
    )
    DRY_RUN_FAILED = (
        "DryRunFailed",
        About.INJECTION,
        "The API server refused a pod template with the engine in it.",
    )
    FORBIDDEN = (
        "Forbidden",
        About.INJECTION,
        "The operator lacks a right that it needs; the message names it.",
    )
    PODS_MISSED = (
        "PodsMissed",
        About.INJECTION,
        "Marked pods run without their engine, or with an older revision of it.",
    )
    ROLLOUT_WILL_BLOCK = (
        "RolloutWillBlock",
        About.WARNING,
        "The rollout's surge or the free accelerators will not let it finish.",
    )
    POLICY_MISSING = (
        "PolicyMissing",
        About.INJECTION,
        "The admission policies of this version are not installed.",
    )
    MARKER_CONFLICT = (
        "MarkerConflict",
        About.INJECTION,
        "Another field manager holds the marker with another value.",
    )
    NOT_MARKED = "NotMarked", About.INJECTION, "The pod does not carry the marker for this model."
    ALREADY_INJECTED = "AlreadyInjected", About.INJECTION, "The pod has the engine's container already."
    MIRROR_POD = "MirrorPod", About.INJECTION, "Mirror pods stand for static pods and cannot be changed."
    FORMAT_MISMATCH = (
        "FormatMismatch",
        About.INJECTION,
        "The ModelSidecar was written for another version of the admission policy.",
    )
    POD_LEVEL_RESOURCES = (
        "PodLevelResources",
        About.INJECTION,
        "The pod has spec.resources; the engine's requests would pass them and the pod would be refused.",
    )
    RUNTIME_CLASS_CONFLICT = (
        "RuntimeClassConflict",
        About.INJECTION,
        "The pod has another runtimeClassName than the engine needs.",
    )
    TARGET_NOT_MARKABLE = (
        "TargetNotMarkable",
        About.INJECTION,
        "The kind's pod template cannot change or does not roll: users write the marker themselves.",
    )
    ENGINE_MISSING = "EngineMissing", About.INJECTION, "A marked pod has no engine."
    REVISION_STALE = (
        "RevisionStale",
        About.INJECTION,
        "A pod has another revision of its engine than its marker names.",
    )

    # ModelReady
    SERVING = "Serving", About.MODEL, "The engine answers in every pod that has it."
    NO_PODS = "NoPods", About.MODEL, "No pod has the engine yet."
    FETCHING = "Fetching", About.MODEL, "The weights are being downloaded."
    LOADING = "Loading", About.MODEL, "The engine is loading the weights."
    CONTAINER_NOT_RUNNING = (
        "ContainerNotRunning",
        About.MODEL,
        "The engine's container is not running; the message has the kubelet's reason.",
    )
    ENGINE_FAILED = (
        "EngineFailed",
        About.MODEL,
        "The engine does not start or ended; the message has its last words. It is started again with a back-off.",
    )
    ENGINE_OUT_OF_MEMORY = (
        "EngineOutOfMemory",
        About.MODEL,
        "The engine ran out of the accelerator's or the container's memory.",
    )
    STARTUP_TIMEOUT = "StartupTimeout", About.MODEL, "The model did not serve within startupTimeoutSeconds."
    FETCH_FAILED = "FetchFailed", About.MODEL, "The weights could not be downloaded."
    DISK_FULL = "DiskFull", About.MODEL, "The cache volume has no room for the weights."
    CACHE_NOT_WRITABLE = (
        "CacheNotWritable",
        About.MODEL,
        "The engine's user cannot write the cache volume; fsGroup on the pod helps.",
    )
    INSTRUCTION_INVALID = "InstructionInvalid", About.MODEL, "The supervisor could not read its instruction."
    PROBE_BLOCKED = (
        "ProbeBlocked",
        About.MODEL,
        "The pod runs, but the operator gets no answer on the supervisor's port.",
    )
    SWAP_IN_PROGRESS = (
        "SwapInProgress",
        About.MODEL,
        "Running pods are being changed to a new instruction, one at a time.",
    )
    SWAP_FAILED = (
        "SwapFailed",
        About.MODEL,
        "A pod could not serve the new instruction; it was given the old one again.",
    )

    # Warnings
    NO_CHAT_TEMPLATE = (
        "NoChatTemplate",
        About.WARNING,
        "A base model without a chat template: /v1/chat/completions will fail.",
    )
    ENVIRONMENT_OVERLAP = (
        "EnvironmentOverlap",
        About.WARNING,
        "A container sets OPENAI_* itself, or may by envFrom; it does not get, or overrides, the plain"
        " variables.",
    )
    UNCALIBRATED_QUANTIZATION = (
        "UncalibratedQuantization",
        About.WARNING,
        "4 bit made while loading, without calibration data: answers lose more than with a calibrated"
        " checkpoint.",
    )
    KV_CACHE_QUANTIZED = (
        "KvCacheQuantized",
        About.WARNING,
        "The KV cache has 8 bit without the checkpoint asking for it.",
    )
    PREFERENCE_GIVEN_UP = (
        "PreferenceGivenUp",
        About.WARNING,
        "Less concurrency or context than preferred; status says how much.",
    )
    ACCELERATORS_BUSY = (
        "AcceleratorsBusy",
        About.WARNING,
        "Enough accelerators exist, and other pods have them now.",
    )
    NODE_AWAITED = (
        "NodeAwaited",
        About.WARNING,
        "No node has the chosen accelerator yet; the plan goes by what is known of the product.",
    )
    ENGINE_LEGACY = (
        "EngineLegacy",
        About.WARNING,
        "The engine is no longer developed by its authors.",
    )
    NOT_SUPPORTED_WELL = (
        "NotSupportedWell",
        About.WARNING,
        "The engine runs the model, with a known limitation.",
    )
    REMOTE_CODE = (
        "RemoteCode",
        About.WARNING,
        "Code from the model's repository runs in the application's pod.",
    )
    CPU_IS_SLOW = (
        "CpuIsSlow",
        About.WARNING,
        "The model runs on CPU: the cluster has no accelerator, it was asked for, or a small encoder leaves them to the"
        " model beside it.",
    )
    MEMORY_LIMIT_LOW = (
        "MemoryLimitLow",
        About.WARNING,
        "spec.engine.resources limits memory to less than what the plan computed for the engine.",
    )
    CONTAINER_NOT_FOUND = (
        "ContainerNotFound",
        About.WARNING,
        "spec.environment.containers names a container that the pod does not have.",
    )
    ESTIMATE_UNVERIFIED = (
        "EstimateUnverified",
        About.WARNING,
        "The memory was computed from numbers that no engine's log has confirmed for this kind of model.",
    )
    KV_CACHE_BELOW_PLAN = (
        "KvCacheBelowPlan",
        About.WARNING,
        "An engine reports a smaller KV cache than the plan promised; fewer requests are served at once.",
    )
    AUTOSCALER_MAY_BLOCK = (
        "AutoscalerMayBlock",
        About.WARNING,
        "An autoscaler of pods may ask for more than there are accelerators for, or one of nodes may not know the label"
        " that the pods ask for.",
    )

    # Events of progress
    TARGET_MARKED = "TargetMarked", About.PROGRESS, "The marker was written to the target's pod template."
    TARGET_UNMARKED = "TargetUnmarked", About.PROGRESS, "The marker was taken from the target's pod template."
    POD_EVICTED = (
        "PodEvicted",
        About.PROGRESS,
        "A pod without its engine was replaced through the eviction API.",
    )
    SWAPPED = (
        "Swapped",
        About.PROGRESS,
        "A running pod serves the new instruction; its application was not restarted.",
    )
    ALL_READY = "AllReady", About.PROGRESS, "Planned, injected, and the model serves in every pod."
