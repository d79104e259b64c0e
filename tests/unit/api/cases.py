"""Which objects are accepted, which are refused, and with which words?

One table for the API server (tests/integration/api) and for the reader of files (tests/unit/api): a rule holds in both,
names the same path, and where the words are ours they are the same words.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

Raw = dict[str, Any]

SMALLEST: Raw = {
    "apiVersion": "pillion.dev/v1alpha1",
    "kind": "ModelDeployment",
    "metadata": {"name": "chat"},
    "spec": {"model": {"repo": "Qwen/Qwen3-0.6B"}, "targetRef": {"name": "web"}},
}


# Every field of a status.
STATUS: Raw = {
    "observedGeneration": 1,
    "conditions": [
        {
            "type": "Ready", "status": "False", "reason": "Loading", "message": "web-1 loads the weights.",
            "observedGeneration": 1, "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ],
    "model": {
        "commit": "c1899de289a04d12100db370d81485cdf75e47ca", "architecture": "Qwen3ForCausalLM",
        "parameters": 751_632_384, "activeParameters": 751_632_384, "downloadGB": "1.5", "dtype": "bfloat16",
        "task": "TextGeneration", "chatTemplate": True, "instruct": True, "distilled": False,
        "baseModel": "Qwen/Qwen3-0.6B-Base", "license": "apache-2.0",
    },
    "target": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "1", "revision": "r-0123456789ab"},
    "endpoint": "http://127.0.0.1:18000/v1",
    "servedNames": ["chat"],
    "revision": "r-0123456789ab",
    "plan": {
        "checkpoint": "Qwen/Qwen3-0.6B", "commit": "c1899de289a04d12100db370d81485cdf75e47ca",
        "quantization": "None", "bits": 16, "device": "GPU", "accelerator": "1 x NVIDIA-L4", "product": "NVIDIA-L4",
        "resource": "nvidia.com/gpu", "count": 1, "tensorParallel": 1, "kvCacheDtype": "BF16",
        "contextLength": 8192, "concurrency": 8, "concurrencyLength": 8192, "engine": "vLLM", "engineVersion": "0.33.0",
        "image": "vllm/vllm-openai:v0.33.0", "givenUp": "nothing",
        "memory": {
            "weights": "1.12Gi", "kvCache": "7Gi", "activation": "1Gi", "graphs": "0.5Gi", "other": "0.5Gi",
            "usable": "20Gi", "total": "22Gi", "headroom": "9.88Gi", "sixteenBit": "1.12Gi",
            "kvCacheTokens": 157_970, "estimate": "Verified",
        },
    },
    "accelerators": {"perPod": 1, "total": 4, "free": 3},
    "candidates": [
        {
            "checkpoint": "Qwen/Qwen3-0.6B", "quantization": "FP8", "product": "NVIDIA-L4", "count": 1,
            "reason": "OrderedAfter", "message": "16 bit fits as well.",
        }
    ],
    "observed": {"contextLength": 8192, "kvCacheTokens": 160_112, "plannedKvCacheTokens": 157_970},
    "pods": {"desired": 3, "injected": 2, "ready": 1, "summary": "1/3"},
    "warnings": [{"reason": "NoChatTemplate", "message": "The model has none."}],
}  # fmt: skip


def changed(base: Raw, changes: Raw) -> Raw:
    """`base` with values set by dotted paths; None takes a field away."""
    whole = copy.deepcopy(base)
    for path, value in changes.items():
        *above, last = path.split(".")
        at = whole
        for part in above:
            at = at.setdefault(part, {})
        if value is None:
            at.pop(last, None)
        else:
            at[last] = value
    return whole


@dataclass(frozen=True, kw_only=True, slots=True)
class Good:
    """An object that is accepted."""

    why: str
    raw: Raw


@dataclass(frozen=True, kw_only=True, slots=True)
class Bad:
    """An object that is refused: the path and the words that a user reads."""

    why: str
    raw: Raw
    path: str
    says: str
    server_path: str | None = None  # where the API server writes the path in another way
    ours: bool = True  # whether the words are a rule's own, and not those of the API server's schema


def good(why: str, changes: Raw, base: Raw = SMALLEST) -> Good:
    """A good object by its difference from the smallest one."""
    return Good(why=why, raw=changed(base, changes))


def bad(why: str, changes: Raw, *, path: str, says: str, base: Raw = SMALLEST) -> Bad:
    """A bad object that breaks a rule of ours."""
    return Bad(why=why, raw=changed(base, changes), path=path, says=says)


def misfit(why: str, changes: Raw, *, path: str, says: str, base: Raw = SMALLEST) -> Bad:
    """A bad object that the schema alone refuses."""
    return Bad(why=why, raw=changed(base, changes), path=path, says=says, ours=False)


NOT_AN_ADDRESS = "must be owner/name as on the Hub, without https://, hf:// or a host: write Qwen/Qwen3-8B"
NOT_A_TAG = "must be owner/name as on the Hub, not name:tag as other registries have it: write Qwen/Qwen3-8B"
OWNER_AND_NAME = (
    "must be owner/name as on the Hub, with letters, digits, '-', '_' and '.': for example Qwen/Qwen3-8B"
)
NOT_A_REVISION = "must be owner/name alone: a branch, tag or commit goes into spec.model.revision"
ONE_SOURCE = "must have exactly one source: repo, persistentVolumeClaim or image"
OBJECT_NAME = "must be the name of an object: lower-case letters, digits, '-' and '.'"
DNS_LABEL = (
    "must be lower-case letters, digits and '-', and start and end with a letter or a digit (a DNS label)"
)
INSIDE_VOLUME = "must be a path inside the volume: not starting with '/', without '..'"
LABEL_KEY = "must be a label key such as example.com/pool"
LABEL_VALUE = "must be a label value: letters, digits, '-', '_' and '.'"
VARIABLE = "must be a variable's name: letters, digits and '_', not starting with a digit"
PARSER = "must be Auto, None, or the name of one of the engine's parsers in lower case, such as hermes"
SHORT_NAME = "metadata.name must be a DNS label of at most 50 characters"
TARGETS = (
    "must be a Deployment, StatefulSet or DaemonSet of apps/v1; for Jobs, CronJobs, bare pods and other kinds"
)
KEY = "must be a key: letters, digits, '-', '_' and '.'"
OWNED_FLAGS = "must not have --host, --port, --uds, --model, --served-model-name, --api-key or --root-path"
NO_TEXT = "must not be set for a task that generates no text"
NO_PARSER = "must not name a parser for a task that generates no text"

CLAIM: Raw = {"claimName": "models"}
FROM_CLAIM: Raw = {"spec.model.repo": None, "spec.model.persistentVolumeClaim": CLAIM}

EVERYTHING: Raw = {
    "spec.model.revision": "main",
    "spec.model.variants": ["Qwen/Qwen3-0.6B-GPTQ-Int8"],
    "spec.model.tokenSecretRef": {"name": "hf", "key": "token"},
    "spec.model.servedNames": ["chat", "gpt-4o"],
    "spec.model.task": "TextGeneration",
    "spec.model.trustRemoteCode": True,
    "spec.targetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "web"},
    "spec.suspend": True,
    "spec.environment": {"containers": ["app", "worker"]},
    "spec.quantization": {
        "policy": "Quality", "checkpoints": "Declared", "method": "AWQ", "minBits": 4, "maxBits": 8,
    },
    "spec.serving": {
        "contextLength": 8192, "concurrency": 8, "kvCacheDtype": "FP8", "toolCalls": "hermes",
        "reasoning": "qwen3", "modalities": "Text",
        "generation": {"temperature": 0.2, "topP": 0.9, "outputLimit": 512},
    },
    "spec.hardware": {
        "accelerator": "GPU", "products": ["NVIDIA-L4"], "maxPerPod": 2, "capacity": "Autoscaled",
        "nodeSelector": {"pool": "gpu"}, "runtimeClassName": "nvidia",
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    },
    "spec.engine": {
        "name": "vLLM", "image": "vllm/vllm-openai:v0.33.0", "extraArgs": ["--enforce-eager"], "port": 18010,
        "env": [
            {"name": "VLLM_LOGGING_LEVEL", "value": "DEBUG"},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "a.b_c", "optional": True}}},
        ],
        "resources": {
            "requests": {"cpu": 2, "memory": "16Gi", "ephemeral-storage": "20Gi"},
            "limits": {"cpu": "4", "memory": "24Gi", "ephemeral-storage": "40Gi"},
        },
    },
    "spec.cache": {"persistentVolumeClaim": {"claimName": "models", "subPath": "hub"}},
    "spec.modelGate": "Readiness",
    "spec.startupTimeoutSeconds": 900,
    "spec.updateStrategy": {"type": "OnDelete"},
}  # fmt: skip

GOOD_DEPLOYMENTS: tuple[Good, ...] = (
    good("the smallest that works", {}),
    good("the smallest without a target: pods opt in", {"spec.targetRef": None}),
    good("every field at once", EVERYTHING),
    good("a name of 50 characters", {"metadata.name": "a" * 50}),
    good("a name that starts with a digit", {"metadata.name": "7b"}),
    good("a model on a claim", FROM_CLAIM),
    good(
        "a folder of a claim",
        {"spec.model": {"persistentVolumeClaim": {"claimName": "models", "subPath": "a/b..c"}}},
    ),
    good(
        "a model in an image",
        {"spec.model": {"image": {"reference": "registry.example.com:5000/m:1", "pullPolicy": "Always"}}},
    ),
    good("a repository with every letter that the Hub has", {"spec.model.repo": "0-hero/Matter-0.1_7B.v2"}),
    good("a commit as the revision", {"spec.model.revision": "c1899de289a04d12100db370d81485cdf75e47ca"}),
    good("a pull request's reference as the revision", {"spec.model.revision": "refs/pr/6"}),
    good("an empty list of variants beside a claim", FROM_CLAIM | {"spec.model.variants": []}),
    good("a served name as the Hub writes it", {"spec.model.servedNames": ["Qwen/Qwen3-8B", "llama3:8b"]}),
    good("a DaemonSet as the target", {"spec.targetRef.kind": "DaemonSet"}),
    good("bits that meet", {"spec.quantization": {"minBits": 8, "maxBits": 8}}),
    good("the lowest and the highest bits", {"spec.quantization": {"minBits": 2, "maxBits": 16}}),
    good("16 bit pinned", {"spec.quantization.method": "None"}),
    good("FP8 pinned within its bits", {"spec.quantization": {"method": "FP8", "minBits": 8, "maxBits": 8}}),
    good("GPTQ pinned, which has several widths", {"spec.quantization": {"method": "GPTQ", "minBits": 8}}),
    good("a temperature of 0", {"spec.serving.generation": {"temperature": 0}}),
    good("a topP of 1", {"spec.serving.generation": {"topP": 1}}),
    good("the smallest topP", {"spec.serving.generation": {"topP": 0.0001}}),
    good(
        "an output limit of the whole context",
        {"spec.serving": {"contextLength": 512, "generation": {"outputLimit": 512}}},
    ),
    good("the lowest lengths and counts", {"spec.serving": {"contextLength": 1, "concurrency": 1}}),
    good("an embedding model", {"spec.model.task": "Embedding"}),
    good(
        "an embedding model with parsers turned off",
        {"spec.model.task": "Embedding", "spec.serving": {"toolCalls": "None", "reasoning": "None"}},
    ),
    good("CPU", {"spec.hardware.accelerator": "CPU"}),
    good("CPU with an empty list of products", {"spec.hardware": {"accelerator": "CPU", "products": []}}),
    good("the lowest port", {"spec.engine.port": 1024}),
    good("the highest port, with one left for the supervisor", {"spec.engine.port": 65534}),
    good("a toleration of everything", {"spec.hardware.tolerations": [{"operator": "Exists"}]}),
    good(
        "a toleration for a time",
        {
            "spec.hardware.tolerations": [
                {"key": "a", "value": "", "effect": "NoExecute", "tolerationSeconds": 0}
            ]
        },
    ),
    good("a label without a value", {"spec.hardware.nodeSelector": {"example.com/pool": ""}}),
    good("a request without a limit", {"spec.engine.resources": {"requests": {"cpu": "500m"}}}),
    good(
        "a request that is written otherwise than its limit",
        {"spec.engine.resources": {"requests": {"memory": "1024Mi"}, "limits": {"memory": "1Gi"}}},
    ),
    good("a variable with an empty value", {"spec.engine.env": [{"name": "A", "value": ""}]}),
    good("an argument that only looks like the operator's", {"spec.engine.extraArgs": ["--model-impl=vllm"]}),
)

BAD_DEPLOYMENTS: tuple[Bad, ...] = (
    # The name
    bad("a name of 51 characters", {"metadata.name": "a" * 51}, path="", says=SHORT_NAME),
    bad("a name with a dot", {"metadata.name": "qwen3.chat"}, path="", says=SHORT_NAME),
    # The model's source
    bad("no source of the model", {"spec.model": {}}, path="spec.model", says=ONE_SOURCE),
    bad(
        "two sources of the model",
        {"spec.model.persistentVolumeClaim": CLAIM},
        path="spec.model",
        says=ONE_SOURCE,
    ),
    bad(
        "an address as the repository",
        {"spec.model.repo": "https://huggingface.co/Qwen/Qwen3-8B"},
        path="spec.model.repo",
        says=NOT_AN_ADDRESS,
    ),
    bad(
        "a repository with hf://",
        {"spec.model.repo": "hf://Qwen/Qwen3-8B"},
        path="spec.model.repo",
        says=NOT_AN_ADDRESS,
    ),
    bad(
        "a repository with the Hub's host",
        {"spec.model.repo": "huggingface.co/Qwen/Qwen3-8B"},
        path="spec.model.repo",
        says=NOT_AN_ADDRESS,
    ),
    bad(
        "a model as Ollama names it", {"spec.model.repo": "qwen3:8b"}, path="spec.model.repo", says=NOT_A_TAG
    ),
    bad(
        "a model as Ollama names a user's",
        {"spec.model.repo": "me/qwen3:8b"},
        path="spec.model.repo",
        says=NOT_A_TAG,
    ),
    bad(
        "a revision behind the repository",
        {"spec.model.repo": "Qwen/Qwen3-8B@main"},
        path="spec.model.repo",
        says=NOT_A_REVISION,
    ),
    bad(
        "a repository without an owner",
        {"spec.model.repo": "gpt2"},
        path="spec.model.repo",
        says=OWNER_AND_NAME,
    ),
    bad(
        "a file's path as the repository",
        {"spec.model.repo": "/models/x"},
        path="spec.model.repo",
        says=OWNER_AND_NAME,
    ),
    bad(
        "three parts as the repository",
        {"spec.model.repo": "a/b/c"},
        path="spec.model.repo",
        says=OWNER_AND_NAME,
    ),
    bad(
        "a repository with a space",
        {"spec.model.repo": "Qwen/Qwen3 8B"},
        path="spec.model.repo",
        says=OWNER_AND_NAME,
    ),
    bad(
        "a repository with a line break",
        {"spec.model.repo": "Qwen/Qwen3-8B\n"},
        path="spec.model.repo",
        says=OWNER_AND_NAME,
    ),
    bad(
        "an address as a variant",
        {"spec.model.variants": ["a/b", "https://huggingface.co/a/c"]},
        path="spec.model.variants[1]",
        says=NOT_AN_ADDRESS,
    ),
    bad(
        "a tag on a variant",
        {"spec.model.variants": ["qwen3:8b"]},
        path="spec.model.variants[0]",
        says=NOT_A_TAG,
    ),
    bad(
        "a revision behind a variant",
        {"spec.model.variants": ["a/b@c"]},
        path="spec.model.variants[0]",
        says=NOT_A_REVISION,
    ),
    bad(
        "a variant without an owner",
        {"spec.model.variants": ["gpt2"]},
        path="spec.model.variants[0]",
        says=OWNER_AND_NAME,
    ),
    bad(
        "the model itself as its variant",
        {"spec.model.variants": ["Qwen/Qwen3-0.6B"]},
        path="spec.model.variants",
        says="must not name repo again: the planner always considers it",
    ),
    misfit(
        "a variant twice",
        {"spec.model.variants": ["a/b", "a/b"]},
        path="spec.model.variants[1]",
        says="Duplicate value",
    ),
    bad(
        "a revision of a claim",
        FROM_CLAIM | {"spec.model.revision": "main"},
        path="spec.model.revision",
        says="must not be set without repo: a claim or an image has no revisions",
    ),
    bad(
        "variants of a claim",
        FROM_CLAIM | {"spec.model.variants": ["a/b"]},
        path="spec.model.variants",
        says="must not be set without repo: variants are repositories of the same model",
    ),
    bad(
        "a token for a claim",
        FROM_CLAIM | {"spec.model.tokenSecretRef": {"name": "hf", "key": "token"}},
        path="spec.model.tokenSecretRef",
        says="must not be set without repo: the token is for the Hub",
    ),
    bad(
        "a revision with a space",
        {"spec.model.revision": "my branch"},
        path="spec.model.revision",
        says="must be a branch, a tag or a commit, such as main",
    ),
    bad(
        "an empty revision",
        {"spec.model.revision": ""},
        path="spec.model.revision",
        says="must be a branch, a tag or a commit, such as main",
    ),
    bad("an empty repository", {"spec.model.repo": ""}, path="spec.model.repo", says=OWNER_AND_NAME),
    bad("an empty target's name", {"spec.targetRef.name": ""}, path="spec.targetRef.name", says=OBJECT_NAME),
    bad(
        "a Secret's name in upper case",
        {"spec.model.tokenSecretRef": {"name": "HF", "key": "token"}},
        path="spec.model.tokenSecretRef.name",
        says=OBJECT_NAME,
    ),
    bad(
        "a Secret's key with a slash",
        {"spec.model.tokenSecretRef": {"name": "hf", "key": "a/b"}},
        path="spec.model.tokenSecretRef.key",
        says=KEY,
    ),
    misfit(
        "a token's Secret without the key",
        {"spec.model.tokenSecretRef": {"name": "hf"}},
        path="spec.model.tokenSecretRef.key",
        says="Required value",
    ),
    bad(
        "a claim's name in upper case",
        FROM_CLAIM | {"spec.model.persistentVolumeClaim": {"claimName": "Models"}},
        path="spec.model.persistentVolumeClaim.claimName",
        says=OBJECT_NAME,
    ),
    bad(
        "a folder that leaves the volume",
        FROM_CLAIM | {"spec.model.persistentVolumeClaim": {"claimName": "models", "subPath": "a/../../b"}},
        path="spec.model.persistentVolumeClaim.subPath",
        says=INSIDE_VOLUME,
    ),
    bad(
        "an image with a space",
        {"spec.model": {"image": {"reference": "a b"}}},
        path="spec.model.image.reference",
        says="must be an image's reference without spaces, such as registry.example.com/models/chat:1",
    ),
    misfit(
        "an unknown pull policy",
        {"spec.model": {"image": {"reference": "a", "pullPolicy": "Sometimes"}}},
        path="spec.model.image.pullPolicy",
        says='supported values: "Always", "IfNotPresent", "Never"',
    ),
    bad(
        "a served name with a space",
        {"spec.model.servedNames": ["my model"]},
        path="spec.model.servedNames[0]",
        says="must be a name without spaces, such as gpt-4o or Qwen/Qwen3-8B",
    ),
    misfit(
        "no served name",
        {"spec.model.servedNames": []},
        path="spec.model.servedNames",
        says="at least 1 items",
    ),
    misfit(
        "a served name twice",
        {"spec.model.servedNames": ["a", "a"]},
        path="spec.model.servedNames[1]",
        says="Duplicate value",
    ),
    misfit(
        "an unknown task",
        {"spec.model.task": "Chat"},
        path="spec.model.task",
        says='supported values: "Auto", "TextGeneration", "Embedding", "Rerank", "Classification"',
    ),
    misfit(
        "a text for trustRemoteCode",
        {"spec.model.trustRemoteCode": "true"},
        path="spec.model.trustRemoteCode",
        says="boolean",
    ),
    # The target
    bad(
        "a Job as the target",
        {"spec.targetRef": {"apiVersion": "batch/v1", "kind": "Job", "name": "x"}},
        path="spec.targetRef",
        says=TARGETS,
    ),
    bad(
        "a ReplicaSet as the target",
        {"spec.targetRef.kind": "ReplicaSet"},
        path="spec.targetRef",
        says=TARGETS,
    ),
    bad(
        "a Deployment of another API group",
        {"spec.targetRef.apiVersion": "apps.example.com/v1"},
        path="spec.targetRef",
        says=TARGETS,
    ),
    misfit(
        "a target without a name",
        {"spec.targetRef": {"kind": "Deployment"}},
        path="spec.targetRef.name",
        says="Required value",
    ),
    bad(
        "a target's name with an underscore",
        {"spec.targetRef.name": "my_app"},
        path="spec.targetRef.name",
        says=OBJECT_NAME,
    ),
    bad(
        "a container's name with an underscore",
        {"spec.environment.containers": ["my_app"]},
        path="spec.environment.containers[0]",
        says=DNS_LABEL,
    ),
    misfit(
        "no container for the variables",
        {"spec.environment.containers": []},
        path="spec.environment.containers",
        says="at least 1 items",
    ),
    # Quantization
    bad(
        "minBits above maxBits",
        {"spec.quantization": {"minBits": 8, "maxBits": 4}},
        path="spec.quantization.minBits",
        says="must not be more than maxBits",
    ),
    bad(
        "minBits above maxBits, where one is a default",
        {"spec.quantization": {"maxBits": 3}},
        path="spec.quantization.minBits",
        says="must not be more than maxBits",
    ),
    *(
        bad(
            f"{method} pinned, and its {bits} bits left out",
            {"spec.quantization": {"method": method, "minBits": low, "maxBits": high}},
            path="spec.quantization.method",
            says=f"{method} has {bits} bits a weight, which minBits and maxBits must let through",
        )
        for method, bits, low, high in (
            ("None", 16, 4, 8),
            ("FP8", 8, 16, 16),
            ("INT8", 8, 2, 4),
            ("MXFP8", 8, 9, 16),
            ("W8A16", 8, 4, 7),
            ("AWQ", 4, 8, 16),
            ("W4A16", 4, 5, 16),
            ("W4A8", 4, 2, 3),
            ("NVFP4", 4, 8, 8),
            ("MXFP4", 4, 16, 16),
        )
    ),
    misfit(
        "a scheme in lower case",
        {"spec.quantization.method": "fp8"},
        path="spec.quantization.method",
        says='supported values: "Auto", "None", "FP8"',
    ),
    misfit(
        "1 bit",
        {"spec.quantization.minBits": 1},
        path="spec.quantization.minBits",
        says="greater than or equal to 2",
    ),
    misfit(
        "32 bits",
        {"spec.quantization.maxBits": 32},
        path="spec.quantization.maxBits",
        says="less than or equal to 16",
    ),
    misfit(
        "an unknown policy",
        {"spec.quantization.policy": "Fast"},
        path="spec.quantization.policy",
        says='supported values: "Quality", "Balanced", "Economy"',
    ),
    misfit(
        "an unknown choice of checkpoints",
        {"spec.quantization.checkpoints": "Any"},
        path="spec.quantization.checkpoints",
        says='supported values: "TrustedPublishers", "Declared"',
    ),
    # Serving
    misfit(
        "a context of 0 tokens",
        {"spec.serving.contextLength": 0},
        path="spec.serving.contextLength",
        says="greater than or equal to 1",
    ),
    misfit(
        "no request at once",
        {"spec.serving.concurrency": 0},
        path="spec.serving.concurrency",
        says="greater than or equal to 1",
    ),
    misfit(
        "a length as a text",
        {"spec.serving.contextLength": "8192"},
        path="spec.serving.contextLength",
        says="integer",
    ),
    misfit(
        "a length with a fraction",
        {"spec.serving.contextLength": 0.5},
        path="spec.serving.contextLength",
        says="integer",
    ),
    misfit(
        "a negative temperature",
        {"spec.serving.generation": {"temperature": -0.1}},
        path="spec.serving.generation.temperature",
        says="greater than or equal to 0",
    ),
    misfit(
        "a topP of 0",
        {"spec.serving.generation": {"topP": 0}},
        path="spec.serving.generation.topP",
        says="greater than 0",
    ),
    misfit(
        "a topP above 1",
        {"spec.serving.generation": {"topP": 1.1}},
        path="spec.serving.generation.topP",
        says="less than or equal to 1",
    ),
    misfit(
        "an answer of no tokens",
        {"spec.serving.generation": {"outputLimit": 0}},
        path="spec.serving.generation.outputLimit",
        says="greater than or equal to 1",
    ),
    bad(
        "an answer longer than the context",
        {"spec.serving": {"contextLength": 512, "generation": {"outputLimit": 513}}},
        path="spec.serving.generation.outputLimit",
        says="must not be more than contextLength: an answer is a part of the context",
    ),
    bad(
        "generation of an embedding model",
        {"spec.model.task": "Embedding", "spec.serving.generation": {"temperature": 0}},
        path="spec.serving.generation",
        says=NO_TEXT,
    ),
    bad(
        "tool calls of an embedding model",
        {"spec.model.task": "Rerank", "spec.serving.toolCalls": "hermes"},
        path="spec.serving.toolCalls",
        says=NO_PARSER,
    ),
    bad(
        "reasoning of a classifier",
        {"spec.model.task": "Classification", "spec.serving.reasoning": "qwen3"},
        path="spec.serving.reasoning",
        says=NO_PARSER,
    ),
    bad(
        "a tool parser in upper case",
        {"spec.serving.toolCalls": "Hermes"},
        path="spec.serving.toolCalls",
        says=PARSER,
    ),
    bad(
        "a reasoning parser in upper case",
        {"spec.serving.reasoning": "Qwen3"},
        path="spec.serving.reasoning",
        says=PARSER,
    ),
    misfit(
        "an unknown dtype of the KV cache",
        {"spec.serving.kvCacheDtype": "int4"},
        path="spec.serving.kvCacheDtype",
        says='supported values: "Auto", "BF16", "FP16", "FP8", "FP8E5M2"',
    ),
    misfit(
        "an unknown modality",
        {"spec.serving.modalities": "Audio"},
        path="spec.serving.modalities",
        says='supported values: "All", "Text"',
    ),
    # Hardware
    misfit(
        "a TPU",
        {"spec.hardware.accelerator": "TPU"},
        path="spec.hardware.accelerator",
        says='supported values: "Auto", "GPU", "CPU"',
    ),
    bad(
        "products with CPU",
        {"spec.hardware": {"accelerator": "CPU", "products": ["NVIDIA-L4"]}},
        path="spec.hardware.products",
        says="must be empty with accelerator CPU: products name accelerators",
    ),
    bad(
        "a product with a space",
        {"spec.hardware.products": ["NVIDIA L4"]},
        path="spec.hardware.products[0]",
        says="must be a product's name as the nodes' labels have it, such as NVIDIA-L4",
    ),
    misfit(
        "no accelerator a pod",
        {"spec.hardware.maxPerPod": 0},
        path="spec.hardware.maxPerPod",
        says="greater than or equal to 1",
    ),
    misfit(
        "an unknown capacity",
        {"spec.hardware.capacity": "Any"},
        path="spec.hardware.capacity",
        says='supported values: "Existing", "Autoscaled"',
    ),
    bad(
        "a label's key with a space",
        {"spec.hardware": {"nodeSelector": {"a b": "c"}}},
        path="spec.hardware.nodeSelector",
        says="must have label keys such as example.com/pool",
    ),
    Bad(
        why="a label's value with a space",
        raw=changed(SMALLEST, {"spec.hardware": {"nodeSelector": {"pool": "b c"}}}),
        path="spec.hardware.nodeSelector.pool",
        server_path="spec.hardware.nodeSelector[pool]",
        says=LABEL_VALUE,
    ),
    bad(
        "a toleration without a key",
        {"spec.hardware.tolerations": [{"effect": "NoSchedule"}]},
        path="spec.hardware.tolerations[0]",
        says="must have a key, or the operator Exists for every key",
    ),
    bad(
        "a toleration of existence with a value",
        {"spec.hardware.tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
        path="spec.hardware.tolerations[0]",
        says="must not have a value with the operator Exists",
    ),
    bad(
        "a toleration for a time, of another effect",
        {"spec.hardware.tolerations": [{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 5}]},
        path="spec.hardware.tolerations[0]",
        says="must have the effect NoExecute where tolerationSeconds is set",
    ),
    bad(
        "a taint's key with a space",
        {"spec.hardware.tolerations": [{"key": "a b"}]},
        path="spec.hardware.tolerations[0].key",
        says=LABEL_KEY,
    ),
    bad(
        "a taint's value with a space",
        {"spec.hardware.tolerations": [{"key": "a", "value": "b c"}]},
        path="spec.hardware.tolerations[0].value",
        says=LABEL_VALUE,
    ),
    misfit(
        "an unknown effect",
        {"spec.hardware.tolerations": [{"key": "a", "effect": "Never"}]},
        path="spec.hardware.tolerations[0].effect",
        says='supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ),
    misfit(
        "an unknown operator",
        {"spec.hardware.tolerations": [{"key": "a", "operator": "In"}]},
        path="spec.hardware.tolerations[0].operator",
        says='supported values: "Exists", "Equal"',
    ),
    bad(
        "a RuntimeClass in upper case",
        {"spec.hardware.runtimeClassName": "NVIDIA"},
        path="spec.hardware.runtimeClassName",
        says=OBJECT_NAME,
    ),
    # The engine
    misfit(
        "an unknown engine",
        {"spec.engine.name": "Ollama"},
        path="spec.engine.name",
        says='supported values: "Auto", "vLLM", "TGI"',
    ),
    bad(
        "an engine's image with a space",
        {"spec.engine.image": "a b"},
        path="spec.engine.image",
        says="must be an image's reference without spaces, such as vllm/vllm-openai:v0.33.0",
    ),
    misfit(
        "a port that needs a capability",
        {"spec.engine.port": 80},
        path="spec.engine.port",
        says="greater than or equal to 1024",
    ),
    misfit(
        "the highest port, with none left for the supervisor",
        {"spec.engine.port": 65535},
        path="spec.engine.port",
        says="less than or equal to 65534",
    ),
    bad(
        "an address among the arguments",
        {"spec.engine.extraArgs": ["--host", "0.0.0.0"]},
        path="spec.engine.extraArgs",
        says=OWNED_FLAGS,
    ),
    bad(
        "a port among the arguments",
        {"spec.engine.extraArgs": ["--port=80"]},
        path="spec.engine.extraArgs",
        says=OWNED_FLAGS,
    ),
    bad(
        "served names among the arguments",
        {"spec.engine.extraArgs": ["--served_model_name", "x"]},
        path="spec.engine.extraArgs",
        says=OWNED_FLAGS,
    ),
    bad(
        "a variable without a value",
        {"spec.engine.env": [{"name": "A"}]},
        path="spec.engine.env[0]",
        says="must have exactly one of value and valueFrom",
    ),
    bad(
        "a variable of the operator",
        {"spec.engine.env": [{"name": "PILLION_X", "value": ""}]},
        path="spec.engine.env[0].name",
        says="must not start with PILLION_: those names belong to the operator",
    ),
    bad(
        "the Hub's token as a variable",
        {"spec.engine.env": [{"name": "HF_TOKEN", "value": "x"}]},
        path="spec.engine.env[0].name",
        says="must not be the Hub token: spec.model.tokenSecretRef names it",
    ),
    bad(
        "a variable with a dash",
        {"spec.engine.env": [{"name": "A-B", "value": "x"}]},
        path="spec.engine.env[0].name",
        says=VARIABLE,
    ),
    misfit(
        "a variable twice",
        {"spec.engine.env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
        path="spec.engine.env[1]",
        says="Duplicate value",
    ),
    bad(
        "a variable's Secret in upper case",
        {"spec.engine.env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "X", "key": "y"}}}]},
        path="spec.engine.env[0].valueFrom.secretKeyRef.name",
        says=OBJECT_NAME,
    ),
    bad(
        "a variable's key with a slash",
        {"spec.engine.env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x", "key": "y/z"}}}]},
        path="spec.engine.env[0].valueFrom.secretKeyRef.key",
        says=KEY,
    ),
    *(
        bad(
            f"a request of {resource} above its limit",
            {"spec.engine.resources": {"requests": {resource: more}, "limits": {resource: less}}},
            path="spec.engine.resources.requests",
            says=f"must not have a request of {resource} that is more than its limit",
        )
        for resource, more, less in (
            ("cpu", 2, "1500m"),
            ("memory", "1Gi", "1G"),
            ("ephemeral-storage", "10Gi", "9Gi"),
        )
    ),
    misfit(
        "an amount that is no quantity",
        {"spec.engine.resources": {"limits": {"memory": "16 GB"}}},
        path="spec.engine.resources.limits.memory",
        says="should match",
    ),
    misfit(
        "a negative amount",
        {"spec.engine.resources": {"limits": {"cpu": -1}}},
        path="spec.engine.resources.limits.cpu",
        says="greater than or equal to 0",
    ),
    # The cache and the rest
    bad(
        "a cache's claim in upper case",
        {"spec.cache": {"persistentVolumeClaim": {"claimName": "Models"}}},
        path="spec.cache.persistentVolumeClaim.claimName",
        says=OBJECT_NAME,
    ),
    bad(
        "a cache's folder from the root",
        {"spec.cache": {"persistentVolumeClaim": {"claimName": "m", "subPath": "/hub"}}},
        path="spec.cache.persistentVolumeClaim.subPath",
        says=INSIDE_VOLUME,
    ),
    misfit(
        "a cache without a claim",
        {"spec.cache": {}},
        path="spec.cache.persistentVolumeClaim",
        says="Required value",
    ),
    misfit(
        "an unknown gate",
        {"spec.modelGate": "Wait"},
        path="spec.modelGate",
        says='supported values: "Auto", "None", "Startup", "Readiness"',
    ),
    misfit(
        "no time to start",
        {"spec.startupTimeoutSeconds": 0},
        path="spec.startupTimeoutSeconds",
        says="greater than or equal to 1",
    ),
    misfit(
        "a start of more than a day",
        {"spec.startupTimeoutSeconds": 86_401},
        path="spec.startupTimeoutSeconds",
        says="less than or equal to 86400",
    ),
    misfit(
        "an unknown update strategy",
        {"spec.updateStrategy.type": "Recreate"},
        path="spec.updateStrategy.type",
        says='supported values: "InPlaceIfPossible", "RollingUpdate", "OnDelete"',
    ),
    misfit("no model", {"spec": {"targetRef": {"name": "web"}}}, path="spec.model", says="Required value"),
)
