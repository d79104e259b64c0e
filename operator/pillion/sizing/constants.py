"""Which measured, fitted and assumed numbers does the memory model rest on?

The rest of the model is arithmetic on a model's own shapes. Logs are start-up logs of vLLM that users published;
vllm-NNN names one of them.
"""

from typing import Final

from pillion.facts import Basis, Fact

KIB: Final = 2**10
MIB: Final = 2**20
GIB: Final = 2**30

SAMPLER_PEAK: Final = Fact(
    value=9.65,
    unit="x max_num_seqs x vocabulary x 4 bytes",
    basis=Basis.FITTED,
    source="start-up logs vllm-025 to 031, 112, 120, 171, 175; within 1 % of ten of them, 4 % of the other",
    holds_for="vLLM's V1 engine, any tensor-parallel degree (logits are gathered)",
)
FORWARD_PEAK_INTERMEDIATE: Final = Fact(
    value=3.0,
    unit="x batched tokens x intermediate size / tensor parallel x 2 bytes",
    basis=Basis.FITTED,
    source="one log (llava 7B, 16384 tokens): 1.81 GiB predicted, 1.97 logged",
)
FORWARD_PEAK_HIDDEN: Final = Fact(
    value=4.0,
    unit="x batched tokens x hidden size x 2 bytes",
    basis=Basis.FITTED,
    source="the same log as for the intermediate part",
)
MULTIMODAL_PEAK: Final = Fact(
    value=2.5,
    unit="GiB",
    basis=Basis.ASSUMED,
    source="the profiling run of a vision tower: 1.97 (llava 7B), 2.51 (vllm-075), 2.12 (vllm-032) GiB in logs",
    holds_for="models with inputs beside text, unless only text is served",
)
NON_TORCH_ONE_GPU: Final = Fact(
    value=0.16,
    unit="GiB",
    basis=Basis.MEASURED,
    source="0.02 to 0.16 GiB in the logs with one GPU",
)
NON_TORCH_FEW_GPUS: Final = Fact(
    value=1.4,
    unit="GiB on each GPU",
    basis=Basis.MEASURED,
    source="0.54 (two H100), 1.38 (two H200), 0.95 GiB (four GB200)",
    holds_for="tensor parallel 2 to 4",
)
NON_TORCH_MANY_GPUS: Final = Fact(
    value=2.6,
    unit="GiB on each GPU",
    basis=Basis.MEASURED,
    source="2.53 GiB in vllm-012 (tensor parallel 8)",
    holds_for="tensor parallel above 4",
)
GRAPHS_BASE: Final = Fact(
    value=0.2,
    unit="GiB",
    basis=Basis.FITTED,
    source="0.14 to 0.42 GiB charged where few graphs are captured (0.26 with 256 sequences on an A100)",
)
GRAPHS_DENSE: Final = Fact(
    value=1.0,
    unit="GiB at 512 captured tokens, in proportion below",
    basis=Basis.FITTED,
    source="0.2 to 1.1 GiB in logs of dense models, 1.76 between vllm-117 and its eager twin vllm-114; what is charged "
    "is 1.2 to 2 times what is used",
)
GRAPHS_EXPERTS: Final = Fact(
    value=4.8,
    unit="GiB at 512 captured tokens, in proportion below",
    basis=Basis.FITTED,
    source="4.99 GiB charged for 4.13 used, the largest in the logs",
    holds_for="mixtures of experts",
)
LARGEST_CAPTURE: Final = Fact(
    value=512,
    unit="tokens",
    basis=Basis.PUBLISHED,
    source="vLLM 0.33.0, config/vllm.py: min(2 x max_num_seqs, 512), 1024 on compute capability 10",
)
WEIGHTS_RESERVE: Final = Fact(
    value=0.1,
    unit="GiB on each GPU",
    basis=Basis.MEASURED,
    source="logs of 0.27 and 0.28 show 0.075 to 0.1 GiB more than the tensors; two ranks 0.07 to 0.16 more",
)
ONLINE_FP8_GROWTH: Final = Fact(
    value=1.04,
    unit="x 1 byte a linear parameter",
    basis=Basis.FITTED,
    source="Qwen3-8B quantized while loading takes 9.06 GiB, its FP8 checkpoint 8.80; a 3B model 0.055 more",
)
# What a plan counts on for the engine's limit on one request. The engine refuses to start where one request
# of that length does not fit, so an estimate that is a little high must not matter.
KV_CACHE_SURE_SHARE: Final = Fact(
    value=0.9,
    unit="x estimated KV cache",
    basis=Basis.ASSUMED,
    source="margin for the overheads' error: estimates of start-up logs are 0 to 19 % below what the engine had",
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
