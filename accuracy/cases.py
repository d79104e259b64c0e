"""What did engines print when they started, and which question does each log answer?

`logs.jsonl` carries the start-up logs of vLLM that users published, one a line, each with its source. `model` names the
shape that stands for what the log says; `use` names the figures that a log can be held against; `memory_from` says
where the GPU's memory is from that a log does not print.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from accuracy import models
from pillion.sizing import EstimateRequest, versions

GIB = 2**30
_FILE = Path(__file__).parent / "logs.jsonl"
_FIRST_ENGINE_UNTIL = versions.Version(0, 8)  # its logs are there for information
_STARTED = "ok"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One log, and the question that it answers."""

    name: str
    source: str
    request: EstimateRequest
    printed: Mapping[str, Any]
    use: frozenset[str]
    first_engine: bool  # V0
    lora: bool
    speculates: bool
    stated_version: bool

    @property
    def started(self) -> bool | None:
        """Whether the engine started; None where the log does not say."""
        outcome = self.printed.get("outcome")
        return None if outcome is None else outcome == _STARTED

    @property
    def kv_cache_bytes(self) -> int | None:
        """The KV cache that the engine had, to the rounding of its log."""
        found = self.printed.get("kv_cache_gib")
        return None if found is None else round(found * GIB)

    @property
    def kv_cache_tokens(self) -> int | None:
        """The tokens that it had room for."""
        tokens, blocks = self.printed.get("kv_cache_tokens"), self.printed.get("blocks")
        if tokens is not None:
            return int(tokens)
        return None if blocks is None else blocks * int(self.printed.get("block", 16))


@cache
def cases() -> tuple[Case, ...]:
    """All logs that speak of a model whose shape is known and of a figure to compare."""
    lines = _FILE.read_text(encoding="utf-8").splitlines()
    return tuple(_case(record) for record in map(json.loads, lines) if record["model"] and record["use"])


@cache
def carried() -> int:
    """How many logs there are, those without a use among them."""
    return len(_FILE.read_text(encoding="utf-8").splitlines())


def _case(record: Mapping[str, Any]) -> Case:
    version = versions.parse(record.get("version"))
    return Case(
        name=record["id"],
        source=record["source"],
        request=_request(record),
        printed=record["printed"],
        use=frozenset(record["use"]),
        first_engine=version is not None and version <= _FIRST_ENGINE_UNTIL,
        lora=bool(record.get("lora")),
        speculates=bool(record.get("speculates")),
        stated_version=version is not None,
    )


def _request(record: Mapping[str, Any]) -> EstimateRequest:
    gib = record.get("memory_gib")
    capability = record.get("capability")
    return EstimateRequest(
        model=models.facts(record["model"]),
        gpu_memory_bytes=None if gib is None else round(gib * GIB),
        product=record.get("gpu"),
        compute_capability=_capability(capability) if capability else None,
        tensor_parallel=record.get("tensor_parallel", 1),
        pipeline_parallel=record.get("pipeline_parallel", 1),
        engine_version=record.get("version"),
        gpu_memory_utilization=record.get("utilization"),
        max_model_len=record.get("context"),
        max_num_seqs=record.get("sequences"),
        max_num_batched_tokens=record.get("tokens_at_once"),
        dtype=record.get("dtype"),
        quantization=record.get("online"),
        kv_cache_dtype=record.get("kv_cache_dtype"),
        enforce_eager=record.get("eager"),
    )


def _capability(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)
