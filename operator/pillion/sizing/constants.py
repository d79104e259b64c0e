"""Which measured, fitted and assumed numbers does the memory model rest on?

The rest of the model is arithmetic on a model's own shapes. Logs are start-up logs of vLLM that users published;
vllm-NNN names one of them.
"""

from typing import Final

from pillion.facts import Basis, Fact

KIB: Final = 2**10
MIB: Final = 2**20
GIB: Final = 2**30

SAMPLER_SORTING: Final = Fact(
    value=38.35,
    unit="bytes x max_num_seqs x vocabulary",
    basis=Basis.FITTED,
    source="vLLM 0.7 to 0.16 sort all logits: 16 and 32 bit, values and indices twice with the sort's own buffers make "
    "38 bytes; 38.35 agrees with vllm-028, 030, 171, 175, 176 within 0.3 %",
    holds_for="vLLM before 0.17",
)
SAMPLER_ALL_STEPS: Final = Fact(
    value=14.0,
    unit="bytes x max_num_seqs x vocabulary",
    basis=Basis.PUBLISHED,
    source="logits in 16 and 32 bit, probabilities and noise (or masked logits) in 32 bit: vLLM 0.17.1 and 0.33.0, "
    "v1/sample/ops/topk_topp_sampler.py",
    holds_for="vLLM's first model runner from 0.17 on, its second from 0.33 on",
)
SAMPLER_SECOND_RUNNER: Final = Fact(
    value=2.0,
    unit="bytes x max_num_seqs x vocabulary",
    basis=Basis.PUBLISHED,
    source="the dry run samples from 16-bit logits and skips all parameters: vLLM 0.22.0 to 0.32.0, "
    "v1/worker/gpu/model_runner.py",
    holds_for="vLLM's second model runner before 0.33",
)
FORWARD_PEAK_INTERMEDIATE: Final = Fact(
    value=3.0,
    unit="x batched tokens x intermediate size / tensor parallel x 2 bytes",
    basis=Basis.PUBLISHED,
    source="gate, up and their product: vLLM 0.33.0, model_executor/layers/activation.py",
)
FORWARD_PEAK_HIDDEN: Final = Fact(
    value=4.0,
    unit="x batched tokens x hidden size x 2 bytes",
    basis=Basis.FITTED,
    source="residual, input and output of a layer, embedded inputs; vllm-114 and 115 leave 0.25 to 0.4 GiB for both",
)
MULTIMODAL_PEAK: Final = Fact(
    value=1.0,
    unit="GiB",
    basis=Basis.FITTED,
    source="the dry run of a vision tower: 1.5 GiB in vllm-058; 0.37 more with 8192 tokens of context than with 1024 "
    "in vllm-108 and 103, which makes 0.85 with the largest image",
    holds_for="models with inputs beside text from vLLM 0.12 on, unless only text is served",
)
MULTIMODAL_PEAK_BEFORE: Final = Fact(
    value=2.2,
    unit="GiB",
    basis=Basis.FITTED,
    source="1.97 (llava 7B), 2.51 (vllm-075, 0.8.3), 2.12 (vllm-032, 0.11.0) GiB",
    holds_for="the same before vLLM 0.12",
)
LARGEST_IMAGE_TOKENS: Final = Fact(
    value=16_384,
    unit="tokens of context from which on the largest image is tried",
    basis=Basis.ASSUMED,
    source="Qwen2-VL's largest image; with 1024 tokens of context vllm-103 to 111 ran on a 4 GiB card",
)
NON_TORCH_ONE_GPU: Final = Fact(
    value=0.09,
    unit="GiB",
    basis=Basis.MEASURED,
    source="0.02 to 0.14 GiB in vllm-028, 030, 032, 166, 167, 170, 171, 175, 176, 182",
)
NON_TORCH_TWO_GPUS: Final = Fact(
    value=0.55,
    unit="GiB on each GPU",
    basis=Basis.FITTED,
    source="the lower of two logs, rounded up: 0.54 GiB with two H100; 1.38 with two H200 is left to the margin",
    holds_for="tensor parallel 2",
)
NON_TORCH_FEW_GPUS: Final = Fact(
    value=0.9,
    unit="GiB on each GPU",
    basis=Basis.FITTED,
    source="near the upper of two logs: 0.43 (four A100, vllm-075) and 0.95 GiB (four GB200)",
    holds_for="tensor parallel 3 and 4",
)
NON_TORCH_MANY_GPUS: Final = Fact(
    value=1.8,
    unit="GiB on each GPU",
    basis=Basis.ASSUMED,
    source="twice what is taken for four. The one log, vllm-012, has 2.53 GiB, but with tensor parallel 8 in two "
    "stages; the margin covers most of the difference",
    holds_for="tensor parallel above 4",
)
NON_TORCH_UNIFIED: Final = Fact(
    value=4.0,
    unit="GiB",
    basis=Basis.ASSUMED,
    source="near the middle of 0.1 (vllm-048), 2 to 3 (vllm-132), 5.7 (vllm-049) and 8 GiB or more (vllm-006, 065): "
    "other programs' memory counts, which differs from machine to machine",
    holds_for="memory that processor and accelerator share (GB10, Jetson)",
)
GRAPHS_BASE: Final = Fact(
    value=0.1,
    unit="GiB",
    basis=Basis.FITTED,
    source="0.07 to 0.15 GiB where one or two sequences leave few graphs to capture",
)
GRAPH_NODES: Final = Fact(
    value=0.65,
    unit="MiB a layer and captured size",
    basis=Basis.FITTED,
    source="0.42 in vllm-175, 0.37 in vllm-174, 0.68 in vllm-171 and 112, 0.64 in vllm-166, 0.82 in vllm-182",
    holds_for="vLLM's second model runner, which captures all graphs but the full ones before it counts",
)
GRAPH_SAMPLES: Final = Fact(
    value=4.0,
    unit="MiB a captured size",
    basis=Basis.FITTED,
    source="two graphs stand for all, at 1 MiB at least (v1/worker/gpu_model_runner.py, profile_cudagraph_memory of "
    "0.20 to 0.33): 0.09, 0.14 and 0.42 GiB in logs of dense and hybrid models",
    holds_for="vLLM's first model runner from 0.20 on",
)
GRAPHS_EXPERTS: Final = Fact(
    value=2.0,
    unit="x the same of a dense model",
    basis=Basis.FITTED,
    source="4.99 GiB charged for 4.13 used, the largest in the logs",
    holds_for="mixtures of experts",
)
FRAGMENTS: Final = Fact(
    value=23.0,
    unit="bytes x max_num_seqs x vocabulary, up to FRAGMENTS_AT_MOST; the margin has as much again",
    basis=Basis.FITTED,
    source="a compiled model had 1.8 GiB less than its eager twin (vllm-117 and 114, 0.27.1): freed blocks of the dry "
    "run that a small tensor holds count as consumed; nothing with one to eight sequences (vllm-103 to 111, 0.28.0). "
    "Half of the one pair is expected",
    holds_for="vLLM 0.27 to 0.30 without --enforce-eager",
)
FRAGMENTS_AT_MOST: Final = Fact(
    value=0.9,
    unit="GiB",
    basis=Basis.FITTED,
    source="half of the 1.8 GiB between vllm-117 and 114, the only such pair of logs",
    holds_for="vLLM 0.27 to 0.30 without --enforce-eager",
)
CPU_ENGINE: Final = Fact(
    value=2.5,
    unit="GiB",
    basis=Basis.ASSUMED,
    source="resident memory of vLLM's API server, core and worker with torch on CPU: 2 to 3 GiB",
)
CPU_HEADROOM: Final = Fact(
    value=1.25,
    unit="x memory needed",
    basis=Basis.ASSUMED,
    source="passing the limit ends the container, so weights are read into page cache under it with room to spare",
)
CPU_COMPILERS: Final = Fact(
    value=1.5,
    unit="GiB",
    basis=Basis.ASSUMED,
    source="compilers that run while the engine starts, a process a core on small nodes; they end before it serves",
    holds_for="the limit of memory alone: nothing is kept free for them",
)


def gib(fact: Fact) -> int:
    """A fact in GiB as whole bytes."""
    return int(fact.value * GIB)
