"""Does the real vLLM make as many tokens of a KV cache as the memory model says?

Every model is started with random weights: the engine builds it, profiles it and allocates its cache.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pillion.facts import shapes
from pillion.sizing import kv_cache
from tests.cluster import vllm_image
from tests.engine import asking, tiny
from tests.hub import tokenizer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECONDS = 3000  # half a minute each where the machine has much else to do


@pytest.fixture(scope="module")
def answers(
    engine_python: Path, tmp_path_factory: pytest.TempPathFactory, say: Callable[[str], None]
) -> asking.Answers:
    """What the engine says of all of them."""
    folder = tmp_path_factory.mktemp("tiny")
    jobs = [job(name, model, folder / str(index)) for index, (name, model) in enumerate(tiny.ALL.items())]
    say(f"starting vLLM {vllm_image.VERSION} {len(jobs)} times")
    return asking.ask("capacity", jobs, python=engine_python, seconds=SECONDS, scratch=folder)


def job(name: str, model: tiny.Tiny, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(model.config))
    for file, content in tokenizer.files(chat_template=False).items():
        (folder / file).write_bytes(content)
    engine = {
        "kv_cache_memory_bytes": model.cache_mib * tiny.MIB,
        "max_model_len": model.context,
        "max_num_batched_tokens": model.batched_tokens,
        "max_num_seqs": 4,
        **model.engine,
    }
    return {"id": name, "folder": str(folder), "engine": engine}


def planned(model: tiny.Tiny) -> kv_cache.KvLayout | None:
    bits = {"bfloat16": 2, "float32": 4}[model.engine.get("dtype", "bfloat16")]
    return kv_cache.layout(
        shapes.shape(model.config).attention,
        tensor_parallel=1,
        element_bytes=bits,
        batched_tokens=model.batched_tokens,
        block_tokens=kv_cache.CPU_BLOCK_TOKENS,
        engine_version=vllm_image.VERSION,
        model_element_bytes=bits,
    )


@pytest.mark.parametrize("name", [name for name, model in tiny.ALL.items() if model.keeps_a_cache])
def test_the_engine_has_the_tokens_that_were_planned(name: str, answers: asking.Answers) -> None:
    model, answer = tiny.ALL[name], answers[name]
    assert "error" not in answer, answer["error"]
    layout = planned(model)
    assert layout is not None
    room = model.cache_mib * tiny.MIB
    assert room // layout.block_bytes == answer["blocks"], (layout, answer)
    assert layout.tokens(context_tokens=model.context, room_bytes=room) == answer["tokens"], (layout, answer)
    assert layout.reported_concurrency(context_tokens=model.context, room_bytes=room) == pytest.approx(
        answer["concurrency"]
    )


@pytest.mark.parametrize("name", [name for name, model in tiny.ALL.items() if not model.keeps_a_cache])
def test_an_encoder_keeps_nothing(name: str, answers: asking.Answers) -> None:
    assert "error" not in answers[name], answers[name]["error"]
    assert planned(tiny.ALL[name]) is None
    assert answers[name]["tokens"] == 0
