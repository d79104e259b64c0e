"""What does an engine take of an accelerator beside weights and KV cache?

This is where estimates err: 0.3 to 8 GiB of sampler, activations, graphs and communication.
"""

import math

from pillion.facts import ModelFacts
from pillion.sizing import constants

_LOGIT_BYTES = 4
_ACTIVATION_BYTES = 2
_LARGE_DEVICE = 70 * constants.GIB
_LARGEST_DEVICE = 160 * constants.GIB


def default_batched_tokens(*, device_bytes: int, product: str) -> int:
    """Tokens that vLLM's server computes at once where nobody says otherwise.

    Source: vLLM 0.33.0, engine/arg_utils.py, get_batch_defaults.
    """
    if device_bytes >= _LARGEST_DEVICE:
        return 16_384
    return 8_192 if device_bytes >= _LARGE_DEVICE and "a100" not in product.lower() else 2_048


def sampler_peak_bytes(*, max_num_seqs: int, vocab_size: int) -> int:
    """Memory of the sampler's dry run on `max_num_seqs` rows of logits, on each accelerator."""
    return math.ceil(constants.SAMPLER_PEAK.value * max_num_seqs * vocab_size * _LOGIT_BYTES)


def forward_peak_bytes(model: ModelFacts, *, batched_tokens: int, tensor_parallel: int) -> int:
    """Activations of one pass over `batched_tokens` tokens, on each accelerator."""
    width = (
        constants.FORWARD_PEAK_INTERMEDIATE.value * model.intermediate_size / tensor_parallel
        + constants.FORWARD_PEAK_HIDDEN.value * model.hidden_size
    )
    return math.ceil(batched_tokens * _ACTIVATION_BYTES * width)


def activation_peak_bytes(
    model: ModelFacts,
    *,
    max_num_seqs: int,
    batched_tokens: int,
    tensor_parallel: int,
    samples: bool,
    text_only: bool,
) -> int:
    """The larger of the peaks: sampler, forward pass, and the encoder of other inputs.

    Args:
        model: the checkpoint.
        max_num_seqs: sequences that are generated at once.
        batched_tokens: tokens that are computed at once.
        tensor_parallel: ranks.
        samples: whether text is generated; embedding and ranking never make logits of the vocabulary.
        text_only: whether inputs beside text are turned off.
    """
    peaks = [forward_peak_bytes(model, batched_tokens=batched_tokens, tensor_parallel=tensor_parallel)]
    if samples:
        peaks.append(sampler_peak_bytes(max_num_seqs=max_num_seqs, vocab_size=model.vocab_size))
    if model.multimodal and not text_only:
        peaks.append(constants.gib(constants.MULTIMODAL_PEAK))
    return max(peaks)


def graphs_bytes(model: ModelFacts, *, max_num_seqs: int) -> int:
    """What the engine sets aside for CUDA graphs: more for larger batches and for mixtures of experts."""
    largest = constants.LARGEST_CAPTURE.value
    share = min(2 * max_num_seqs, largest) / largest
    at_full = constants.GRAPHS_EXPERTS if model.experts else constants.GRAPHS_DENSE
    return math.ceil((constants.GRAPHS_BASE.value + share * at_full.value) * constants.GIB)


def other_bytes(*, tensor_parallel: int) -> int:
    """Memory outside the framework (communication above all), and the reserve for what weights take beyond."""
    if tensor_parallel == 1:
        fact = constants.NON_TORCH_ONE_GPU
    elif tensor_parallel <= 4:
        fact = constants.NON_TORCH_FEW_GPUS
    else:
        fact = constants.NON_TORCH_MANY_GPUS
    return constants.gib(fact) + constants.gib(constants.WEIGHTS_RESERVE)
