"""Is the container what the settings say, and one that any namespace takes?"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pillion import engines
from pillion.api.choices import Task
from pillion.engines import rendering
from pillion.supervisor import supervisor
from tests.unit.engines.settings import COMMIT, GIB, cpu, gpu

if TYPE_CHECKING:
    import argparse

GOLDEN = Path(__file__).parent / "golden"
STANDIN = Path(__file__).parents[2] / "images" / "standin" / "vllm.py"
WRITE = "PILLION_WRITE_GOLDEN" in os.environ  # set by `make golden`

SITUATIONS = {
    "chat on a GPU": gpu(),
    "chat on CPU with a claim": cpu(),
    "embeddings on two GPUs": gpu(
        task=Task.EMBEDDING,
        tensor_parallel=2,
        resources=engines.Resources(
            cpu_request_millis=2000,
            cpu_limit_millis=4000,
            memory_request_bytes=8 * GIB,
            memory_limit_bytes=12 * GIB,
            shm_bytes=4 * GIB,
            ephemeral_request_bytes=20 * GIB,
            accelerator_resource="nvidia.com/gpu",
            accelerator_count=2,
        ),
        generation=engines.Generation(),
        tool_parser=None,
        reasoning_parser=None,
        token_secret=None,
        env=(),
        extra_args=(),
    ),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_golden(name: str) -> None:
    made = engines.render(SITUATIONS[name])
    seen = {
        "argv": list(made.instruction["argv"]),
        "instruction": {key: value for key, value in made.instruction.items() if key != "argv"},
        "container": made.container,
        "volumes": list(made.volumes),
        "startupProbe": made.startup_probe,
    }
    path = GOLDEN / f"{name.replace(' ', '-')}.yaml"
    if WRITE:
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(seen, sort_keys=False, width=110), "utf-8")
    assert yaml.safe_load(path.read_text("utf-8")) == seen


def test_every_golden_file_has_its_situation() -> None:
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == {name.replace(" ", "-") for name in SITUATIONS}


def test_the_same_settings_give_the_same_bytes() -> None:
    assert engines.render(gpu()) == engines.render(gpu())
    assert engines.render(gpu()).instruction_text("r-1") == engines.render(gpu()).instruction_text("r-1")


def test_the_container_passes_the_restricted_pod_security_standard() -> None:
    # https://kubernetes.io/docs/concepts/security/pod-security-standards/, Restricted, of v1.36
    made = engines.render(gpu())
    context = made.container["securityContext"]

    assert context["allowPrivilegeEscalation"] is False
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    allowed = {"configMap", "downwardAPI", "emptyDir", "persistentVolumeClaim"}
    assert all((volume.keys() - {"name"}) <= allowed for volume in made.volumes)


def test_the_container_never_has_a_probe_of_its_own() -> None:
    container = engines.render(gpu()).container

    assert (
        not {"readinessProbe", "livenessProbe", "startupProbe", "lifecycle", "restartPolicy"}
        & container.keys()
    )


def test_the_token_is_the_engines_alone_and_may_be_missing() -> None:
    env = {entry["name"]: entry for entry in engines.render(gpu()).container["env"]}

    assert env["HF_TOKEN"]["valueFrom"]["secretKeyRef"] == {"name": "hf", "key": "token", "optional": True}
    assert "HF_TOKEN" not in engines.render(gpu()).instruction["env"]


def test_the_service_account_token_is_masked() -> None:
    mounts = {mount["mountPath"]: mount["name"] for mount in engines.render(gpu()).container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in engines.render(gpu()).volumes}

    # The path at which the API server would mount it (k8s.io/kubernetes v1.36, DefaultAPITokenMountPath).
    assert "emptyDir" in volumes[mounts["/var/run/secrets/kubernetes.io/serviceaccount"]]


def test_the_instruction_is_mounted_as_a_whole_folder() -> None:
    mount = next(
        m for m in engines.render(gpu()).container["volumeMounts"] if m["name"] == "pillion-chat-ins"
    )

    # The kubelet never updates a subPath.
    assert mount == {"name": "pillion-chat-ins", "mountPath": "/etc/pillion/instruction", "readOnly": True}


def test_a_variable_with_a_value_can_change_in_place_and_one_from_a_secret_cannot() -> None:
    made = engines.render(gpu())
    env = {entry["name"] for entry in made.container["env"]}

    assert made.instruction["env"] == {"VLLM_LOGGING_LEVEL": "DEBUG"}
    assert "CORPORATE" in env
    assert "VLLM_LOGGING_LEVEL" not in env


def test_a_variable_from_a_secret_replaces_ours() -> None:
    own = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "t"}}}
    env = engines.render(gpu(env=(own,))).container["env"]

    assert [entry for entry in env if entry["name"] == "HF_TOKEN"] == [own]


def test_strange_characters_arrive_unchanged() -> None:
    text = """{{ a }} {% b %} 'q' "q" <&> é \n 100% #c: [d]"""
    made = engines.render(gpu(extra_args=("--chat-template", text), env=({"name": "A", "value": text},)))
    parsed = supervisor.parse_instruction(made.instruction_text("r-0123456789ab"))

    assert parsed.argv[-1] == text
    assert parsed.env == {"A": text}


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        pytest.param({}, [], id="nothing that is right by default"),
        pytest.param({"context_tokens": 8192}, ["--max-model-len", "8192"], id="a context length"),
        pytest.param({"max_num_batched_tokens": 2048}, ["--max-num-batched-tokens", "2048"], id="a batch"),
        pytest.param(
            {"gpu_memory_utilization": 0.9}, ["--gpu-memory-utilization", "0.9"], id="a share of the GPU"
        ),
        pytest.param(
            {"kv_cache_bytes": GIB}, ["--kv-cache-memory-bytes", "1073741824"], id="a KV cache in bytes"
        ),
        pytest.param({"kv_cache_dtype": "fp8"}, ["--kv-cache-dtype", "fp8"], id="an FP8 KV cache"),
        pytest.param({"tensor_parallel": 2}, ["--tensor-parallel-size", "2"], id="two GPUs"),
        pytest.param({"on_the_fly": "fp8"}, ["--quantization", "fp8"], id="quantization on the fly"),
        pytest.param({"dtype": "float16"}, ["--dtype", "float16"], id="a dtype"),
        pytest.param({"task": Task.RERANK}, ["--runner", "pooling"], id="a reranker"),
        pytest.param({"text_only": True}, ["--language-model-only"], id="text alone"),
        pytest.param({"trust_remote_code": True}, ["--trust-remote-code"], id="code from the Hub"),
        pytest.param({"reasoning_parser": "qwen3"}, ["--reasoning-parser", "qwen3"], id="a reasoning parser"),
        pytest.param(
            {"tool_parser": "hermes"},
            ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"],
            id="a parser of tool calls",
        ),
        pytest.param(
            {"generation": engines.Generation(top_p=0.5, output_limit=9)},
            ["--override-generation-config", '{"max_new_tokens": 9, "top_p": 0.5}'],
            id="defaults of generation",
        ),
        pytest.param({"extra_args": ("--seed", "1")}, ["--seed", "1"], id="the user's own, last"),
    ],
)
def test_the_command_line_tells(changes: dict[str, Any], flags: list[str]) -> None:
    bare: dict[str, Any] = {
        "context_tokens": None,
        "max_num_seqs": None,
        "gpu_memory_utilization": None,
        "generation": engines.Generation(),
        "tool_parser": None,
        "reasoning_parser": None,
        "extra_args": (),
    }
    always = ["vllm", "serve", "{model}", "--host", "127.0.0.1", "--port", "18000"]
    always += [
        "--served-model-name",
        "chat",
        "gpt-4o",
        "--disable-access-log-for-endpoints",
        "/health,/metrics",
    ]

    assert engines.render(gpu(**bare | changes)).instruction["argv"] == always + flags


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_stand_in_takes_every_flag_that_we_give(name: str) -> None:
    made = engines.render(SITUATIONS[name])

    options = standin_parser().parse_args(made.instruction["argv"][1:])

    assert options.model == "{model}"
    assert options.host == "127.0.0.1"


