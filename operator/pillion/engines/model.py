"""What has to be known to run one model in one engine, and what comes out of it?

`EngineSettings` is neutral: it names no flag and no variable of an engine. A `Rendering` is what an engine's
folder makes of it: a container, its volumes, a startup probe, and the instruction that the supervisor
follows.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pillion.api.choices import Task

Raw = dict[str, Any]

CPU = "CPU"
GPU = "GPU"


@dataclass(frozen=True, kw_only=True, slots=True)
class HubModel:
    """A checkpoint on the Hub, which the supervisor fetches."""

    repo: str
    commit: str  # 40 hex digits: a branch may move between two pods of one target
    files: tuple[str, ...]  # names or patterns, as huggingface_hub's allow_patterns


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalModel:
    """A checkpoint that is already in the container, in a folder of its image or of a volume."""

    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SecretKey:
    """One key of a Secret in the pod's namespace."""

    name: str
    key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CacheVolume:
    """Where weights and compiled kernels live: an emptyDir with a limit, or the user's own claim.

    A claim may be shared by several pods, so nothing is ever pruned from it.
    """

    size_limit_bytes: int | None  # of the emptyDir; absent with a claim
    claim_name: str | None = None
    claim_sub_path: str | None = None

    def __post_init__(self) -> None:
        if (self.size_limit_bytes is None) == (self.claim_name is None):
            raise ValueError("a cache volume has either a size limit (emptyDir) or a claim's name")


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """Requests and limits of the engine's container."""

    cpu_request_millis: int
    cpu_limit_millis: int
    memory_request_bytes: int
    memory_limit_bytes: int  # shared memory counts against it
    shm_bytes: int  # size limit of /dev/shm
    ephemeral_request_bytes: int
    # The kubelet sums the limits of a pod's containers and holds the whole pod's disk use against the sum,
    # also the use of containers without a limit. So a limit here is right only where every container of the
    # target has one.
    ephemeral_limit_bytes: int | None = None
    accelerator_resource: str | None = None  # such as nvidia.com/gpu
    accelerator_count: int = 0

    def __post_init__(self) -> None:
        if (self.accelerator_resource is None) != (self.accelerator_count == 0):
            raise ValueError("an accelerator's resource name and a count above zero go together")


@dataclass(frozen=True, kw_only=True, slots=True)
class Generation:
    """Defaults where a request says nothing; `output_limit` is a limit for every request."""

    temperature: float | None = None
    top_p: float | None = None
    output_limit: int | None = None  # tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSettings:
    """Everything that an engine's container and its instruction are made from."""

    name: str  # of the ModelDeployment: it names the container and its volumes
    image: str
    device: str  # GPU | CPU
    model: HubModel | LocalModel
    served_names: tuple[str, ...]  # at least one
    task: Task  # never Auto
    port: int  # the engine's; the supervisor has the next one
    resources: Resources
    cache: CacheVolume
    supervisor_config_map: str  # the ConfigMap that holds the supervisor's source
    startup_timeout_seconds: int  # for loading alone; fetching has no limit of its own
    context_tokens: int | None = None  # absent: the engine takes the model's own maximum
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    gpu_memory_utilization: float | None = None
    kv_cache_bytes: int | None = None
    kv_cache_dtype: str | None = None  # absent: the engine's own choice
    dtype: str | None = None
    tensor_parallel: int = 1
    on_the_fly: str | None = None  # quantization made while loading; never for a checkpoint that is quantized
    trust_remote_code: bool = False
    text_only: bool = False  # a multimodal model loads its language part alone
    generation: Generation = field(default_factory=Generation)
    tool_parser: str | None = None  # resolved: see Profile.tool_parser
    reasoning_parser: str | None = None
    token_secret: SecretKey | None = None
    hub_endpoint: str | None = None  # absent: huggingface.co
    extra_args: tuple[str, ...] = ()
    env: tuple[Mapping[str, Any], ...] = ()  # as in a container: name with value or valueFrom
    drain_seconds: int = 10

    def __post_init__(self) -> None:
        if not self.served_names:
            raise ValueError("an engine serves its model under at least one name")
        if self.device not in {CPU, GPU}:
            raise ValueError(f"device {self.device!r} is neither {GPU!r} nor {CPU!r}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendering:
    """An engine's part of a pod, as plain Kubernetes objects."""

    container: Raw
    volumes: tuple[Raw, ...]
    startup_probe: Raw  # for the init-container form, where the gate holds the application
    instruction: Mapping[str, Any]  # without the revision, which is made from all the rest

    def instruction_text(self, revision: str) -> str:
        """The instruction as it stands in the pod's annotation: compact JSON with sorted keys."""
        return json.dumps({**self.instruction, "revision": revision}, sort_keys=True, separators=(",", ":"))


def instruction_hash(text: str) -> str:
    """What the supervisor calls this instruction in its status."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
