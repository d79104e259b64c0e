"""What are the names that users, admission policies, the operator and the supervisor agree on?

Everything here is part of the API: a name that changes orphans what earlier versions wrote. The longest
suffix that is added to an object's name has four letters, so that a name of `MAX_NAME_LENGTH` characters
still gives DNS labels of at most 63 characters (`pillion-` + 50 + `-ins` is 62).
"""

import re
from typing import Final

GROUP: Final = "pillion.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "pillion.dev/v1alpha1"
CATEGORY: Final = "pillion"

MODEL_DEPLOYMENT: Final = "ModelDeployment"
MODEL_DEPLOYMENTS: Final = "modeldeployments"
MODEL_DEPLOYMENT_SHORT: Final = "pmd"
MODEL_SIDECAR: Final = "ModelSidecar"
MODEL_SIDECARS: Final = "modelsidecars"
MODEL_SIDECAR_SHORT: Final = "psc"

FIELD_MANAGER: Final = (
    "pillion"  # our own objects and their status; the marker has one manager a ModelDeployment
)

MAX_NAME_LENGTH: Final = 50  # characters of a ModelDeployment's name
DNS_LABEL_PATTERN: Final = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"  # RFC 1123, without the length

# The marker, on pod templates and pods.
INJECT_LABEL: Final = f"{GROUP}/inject"
INJECT_WANTED: Final = "true"
INJECT_REQUIRED: Final = "required"  # pods are refused until their engine can be injected
MODEL_ANNOTATION_PREFIX: Final = f"model.{GROUP}/"
# On a marked workload, so that the operator finds it again by a server-side selector.
MARKED_LABEL: Final = f"{GROUP}/marked"
MARKED: Final = "true"
# Stamped on a pod by admission: the instruction that its engine follows.
ENGINE_ANNOTATION_PREFIX: Final = f"engine.{GROUP}/"
# The pod condition (and readiness gate) that says whether the models of a pod serve.
MODEL_READY_CONDITION: Final = f"{GROUP}/ModelReady"

# On a ModelDeployment: any new value asks for a new plan.
REPLAN_ANNOTATION: Final = f"{GROUP}/replan"
# On a ModelSidecar: the plan it was compiled from, and the hash of the spec that the plan answers.
PLAN_ANNOTATION: Final = f"{GROUP}/plan"
SPEC_HASH_ANNOTATION: Final = f"{GROUP}/spec-hash"

FIRST_PORT: Final = 18000  # ports go in pairs: the engine's, and the supervisor's one above it
LOWEST_PORT: Final = 1024  # below it a port needs a capability that the engine's container drops
HIGHEST_PORT: Final = 65534  # the supervisor takes the next one

CONTAINER_PREFIX: Final = "pillion-"
CACHE_VOLUME: Final = "cch"
SHARED_MEMORY_VOLUME: Final = "shm"
INSTRUCTION_VOLUME: Final = "ins"
TEMPORARY_VOLUME: Final = "tmp"
TOKEN_VOLUME: Final = "tok"  # noqa: S105 # a suffix: the volume is empty and masks the account's token
SUPERVISOR_VOLUME: Final = "sup"
WEIGHTS_VOLUME: Final = "mod"  # a model that comes from a claim or an image, read-only

SUPERVISOR_CONFIG_MAP_PREFIX: Final = "pillion-supervisor-"
SUPERVISOR_FOLDER: Final = "/etc/pillion/supervisor"
SUPERVISOR_FILE: Final = "supervisor.py"
SUPERVISOR_PATH: Final = f"{SUPERVISOR_FOLDER}/{SUPERVISOR_FILE}"
INSTRUCTION_FOLDER: Final = "/etc/pillion/instruction"
INSTRUCTION_FILE: Final = "instruction"
INSTRUCTION_PATH: Final = f"{INSTRUCTION_FOLDER}/{INSTRUCTION_FILE}"
CACHE_FOLDER: Final = "/var/cache/pillion"

REVISION_PATTERN: Final = "^r-[0-9a-f]{12}$"
_REVISION: Final = re.compile(REVISION_PATTERN)

PLAIN_VARIABLES: Final = ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL")  # one set: all or none


def container_name(name: str) -> str:
    """The engine's container in a pod."""
    return f"{CONTAINER_PREFIX}{name}"


def volume_name(name: str, suffix: str) -> str:
    """A volume of the engine; `suffix` is one of the `*_VOLUME` constants."""
    return f"{CONTAINER_PREFIX}{name}-{suffix}"


def model_annotation(name: str) -> str:
    """The marker's annotation: its value is the wanted revision, or anything where users write it."""
    return f"{MODEL_ANNOTATION_PREFIX}{name}"


def engine_annotation(name: str) -> str:
    """The pod annotation that carries the instruction."""
    return f"{ENGINE_ANNOTATION_PREFIX}{name}"


def marker_manager(name: str) -> str:
    """The field manager of one ModelDeployment's marker, so that each can leave alone."""
    return f"{FIELD_MANAGER}/{name}"


def is_revision(text: str) -> bool:
    """Whether a marker's value is one that the operator wrote (users' own values are free)."""
    return _REVISION.fullmatch(text) is not None


def variable(name: str, suffix: str) -> str:
    """A variable for one model: `variable("chat-v2", "BASE_URL")` is `PILLION_CHAT_V2_BASE_URL`."""
    return f"PILLION_{name.upper().replace('-', '_')}_{suffix}"


def base_url_variable(name: str) -> str:
    """The variable that holds the engine's address as an application uses it (`http://127.0.0.1:18000/v1`)."""
    return variable(name, "BASE_URL")


def model_variable(name: str) -> str:
    """The variable that holds the served name to ask for."""
    return variable(name, "MODEL")


def supervisor_port(engine_port: int) -> int:
    """The second port of a pair."""
    return engine_port + 1


def base_url(engine_port: int) -> str:
    """What an application in the same pod talks to."""
    return f"http://127.0.0.1:{engine_port}/v1"
