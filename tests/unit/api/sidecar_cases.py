"""Which ModelSidecars are accepted, which are refused, and with which words?

A ModelSidecar that is accepted and that a pod cannot be made of breaks every marked pod, so the refusals matter more
than their words.
"""

from __future__ import annotations

from tests.unit.api.cases import (
    DNS_LABEL,
    INSIDE_VOLUME,
    KEY,
    LABEL_KEY,
    LABEL_VALUE,
    OBJECT_NAME,
    SHORT_NAME,
    VARIABLE,
    Bad,
    Good,
    Raw,
    bad,
    good,
    misfit,
)

SIDECAR: Raw = {
    "apiVersion": "pillion.dev/v1alpha1",
    "kind": "ModelSidecar",
    "metadata": {"name": "chat"},
    "spec": {
        "formatVersion": 1,
        "revision": "r-0123456789ab",
        "modelGate": "None",
        "container": {
            "name": "pillion-chat",
            "image": "example.com/engine:1",
            "volumeMounts": [{"name": "pillion-chat-cch", "mountPath": "/var/cache/pillion"}],
        },
        "volumes": [{"name": "pillion-chat-cch", "emptyDir": {"sizeLimit": "20Gi"}}],
        "instruction": "{}",
    },
}

ENV: Raw = {"name": "A", "value": "b"}
MOUNT: Raw = {"name": "pillion-chat-cch", "mountPath": "/var/cache/pillion"}

EVERYTHING_OF_A_SIDECAR: Raw = {
    "spec.modelGate": "Startup",
    "spec.container": {
        "name": "pillion-chat", "image": "vllm/vllm-openai:v0.33.0", "imagePullPolicy": "IfNotPresent",
        "command": ["python3"], "args": ["/etc/pillion/supervisor/supervisor.py"], "workingDir": "/var/cache/pillion",
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "env": [
            ENV,
            {"name": "EMPTY"},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "token", "optional": True}}},
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}},
        ],
        "ports": [{"name": "status", "containerPort": 18001, "protocol": "TCP"}],
        "resources": {
            "requests": {"cpu": "2", "memory": "8Gi", "ephemeral-storage": "1Gi", "nvidia.com/gpu": 1},
            "limits": {"cpu": 4, "memory": "8Gi", "ephemeral-storage": "2Gi", "nvidia.com/gpu": "1"},
        },
        "volumeMounts": [
            MOUNT | {"subPath": "hub"},
            {"name": "pillion-chat-sup", "mountPath": "/etc/pillion/supervisor", "readOnly": True},
        ],
        "securityContext": {
            "runAsUser": 2000, "runAsGroup": 0, "runAsNonRoot": True, "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    },
    "spec.startupProbe": {
        "httpGet": {"path": "/ready", "port": 18001, "scheme": "HTTP"},
        "initialDelaySeconds": 0, "periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 900,
    },
    "spec.volumes": [
        {"name": "pillion-chat-cch", "persistentVolumeClaim": {"claimName": "models", "readOnly": False}},
        {"name": "pillion-chat-shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
        {
            "name": "pillion-chat-sup",
            "configMap": {
                "name": "pillion-supervisor-0123456789ab", "optional": True, "defaultMode": 0o444,
                "items": [{"key": "supervisor.py", "path": "supervisor.py", "mode": 0o444}],
            },
        },
        {
            "name": "pillion-chat-ins",
            "downwardAPI": {
                "defaultMode": 0o444,
                "items": [
                    {
                        "path": "instruction",
                        "mode": 0o444,
                        "fieldRef": {
                            "apiVersion": "v1", "fieldPath": "metadata.annotations['engine.pillion.dev/chat']",
                        },
                    }
                ],
            },
        },
        {"name": "pillion-chat-mod", "image": {"reference": "example.com/model:1", "pullPolicy": "IfNotPresent"}},
    ],
    "spec.tolerations": [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "pool", "operator": "Equal", "value": "a", "effect": "NoExecute", "tolerationSeconds": 60},
    ],
    "spec.nodeRequirements": [
        {"key": "nvidia.com/gpu.product", "operator": "In", "values": ["NVIDIA-L4"]},
        {"key": "nvidia.com/gpu.memory", "operator": "Gt", "values": ["20000"]},
        {"key": "nvidia.com/mig.config", "operator": "DoesNotExist"},
    ],
    "spec.runtimeClassName": "nvidia",
    "spec.environment": {
        "containers": ["app"],
        "own": [{"name": "PILLION_CHAT_BASE_URL", "value": "http://127.0.0.1:18000/v1"}],
        "plain": [{"name": "OPENAI_MODEL", "value": "chat"}],
        "plainPolicy": "SingleModel",
    },
    "spec.instruction": '{"version":1}',
}  # fmt: skip

