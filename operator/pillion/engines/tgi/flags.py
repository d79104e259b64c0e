"""How is Text Generation Inference told what to run?

It knows no served names (it answers to every one), no defaults for generation and no parsers; a plan that needs them is
refused before it comes here. Each flag may be given once, so that the user's own arguments stand in place of ours.

Source of all flags and variables: text-generation-inference v3.3.7, launcher/src/main.rs.
"""

from typing import Final

from pillion.api import names
from pillion.api.choices import Task
from pillion.engines.model import CPU, EngineSettings, Generation

MODEL_PLACEHOLDER: Final = "{model}"  # the supervisor puts the folder with the weights here
PROGRAM: Final = "text-generation-launcher"
# The router writes the tokenizer into the folder that it is started in, and reads it from there also where this model
# has none in that form: so each start gets an empty folder.
_IN_AN_EMPTY_FOLDER: Final = 'rm -rf /tmp/tgi && mkdir /tmp/tgi && cd /tmp/tgi && exec "$0" "$@"'
_WIGGLE_ROOM: Final = 0.9  # what it takes of the memory where --cuda-memory-fraction is 1
_CONCURRENT_REQUESTS: Final = 128  # the default, beyond which requests are refused rather than queued
_MASTER_PORT_OFFSET: Final = 10_000  # two engines in one pod must not meet on the default port
_KV_CACHE_DTYPES: Final = {"fp8": "fp8_e4m3fn", "fp8_e5m2": "fp8_e5m2"}


def argv(settings: EngineSettings) -> list[str]:
    """The engine's command line, with a placeholder for the weights."""
    own = [*_frontend(settings), *_memory(settings), *_model(settings)]
    given = {_name(word) for word in settings.extra_args if word.startswith("--")}
    kept = [word for flag, value in own if flag not in given for word in (flag, *value)]
    return ["/bin/sh", "-c", _IN_AN_EMPTY_FOLDER, PROGRAM, *kept, *settings.extra_args]


_Flag = tuple[str, tuple[str, ...]]


def _frontend(settings: EngineSettings) -> list[_Flag]:
    return [
        ("--model-id", (MODEL_PLACEHOLDER,)),
        ("--hostname", ("127.0.0.1",)),  # no other pod reaches it
        ("--port", (str(settings.port),)),
        ("--prometheus-port", ("0",)),  # any: the metrics are on the port above too
        ("--usage-stats", ("off",)),
    ]


def _memory(settings: EngineSettings) -> list[_Flag]:
    found: list[_Flag] = []
    if settings.context_tokens is not None:
        found += [
            ("--max-input-tokens", (str(settings.context_tokens - 1),)),
            ("--max-total-tokens", (str(settings.context_tokens),)),
        ]
    if settings.max_num_seqs is not None and settings.max_num_seqs > _CONCURRENT_REQUESTS:
        found.append(("--max-concurrent-requests", (str(settings.max_num_seqs),)))
    if settings.gpu_memory_utilization is not None and settings.gpu_memory_utilization < _WIGGLE_ROOM:
        fraction = settings.gpu_memory_utilization / _WIGGLE_ROOM
        found.append(("--cuda-memory-fraction", (f"{fraction:.3f}",)))
    if settings.kv_cache_dtype in _KV_CACHE_DTYPES:
        found.append(("--kv-cache-dtype", (_KV_CACHE_DTYPES[settings.kv_cache_dtype],)))
    if settings.tensor_parallel > 1:
        found += [
            ("--num-shard", (str(settings.tensor_parallel),)),
            ("--master-port", (str(settings.port + _MASTER_PORT_OFFSET),)),
        ]
    return found


def _model(settings: EngineSettings) -> list[_Flag]:
    found: list[_Flag] = []
    if settings.dtype is not None:
        found.append(("--dtype", (settings.dtype,)))
    if settings.on_the_fly is not None:
        found.append(("--quantize", (settings.on_the_fly,)))
    if settings.trust_remote_code:
        found.append(("--trust-remote-code", ()))
    return found


def cannot(settings: EngineSettings) -> str | None:
    """What the settings ask for that the engine cannot be told; None: it can be told all of it."""
    asked = {
        "a CPU": settings.device == CPU,
        "another task than generating text": settings.task is not Task.TEXT_GENERATION,
        "defaults for generation": settings.generation != Generation(),
        "a parser of tool calls": settings.tool_parser is not None,
        "a parser of reasoning": settings.reasoning_parser is not None,
        "a KV cache in bytes": settings.kv_cache_bytes is not None,
        "text alone of a multimodal model": settings.text_only,
        "a KV cache in another type than FP8": settings.kv_cache_dtype is not None
        and settings.kv_cache_dtype not in _KV_CACHE_DTYPES,
    }
    return next((what for what, is_asked in asked.items() if is_asked), None)


def container_environment(
    settings: EngineSettings,  # noqa: ARG001 - the other engine's depend on them
    *,
    version: str,
) -> list[tuple[str, str]]:
    """Variables of the container's whole life: where things are written, and what is not sent home."""
    cache = names.CACHE_FOLDER
    compiled = f"{cache}/compiled/tgi-{version}"
    return [
        ("HOME", f"{cache}/home"),
        ("USER", "pillion"),  # getpass would look the uid up in a file that may not have it
        ("LOGNAME", "pillion"),
        ("HF_HOME", f"{cache}/hf"),
        ("HUGGINGFACE_HUB_CACHE", f"{cache}/hf/hub"),
        ("HF_HUB_DISABLE_TELEMETRY", "1"),
        ("HF_HUB_ENABLE_HF_TRANSFER", "0"),  # the image turns it on; it reports no progress
        ("HF_XET_CHUNK_CACHE_SIZE_BYTES", "0"),  # a second copy of the weights would pass the volume's limit
        ("XDG_CACHE_HOME", f"{compiled}/xdg"),
        ("XDG_CONFIG_HOME", f"{cache}/home/.config"),
        ("TRITON_CACHE_DIR", f"{compiled}/triton"),
        ("TORCHINDUCTOR_CACHE_DIR", f"{compiled}/inductor"),
        ("TORCH_EXTENSIONS_DIR", f"{compiled}/torch-extensions"),
        ("FLASHINFER_WORKSPACE_BASE", f"{compiled}/flashinfer"),
        ("CUDA_CACHE_PATH", f"{compiled}/cuda"),
        ("NUMBA_CACHE_DIR", f"{compiled}/numba"),
        ("OUTLINES_CACHE_DIR", f"{compiled}/outlines"),
        ("DO_NOT_TRACK", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ]


def _name(word: str) -> str:
    """A flag's name, without its value and spelled with dashes."""
    return word.partition("=")[0].replace("_", "-")