def test_the_supervisor_reads_what_the_engine_writes() -> None:
    text = engines.render(gpu()).instruction_text("r-0123456789ab")
    parsed = supervisor.parse_instruction(text)

    assert parsed.hash == engines.instruction_hash(text)
    assert parsed.revision == "r-0123456789ab"
    assert (parsed.repo, parsed.commit) == ("Qwen/Qwen3-8B", COMMIT)
    assert parsed.port == 18000
    assert parsed.served_name == "chat"
    # Compact, and the same on every run: its hash is compared.
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))


def test_the_supervisors_arguments_are_its_own() -> None:
    args = engines.render(gpu()).container["args"]

    assert args == [
        "--port=18001",
        "--instruction=/etc/pillion/instruction/instruction",
        "--cache=/var/cache/pillion",
        "--shm=/dev/shm",
        f"--cache-limit-bytes={20 * GIB}",
    ]
    # Without a limit nothing is pruned: others may use the claim.
    assert not [arg for arg in engines.render(cpu()).container["args"] if arg.startswith("--cache-limit")]


def test_threads_follow_the_cpu_limit() -> None:
    env = {entry["name"]: entry.get("value") for entry in engines.render(cpu()).container["env"]}

    assert env["OMP_NUM_THREADS"] == "2"  # of 2.5 cores
    assert env["VLLM_CPU_OMP_THREADS_BIND"] == "nobind"


