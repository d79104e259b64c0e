"""What does vLLM take where nobody says otherwise: its share of memory, tokens and sequences at once?

They differ by version and by device, and decide gigabytes.
"""

from typing import Final

from pillion.facts import AttentionKind, ModelFacts
from pillion.sizing import versions
from pillion.sizing.constants import GIB
from pillion.sizing.versions import Version

_LARGE_DEVICE: Final = 70 * GIB
_LARGEST_DEVICE: Final = 160 * GIB
_GB10: Final = (12, 1)
_CPU_BATCHED_TOKENS: Final = 2_048
_CPU_SEQUENCES: Final = 128
_UNKNOWN_LENGTH: Final = 2_048  # vLLM 0.33.0, config/model.py: where a configuration names no limit

# Architectures that the second model runner took over, in order. Source: DEFAULT_V2_MODEL_RUNNER_ARCHITECTURES in
# config/vllm.py of vLLM 0.22.0 to 0.28.0.
_RUNNER_2_FIRST: Final = frozenset({"Qwen3ForCausalLM"})
_RUNNER_2_NEXT: Final = _RUNNER_2_FIRST | {
    "DeepseekV2ForCausalLM",
    "GraniteMoeForCausalLM",
    "LlamaForCausalLM",
    "MistralForCausalLM",
    "Qwen2MoeForCausalLM",
}


def utilization(version: Version) -> float:
    """The engine's share of an accelerator's memory. Source: config/cache.py of 0.19.0 and 0.20.0."""
    return 0.92 if version >= versions.LARGER_SHARE else 0.9


def _is_large(
    version: Version, *, device_bytes: int, product: str, capability: tuple[int, int] | None
) -> bool:
    small = version >= versions.LARGE_DEVICES_BY_NAME and "a100" in product.lower()
    small |= version >= versions.PINNED and capability == _GB10
    return device_bytes >= _LARGE_DEVICE and not small


def batched_tokens(
    version: Version = versions.PINNED,
    *,
    device_bytes: int,
    product: str,
    capability: tuple[int, int] | None = None,
) -> int:
    """Tokens that vLLM's server computes at once.

    Source: engine/arg_utils.py, get_batch_defaults, of vLLM 0.8.5 to 0.33.0.
    """
    if version >= versions.LARGEST_DEVICES and device_bytes >= _LARGEST_DEVICE:
        return 16_384
    large = _is_large(version, device_bytes=device_bytes, product=product, capability=capability)
    return 8_192 if large and version >= versions.V1_ENGINE else 2_048


def sequences(
    version: Version = versions.PINNED,
    *,
    device_bytes: int,
    product: str,
    capability: tuple[int, int] | None = None,
) -> int:
    """Sequences that vLLM's server generates at once. Source: as for the tokens."""
    if version >= versions.LARGEST_DEVICES and device_bytes >= _LARGEST_DEVICE:
        return 1_024
    large = _is_large(version, device_bytes=device_bytes, product=product, capability=capability)
    return 1_024 if large and version >= versions.V1_ENGINE else 256


def cpu_batched_tokens(ranks: int) -> int:
    """The same on CPU, where a rank is a NUMA node."""
    return _CPU_BATCHED_TOKENS * ranks


def cpu_sequences(ranks: int) -> int:
    """The same on CPU."""
    return _CPU_SEQUENCES * ranks


def clamped(
    *,
    tokens: int | None,
    seqs: int | None,
    usual_tokens: int,
    usual_seqs: int,
    length: int,
    in_one_piece: bool,
) -> tuple[int, int]:
    """Tokens and sequences at once as the engine takes them, from what is asked (or not) and what is usual.

    Args:
        tokens: asked for; None leaves them to the engine.
        seqs: asked for.
        usual_tokens: the default for the device.
        usual_seqs: the default for the device.
        length: the limit of one request.
        in_one_piece: requests are not divided over passes, so that one holds a whole request (encoders).

    Source: vLLM 0.33.0, engine/arg_utils.py, _set_default_max_num_seqs_and_batched_tokens_args.
    """
    taken = seqs or usual_seqs
    if tokens is None:
        tokens = max(usual_tokens, length) if in_one_piece else usual_tokens
        tokens = min(tokens, taken * length)
    return tokens, taken if seqs is not None else min(taken, tokens)


def context_tokens(model: ModelFacts) -> int:
    """The limit of one request where nobody sets one."""
    return model.max_context_tokens or _UNKNOWN_LENGTH


def second_runner(version: Version, model: ModelFacts) -> bool:
    """Whether the engine runs a model by its second model runner, which samples in another way.

    Source: config/vllm.py, use_v2_model_runner, of vLLM 0.22.0 to 0.33.0.
    """
    if version >= versions.RUNNER_2_FOR_ALL:
        return True
    if version < versions.RUNNER_2_FOR_QWEN3 or model.attention.kind is AttentionKind.ENCODER:
        return False
    if version >= versions.RUNNER_2_FOR_DENSE:
        return not model.experts and not model.attention.recurrent_layers
    if version >= versions.RUNNER_2_FOR_SOME:
        return model.architecture in _RUNNER_2_NEXT
    return model.architecture in _RUNNER_2_FIRST and model.quantization is None