GOOD_SIDECARS: tuple[Good, ...] = (
    good("the smallest", {}, SIDECAR),
    good("every field at once", EVERYTHING_OF_A_SIDECAR, SIDECAR),
    good(
        "an emptyDir without a limit",
        {"spec.volumes": [{"name": "pillion-chat-cch", "emptyDir": {}}]},
        SIDECAR,
    ),
    good(
        "a start-up probe by a command",
        {"spec.startupProbe": {"exec": {"command": ["true"]}}},
        SIDECAR,
    ),
    good("no volumes and no mounts", {"spec.volumes": None, "spec.container.volumeMounts": None}, SIDECAR),
)


def _volume(**source: object) -> Raw:
    return {"spec.volumes": [{"name": "pillion-chat-cch", **source}]}


def sbad(why: str, changes: Raw, *, path: str, says: str) -> Bad:
    """A bad ModelSidecar that breaks a rule of ours."""
    return bad(why, changes, path=path, says=says, base=SIDECAR)


def smisfit(why: str, changes: Raw, *, path: str, says: str) -> Bad:
    """A bad ModelSidecar that the schema alone refuses."""
    return misfit(why, changes, path=path, says=says, base=SIDECAR)


ONE_VOLUME = "must have exactly one of emptyDir, persistentVolumeClaim, configMap, downwardAPI and image"
FIELD_PATH = "must be a field that the kubelet knows, such as status.podIP or metadata.annotations['key']"
ABSOLUTE = "must be an absolute path without ':'"
RESOURCES = "must have names of resources, such as cpu, ephemeral-storage or nvidia.com/gpu"
REQUIREMENT = (
    "must have values for In and NotIn, one whole number for Gt and Lt, and none for Exists and DoesNotExist"
)

