"""What is left for the KV cache, against start-up logs: never more than the engine had."""

import dataclasses

import pytest

from pillion.facts import ModelFacts
from pillion.sizing import budget, constants, defaults, overheads, versions, weights
from pillion.sizing.versions import Version
from tests.unit.facts import checkpoints

GIB = 2**30


def demand(
    model: ModelFacts,
    *,
    sequences: int,
    batched_tokens: int,
    ranks: int = 1,
    graphs: bool = True,
    version: Version = versions.PINNED,
) -> budget.Demand:
    return budget.Demand(
        model=model,
        tensor_parallel=ranks,
        loading=weights.Loading(version=version),
        kv_element_bytes=2,
        max_num_seqs=sequences,
        batched_tokens=batched_tokens,
        samples=True,
        graphs=graphs,
        version=version,
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
    version: Version
    sequences: int
    batched_tokens: int
    total_gib: float
    utilization: float
    kv_cache_gib: float
    graphs: bool = True


@pytest.mark.parametrize(
    ("log", "within"),
    [
        pytest.param(
            Log(
                model=checkpoints.llama_8b(),
                version=Version(0, 11),
                sequences=1024,
                batched_tokens=8192,
                total_gib=79.18,
                utilization=0.9,
                kv_cache_gib=51.38,
            ),
            0.002,
            id="Llama 3.1 8B on an H100, vllm-028",
        ),
        pytest.param(
            Log(
                model=checkpoints.qwen3_8b_fp8(),
                version=Version(0, 10),
                sequences=224,
                batched_tokens=2048,
                total_gib=22.16,
                utilization=0.86615,
                kv_cache_gib=8.98,
            ),
            0.02,
            id="Qwen3 8B in FP8 on an L4, vllm-171, which has buffers for LoRA too",
        ),
        pytest.param(
            Log(
                model=QWEN2_5_7B,
                version=Version(0, 27),
                sequences=256,
                batched_tokens=2048,
                total_gib=22.06,
                utilization=0.92,
                kv_cache_gib=5.46,
                graphs=False,
            ),
            0.03,
            id="Qwen2.5 7B on an L4 without CUDA graphs, vllm-114",
        ),
    ],
)
def test_room_for_the_kv_cache(log: Log, within: float) -> None:
    division = divided(log)
    assert division.expected_room / GIB == pytest.approx(log.kv_cache_gib, rel=within)
    assert division.room / GIB <= log.kv_cache_gib


def test_a_promise_covers_what_fragments_of_the_dry_run_hold_back() -> None:
    # vllm-117: the same as vllm-114 but compiled; free memory before and after decides in 0.27, fragments included.
    found = divided(
        Log(
            model=QWEN2_5_7B,
            version=Version(0, 27),
            sequences=256,
            batched_tokens=2048,
            total_gib=22.06,
            utilization=0.92,
            kv_cache_gib=3.7,
        )
    )
    assert 0.9 * 3.7 <= found.room / GIB <= 3.7
    assert found.expected_room / GIB == pytest.approx(4.66, abs=0.05)  # half of what was held back


def divided(log: Log) -> budget.Division:
    wanted = demand(
        log.model,
        sequences=log.sequences,
        batched_tokens=log.batched_tokens,
        graphs=log.graphs,
        version=log.version,
    )
    return budget.divide(wanted, total_bytes=int(log.total_gib * GIB), utilization=log.utilization)


@pytest.mark.parametrize(
    ("vocabulary", "hidden", "batched_tokens", "sequences", "logged_gib"),
    [
        pytest.param(128_256, 4096, 8192, 1024, 4.76, id="Llama 3.1 8B, vllm-028"),
        pytest.param(151_936, 5120, 8192, 1024, 5.64, id="Qwen3 32B, vllm-030"),
        pytest.param(151_936, 896, 8192, 1024, 5.57, id="Qwen2.5 0.5B, vllm-175"),
        pytest.param(151_936, 4096, 2048, 224, 1.23, id="Qwen3 8B with 224 sequences, vllm-171"),
        pytest.param(128_256, 3072, 2048, 256, 1.18, id="Llama 3.2 3B with 256 sequences, vllm-176"),
    ],
)
def test_peak_of_a_sampler_that_sorts(
    vocabulary: int, hidden: int, batched_tokens: int, sequences: int, logged_gib: float
) -> None:
    states = batched_tokens * hidden * 2
    found = overheads.sampler_peak_bytes(
        max_num_seqs=sequences, vocab_size=vocabulary, version=Version(0, 11), second_runner=False
    )
    assert (found + states) / GIB == pytest.approx(logged_gib, abs=0.01)


@pytest.mark.parametrize(
    ("version", "architecture", "second", "bytes_a_logit"),
    [
        pytest.param((0, 16), "LlamaForCausalLM", False, 38.35, id="0.16 sorts"),
        pytest.param((0, 17), "LlamaForCausalLM", False, 14, id="0.17 does not"),
        pytest.param((0, 22), "Qwen3ForCausalLM", True, 2, id="0.22 has a second runner for Qwen3"),
        pytest.param((0, 24), "LlamaForCausalLM", True, 2, id="0.24 for Llama too"),
        pytest.param((0, 25), "PhiForCausalLM", True, 2, id="0.25 for all dense models"),
        pytest.param((0, 33), "LlamaForCausalLM", True, 14, id="0.33 tries all of the sampler's steps"),
    ],
)
def test_the_sampler_changed_with_versions(
    version: tuple[int, int], architecture: str, second: bool, bytes_a_logit: float
) -> None:
    model = dataclasses.replace(checkpoints.llama_8b(), architecture=architecture)
    runner = defaults.second_runner(Version(*version), model)
    assert runner is second
    found = overheads.sampler_peak_bytes(
        max_num_seqs=8, vocab_size=1000, version=Version(*version), second_runner=runner
    )
    assert found == bytes_a_logit * 8 * 1000


def test_cuda_graphs_are_in_the_budget_from_0_20_on() -> None:
    model = checkpoints.llama_8b()
    assert overheads.graphs_bytes(model, max_num_seqs=256, version=Version(0, 19)) == 0
    many, few = (
        overheads.graphs_bytes(model, max_num_seqs=sequences, version=Version(0, 20))
        for sequences in (256, 4)
    )
    assert 0 < few < many


@pytest.mark.parametrize(
    ("sequences", "tokens", "capability", "expected"),
    [
        pytest.param(256, 2048, None, 51, id="up to 512 tokens"),
        pytest.param(1024, 8192, (10, 0), 83, id="up to 1024 on a large Blackwell"),
        pytest.param(1, 1024, None, 2, id="one sequence: one token and two"),
        pytest.param(256, 64, None, 11, id="no more than are computed at once"),
    ],
)
def test_batch_sizes_that_graphs_are_captured_for(
    sequences: int, tokens: int, capability: tuple[int, int] | None, expected: int
) -> None:
    found = overheads.captured_sizes(max_num_seqs=sequences, batched_tokens=tokens, capability=capability)
    assert found == expected


def test_a_share_of_nothing_is_less_than_nothing() -> None:
    found = budget.divide(
        demand(checkpoints.llama_8b(), sequences=8, batched_tokens=2048),
        total_bytes=8 * GIB,
        utilization=0.92,
    )
    assert found.room < 0
    assert found.usable == int(8 * GIB * 0.92)


@pytest.mark.parametrize(
    ("version", "device_gib", "product", "capability", "tokens", "sequences"),
    [
        pytest.param((0, 33), 22, "NVIDIA-L4", None, 2048, 256, id="a small card"),
        pytest.param((0, 33), 79.18, "NVIDIA-H100-80GB-HBM3", None, 8192, 1024, id="a large one"),
        pytest.param((0, 33), 79.15, "NVIDIA-A100-SXM4-80GB", None, 2048, 256, id="an A100 of any size"),
        pytest.param((0, 8), 79.15, "NVIDIA-A100-SXM4-80GB", None, 8192, 1024, id="which 0.8 took for large"),
        pytest.param((0, 33), 178, "NVIDIA-B200", (10, 0), 16_384, 1024, id="the largest"),
        pytest.param((0, 27), 178, "NVIDIA-B200", (10, 0), 8192, 1024, id="which 0.27 took for large"),
        pytest.param((0, 33), 121, "NVIDIA-GB10", (12, 1), 2048, 256, id="much memory on a slow chip"),
        pytest.param((0, 32), 121, "NVIDIA-GB10", (12, 1), 8192, 1024, id="which 0.32 took for large"),
        pytest.param((0, 7), 79.18, "NVIDIA-H100-80GB-HBM3", None, 2048, 256, id="the engine before"),
    ],
)
def test_batches_of_vllms_server_where_nobody_says_otherwise(
    *,
    version: tuple[int, int],
    device_gib: float,
    product: str,
    capability: tuple[int, int] | None,
    tokens: int,
    sequences: int,
) -> None:
    device = {"device_bytes": int(device_gib * GIB), "product": product, "capability": capability}
    assert defaults.batched_tokens(Version(*version), **device) == tokens  # type: ignore[arg-type]
    assert defaults.sequences(Version(*version), **device) == sequences  # type: ignore[arg-type]


def test_defaults_are_clamped_to_what_a_batch_can_hold() -> None:
    usual = {"usual_tokens": 2048, "usual_seqs": 256}
    assert defaults.clamped(tokens=None, seqs=1, length=1024, in_one_piece=False, **usual) == (1024, 1)
    assert defaults.clamped(tokens=128, seqs=None, length=1024, in_one_piece=False, **usual) == (128, 128)
    assert defaults.clamped(tokens=None, seqs=None, length=8192, in_one_piece=True, **usual) == (8192, 256)


def test_embedding_never_makes_logits_of_the_vocabulary() -> None:
    model = checkpoints.qwen3_8b()
    sampled, embedded = (
        overheads.activation_peak_bytes(
            model, overheads.Batch(max_num_seqs=256, batched_tokens=2048, samples=samples, text_only=True)
        )
        for samples in (True, False)
    )
    assert embedded == overheads.forward_peak_bytes(model, batched_tokens=2048, tensor_parallel=1)
    assert embedded < sampled


def test_a_container_on_cpu_holds_the_engine_beside_the_model() -> None:
    wanted = demand(checkpoints.tiny(), sequences=16, batched_tokens=2048)
    needed, limit = budget.cpu_container_bytes(wanted, kv_cache_bytes=8 * 2**20, shm_bytes=GIB // 2)
    assert 0 < needed - constants.gib(constants.CPU_ENGINE) < 64 * 2**20
    assert limit > needed + GIB // 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.11.0", Version(0, 11)),
        (" v0.33", Version(0, 33)),
        ("0.8.5.post1", Version(0, 8)),
        pytest.param("0.16.1rc1.dev111+gafd089f23", Version(0, 17), id="main after 0.16 became 0.17"),
        ("latest", None),
        (None, None),
    ],
)
def test_versions_by_their_names(text: str | None, expected: Version | None) -> None:
    assert versions.parse(text) == expected
