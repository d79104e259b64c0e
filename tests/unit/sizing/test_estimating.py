"""What is answered to a question about one model on one accelerator."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from pillion import sizing
from pillion.facts import ModelFacts, Quantization
from pillion.sizing import EstimateRequest, Verdict, constants, padding, versions
from tests.unit.facts import checkpoints

GIB = 2**30


def ask(**question: Any) -> sizing.Estimate:
    question.setdefault("model", checkpoints.llama_8b())
    return sizing.estimate(EstimateRequest(**question))


def _compressed_fp8() -> ModelFacts:
    stored = Quantization(method="compressed-tensors", scheme="FP8", bits=8, calibrated=True)
    return dataclasses.replace(checkpoints.qwen3_8b(), quantization=stored)


def test_a_model_without_an_accelerator_has_weights_and_a_size_of_tokens() -> None:
    found = ask()
    assert found.weights_bytes == pytest.approx(14.99 * GIB, rel=0.001)
    assert found.kv_bytes_per_token == 131_072
    assert found.fits is None
    assert found.kv_cache_tokens is None


def test_a_given_kv_cache_needs_no_accelerator() -> None:
    found = ask(kv_cache_memory_bytes=GIB, max_model_len=4096)
    assert found.kv_cache_tokens == 8192  # as the engine prints it: with the one block that is never usable
    assert found.fits


@pytest.mark.parametrize(
    ("memory_gib", "context", "verdict"),
    [
        pytest.param(79, 8192, None, id="room to spare"),
        pytest.param(22, 131_072, Verdict.CONTEXT_DOES_NOT_FIT, id="too long a request"),
        pytest.param(16, 1024, Verdict.WEIGHTS_EXCEED_MEMORY, id="too small a card"),
    ],
)
def test_a_verdict_has_its_reason(memory_gib: int, context: int, verdict: Verdict | None) -> None:
    found = ask(gpu_memory_bytes=memory_gib * GIB, max_model_len=context)
    assert found.fits is (verdict is None)
    assert [finding.reason for finding in found.reasons] == ([verdict] if verdict else [])


@pytest.mark.parametrize(
    "nonsense",
    [
        {"tensor_parallel": 0},
        {"gpu_memory_bytes": -1},
        {"gpu_memory_utilization": 1.2},
        {"max_model_len": 0},
        {"engine": "ollama"},
        {"kv_cache_dtype": "float32"},
        {"kv_cache_dtype": "turboquant_k8v4"},
    ],
    ids=str,
)
def test_nonsense_is_refused_with_what_is_accepted(nonsense: dict[str, Any]) -> None:
    with pytest.raises(sizing.SizingError, match=r"it is|estimates are made"):
        ask(**nonsense)


def test_a_promise_is_below_what_is_expected_and_says_by_how_much() -> None:
    found = ask(gpu_memory_bytes=79 * GIB, engine_version="0.33.0")
    assert found.kv_cache_tokens is not None
    assert found.kv_cache_tokens_promised is not None
    assert 0.9 * found.kv_cache_tokens < found.kv_cache_tokens_promised < found.kv_cache_tokens
    assert any("GiB unspent" in note for note in found.notes)


def test_without_a_version_there_is_as_little_as_any_version_leaves() -> None:
    unsaid = ask(gpu_memory_bytes=79 * GIB)
    said = [
        ask(gpu_memory_bytes=79 * GIB, engine_version=version)
        for version in ("0.11.0", "v0.19.1", "0.28.0", "0.33.0")
    ]
    for figure in ("kv_cache_bytes", "kv_cache_tokens_promised"):
        assert getattr(unsaid, figure) == pytest.approx(min(getattr(each, figure) for each in said), rel=1e-3)


def test_a_model_that_older_versions_do_not_serve_is_not_sized_by_them() -> None:
    recent = dataclasses.replace(checkpoints.llama_8b(), architecture="Gemma4ForCausalLM")  # new in 0.19
    card = {"gpu_memory_bytes": 79 * GIB, "product": "NVIDIA-H100-80GB-HBM3"}
    assert (ask(model=recent, **card).kv_cache_bytes or 0) > (ask(**card).kv_cache_bytes or 0) + GIB // 2


@pytest.mark.parametrize(
    ("question", "verdict", "words"),
    [
        pytest.param(
            {"tensor_parallel": 3}, Verdict.PARALLELISM_IMPOSSIBLE, "32 attention heads", id="heads"
        ),
        pytest.param(
            {"compute_capability": (7, 0)}, Verdict.CAPABILITY_TOO_LOW, "16 bit needs", id="a card too old"
        ),
        pytest.param(
            {"compute_capability": (7, 5), "dtype": "bfloat16"},
            Verdict.SETTING_REFUSED,
            "float16 or auto",
            id="a dtype that the card lacks",
        ),
        pytest.param(
            {"quantization": "bitsandbytes"}, Verdict.FORMAT_UNSUPPORTED, "before 0.28", id="what is gone"
        ),
        pytest.param(
            {"max_num_batched_tokens": 256, "max_num_seqs": 512},
            Verdict.SETTING_REFUSED,
            "at least max_num_seqs, 512",
            id="more requests than tokens",
        ),
        pytest.param(
            {"gpu_memory_utilization": 1.0},
            Verdict.SETTING_REFUSED,
            "own default is 0.92",
            id="all of the memory",
        ),
        pytest.param(
            {"kv_cache_dtype": "float16", "engine_version": "0.17.0"},
            Verdict.SETTING_REFUSED,
            "from vLLM 0.18 on",
            id="an element type before its time",
        ),
        pytest.param(
            {"kv_cache_dtype": "fp8_ds_mla"},
            Verdict.SETTING_REFUSED,
            "sparse latent attention",
            id="an element type of other models",
        ),
        pytest.param(
            {"model": checkpoints.qwen3_8b_awq(), "quantization": "fp8", "max_model_len": 8192},
            Verdict.SETTING_REFUSED,
            "are AWQ, which --quantization fp8 contradicts",
            id="another format than the checkpoint's",
        ),
        pytest.param(
            {"model": _compressed_fp8(), "quantization": "fp8", "max_model_len": 8192},
            Verdict.SETTING_REFUSED,
            "are FP8 by the method compressed-tensors, which --quantization fp8 contradicts",
            id="another method than the checkpoint's",
        ),
        pytest.param(
            {"quantization": "mxfp4", "engine_version": "0.27.1"},
            Verdict.FORMAT_UNSUPPORTED,
            "from 0.28 on",
            id="made while loading by newer versions alone",
        ),
        pytest.param({"quantization": "int3"}, Verdict.SETTING_REFUSED, "known are auto_awq", id="not known"),
        pytest.param(
            {"max_model_len": 200_000}, Verdict.SETTING_REFUSED, "131,072", id="longer than the model"
        ),
    ],
)
def test_what_the_engine_refuses_is_said_with_what_it_accepts(
    question: dict[str, Any], verdict: Verdict, words: str
) -> None:
    found = ask(gpu_memory_bytes=79 * GIB, **question)
    assert found.fits is False
    assert found.reasons[0].reason is verdict
    assert words in found.reasons[0].message


def test_weights_in_blocks_are_cut_between_blocks() -> None:
    blocks = Quantization(method="fp8", scheme="FP8", bits=8, calibrated=True, group_size=128)
    model = dataclasses.replace(checkpoints.qwen3_8b(), quantization=blocks, expert_intermediate_size=1536)
    four, eight = (ask(model=model, tensor_parallel=ranks) for ranks in (4, 8))
    assert not four.reasons
    assert [finding.reason for finding in eight.reasons] == [Verdict.PARALLELISM_IMPOSSIBLE]
    assert "192 of 1,536 on each of 8 accelerators" in eight.reasons[0].message


@pytest.mark.parametrize(
    ("asked", "expected"),
    [(None, 131_072), ("auto", 131_072), ("bfloat16", 131_072), ("fp8", 65_536), ("fp8_e5m2", 65_536)],
)
def test_a_cached_element_has_the_size_of_its_type(asked: str | None, expected: int) -> None:
    assert ask(kv_cache_dtype=asked).kv_bytes_per_token == expected
    wide = ask(kv_cache_dtype=asked, dtype="float32").kv_bytes_per_token
    assert wide == (262_144 if asked in (None, "auto") else expected)


def test_the_same_format_was_refused_by_older_versions_alone() -> None:
    on_turing = {"compute_capability": (7, 5), "quantization": "fp8", "max_model_len": 4096}
    old, new = (
        ask(gpu_memory_bytes=15 * GIB, engine_version=version, **on_turing) for version in ("0.11", "0.33")
    )
    assert [finding.reason for finding in old.reasons] == [Verdict.CAPABILITY_TOO_LOW]
    assert new.fits


def test_the_other_engine_leaves_a_tenth_free() -> None:
    found = ask(engine="tgi", gpu_memory_bytes=79 * GIB)
    assert found.weights_bytes is not None
    assert found.kv_cache_bytes is not None
    assert found.kv_cache_bytes + found.weights_bytes < 0.9 * 79 * GIB
    assert found.kv_bytes_per_token == 131_072
    assert any("TGI" in note for note in found.notes)
    assert not any("vLLM" in note for note in found.notes)


@pytest.mark.parametrize(
    "product",
    [
        "AMD-Instinct-MI300X",
        "MI250X",
        "Intel-Arc-Pro-B70",
        "Max_1550",
        "B60",
        "Gaudi3",
        "NVIDIA-A100-SXM4-40GB-MIG-3g.20gb",
        "AMD-Radeon-of-next-year",
    ],
)
def test_hardware_that_no_log_covers_is_said_to_be_unverified(product: str) -> None:
    assert any(note.startswith("Unverified") for note in ask(product=product).notes)
    assert not any(note.startswith("Unverified") for note in ask(product="NVIDIA-L4").notes)


@pytest.mark.parametrize(
    ("engine", "version", "said"),
    [
        pytest.param("vllm", "0.7.3", "vLLM 0.8 to 0.33, and 0.7.3 is older", id="older than what was read"),
        pytest.param("vllm", "0.8.0", None, id="the oldest"),
        pytest.param("vllm", "0.33.1", None, id="the newest"),
        pytest.param("vllm", "0.34.0", "vLLM 0.8 to 0.33, and 0.34.0 is newer", id="not released yet"),
        pytest.param("vllm", None, None, id="none, so one that is known"),
        pytest.param("tgi", "3.3.5", None, id="another engine's"),
    ],
)
def test_a_version_whose_rules_are_not_known_is_unverified(
    engine: str, version: str | None, said: str | None
) -> None:
    notes = ask(engine=engine, engine_version=version).notes
    found = [note for note in notes if "the memory model has the rules" in note]
    assert len(found) == (said is not None)
    assert said is None or said in found[0]


def test_adapters_take_room_beside_the_weights() -> None:
    plain, adapted = (ask(model=checkpoints.qwen3_8b_fp8(), max_loras=number) for number in (0, 1))
    assert plain.weights_bytes is not None
    assert adapted.weights_bytes is not None
    rank_16 = 75_776 * 36 * 16 * 2  # inputs and outputs of the linear layers, by hand
    assert adapted.weights_bytes - plain.weights_bytes == rank_16


def test_mxfp4_experts_grow_to_the_tiles_of_a_cards_kernel() -> None:
    model = dataclasses.replace(
        checkpoints.qwen3_8b_awq(),
        quantization=Quantization(method="mxfp4", scheme="MXFP4", bits=4, calibrated=True),
        expert_intermediate_size=2880,
        hidden_size=2880,
    )
    grown = {
        capability: padding.expert_growth(model, version=versions.PINNED, capability=capability)
        for capability in ((8, 6), (9, 0), (10, 0), (12, 0))
    }
    assert grown[8, 6] == 0
    assert grown[9, 0] == pytest.approx(3072 / 2880 - 1)
    assert grown[10, 0] == grown[12, 0] == pytest.approx(2944 * 3072 / 2880**2 - 1)


def test_without_accelerators_the_engine_itself_is_in_the_nodes_memory() -> None:
    found = ask(model=checkpoints.tiny(), product="CPU", gpu_memory_bytes=8 * GIB)
    assert found.non_torch_bytes is not None
    assert found.non_torch_bytes >= constants.gib(constants.CPU_ENGINE)
    assert found.cuda_graph_bytes == 0
    assert found.fits


@pytest.mark.parametrize(
    ("architecture", "version", "capability", "halved"),
    [
        pytest.param("GlmMoeDsaForCausalLM", "0.33", (10, 0), True, id="GLM 5 on a large Blackwell"),
        pytest.param("GlmMoeDsaForCausalLM", "0.33", (9, 0), False, id="but not on Hopper"),
        pytest.param("DeepseekV32ForCausalLM", "0.11", (9, 0), True, id="DeepSeek V3.2 at first"),
        pytest.param("DeepseekV32ForCausalLM", "0.12", (9, 0), False, id="but not since"),
    ],
)
def test_some_models_keep_their_cache_in_8_bit_unasked(
    architecture: str, version: str, capability: tuple[int, int], halved: bool
) -> None:
    model = dataclasses.replace(checkpoints.llama_8b(), architecture=architecture)
    found = ask(model=model, engine_version=version, compute_capability=capability)
    assert found.kv_bytes_per_token == (65_536 if halved else 131_072)


def test_the_other_engine_takes_requests_as_long_as_fit_where_nobody_says() -> None:
    card = {"engine": "tgi", "gpu_memory_bytes": 22 * GIB}
    found = ask(**card)
    assert found.fits
    assert found.max_model_len == found.max_fitting_model_len == found.kv_cache_tokens
    assert not ask(**card, max_model_len=131_072).fits


def test_a_form_that_only_checkpoints_have_is_sized_as_one() -> None:
    asked = ask(model=checkpoints.qwen3_8b(), quantization="awq", gpu_memory_bytes=22 * GIB)
    there = ask(model=checkpoints.qwen3_8b_awq(), gpu_memory_bytes=22 * GIB)
    assert asked.weights_bytes == pytest.approx(there.weights_bytes, rel=0.01)
    assert any("not made while loading" in note for note in asked.notes)
    assert not any("not made while loading" in note for note in there.notes)


def test_cuda_graphs_are_told_where_the_engine_charges_them_to_nobody() -> None:
    old, eager = (
        ask(gpu_memory_bytes=22 * GIB, engine_version="0.11", enforce_eager=eager) for eager in (False, True)
    )
    assert old.kv_cache_bytes == eager.kv_cache_bytes
    assert eager.cuda_graph_bytes == 0
    assert 0.5 * GIB < (old.cuda_graph_bytes or 0) < 1.5 * GIB  # 0.3 to 1.1 GiB in logs


def test_the_reference_has_every_reason_of_an_estimate() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "reasons.md").read_text("utf-8")
    _, _, estimates = page.partition("## Estimates")
    assert all(verdict.meaning for verdict in Verdict)
    assert [
        verdict for verdict in Verdict if f"| `{verdict.value}` | {verdict.meaning} |" not in estimates
    ] == []
