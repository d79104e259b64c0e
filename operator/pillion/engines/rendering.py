"""What does an engine's part of a pod look like?

Every decision is made in Python; the template is flat, a value that is missing in it is an error, and what
comes out is parsed and checked before anyone else sees it.
"""

import functools
import importlib.resources
import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

import jinja2
import jinja2.meta
import yaml

from pillion.api import names
from pillion.engines import profiles
from pillion.engines.model import EngineSettings, HubModel, Raw, Rendering
from pillion.engines.tgi import flags as tgi_flags
from pillion.engines.vllm import flags as vllm_flags

INSTRUCTION_VERSION = 1
# A container that is started again by the kubelet serves no sooner: the supervisor retries by itself, and
# says in its status why it waits. So the probe holds the application back without ever giving up: at one a
# second, 11 days.
STARTUP_FAILURES = 1_000_000
SERVICE_ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount"
SHARED_MEMORY_FOLDER = "/dev/shm"  # noqa: S108 - the engine's own mount
TEMPORARY_FOLDER = "/tmp"  # noqa: S108 - the engine's own mount
# The ConfigMap with the supervisor is optional, so that a pod which outlives it can still start its
# application; the container then waits for it, running and so not in the way of the pod's readiness.
WAIT_AND_START = """\
trap 'exit 0' TERM
until [ -r "$0" ]; do echo "pillion: waiting for $0"; sleep 2; done
exec python3 "$0" "$@"
"""
_PLACE = "the place of "  # no text of a template begins so
TEMPORARY_BYTES = 2 * 2**30  # sockets and what compilers leave; ASSUMED, an engine's /tmp was 0.1 GiB on CPU


class Flags(Protocol):
    """How an engine is told what to run: its folder's module of that name."""

    def argv(self, settings: EngineSettings) -> list[str]:
        """The command line, with a placeholder for the weights."""

    def container_environment(self, settings: EngineSettings, *, version: str) -> list[tuple[str, str]]:
        """Variables of the container's whole life."""

    def cannot(self, settings: EngineSettings) -> str | None:
        """What it cannot be told; None: nothing is left out."""


FLAGS: Final[Mapping[str, Flags]] = {"vLLM": vllm_flags, "TGI": tgi_flags}


class RenderError(Exception):
    """A template made something that is no container. A mistake of ours: nobody is expected to catch it."""


def render(settings: EngineSettings, *, engine: str = "vLLM") -> Rendering:
    """The container, volumes, startup probe and instruction of one engine.

    Raises:
        RenderError: the template's output is not what a pod takes, or the engine cannot be told what is asked.
    """
    known = profiles.profile(engine)
    flags = FLAGS[engine]
    impossible = flags.cannot(settings)
    if impossible is not None:
        raise RenderError(f"{engine} was asked for {impossible}, which it cannot be told")
    document = _fill(profiles.FOLDERS[engine], _values(settings, known, flags))
    rendering = Rendering(
        container=document["container"],
        volumes=tuple(document["volumes"]),
        startup_probe=document["startupProbe"],
        instruction=_instruction(settings, flags),
    )
    _check(rendering)
    return rendering


def _values(settings: EngineSettings, known: profiles.Profile, flags: Flags) -> dict[str, Any]:
    mounts, volumes = _volumes(settings)
    return {
        "container_name": names.container_name(settings.name),
        "image": settings.image,
        "command": ["/bin/sh", "-c", WAIT_AND_START, names.SUPERVISOR_PATH],
        "args": _supervisor_arguments(settings),
        "cache_folder": names.CACHE_FOLDER,
        "env": _environment(settings, known, flags),
        "supervisor_port": names.supervisor_port(settings.port),
        "requests": _requests(settings),
        "limits": _limits(settings),
        "mounts": mounts,
        "volumes": volumes,
        "uid": known.uid,
        "gid": known.gid,
        "startup_failures": STARTUP_FAILURES,
    }


