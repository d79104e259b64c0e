"""What does a person see of estimates?"""

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from pillion import sizing
from pillion.cli import bar, pieces
from pillion.cli.overview import Place
from pillion.cli.questions import CPU, Question
from pillion.facts import ModelFacts
from pillion.hardware import gpus
from pillion.planner import wording
from pillion.sizing.constants import GIB

__all__ = ["show", "show_overview"]

_ABOUT = (
    "GPUs are the fewest of 1, 2, 4 and 8 that hold one request; GiB are of each of them, requests and tokens of all "
    "together. --gpu shows one of them in full."
)


def show(
    question: Question,
    request: sizing.EstimateRequest,
    estimate: sizing.Estimate,
    out: Console,
) -> None:
    """Print one estimate: whether it fits, its memory, and its tokens."""
    model = request.model
    out.print(Text.assemble((model.repo, "bold"), "  ", _verdict(estimate)))
    for finding in estimate.reasons:
        out.print(pieces.indented(Text.assemble((finding.reason.value, "red"), f": {finding.message}")))
    if _only_too_long(estimate):
        out.print(pieces.indented(Text(f"It fits with --max-model-len {estimate.max_fitting_model_len}.")))
    out.print()
    out.print(
        pieces.indented(
            pieces.rows(_about_model(model) | _about_device(question, request) | _figures(request, estimate))
        )
    )
    total = request.gpu_memory_bytes
    if total is not None and estimate.weights_bytes is not None:
        out.print()
        out.print(pieces.indented(_memory(request, estimate, total)))
    _print(pieces.listed("Notes", (*model.notes, *estimate.notes)), out)


def _only_too_long(estimate: sizing.Estimate) -> bool:
    """Whether a shorter limit on one request is all that it takes."""
    reasons = {finding.reason for finding in estimate.reasons}
    return reasons == {sizing.Verdict.CONTEXT_DOES_NOT_FIT} and bool(estimate.max_fitting_model_len)


def _verdict(estimate: sizing.Estimate) -> tuple[str, str]:
    if estimate.fits is None:
        return "", ""
    return ("fits", "bold green") if estimate.fits else ("does not fit", "bold red")


def _about_model(model: ModelFacts) -> dict[str, str | None]:
    parameters = None
    if model.parameters is not None:
        parameters = f"{_billions(model.parameters)} parameters"
        if model.active_parameters is not None and model.active_parameters < model.parameters:
            parameters += f", {_billions(model.active_parameters)} of them active for a token"
    quantized = model.quantization
    stored = f"{quantized.scheme} weights" if quantized is not None else model.dtype
    limit = f"up to {model.max_context_tokens:,} tokens" if model.max_context_tokens else None
    known = model.architecture or model.model_type or "unknown architecture"
    if not model.known_architecture:
        known += " (not known: a conservative estimate)"
    return {"model": ", ".join(each for each in (known, parameters, stored, limit) if each)}


def _about_device(question: Question, request: sizing.EstimateRequest) -> dict[str, str | None]:
    memory = request.gpu_memory_bytes
    if memory is None:
        return {}
    if question.product == CPU:
        return {"device": f"CPU, {wording.gib(memory)} that the engine may count on"}
    name = question.product or "a GPU"
    ranks = request.tensor_parallel * request.pipeline_parallel
    each = "each " if ranks > 1 else ""
    seen = f"{wording.gib(memory)} {each}as the engine sees it"
    if request.compute_capability is not None:
        major, minor = request.compute_capability
        seen += f", compute capability {major}.{minor}"
    return {"accelerator": f"{wording.device(ranks, name)}, {seen}"}


def _figures(request: sizing.EstimateRequest, estimate: sizing.Estimate) -> dict[str, str]:
    several = " on each GPU" if request.tensor_parallel * request.pipeline_parallel > 1 else ""
    rows: dict[str, str] = {}
    if estimate.weights_bytes is not None:
        rows["weights"] = f"{wording.gib(estimate.weights_bytes)}{several}"
    if estimate.kv_bytes_per_token is not None:
        rows["KV cache"] = f"{estimate.kv_bytes_per_token:,} bytes a token{several}"
        if estimate.kv_cache_bytes and estimate.kv_cache_tokens:
            rows["KV cache"] += (
                f"; {wording.gib(estimate.kv_cache_bytes)} hold {estimate.kv_cache_tokens:,} tokens"
            )
    if estimate.kv_cache_tokens_promised is not None:
        rows["promised"] = f"{estimate.kv_cache_tokens_promised:,} tokens that a plan may count on"
    if estimate.max_model_len is not None:
        rows["context"] = f"{estimate.max_model_len:,} tokens"
        if estimate.max_fitting_model_len is not None:
            rows["context"] += f"; one request may have up to {estimate.max_fitting_model_len:,}"
    if estimate.max_concurrency is not None:
        rows["concurrency"] = f"{estimate.max_concurrency:,.2f} requests of that length at once"
    return rows


