"""What does a page say of a model that keeps no KV cache?"""

import io

from rich.console import Console
from rich.table import Table

from pillion.cli import pieces
from tests.unit.planner import worlds


def shown(table: Table) -> str:
    out = Console(file=io.StringIO(), width=200)
    out.print(table)
    assert isinstance(out.file, io.StringIO)
    return " ".join(out.file.getvalue().split())


def test_an_encoder_has_no_kv_cache_and_is_run_to_pool() -> None:
    plan = worlds.planned(worlds.BERT, on=[worlds.L4]).plan
    assert "vLLM 0.33.0: --runner pooling" in shown(pieces.choice(plan, resources=None))
    assert "KV cache none" in shown(pieces.choice(plan, resources=None))
    memory = shown(pieces.memory(plan))
    assert "left free" in memory
    assert "KV cache" not in memory


def test_a_decoder_pools_where_it_is_asked_to() -> None:
    plan = worlds.planned(worlds.QWEN3_8B, on=[worlds.L4]).plan
    assert "--runner" not in shown(pieces.choice(plan, resources=None))
    assert "--runner pooling" in shown(pieces.choice(plan, resources=None, pools=True))
    assert "more KV cache" in shown(pieces.memory(plan))