BAD_SIDECARS: tuple[Bad, ...] = (
    sbad(
        "a name of 51 characters",
        {"metadata.name": "a" * 51, "spec.container.name": "pillion-" + "a" * 51},
        path="",
        says=SHORT_NAME,
    ),
    sbad(
        "a container with another model's name",
        {"spec.container.name": "pillion-other"},
        path="spec.container.name",
        says="must be pillion- and the ModelSidecar's own name",
    ),
    sbad(
        "a mount without its volume",
        {"spec.container.volumeMounts": [{"name": "other", "mountPath": "/x"}]},
        path="spec.container.volumeMounts",
        says="must name one of spec.volumes: a mount without its volume would have every marked pod refused",
    ),
    sbad(
        "a revision of another form",
        {"spec.revision": "r-1"},
        path="spec.revision",
        says="must be r- and 12 hexadecimal digits",
    ),
    smisfit("no instruction", {"spec.instruction": None}, path="spec.instruction", says="Required value"),
    smisfit(
        "an unknown gate",
        {"spec.modelGate": "Wait"},
        path="spec.modelGate",
        says='supported values: "Auto", "None", "Startup", "Readiness"',
    ),
    sbad(
        "an image with a space",
        {"spec.container.image": "a b"},
        path="spec.container.image",
        says="must be an image's reference without spaces",
    ),
    smisfit(
        "an unknown pull policy",
        {"spec.container.imagePullPolicy": "Maybe"},
        path="spec.container.imagePullPolicy",
        says='supported values: "Always", "IfNotPresent", "Never"',
    ),
    sbad(
        "a value and where it comes from",
        {"spec.container.env": [ENV | {"valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]},
        path="spec.container.env[0]",
        says="must not have both value and valueFrom",
    ),
    sbad(
        "a variable with a dash",
        {"spec.container.env": [{"name": "A-B"}]},
        path="spec.container.env[0].name",
        says=VARIABLE,
    ),
    sbad(
        "a source of a value that is none",
        {"spec.container.env": [{"name": "A", "valueFrom": {}}]},
        path="spec.container.env[0].valueFrom",
        says="must have exactly one of secretKeyRef and fieldRef",
    ),
    sbad(
        "a Secret in upper case",
        {"spec.container.env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "X", "key": "k"}}}]},
        path="spec.container.env[0].valueFrom.secretKeyRef.name",
        says=OBJECT_NAME,
    ),
    sbad(
        "a Secret's key with a slash",
        {"spec.container.env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "x", "key": "/"}}}]},
        path="spec.container.env[0].valueFrom.secretKeyRef.key",
        says=KEY,
    ),
    sbad(
        "a field that the kubelet does not know",
        {"spec.container.env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "spec.containers"}}}]},
        path="spec.container.env[0].valueFrom.fieldRef.fieldPath",
        says=FIELD_PATH,
    ),
    sbad(
        "a port's name in upper case",
        {"spec.container.ports": [{"name": "hTTP", "containerPort": 1, "protocol": "TCP"}]},
        path="spec.container.ports[0].name",
        says="must be lower-case letters, digits and '-'",
    ),
    sbad(
        "a port's name without a letter",
        {"spec.container.ports": [{"name": "80", "containerPort": 1, "protocol": "TCP"}]},
        path="spec.container.ports[0].name",
        says="must have a letter, and no two '-' in a row",
    ),
    smisfit(
        "a port above all",
        {"spec.container.ports": [{"containerPort": 65_536, "protocol": "TCP"}]},
        path="spec.container.ports[0].containerPort",
        says="less than or equal to 65535",
    ),
    smisfit(
        "an unknown protocol",
        {"spec.container.ports": [{"containerPort": 1, "protocol": "HTTP"}]},
        path="spec.container.ports[0].protocol",
        says='supported values: "TCP", "UDP", "SCTP"',
    ),
    sbad(
        "a request of something with a space",
        {"spec.container.resources": {"requests": {"a b": 1}}},
        path="spec.container.resources.requests",
        says=RESOURCES,
    ),
    sbad(
        "a limit of something with a space",
        {"spec.container.resources": {"limits": {"a b": 1}}},
        path="spec.container.resources.limits",
        says=RESOURCES,
    ),
    smisfit(
        "a limit that is no quantity",
        {"spec.container.resources": {"limits": {"memory": "8GB"}}},
        path="spec.container.resources.limits.memory",
        says="should match",
    ),
    smisfit(
        "a negative limit",
        {"spec.container.resources": {"limits": {"cpu": -1}}},
        path="spec.container.resources.limits.cpu",
        says="greater than or equal to 0",
    ),
    sbad(
        "a mount at a relative path",
        {"spec.container.volumeMounts": [MOUNT | {"mountPath": "var"}]},
        path="spec.container.volumeMounts[0].mountPath",
        says=ABSOLUTE,
    ),
    sbad(
        "a mount of a folder outside",
        {"spec.container.volumeMounts": [MOUNT | {"subPath": "../x"}]},
        path="spec.container.volumeMounts[0].subPath",
        says=INSIDE_VOLUME,
    ),
    smisfit(
        "two mounts at one path",
        {"spec.container.volumeMounts": [MOUNT, MOUNT]},
        path="spec.container.volumeMounts[1]",
        says="Duplicate value",
    ),
    sbad(
        "a relative working folder",
        {"spec.container.workingDir": "tmp"},
        path="spec.container.workingDir",
        says=ABSOLUTE,
    ),
    smisfit(
        "root",
        {"spec.container.securityContext": {"runAsUser": 0}},
        path="spec.container.securityContext.runAsUser",
        says="greater than or equal to 1",
    ),
    smisfit(
        "no seccomp profile",
        {"spec.container.securityContext": {"seccompProfile": {"type": "Unconfined"}}},
        path="spec.container.securityContext.seccompProfile.type",
        says='supported values: "RuntimeDefault"',
    ),
    sbad(
        "a probe of two kinds",
        {"spec.startupProbe": {"exec": {"command": ["true"]}, "httpGet": {"path": "/", "port": 1}}},
        path="spec.startupProbe",
        says="must have exactly one of httpGet and exec",
    ),
    sbad("a volume of no kind", _volume(), path="spec.volumes[0]", says=ONE_VOLUME),
    sbad(
        "a volume of two kinds",
        _volume(emptyDir={}, persistentVolumeClaim={"claimName": "a"}),
        path="spec.volumes[0]",
        says=ONE_VOLUME,
    ),
    sbad(
        "a volume's name in upper case",
        {"spec.volumes": [{"name": "pillion-chat-cch", "emptyDir": {}}, {"name": "X", "emptyDir": {}}]},
        path="spec.volumes[1].name",
        says=DNS_LABEL,
    ),
    smisfit(
        "a volume twice",
        {"spec.volumes": [{"name": "pillion-chat-cch", "emptyDir": {}}] * 2},
        path="spec.volumes[1]",
        says="Duplicate value",
    ),
    smisfit(
        "a limit of a volume that is no quantity",
        _volume(emptyDir={"sizeLimit": "20 Gi"}),
        path="spec.volumes[0].emptyDir.sizeLimit",
        says="should match",
    ),
    smisfit(
        "an unknown medium",
        _volume(emptyDir={"medium": "Tape"}),
        path="spec.volumes[0].emptyDir.medium",
        says='supported values: "", "Memory"',
    ),
    sbad(
        "a claim in upper case",
        _volume(persistentVolumeClaim={"claimName": "A"}),
        path="spec.volumes[0].persistentVolumeClaim.claimName",
        says=OBJECT_NAME,
    ),
    sbad(
        "a ConfigMap in upper case",
        _volume(configMap={"name": "A"}),
        path="spec.volumes[0].configMap.name",
        says=OBJECT_NAME,
    ),
    sbad(
        "a ConfigMap's key with a slash",
        _volume(configMap={"name": "a", "items": [{"key": "/", "path": "x"}]}),
        path="spec.volumes[0].configMap.items[0].key",
        says=KEY,
    ),
    sbad(
        "a ConfigMap's file outside",
        _volume(configMap={"name": "a", "items": [{"key": "k", "path": "../x"}]}),
        path="spec.volumes[0].configMap.items[0].path",
        says=INSIDE_VOLUME,
    ),
    sbad(
        "a pod field's file outside",
        _volume(downwardAPI={"items": [{"path": "/x", "fieldRef": {"fieldPath": "metadata.name"}}]}),
        path="spec.volumes[0].downwardAPI.items[0].path",
        says=INSIDE_VOLUME,
    ),
    sbad(
        "a file of a field that the kubelet does not know",
        _volume(downwardAPI={"items": [{"path": "x", "fieldRef": {"fieldPath": "status"}}]}),
        path="spec.volumes[0].downwardAPI.items[0].fieldRef.fieldPath",
        says=FIELD_PATH,
    ),
    smisfit(
        "permissions beyond the nine bits",
        _volume(configMap={"name": "a", "defaultMode": 0o1000}),
        path="spec.volumes[0].configMap.defaultMode",
        says="less than or equal to 511",
    ),
    sbad(
        "a volume's image with a space",
        _volume(image={"reference": "a b"}),
        path="spec.volumes[0].image.reference",
        says="must be an image's reference without spaces",
    ),
    sbad(
        "a toleration without a key",
        {"spec.tolerations": [{}]},
        path="spec.tolerations[0]",
        says="must have a key, or the operator Exists for every key",
    ),
    sbad(
        "a toleration of existence with a value",
        {"spec.tolerations": [{"operator": "Exists", "value": "b"}]},
        path="spec.tolerations[0]",
        says="must not have a value with the operator Exists",
    ),
    sbad(
        "a toleration for a time, of every effect",
        {"spec.tolerations": [{"key": "a", "tolerationSeconds": 5}]},
        path="spec.tolerations[0]",
        says="must have the effect NoExecute where tolerationSeconds is set",
    ),
    sbad(
        "a taint's key with a space",
        {"spec.tolerations": [{"key": "a b"}]},
        path="spec.tolerations[0].key",
        says=LABEL_KEY,
    ),
    sbad(
        "a taint's value with a space",
        {"spec.tolerations": [{"key": "a", "value": "b c"}]},
        path="spec.tolerations[0].value",
        says=LABEL_VALUE,
    ),
    sbad(
        "a requirement without values",
        {"spec.nodeRequirements": [{"key": "a", "operator": "In"}]},
        path="spec.nodeRequirements[0].values",
        says=REQUIREMENT,
    ),
    sbad(
        "a comparison with a word",
        {"spec.nodeRequirements": [{"key": "a", "operator": "Gt", "values": ["b"]}]},
        path="spec.nodeRequirements[0].values",
        says=REQUIREMENT,
    ),
    sbad(
        "existence with values",
        {"spec.nodeRequirements": [{"key": "a", "operator": "Exists", "values": ["b"]}]},
        path="spec.nodeRequirements[0].values",
        says=REQUIREMENT,
    ),
    sbad(
        "a required label's key with a space",
        {"spec.nodeRequirements": [{"key": "a b", "operator": "Exists"}]},
        path="spec.nodeRequirements[0].key",
        says=LABEL_KEY,
    ),
    sbad(
        "a required label's value with a space",
        {"spec.nodeRequirements": [{"key": "a", "operator": "In", "values": ["b c"]}]},
        path="spec.nodeRequirements[0].values[0]",
        says=LABEL_VALUE,
    ),
    smisfit(
        "an unknown comparison",
        {"spec.nodeRequirements": [{"key": "a", "operator": "Like"}]},
        path="spec.nodeRequirements[0].operator",
        says='supported values: "In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"',
    ),
    sbad(
        "a RuntimeClass in upper case",
        {"spec.runtimeClassName": "NVIDIA"},
        path="spec.runtimeClassName",
        says=OBJECT_NAME,
    ),
    sbad(
        "a container's name in upper case",
        {"spec.environment": {"plainPolicy": "Never", "containers": ["X"]}},
        path="spec.environment.containers[0]",
        says=DNS_LABEL,
    ),
    sbad(
        "an own variable with a dash",
        {"spec.environment": {"plainPolicy": "Never", "own": [{"name": "A-B", "value": ""}]}},
        path="spec.environment.own[0].name",
        says=VARIABLE,
    ),
    sbad(
        "a plain variable with a dash",
        {"spec.environment": {"plainPolicy": "Never", "plain": [{"name": "A-B", "value": ""}]}},
        path="spec.environment.plain[0].name",
        says=VARIABLE,
    ),
    smisfit(
        "no policy for the plain variables",
        {"spec.environment": {}},
        path="spec.environment.plainPolicy",
        says="Required value",
    ),
)