def _supervisor_arguments(settings: EngineSettings) -> list[str]:
    limit = settings.cache.size_limit_bytes
    return [
        f"--port={names.supervisor_port(settings.port)}",
        f"--instruction={names.INSTRUCTION_PATH}",
        f"--cache={names.CACHE_FOLDER}",
        f"--shm={SHARED_MEMORY_FOLDER}",
        *([] if limit is None else [f"--cache-limit-bytes={limit}"]),
    ]


def _environment(settings: EngineSettings, known: profiles.Profile, flags: Flags) -> list[Raw]:
    env: list[Raw] = [
        {"name": name, "value": value}
        for name, value in flags.container_environment(settings, version=known.version)
    ]
    if settings.hub_endpoint is not None:
        env.append({"name": "HF_ENDPOINT", "value": settings.hub_endpoint})
    if (secret := settings.token_secret) is not None:
        # Optional: a Secret that is deleted later must not keep a pod from starting.
        reference = {"name": secret.name, "key": secret.key, "optional": True}
        env.append({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": reference}})
    given = [dict(entry) for entry in settings.env if "valueFrom" in entry]
    ours = {entry["name"] for entry in given}
    return [entry for entry in env if entry["name"] not in ours] + given


def _requests(settings: EngineSettings) -> dict[str, str]:
    resources = settings.resources
    return {
        "cpu": f"{resources.cpu_request_millis}m",
        "memory": str(resources.memory_request_bytes),
        "ephemeral-storage": str(resources.ephemeral_request_bytes),
        **_accelerators(settings),
    }


def _limits(settings: EngineSettings) -> dict[str, str]:
    resources = settings.resources
    ephemeral = resources.ephemeral_limit_bytes
    return {
        "cpu": f"{resources.cpu_limit_millis}m",
        "memory": str(resources.memory_limit_bytes),
        **({} if ephemeral is None else {"ephemeral-storage": str(ephemeral)}),
        **_accelerators(settings),
    }


def _accelerators(settings: EngineSettings) -> dict[str, str]:
    resource = settings.resources.accelerator_resource
    return {} if resource is None else {resource: str(settings.resources.accelerator_count)}


def _volumes(settings: EngineSettings) -> tuple[list[Raw], list[Raw]]:
    """The mounts of the container and the volumes of the pod, in the same order."""
    annotation = f"metadata.annotations['{names.engine_annotation(settings.name)}']"
    item = {"path": names.INSTRUCTION_FILE, "fieldRef": {"fieldPath": annotation}}
    table: list[tuple[str, Raw, Raw]] = [
        (names.CACHE_VOLUME, _cache_mount(settings), _cache_source(settings)),
        (
            names.SHARED_MEMORY_VOLUME,
            {"mountPath": SHARED_MEMORY_FOLDER},
            {"emptyDir": {"medium": "Memory", "sizeLimit": str(settings.resources.shm_bytes)}},
        ),
        # A whole directory, never a subPath: only then a change of the annotation arrives in the container.
        (
            names.INSTRUCTION_VOLUME,
            {"mountPath": names.INSTRUCTION_FOLDER, "readOnly": True},
            {"downwardAPI": {"items": [item]}},
        ),
        (
            names.TEMPORARY_VOLUME,
            {"mountPath": TEMPORARY_FOLDER},
            {"emptyDir": {"sizeLimit": str(TEMPORARY_BYTES)}},
        ),
        # Without a mount of its own here, the API server would add the service account's token.
        (
            names.TOKEN_VOLUME,
            {"mountPath": SERVICE_ACCOUNT_FOLDER, "readOnly": True},
            {"emptyDir": {"sizeLimit": "4096"}},
        ),
        (
            names.SUPERVISOR_VOLUME,
            {"mountPath": names.SUPERVISOR_FOLDER, "readOnly": True},
            {"configMap": {"name": settings.supervisor_config_map, "optional": True}},
        ),
    ]
    mounts = [{"name": names.volume_name(settings.name, suffix), **mount} for suffix, mount, _ in table]
    volumes = [{"name": names.volume_name(settings.name, suffix), **source} for suffix, _, source in table]
    return mounts, volumes


def _cache_mount(settings: EngineSettings) -> Raw:
    sub_path = settings.cache.claim_sub_path
    return {"mountPath": names.CACHE_FOLDER, **({} if sub_path is None else {"subPath": sub_path})}


def _cache_source(settings: EngineSettings) -> Raw:
    cache = settings.cache
    if cache.claim_name is not None:
        return {"persistentVolumeClaim": {"claimName": cache.claim_name}}
    return {"emptyDir": {"sizeLimit": str(cache.size_limit_bytes)}}


def _instruction(settings: EngineSettings, flags: Flags) -> Raw:
    model = settings.model
    source: Raw = (
        {"repo": model.repo, "commit": model.commit, "files": list(model.files)}
        if isinstance(model, HubModel)
        else {"path": model.path}
    )
    return {
        "version": INSTRUCTION_VERSION,
        "model": source,
        "argv": flags.argv(settings),
        "env": {entry["name"]: entry.get("value", "") for entry in settings.env if "valueFrom" not in entry},
        "port": settings.port,
        "task": settings.task.value,
        "servedName": settings.served_names[0],
        "startupTimeoutSeconds": settings.startup_timeout_seconds,
        "drainSeconds": settings.drain_seconds,
    }


def _fill(folder: str, values: dict[str, Any]) -> Raw:
    """The template with its values, which are plain JSON; a value that is missing is an error."""
    plain = json.loads(json.dumps(values))

    def filled(part: Any) -> Any:  # noqa: ANN401 (a part of a YAML document)
        if isinstance(part, dict):
            return {key: filled(value) for key, value in part.items()}
        if isinstance(part, list):
            return [filled(value) for value in part]
        if isinstance(part, str) and part.startswith(_PLACE):
            return plain[part.removeprefix(_PLACE)]
        return part

    try:
        document: Raw = filled(_shape(folder))
    except KeyError as error:
        raise RenderError(f"the template of {folder} asks for {error}, which nobody computes") from error
    return document


@functools.cache
def _shape(folder: str) -> Raw:
    """The template as a document, with the places of its values marked.

    Every value is written as JSON into the place of one YAML value, so that the document has the same shape whatever
    they are. It is read once: reading YAML took most of the time that a plan takes.
    """
    source = (importlib.resources.files("pillion.engines") / folder / "container.yaml.j2").read_text("utf-8")
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - it writes YAML; every value passes through tojson
        trim_blocks=True,
    )
    wanted = jinja2.meta.find_undeclared_variables(environment.parse(source))
    text = environment.from_string(source).render({name: f"{_PLACE}{name}" for name in wanted})
    document = yaml.load(text, Loader=profiles.LOADER)  # noqa: S506 - both are safe ones
    if not isinstance(document, dict):
        raise RenderError(f"the template of {folder} makes a {type(document).__name__}, not a mapping")
    return document


def _check(rendering: Rendering) -> None:
    """The cheap half of what the API server would say; the other half is its dry run."""
    container = rendering.container
    mounted = [mount["name"] for mount in container["volumeMounts"]]
    volumes = [volume["name"] for volume in rendering.volumes]
    if sorted(mounted) != sorted(volumes):
        raise RenderError(f"{container['name']} mounts {sorted(mounted)}; the volumes are {sorted(volumes)}")
    variables = [entry["name"] for entry in container["env"]]
    if twice := {name for name in variables if variables.count(name) > 1}:
        raise RenderError(f"{container['name']} has these variables twice: {sorted(twice)}")
    for resource, requested in container["resources"]["requests"].items():
        if not isinstance(requested, str):
            raise RenderError(f"the request for {resource} is {requested!r}; a quantity is a string")
