"""Does vLLM's own planning code group the layers of any mixture as the memory model does?

Other tests of this lane start real engines with three dozen shapes; here the engine's functions get two hundred.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from pillion.facts import AttentionKind, AttentionShape
from pillion.facts.model import CachedLayers, CacheKind, RecurrentState, StateFamily
from pillion.sizing import kv_cache
from tests.cluster import vllm_image
from tests.engine import asking

if TYPE_CHECKING:
    from pathlib import Path

MIXTURES = (
    (CacheKind.FULL,),
    (CacheKind.SLIDING,),
    (CacheKind.FULL, CacheKind.SLIDING),
    (CacheKind.FULL, CacheKind.CHUNKED),
    (CacheKind.FULL, CacheKind.STATE),
)
AMPERE = (8, 0)
BATCH = 1024
NUMBER = 200


def mixture(number: int) -> AttentionShape:
    """A model whose layers are of some kinds in any order; the same number makes the same model."""
    chance = random.Random(number)  # noqa: S311 (no secret)
    kinds = chance.choice(MIXTURES)
    layers = [chance.choice(kinds) for _ in range(chance.randint(2, 24))]
    heads, dim, window = chance.choice((1, 2, 8)), chance.choice((64, 128)), chance.choice((128, 1024))
    family = chance.choice((StateFamily.GATED_DELTA, StateFamily.MAMBA2))
    state = RecurrentState(family=family, elements=chance.choice((50_000, 262_144)))
    wider = 1 if CacheKind.STATE in kinds else chance.choice((1, 2))
    cached = []
    for kind in dict.fromkeys(layers):
        at = tuple(index for index, each in enumerate(layers) if each is kind)
        if kind is CacheKind.STATE:
            cached.append(CachedLayers(kind=kind, positions=at, state=state))
            continue
        size = dim * wider if kind is CacheKind.FULL else dim
        limit = None if kind is CacheKind.FULL else window
        cached.append(
            CachedLayers(
                kind=kind, positions=at, kv_heads=heads, key_head_dim=size, value_head_dim=size, window=limit
            )
        )
    return AttentionShape(
        kind=AttentionKind.GROUPED,
        layers=sum(kind is not CacheKind.STATE for kind in layers),
        heads=heads,
        kv_heads=heads,
        key_head_dim=dim,
        value_head_dim=dim,
        cached=tuple(cached),
        all_layers=len(layers),
    )


def layout(shape: AttentionShape) -> kv_cache.KvLayout:
    found = kv_cache.layout(
        shape,
        tensor_parallel=1,
        element_bytes=2,
        batched_tokens=BATCH,
        engine_version=vllm_image.VERSION,
        capability=AMPERE,
    )
    assert found is not None
    return found


def job(number: int) -> dict[str, Any]:
    """What the engine is asked: only groups are its to find, so that pages are those of a lone kind."""
    shape = mixture(number)
    found = layout(shape)
    several = any(entry.state for entry in shape.cached) and len(shape.cached) > 1
    block = found.block_tokens if several else kv_cache.GPU_BLOCK_TOKENS
    attention = next((entry for entry in shape.cached if not entry.state), None)
    page = block * attention.kv_heads * 2 * attention.key_head_dim * 2 if attention else 1
    states = max((group.states for group in found.groups), default=0)
    layers: list[dict[str, Any]] = [{}] * shape.all_layers
    for entry in shape.cached:
        for layer in entry.positions:
            layers[layer] = {
                "kind": entry.kind.value,
                "block_tokens": block,
                "kv_heads": entry.kv_heads,
                "head_dim": entry.key_head_dim,
                "window": entry.window,
                "page_bytes": page,
                "states": states,
            }
    return {"id": str(number), "layers": layers, **asked(number)}


def asked(number: int) -> dict[str, int]:
    chance = random.Random(-number - 1)  # noqa: S311 (no secret)
    return {
        "context": chance.choice((1000, 4096, 20_000)),
        "in_flight": 2 * BATCH,
        "room": chance.randint(2, 40) << 28,
    }


@pytest.fixture(scope="module")
def answers(engine_python: Path, tmp_path_factory: pytest.TempPathFactory) -> asking.Answers:
    """What the engine's code says of all of them."""
    return asking.ask(
        "planning",
        [job(number) for number in range(NUMBER) if keeps_tokens(number)],
        python=engine_python,
        seconds=600,
        scratch=tmp_path_factory.mktemp("planning"),
    )


def keeps_tokens(number: int) -> bool:
    """Whether any layer does; states alone have no prefix caching, and the engine's tests have them."""
    return any(entry.state is None for entry in mixture(number).cached)


def test_groups_blocks_and_tokens_are_the_engines(answers: asking.Answers) -> None:
    wrong = {}
    for number in map(int, answers):
        question, found = asked(number), layout(mixture(number))
        room, context = question["room"], question["context"]
        said = {
            "groups": len(found.groups),
            "blocks": room // found.block_bytes,
            "tokens": found.tokens(context_tokens=context, room_bytes=room),
            "concurrency": pytest.approx(found.reported_concurrency(context_tokens=context, room_bytes=room)),
        }
        if said != answers[str(number)]:
            wrong[number] = (said, answers[str(number)])
    assert not wrong
    assert len(answers) > NUMBER * 0.9
