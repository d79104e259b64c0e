"""Does the real engine understand every flag that a plan can make, as it was meant?

Each case renders settings, has the engine's own parser read the command line, and compares what was understood with
the settings themselves.
"""

from __future__ import annotations

import itertools
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest

from pillion import engines
from pillion.api.choices import Task
from pillion.engines import profiles
from pillion.engines.vllm import flags
from pillion.planner import candidates
from tests.engine import asking
from tests.unit.engines import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 600
PROFILE = profiles.profile("vLLM")
# Where the engine keeps what a setting says; settings that are no flag of the engine are not in here.
UNDERSTOOD = {
    "port": "port",
    "served_names": "served_model_name",
    "context_tokens": "max_model_len",
    "max_num_seqs": "max_num_seqs",
    "max_num_batched_tokens": "max_num_batched_tokens",
    "gpu_memory_utilization": "gpu_memory_utilization",
    "kv_cache_bytes": "kv_cache_memory_bytes",
    "kv_cache_dtype": "kv_cache_dtype",
    "dtype": "dtype",
    "tensor_parallel": "tensor_parallel_size",
    "on_the_fly": "quantization",
    "trust_remote_code": "trust_remote_code",
    "text_only": "language_model_only",
    "tool_parser": "tool_call_parser",
    "reasoning_parser": "reasoning_parser",
}
OTHERWISE_TOLD = {
    "name", "image", "device", "model", "resources", "cache", "supervisor_config_map", "startup_timeout_seconds",
    "task", "generation", "token_secret", "hub_endpoint", "extra_args", "env", "drain_seconds",
}  # fmt: skip
# What one setting alone can be; what is not named here is left to the grid below.
EACH: dict[str, list[Any]] = {
    "kv_cache_dtype": sorted(candidates.KV_CACHE_DTYPES.values()),
    "dtype": ["float16", "bfloat16", "float32"],
    "on_the_fly": sorted(set(PROFILE.on_the_fly.values())),
    "trust_remote_code": [True],
    "text_only": [True],
    "served_names": [("one",), ("one", "two", "org/three")],
    "generation": [
        engines.Generation(temperature=0.0, top_p=0.9, output_limit=256),
        engines.Generation(output_limit=1),
    ],
    "task": [Task.TEXT_GENERATION, Task.EMBEDDING],
}
GRID: dict[str, list[Any]] = {
    "context_tokens": [None, 1, 131_072],
    "max_num_seqs": [None, 1, 1024],
    "max_num_batched_tokens": [None, 16_384],
    "gpu_memory_utilization": [None, 0.05, 0.92],
    "kv_cache_bytes": [None, 2**40 + 1],
    "tensor_parallel": [1, 8],
}


def cases() -> Iterator[tuple[str, engines.EngineSettings]]:
    """Settings to render, with a name for each."""
    plain = {"tool_parser": None, "reasoning_parser": None, "extra_args": ()}
    for name, values in EACH.items():
        for index, value in enumerate(values):
            yield f"{name} {index}", settings.gpu(**{**plain, name: value})
    for index, values in enumerate(itertools.product(*GRID.values())):
        yield f"grid {index}", settings.gpu(**plain, **dict(zip(GRID, values, strict=True)))
    for parser in {rule.parser for rule in PROFILE.tool_rules}:
        yield f"tool parser {parser}", settings.gpu(**{**plain, "tool_parser": parser})
    for parser in {rule.parser for rule in PROFILE.reasoning_rules}:
        yield f"reasoning parser {parser}", settings.gpu(**{**plain, "reasoning_parser": parser})
    yield "cpu", settings.cpu()


CASES = dict(cases())


@pytest.fixture(scope="module")
def answers(engine_python: Path, tmp_path_factory: pytest.TempPathFactory) -> asking.Answers:
    """What the engine's parser understood of all of them."""
    jobs: list[dict[str, Any]] = [
        {
            "id": name,
            "argv": ["/models/it" if word == flags.MODEL_PLACEHOLDER else word for word in words[2:]],
        }
        for name, words in ((name, flags.argv(made)) for name, made in CASES.items())
    ]
    return asking.ask(
        "arguments",
        [{"id": "registries"}, *jobs],
        python=engine_python,
        seconds=SECONDS,
        scratch=tmp_path_factory.mktemp("arguments"),
    )


def test_every_setting_is_looked_at() -> None:
    assert {field.name for field in fields(engines.EngineSettings)} == UNDERSTOOD.keys() | OTHERWISE_TOLD


@pytest.mark.parametrize("name", CASES)
def test_the_engine_understands_what_the_settings_say(name: str, answers: asking.Answers) -> None:
    made, answer = CASES[name], answers[name]
    assert "error" not in answer, answer["error"]
    parsed = answer["parsed"]
    for setting, place in UNDERSTOOD.items():
        wanted = getattr(made, setting)
        if wanted is None or wanted is False or (setting, wanted) == ("tensor_parallel", 1):
            continue  # no flag: the engine's default
        found = tuple(parsed[place]) if setting == "served_names" else parsed[place]
        assert found == wanted, (setting, place)
    assert parsed["model_tag"] == "/models/it"
    assert parsed["host"] == "127.0.0.1"
    assert parsed["enable_auto_tool_choice"] is (made.tool_parser is not None)
    assert parsed["runner"] == ("auto" if made.task is Task.TEXT_GENERATION else "pooling")
    assert parsed["override_generation_config"] == flags.generation_config(made.generation)


def test_every_name_that_a_plan_may_use_is_registered(answers: asking.Answers) -> None:
    registered = answers["registries"]
    assert {rule.parser for rule in PROFILE.tool_rules} <= set(registered["tool_parsers"])
    assert {rule.parser for rule in PROFILE.reasoning_rules} <= set(registered["reasoning_parsers"])
    assert set(PROFILE.on_the_fly.values()) <= set(registered["quantizations"])
