"""Of which pieces are pages made: a plan's choice and memory, reasons with their sentences, names with their values?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pillion import planner
from pillion.api.engine import EngineResources
from pillion.cli import bar
from pillion.planner import wording

__all__ = ["SHOWN", "candidates", "choice", "heading", "indented", "listed", "memory", "reasons", "rows"]

SHOWN = 8  # candidates, as in status; the nearest come first


def indented(content: RenderableType, level: int = 2) -> Padding:
    """Content further to the right."""
    return Padding.indent(content, level)


def heading(text: str) -> Text:
    """What stands above a part of a page."""
    return Text(text, style="bold")


def rows(named: Mapping[str, str | None]) -> Table:
    """Names beside their values; what has no value is left out."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in named.items():
        if value:
            table.add_row(name, Text(value))
    return table


def listed(title: str, sentences: Iterable[str]) -> Iterator[RenderableType]:
    """Sentences under a heading; nothing where there are none."""
    found = list(dict.fromkeys(sentences))
    if found:
        yield Text()
        yield heading(title)
        for sentence in found:
            yield indented(Text(sentence))


def reasons(title: str, found: Iterable[tuple[str, str]], *, style: str) -> Iterator[RenderableType]:
    """Reasons with their sentences under a heading; nothing where there are none."""
    pairs = list(found)
    if pairs:
        yield Text()
        yield heading(title)
        for reason, message in pairs:
            yield indented(Text.assemble((reason, style), f": {message}"))


def candidates(
    found: Sequence[tuple[str, str, str]], *, shown: int = SHOWN, more: str = ""
) -> Iterator[RenderableType]:
    """Who lost, each with its reason and its sentence."""
    if not found:
        return
    yield Text()
    yield heading("Rejected candidates, the nearest first")
    for who, reason, message in found[:shown]:
        yield indented(Text.assemble(who, "  ", (reason, "cyan")))
        yield indented(Text(message, style="dim"), 4)
    if len(found) > shown:
        yield indented(Text(f"and {len(found) - shown} more{more}"))


def choice(
    plan: planner.Plan,
    *,
    resources: EngineResources | None,
    pods: int | None = None,
    free: str = "",
    pools: bool = False,
) -> Table:
    """What was chosen, and what the engine is told; one that pools makes vectors or scores of texts."""
    weights = wording.weights_name(plan.quantization)
    if plan.quantization != "None":
        weights += f", {plan.bits} bit" + (", converted while loading" if plan.on_the_fly else "")
    where = wording.device(plan.count, plan.product)
    if pods is not None:
        where += f" for each of {wording.count(pods, 'pod')}{free}"
    engine = plan.engine if plan.engine_version is None else f"{plan.engine} {plan.engine_version}"
    tokens = (
        ""
        if plan.kv_cache_tokens is None
        else f"; the whole cache holds about {plan.kv_cache_tokens:,} tokens"
    )
    return rows(
        {
            "checkpoint": plan.checkpoint + (f" at {plan.commit[:12]}" if plan.commit else ""),
            "weights": weights,
            "accelerator": where,
            "context": f"up to {plan.context_tokens:,} tokens a request",
            "at once": wording.requests_of(plan.concurrency, plan.promised_context_tokens) + tokens,
            "KV cache": "none"
            if _keeps_no_cache(plan)
            else plan.kv_cache_dtype or "in the model's own dtype",
            "engine": f"{engine}: {_flags(plan, pools=pools or _keeps_no_cache(plan))}",
            "container": _container(plan, resources),
        }
    )


def _container(plan: planner.Plan, resources: EngineResources | None) -> str:
    """What the engine's container gets, by the user's word where there is one."""
    sizes = planner.container_sizes(plan, resources)
    asked = "" if sizes == planner.container_sizes(plan, None) else ", as spec.engine.resources has it"
    return (
        f"{wording.cores(sizes.cpu_request_millis)}, {wording.gib(sizes.memory_request_bytes)} of memory (limit "
        f"{wording.gib(sizes.memory_limit_bytes)}), {wording.gib(sizes.cache_bytes)} for files{asked}"
    )


def memory(plan: planner.Plan) -> Table:
    """The memory of one accelerator, or of the engine's container on CPU."""
    budget = plan.memory
    if plan.product is None:
        whose = "the engine's container"
    else:
        whose = "each accelerator" if plan.count > 1 else "the accelerator"
    unverified = " (unverified: no log like it was compared)" if budget.unverified else ""
    needed = budget.weights + budget.kv_cache + budget.activation + budget.graphs + budget.other
    title = f"Memory of {whose}: {wording.gib(budget.total)}"
    over = plan.product is None and needed > budget.usable  # the user limits the container to less
    if over:
        title = f"Memory that {whose} needs: {wording.gib(needed)}, where its limit is {wording.gib(budget.usable)}"
    return bar.divided(
        title + unverified,
        {
            "weights": budget.weights,
            "KV cache that is promised": budget.kv_cache or None,
            "activations": budget.activation,
            "CUDA graphs": budget.graphs,
            "other": budget.other,
            "left free"
            if plan.product is None or _keeps_no_cache(plan)
            else "more KV cache": budget.headroom,
            "left to others": budget.total - budget.usable,
        },
        total=needed if over else budget.total,
    )


def _keeps_no_cache(plan: planner.Plan) -> bool:
    return not plan.memory.kv_cache and plan.kv_cache_tokens is None


def _flags(plan: planner.Plan, *, pools: bool) -> str:
    values = {
        "--runner": "pooling" if pools else None,
        "--max-model-len": plan.context_tokens,
        "--max-num-seqs": plan.max_num_seqs,
        "--max-num-batched-tokens": plan.max_num_batched_tokens,
        "--gpu-memory-utilization": plan.gpu_memory_utilization,
        "--kv-cache-memory-bytes": plan.kv_cache_bytes,
        "--kv-cache-dtype": plan.kv_cache_dtype,
        "--dtype": plan.dtype,
        "--quantization": plan.on_the_fly,
        "--tensor-parallel-size": plan.tensor_parallel if plan.tensor_parallel > 1 else None,
    }
    return " ".join(f"{flag} {value}" for flag, value in values.items() if value is not None)
