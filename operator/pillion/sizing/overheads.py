"""What does an engine take of an accelerator beside weights and KV cache?

This is where estimates err: 0.3 to 8 GiB of sampler, activations, graphs and communication. Each is what one expects;
how far it may be off is the margin's matter.
"""

import math
from dataclasses import dataclass

from pillion.facts import Fact, ModelFacts
from pillion.sizing import constants, defaults, versions
from pillion.sizing.versions import Version

_ACTIVATION_BYTES = 2
_DATA_CENTRE_BLACKWELL = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """How much is computed at once, by which engine, on what."""

    max_num_seqs: int
    batched_tokens: int
    samples: bool  # whether text is generated; embedding and ranking never make logits of the vocabulary
    tensor_parallel: int = 1
    text_only: bool = False  # whether inputs beside text are turned off
    context_tokens: int | None = None  # the limit of one request; None: the model's own
    version: Version = versions.PINNED
    capability: tuple[int, int] | None = None
    unified_memory: bool = False  # shared with the processor and its other programs
    on_cpu: bool = False


def sampler_peak_bytes(
    *, max_num_seqs: int, vocab_size: int, version: Version = versions.PINNED, second_runner: bool = True
) -> int:
    """Memory of the sampler's dry run on `max_num_seqs` rows of logits, on each accelerator.

    Logits are gathered, so that tensor parallelism does not divide them. The bytes of one logit in all copies that are
    there at once follow from the code of each version; the oldest is fitted too.
    """
    if version >= versions.SAMPLER_IN_32_BIT:
        fact = constants.SAMPLER_ALL_STEPS
    elif second_runner:
        fact = constants.SAMPLER_SECOND_RUNNER
    elif version >= versions.SORTLESS_SAMPLER:
        fact = constants.SAMPLER_ALL_STEPS
    else:
        fact = constants.SAMPLER_SORTING
    return math.ceil(fact.value * max_num_seqs * vocab_size)


def forward_peak_bytes(model: ModelFacts, *, batched_tokens: int, tensor_parallel: int) -> int:
    """Activations of one pass over `batched_tokens` tokens, on each accelerator.

    At its widest a layer holds both halves of its inner activations and their product, or all chosen experts' inputs.
    """
    dense = constants.FORWARD_PEAK_INTERMEDIATE.value * model.intermediate_size / tensor_parallel
    experts = 0.0
    if model.experts:
        inner = (model.expert_intermediate_size or model.intermediate_size) / tensor_parallel
        experts = model.experts_per_token * (max(2 * inner, model.hidden_size) + inner)
    width = max(dense, experts) + constants.FORWARD_PEAK_HIDDEN.value * model.hidden_size
    return math.ceil(batched_tokens * _ACTIVATION_BYTES * width)


def encoder_peak_bytes(model: ModelFacts, batch: Batch) -> int:
    """The dry run of the towers for inputs beside text, on the largest input that a request can hold."""
    if not model.multimodal or batch.text_only:
        return 0
    length = batch.context_tokens or model.max_context_tokens or constants.LARGEST_IMAGE_TOKENS.value
    share = min(1.0, length / constants.LARGEST_IMAGE_TOKENS.value)
    lean = batch.version >= versions.LEANER_TOWERS
    peak = constants.MULTIMODAL_PEAK if lean else constants.MULTIMODAL_PEAK_BEFORE
    return math.ceil(constants.gib(peak) * share)


def activation_peak_bytes(model: ModelFacts, batch: Batch) -> int:
    """The larger of the peaks: sampler, forward pass, and the encoder of other inputs."""
    peaks = [
        forward_peak_bytes(model, batched_tokens=batch.batched_tokens, tensor_parallel=batch.tensor_parallel),
        encoder_peak_bytes(model, batch),
    ]
    if batch.samples:
        states = batch.batched_tokens * model.hidden_size * _ACTIVATION_BYTES  # of the pass before
        peaks.append(
            states
            + sampler_peak_bytes(
                max_num_seqs=min(batch.max_num_seqs, batch.batched_tokens),  # rows of one pass
                vocab_size=model.vocab_size,
                version=batch.version,
                second_runner=defaults.second_runner(batch.version, model),
            )
        )
    return max(peaks)