def test_the_container_starts_the_supervisor_with_its_arguments(tmp_path: Path) -> None:
    program = tmp_path / "supervisor.py"
    program.write_text("import sys; print(sys.argv[1:])")

    done = subprocess.run(wait_and_start(program), capture_output=True, text=True, timeout=30, check=True)

    assert done.stdout == "['--port=18001', 'with space']\n"


def test_a_container_without_the_supervisor_runs_and_waits_and_ends_when_told(tmp_path: Path) -> None:
    with subprocess.Popen(
        wait_and_start(tmp_path / "supervisor.py"), stdout=subprocess.PIPE, text=True
    ) as waiting:
        assert waiting.stdout is not None
        said = waiting.stdout.readline()
        assert waiting.poll() is None
        waiting.send_signal(signal.SIGTERM)
        code = waiting.wait(timeout=30)

    assert said == f"pillion: waiting for {tmp_path / 'supervisor.py'}\n"
    assert code == 0


def wait_and_start(program: Path) -> list[str]:
    """The container's command, with another place for the supervisor."""
    command = engines.render(gpu()).container["command"]
    assert command[3] == "/etc/pillion/supervisor/supervisor.py"
    return [*command[:3], str(program), "--port=18001", "with space"]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"served_names": ()}, id="no name"),
        pytest.param({"device": "TPU"}, id="another device"),
    ],
)
def test_settings_that_make_no_sense_cannot_be_made(broken: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"serves|neither"):
        gpu(**broken)


def test_a_cache_is_either_a_claim_or_has_a_limit() -> None:
    with pytest.raises(ValueError, match="either"):
        engines.CacheVolume(size_limit_bytes=None)


def test_a_mount_without_its_volume_is_noticed() -> None:
    made = engines.render(gpu())
    broken = engines.Rendering(
        container=made.container, volumes=made.volumes[1:], startup_probe={}, instruction=made.instruction
    )

    with pytest.raises(rendering.RenderError, match="pillion-chat-cch"):
        rendering._check(broken)


def standin_parser() -> argparse.ArgumentParser:
    """The strict command line of the stand-in."""
    spec = importlib.util.spec_from_file_location("standin_vllm", STANDIN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: argparse.ArgumentParser = module.parser()
    return made