def _memory(request: sizing.EstimateRequest, estimate: sizing.Estimate, total: int) -> Table:
    used = sum(
        each or 0
        for each in (
            estimate.weights_bytes,
            max(0, estimate.kv_cache_bytes or 0),
            estimate.peak_activation_bytes,
            estimate.cuda_graph_bytes,
            estimate.non_torch_bytes,
        )
    )
    ranks = request.tensor_parallel * request.pipeline_parallel
    whose = "the engine" if request.product == CPU else "each GPU" if ranks > 1 else "the GPU"
    title = f"Memory of {whose}: {wording.gib(total)}"
    if used > total:
        title += f", where {wording.gib(used)} are needed before any KV cache"
    return bar.divided(
        title,
        {
            "weights": estimate.weights_bytes,
            "KV cache": estimate.kv_cache_bytes,
            "activations": estimate.peak_activation_bytes,
            "CUDA graphs": estimate.cuda_graph_bytes,
            "outside the framework": estimate.non_torch_bytes,
            "": None,
            "left free": total - used,
        },
        total=total,
    )


def show_overview(
    question: Question, model: ModelFacts, found: Sequence[Place], length: int, out: Console
) -> None:
    """Print where a model fits."""
    out.print(Text(model.repo, style="bold"))
    out.print(pieces.indented(pieces.rows(_about_model(model))))
    # Narrow enough for 80 columns.
    table = Table(
        box=box.SIMPLE_HEAD, padding=(0, 0), collapse_padding=True, pad_edge=False, header_style="bold"
    )
    for title in ("GPU", "weights as"):
        table.add_column(title, no_wrap=True)
    for title in (
        "GPUs",
        "GiB\neach",
        "weights\nGiB",
        "KV cache\nGiB",
        "longest\nrequest",
        f"requests\nof {length:,}",
    ):
        table.add_column(title, justify="right", no_wrap=True, min_width=len(title.split("\n")[0]))
    several_forms = len({place.form for place in found}) > 1
    before = None
    for place in found:
        if several_forms and before is not None and place.gpu is not before:
            table.add_section()
        table.add_row(*_cells(place, first=place.gpu is not before))
        before = place.gpu
    out.print(table)
    notes = {note for place in found for note in place.estimate.notes if "unverified" in note.lower()}
    about = _ABOUT
    if not all(place.estimate.fits for place in found):
        about += " Where there are none, -o json says why."
    if model.quantization is None and "quantization" not in question.settings:
        about += " FP8 is made while loading; AWQ is reckoned with as if there were such a checkpoint."
    _print(pieces.listed("Notes", (*model.notes, *sorted(notes), about)), out)


def _cells(place: Place, *, first: bool) -> Iterator[str]:
    estimate = place.estimate
    memory = gpus.usable_bytes(place.gpu)
    yield _short(place.gpu.product) if first else ""
    yield place.form.removesuffix(" on the fly")
    yield str(place.count)
    yield f"{memory / GIB:.1f}" if first else ""
    yield _number(estimate.weights_bytes)
    if not estimate.fits:
        yield from ("-", "-", "none")
        return
    yield _number(estimate.kv_cache_bytes)
    yield "" if estimate.max_fitting_model_len is None else f"{estimate.max_fitting_model_len:,}"
    yield "" if estimate.max_concurrency is None else f"{estimate.max_concurrency:,.1f}"


def _short(product: str) -> str:
    """A product without its maker, which --gpu takes as well."""
    for maker in ("NVIDIA-", "Tesla-", "AMD_"):
        product = product.removeprefix(maker)
    return product


def _print(parts: Iterable[RenderableType], out: Console) -> None:
    for part in parts:
        out.print(part)


def _number(amount: int | None) -> str:
    return "" if amount is None else f"{amount / GIB:.2f}"


def _billions(number: int) -> str:
    return f"{number / 1e9:.2f} billion" if number >= 1e9 else f"{number / 1e6:.1f} million"
