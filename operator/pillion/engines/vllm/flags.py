"""How is vLLM told what to run?

Everything that a flag or a variable of vLLM means is in here and in the profile beside it. A flag whose
default is right is left out, so that a running engine's command line shows what was decided.

Source of all flags and variables: vLLM 0.33.0 (wheel), engine/arg_utils.py, entrypoints/common/cli_args.py,
envs.py. All of them are in 0.32.0 too, which is what the CPU lane of the tests runs.
"""

import json
from collections.abc import Sequence

from pillion.api import names
from pillion.api.choices import Task
from pillion.engines.model import CPU, EngineSettings, Generation

MODEL_PLACEHOLDER = "{model}"  # the supervisor puts the folder with the weights here
COMPILED_FOLDER = "compiled"  # what engines compile for a GPU, one folder an engine and version


def argv(settings: EngineSettings) -> list[str]:
    """The engine's command line, with a placeholder for the weights."""
    return [
        "vllm",
        "serve",
        MODEL_PLACEHOLDER,
        *_frontend(settings),
        *_memory(settings),
        *_model(settings),
        *_answers(settings),
        *settings.extra_args,  # last: argparse takes the last of two
    ]


def _frontend(settings: EngineSettings) -> list[str]:
    return [
        "--host",
        "127.0.0.1",  # no other pod reaches it: an API key would leave /metrics, /tokenize and more open
        "--port",
        str(settings.port),
        "--served-model-name",
        *settings.served_names,
        "--disable-access-log-for-endpoints",
        "/health,/metrics",  # the supervisor asks every two seconds
    ]


def _memory(settings: EngineSettings) -> list[str]:
    return [
        *_flag("--max-model-len", settings.context_tokens),
        *_flag("--max-num-seqs", settings.max_num_seqs),
        *_flag("--max-num-batched-tokens", settings.max_num_batched_tokens),
        *_flag("--gpu-memory-utilization", settings.gpu_memory_utilization),
        *_flag("--kv-cache-memory-bytes", settings.kv_cache_bytes),
        *_flag("--kv-cache-dtype", settings.kv_cache_dtype),
        *_flag("--tensor-parallel-size", settings.tensor_parallel if settings.tensor_parallel > 1 else None),
    ]


def _model(settings: EngineSettings) -> list[str]:
    pooling = settings.task is not Task.TEXT_GENERATION
    return [
        *_flag("--runner", "pooling" if pooling else None),
        *_flag("--dtype", settings.dtype),
        *_flag("--quantization", settings.on_the_fly),
        *(["--trust-remote-code"] if settings.trust_remote_code else []),
        *(["--language-model-only"] if settings.text_only else []),
    ]


def _answers(settings: EngineSettings) -> list[str]:
    generation = generation_config(settings.generation)
    return [
        *_flag(
            "--override-generation-config", json.dumps(generation, sort_keys=True) if generation else None
        ),
        *(["--enable-auto-tool-choice"] if settings.tool_parser else []),
        *_flag("--tool-call-parser", settings.tool_parser),
        *_flag("--reasoning-parser", settings.reasoning_parser),
    ]


def generation_config(generation: Generation) -> dict[str, float | int]:
    """What is laid over the model's own generation_config.json.

    `max_new_tokens` given this way is a ceiling for what a request may ask
    (entrypoints/serve/utils/api_utils.py, get_max_tokens); the others are defaults.
    """
    given = {
        "temperature": generation.temperature,
        "top_p": generation.top_p,
        "max_new_tokens": generation.output_limit,
    }
    return {key: value for key, value in given.items() if value is not None}


def cannot(settings: EngineSettings) -> str | None:  # noqa: ARG001 - the other engine has a limit or two
    """What it cannot be told: nothing of what settings may say."""
    return None


def container_environment(settings: EngineSettings, *, version: str) -> list[tuple[str, str]]:
    """Variables of the container's whole life: where things are written, and what is not sent home.

    Compiled kernels depend on the engine's version, weights do not. All of it is on the cache volume: the
    root file system is read-only, and compilers need a disk from which files can be executed.
    """
    cache = names.CACHE_FOLDER
    compiled = f"{cache}/{COMPILED_FOLDER}/vllm-{version}"
    return [
        ("HOME", f"{cache}/home"),
        ("USER", "pillion"),  # getpass would look the uid up in a file that may not have it
        ("LOGNAME", "pillion"),
        ("HF_HOME", f"{cache}/hf"),
        ("HF_HUB_DISABLE_TELEMETRY", "1"),
        ("HF_XET_CHUNK_CACHE_SIZE_BYTES", "0"),  # a second copy of the weights would pass the volume's limit
        ("XDG_CACHE_HOME", f"{compiled}/xdg"),
        ("XDG_CONFIG_HOME", f"{cache}/home/.config"),
        ("XDG_DATA_HOME", f"{cache}/home/.local/share"),
        ("VLLM_CACHE_ROOT", f"{compiled}/vllm"),
        ("VLLM_CONFIG_ROOT", f"{cache}/home/.config/vllm"),
        ("TRITON_CACHE_DIR", f"{compiled}/triton"),
        ("TORCHINDUCTOR_CACHE_DIR", f"{compiled}/inductor"),
        ("TORCH_EXTENSIONS_DIR", f"{compiled}/torch-extensions"),
        ("FLASHINFER_WORKSPACE_BASE", f"{compiled}/flashinfer"),
        ("CUDA_CACHE_PATH", f"{compiled}/cuda"),
        ("DG_JIT_CACHE_DIR", f"{compiled}/deep-gemm"),
        ("TILELANG_CACHE_DIR", f"{compiled}/tilelang"),
        ("NUMBA_CACHE_DIR", f"{compiled}/numba"),
        ("VLLM_NO_USAGE_STATS", "1"),
        ("VLLM_DO_NOT_TRACK", "1"),
        ("DO_NOT_TRACK", "1"),
        ("PYTHONDONTWRITEBYTECODE", "1"),
        *(_cpu_environment(settings) if settings.device == CPU else ()),
    ]


def _cpu_environment(settings: EngineSettings) -> Sequence[tuple[str, str]]:
    # Binding threads to cores needs SYS_NICE, and would count the node's cores rather than the container's.
    threads = max(1, settings.resources.cpu_limit_millis // 1000)
    return (("VLLM_CPU_OMP_THREADS_BIND", "nobind"), ("OMP_NUM_THREADS", str(threads)))


def _flag(name: str, value: str | float | None) -> list[str]:
    return [] if value is None else [name, str(value)]