def captured_sizes(
    *, max_num_seqs: int, batched_tokens: int, capability: tuple[int, int] | None = None
) -> int:
    """How many batch sizes CUDA graphs are captured for.

    Source: vLLM 0.33.0, config/vllm.py, _set_cudagraph_sizes: 1, 2, 4, then steps of 8 up to 256 and of 16 beyond.
    """
    blackwell = capability is not None and capability[0] == _DATA_CENTRE_BLACKWELL
    largest = min(2 * max_num_seqs, 1024 if blackwell else 512, batched_tokens)
    sizes = (1, 2, 4, *range(8, 256, 8), *range(256, largest + 1, 16))
    return sum(1 for size in sizes if size <= largest)


def graphs_bytes(
    model: ModelFacts,
    *,
    max_num_seqs: int,
    batched_tokens: int = 2_048,
    version: Version = versions.PINNED,
    capability: tuple[int, int] | None = None,
) -> int:
    """What the engine sets aside for CUDA graphs.

    Nothing before 0.20, where they had to fit beside its share, and nothing by the second runner before 0.29, whose
    estimate was still to be written (v1/worker/gpu/model_runner.py, profile_cudagraph_memory).
    """
    second = defaults.second_runner(version, model)
    if version < (versions.GRAPHS_BY_RUNNER_2 if second else versions.GRAPHS_IN_BUDGET):
        return 0
    sizes = captured_sizes(max_num_seqs=max_num_seqs, batched_tokens=batched_tokens, capability=capability)
    if second:
        return captured_bytes(model, sizes=sizes)
    return _graphs(constants.GRAPH_SAMPLES.value * sizes, model)


def captured_bytes(model: ModelFacts, *, sizes: int) -> int:
    """What CUDA graphs for this many batch sizes take once they are captured, wherever that is charged."""
    return _graphs(constants.GRAPH_NODES.value * max(1, model.layers) * sizes, model)


def _graphs(mebibytes: float, model: ModelFacts) -> int:
    more = constants.GRAPHS_EXPERTS.value if model.experts else 1
    return math.ceil(constants.gib(constants.GRAPHS_BASE) + mebibytes * more * constants.MIB)


def other_bytes(model: ModelFacts, batch: Batch) -> int:
    """Memory outside the framework (communication above all), and the tables of the second runner's sampler."""
    return constants.gib(communication(batch)) + _penalty_bytes(model, batch)


def fragments_bytes(model: ModelFacts, batch: Batch, *, compiled: bool) -> int:
    """What freed blocks of the dry run hold back, where the engine counts them as consumed."""
    counted = versions.CONSUMED_AS_MEASURED <= batch.version < versions.WHOLE_BLOCKS_IN_DRY_RUN
    if not compiled or not counted or not batch.samples:
        return 0
    limit = constants.gib(constants.FRAGMENTS_AT_MOST)
    return math.ceil(min(limit, constants.FRAGMENTS.value * batch.max_num_seqs * model.vocab_size))


def communication(batch: Batch) -> Fact:
    """Memory outside the framework, on each accelerator; on CPU the engine itself."""
    if batch.on_cpu:
        return constants.CPU_ENGINE
    if batch.unified_memory:
        return constants.NON_TORCH_UNIFIED
    if batch.tensor_parallel == 1:
        return constants.NON_TORCH_ONE_GPU
    if batch.tensor_parallel <= 2:
        return constants.NON_TORCH_TWO_GPUS
    return constants.NON_TORCH_FEW_GPUS if batch.tensor_parallel <= 4 else constants.NON_TORCH_MANY_GPUS


def _penalty_bytes(model: ModelFacts, batch: Batch) -> int:
    """Counts of each token of the vocabulary for each sequence, and a bit beside.

    Source: vLLM 0.22.0 to 0.33.0, v1/worker/gpu/sample/penalties.py: made after the weights are weighed.
    """
    if not batch.samples or not defaults.second_runner(batch.version, model):
        return 0
    return math.ceil(batch.max_num_seqs * model.vocab_size * (4 + 1 / 8))
