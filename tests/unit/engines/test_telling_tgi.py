"""Is Text Generation Inference told what was decided, and nothing that it does not know?

Flags are those of v3.3.7, launcher/src/main.rs; no launcher is on the machines that run these tests.
"""

from __future__ import annotations

from typing import Any

import pytest

from pillion import engines
from pillion.api.choices import Task
from pillion.engines import rendering
from pillion.engines.tgi import flags
from pillion.supervisor import supervisor
from tests.unit.engines.settings import cpu, gpu

TGI = engines.profile("TGI")

# Those that it may be given here; with a value or without.
KNOWN = {
    "--model-id",
    "--hostname",
    "--port",
    "--prometheus-port",
    "--usage-stats",
    "--max-input-tokens",
    "--max-total-tokens",
    "--max-concurrent-requests",
    "--cuda-memory-fraction",
    "--kv-cache-dtype",
    "--num-shard",
    "--master-port",
    "--dtype",
    "--quantize",
    "--trust-remote-code",
}
PLAIN: dict[str, Any] = {
    "image": "example.com/tgi:3.3.7",
    "generation": engines.Generation(),
    "tool_parser": None,
    "reasoning_parser": None,
    "gpu_memory_utilization": 0.9,
    "extra_args": (),
}


def tgi(**changes: Any) -> engines.EngineSettings:
    return gpu(**PLAIN | changes)


def command(settings: engines.EngineSettings) -> list[str]:
    words: list[str] = engines.render(settings, engine="TGI").instruction["argv"]
    assert words[:2] == ["/bin/sh", "-c"]
    assert words[3] == "text-generation-launcher"
    return words[4:]


def test_the_command_line() -> None:
    assert command(tgi()) == [
        *("--model-id", "{model}", "--hostname", "127.0.0.1", "--port", "18000"),
        *("--prometheus-port", "0", "--usage-stats", "off"),
        *("--max-input-tokens", "8191", "--max-total-tokens", "8192"),
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"tensor_parallel": 2}, ["--num-shard", "2", "--master-port", "28000"], id="two cards"),
        pytest.param({"on_the_fly": "fp8"}, ["--quantize", "fp8"], id="FP8 made while loading"),
        pytest.param({"kv_cache_dtype": "fp8"}, ["--kv-cache-dtype", "fp8_e4m3fn"], id="an FP8 KV cache"),
        pytest.param({"trust_remote_code": True}, ["--trust-remote-code"], id="the model's own code"),
        pytest.param({"max_num_seqs": 256}, ["--max-concurrent-requests", "256"], id="more than are let in"),
        pytest.param(
            {"gpu_memory_utilization": 0.45}, ["--cuda-memory-fraction", "0.500"], id="half of the usual"
        ),
    ],
)
def test_what_a_setting_adds(changes: dict[str, Any], words: list[str]) -> None:
    told = command(tgi(**changes))
    assert told[-len(words) :] == words


def test_fewer_requests_than_it_lets_in_by_itself_would_be_refused_ones() -> None:
    assert "--max-concurrent-requests" not in command(tgi(max_num_seqs=8))


def test_the_users_own_argument_stands_in_place_of_ours() -> None:
    told = command(tgi(extra_args=("--max_total_tokens=4096", "--waiting-served-ratio", "1.2")))
    assert [word for word in told if "total" in word] == ["--max_total_tokens=4096"]
    assert told[-2:] == ["--waiting-served-ratio", "1.2"]


def test_no_flag_that_it_does_not_have() -> None:
    everything = tgi(
        tensor_parallel=4,
        on_the_fly="fp8",
        kv_cache_dtype="fp8_e5m2",
        dtype="bfloat16",
        trust_remote_code=True,
        max_num_seqs=512,
        gpu_memory_utilization=0.3,
    )
    assert {word for word in command(everything) if word.startswith("--")} == KNOWN


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param(cpu(), id="a CPU"),
        pytest.param(tgi(task=Task.EMBEDDING), id="embeddings"),
        pytest.param(tgi(generation=engines.Generation(temperature=0.2)), id="defaults for generation"),
        pytest.param(tgi(tool_parser="hermes"), id="a parser of tool calls"),
        pytest.param(tgi(reasoning_parser="qwen3"), id="a parser of reasoning"),
        pytest.param(tgi(kv_cache_bytes=2**30), id="a KV cache in bytes"),
        pytest.param(tgi(text_only=True), id="text alone"),
        pytest.param(tgi(kv_cache_dtype="bfloat16"), id="a KV cache in 16 bit"),
    ],
)
def test_what_it_cannot_be_told_is_an_error_and_not_left_out(settings: engines.EngineSettings) -> None:
    with pytest.raises(rendering.RenderError, match="cannot be told"):
        engines.render(settings, engine="TGI")


def test_vllm_can_be_told_all_of_it() -> None:
    assert rendering.FLAGS["vLLM"].cannot(gpu()) is None


def test_the_container_is_as_hardened_as_the_other_engines() -> None:
    ours = engines.render(tgi(), engine="TGI").container
    other = engines.render(gpu()).container
    assert ours["securityContext"] == other["securityContext"]
    assert ours["ports"] == other["ports"]
    assert ours["volumeMounts"] == other["volumeMounts"]
    assert ours["args"] == other["args"]


def test_caches_are_on_the_cache_volume_and_nothing_is_sent_home() -> None:
    env = dict(flags.container_environment(tgi(), version=TGI.version))
    cache = {name: value for name, value in env.items() if name.endswith(("CACHE_DIR", "CACHE_PATH", "HOME"))}
    assert all(value.startswith("/pillion/") or "cache" in value for value in cache.values())
    assert env["DO_NOT_TRACK"] == "1"
    assert "off" in command(tgi())


def test_messages_name_the_engine_and_not_the_shell_that_prepares_it() -> None:
    argv = engines.render(tgi(), engine="TGI").instruction["argv"]
    assert supervisor.program_name(argv) == "text-generation-launcher"
    assert supervisor.program_name(["/usr/local/bin/vllm", "serve"]) == "vllm"


def test_what_the_profile_says() -> None:
    assert TGI.maximum_capability == (9, 0)  # no Blackwell
    assert TGI.starts_for_root_alone
    assert TGI.minimum_capability["None"] == (8, 0)
    assert TGI.on_the_fly == {"FP8": "fp8"}
    assert TGI.cpu_quantizations == frozenset()
    assert TGI.knows_architecture("LlamaForCausalLM") is True
    assert TGI.knows_architecture("Qwen3ForCausalLM") is None  # through transformers
    assert engines.profile("vLLM").maximum_capability is None
