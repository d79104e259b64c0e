"""What is left for the KV cache, against start-up logs: never more than the engine had."""

import dataclasses

import pytest

from pillion.facts import ModelFacts
from pillion.sizing import budget, constants, overheads, weights
from tests.unit.facts import checkpoints

GIB = 2**30


def demand(
    model: ModelFacts, *, sequences: int, batched_tokens: int, ranks: int = 1, graphs: bool = True
) -> budget.Demand:
    return budget.Demand(
        model=model,
        tensor_parallel=ranks,
        loading=weights.Loading(),
        kv_element_bytes=2,
        max_num_seqs=sequences,
        batched_tokens=batched_tokens,
        samples=True,
        graphs=graphs,
    )


QWEN2_5_7B = checkpoints.model(
    "Qwen/Qwen2.5-7B-Instruct",
    checkpoints.decoder_config(
        layers=28, hidden=3584, intermediate=18944, heads=28, kv_heads=4, vocabulary=152_064, context=32_768
    ),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Log:
    """What an engine printed when it started."""

    model: ModelFacts
    sequences: int
    batched_tokens: int
    total_gib: float
    utilization: float
    graphs: bool  # whether CUDA graphs were charged to the budget: from vLLM 0.21 on, without --enforce-eager
    kv_cache_gib: float


@pytest.mark.parametrize(
    ("log", "at_least"),
    [
        pytest.param(
            Log(
                model=checkpoints.llama_8b(),
                sequences=1024,
                batched_tokens=8192,
                total_gib=79.18,
                utilization=0.9,
                graphs=False,
                kv_cache_gib=51.38,
            ),
            0.99,
            id="Llama 3.1 8B on an H100, vllm-028",
        ),
        pytest.param(
            Log(
                model=checkpoints.qwen3_8b_fp8(),
                sequences=224,
                batched_tokens=2048,
                total_gib=22.16,
                utilization=0.86615,
                graphs=False,
                kv_cache_gib=8.98,
            ),
            0.99,
            id="Qwen3 8B in FP8 on an L4, vllm-171",
        ),
        pytest.param(
            Log(
                model=QWEN2_5_7B,
                sequences=256,
                batched_tokens=2048,
                total_gib=22.06,
                utilization=0.92,
                graphs=True,
                kv_cache_gib=3.7,
            ),
            0.85,
            id="Qwen2.5 7B on an L4 with CUDA graphs, vllm-117",
        ),
        # The same engine with --enforce-eager. vLLM 0.27.1 profiled a lighter sampler than 0.33.0 (which charges
        # its pass in 32 bit) and than the earlier logs, so that it had 1 GiB more than is promised.
        pytest.param(
            Log(
                model=QWEN2_5_7B,
                sequences=256,
                batched_tokens=2048,
                total_gib=22.06,
                utilization=0.92,
                graphs=False,
                kv_cache_gib=5.46,
            ),
            0.8,
            id="Qwen2.5 7B on an L4 without CUDA graphs, vllm-114",
        ),
    ],
)
def test_room_for_the_kv_cache(log: Log, at_least: float) -> None:
    wanted = demand(log.model, sequences=log.sequences, batched_tokens=log.batched_tokens, graphs=log.graphs)
    room = budget.divide(wanted, total_bytes=int(log.total_gib * GIB), utilization=log.utilization).room / GIB
    assert at_least <= room / log.kv_cache_gib <= 1


@pytest.mark.parametrize(
    ("vocabulary", "sequences", "logged_gib"),
    [
        pytest.param(128_256, 1024, 4.76, id="Llama 3.1, vllm-028"),
        pytest.param(151_936, 1024, 5.64, id="Qwen3, vllm-030"),
        pytest.param(151_936, 224, 1.23, id="Qwen3 with 224 sequences, vllm-171"),
        pytest.param(128_256, 256, 1.18, id="Llama 3.2 with 256 sequences, vllm-112 and 176"),
    ],
)
def test_peak_of_the_sampler(vocabulary: int, sequences: int, logged_gib: float) -> None:
    found = overheads.sampler_peak_bytes(max_num_seqs=sequences, vocab_size=vocabulary) / GIB
    assert found == pytest.approx(logged_gib, rel=0.02)


def test_a_share_of_nothing_is_less_than_nothing() -> None:
    found = budget.divide(
        demand(checkpoints.llama_8b(), sequences=8, batched_tokens=2048),
        total_bytes=8 * GIB,
        utilization=0.92,
    )
    assert found.room < 0
    assert found.usable == int(8 * GIB * 0.92)


@pytest.mark.parametrize(
    ("device_gib", "product", "expected"),
    [
        pytest.param(22, "NVIDIA-L4", 2048, id="a small card"),
        pytest.param(79.18, "NVIDIA-H100-80GB-HBM3", 8192, id="a large one"),
        pytest.param(79.15, "NVIDIA-A100-SXM4-80GB", 2048, id="an A100 of any size"),
        pytest.param(178, "NVIDIA-B200", 16_384, id="the largest"),
    ],
)
def test_batches_of_vllms_server_where_nobody_says_otherwise(
    device_gib: float, product: str, expected: int
) -> None:
    assert overheads.default_batched_tokens(device_bytes=int(device_gib * GIB), product=product) == expected


def test_embedding_never_makes_logits_of_the_vocabulary() -> None:
    model = checkpoints.qwen3_8b()
    common = {"max_num_seqs": 256, "batched_tokens": 2048, "tensor_parallel": 1, "text_only": True}
    sampled = overheads.activation_peak_bytes(model, samples=True, **common)  # type: ignore[arg-type]
    embedded = overheads.activation_peak_bytes(model, samples=False, **common)  # type: ignore[arg-type]
    assert embedded == overheads.forward_peak_bytes(model, batched_tokens=2048, tensor_parallel=1)
    assert embedded < sampled


def test_a_container_on_cpu_holds_the_engine_beside_the_model() -> None:
    wanted = demand(checkpoints.tiny(), sequences=16, batched_tokens=2048)
    needed, limit = budget.cpu_container_bytes(wanted, kv_cache_bytes=8 * 2**20, shm_bytes=GIB // 2)
    assert 0 < needed - constants.gib(constants.CPU_ENGINE) < 64 * 2**20
    assert limit > needed + GIB // 2
