"""Which options does `pillion estimate` have?"""

from typing import Annotated

import typer

from pillion.cli.commands.options import Form

__all__ = ["estimate"]

_DEVICE, _ENGINE, _MANY = "Accelerator", "Engine's settings (absent: its version's default)", "Many at once"
# A panel of its own: a second column of names beside the long ones would leave 80 columns no room for either.
_SWITCHES = "Engine's settings, on or off"

# Numbers come as texts: what a question accepts is said by one module, for options as for lines of a file.
_Number = str | None


def estimate(
    *,
    model: Annotated[
        str | None,
        typer.Argument(
            help="A directory with at least config.json, or owner/name as on the Hub.", show_default=False
        ),
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(
            metavar="PRODUCT",
            help="A GPU, such as L4, or as the label nvidia.com/gpu.product has it; absent, common ones are compared.",
            rich_help_panel=_DEVICE,
        ),
    ] = None,
    gpu_memory_gib: Annotated[
        _Number,
        typer.Option(
            metavar="NUMBER",
            help="Memory of one GPU as the engine sees it, in place of the table's.",
            rich_help_panel=_DEVICE,
        ),
    ] = None,
    compute_capability: Annotated[
        str | None, typer.Option(metavar="X.Y", help="In place of the table's.", rich_help_panel=_DEVICE)
    ] = None,
    tensor_parallel: Annotated[
        _Number,
        typer.Option(metavar="NUMBER", help="GPUs that each layer is divided over.", rich_help_panel=_DEVICE),
    ] = None,
    pipeline_parallel: Annotated[
        _Number,
        typer.Option(
            metavar="NUMBER", help="Groups of GPUs that the layers are divided over.", rich_help_panel=_DEVICE
        ),
    ] = None,
    engine: Annotated[
        str | None, typer.Option(metavar="NAME", help="vllm or tgi.", rich_help_panel=_ENGINE)
    ] = None,
    engine_version: Annotated[
        str | None,
        typer.Option(
            help="Such as 0.33.0; absent, the least that any version leaves counts.", rich_help_panel=_ENGINE
        ),
    ] = None,
    gpu_memory_utilization: Annotated[
        _Number,
        typer.Option(metavar="NUMBER", help="The engine's share of the memory.", rich_help_panel=_ENGINE),
    ] = None,
    max_model_len: Annotated[
        _Number,
        typer.Option(
            metavar="NUMBER",
            help="Tokens that one request may have; 8k is 8,000 and 8K 8,192.",
            rich_help_panel=_ENGINE,
        ),
    ] = None,
    max_num_seqs: Annotated[
        _Number,
        typer.Option(metavar="NUMBER", help="Requests that are computed at once.", rich_help_panel=_ENGINE),
    ] = None,
    max_num_batched_tokens: Annotated[
        _Number,
        typer.Option(
            metavar="NUMBER",
            help="Tokens that are computed at once; 8k and 8K as above.",
            rich_help_panel=_ENGINE,
        ),
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="auto, bfloat16, float16 or float32.", rich_help_panel=_ENGINE)
    ] = None,
    quantization: Annotated[
        str | None,
        typer.Option(
            help="What the engine converts weights to while loading, such as fp8.", rich_help_panel=_ENGINE
        ),
    ] = None,
    kv_cache_dtype: Annotated[
        str | None, typer.Option(help="Element type of the KV cache, such as fp8.", rich_help_panel=_ENGINE)
    ] = None,
    enforce_eager: Annotated[
        bool | None,
        typer.Option(
            "--enforce-eager/--no-enforce-eager", help="Without CUDA graphs.", rich_help_panel=_SWITCHES
        ),
    ] = None,
    kv_cache_memory_gib: Annotated[
        _Number,
        typer.Option(
            metavar="NUMBER", help="Memory of the KV cache, where it is given.", rich_help_panel=_ENGINE
        ),
    ] = None,
    revision: Annotated[
        str | None, typer.Option(help="A branch, tag or commit of a model of the Hub.")
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="IN.jsonl",
            help="A question a line, with id, model and the names of these options with _ for -; - reads standard "
            "input. An answer a line comes out.",
            rich_help_panel=_MANY,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FORM",
            help="table, json or yaml; with --batch jsonl, which is its default.",
        ),
    ] = None,
) -> None:
    """Say what a model takes of a GPU: weights, KV cache, the longest request, how many at once.

    Without a GPU it compares common ones in 16, 8 and 4 bit. The Hub is HF_ENDPOINT's; gated models are read with
    HF_TOKEN.

    Exit codes: 0 it fits, or was answered (with --batch: every line was answered), 1 it does not, or the Hub has no
    such model or does not answer (with --batch: a line was answered by an error), 2 the input is wrong (with --batch:
    no line holds a question).
    """
    from pillion.cli import exits

    fields: dict[str, object] = {
        "model": model,
        "gpu": gpu,
        "gpu_memory_gib": gpu_memory_gib,
        "compute_capability": compute_capability,
        "tensor_parallel": tensor_parallel,
        "pipeline_parallel": pipeline_parallel,
        "engine": engine,
        "engine_version": engine_version,
        "gpu_memory_utilization": gpu_memory_utilization,
        "max_model_len": max_model_len,
        "max_num_seqs": max_num_seqs,
        "max_num_batched_tokens": max_num_batched_tokens,
        "dtype": dtype,
        "quantization": quantization,
        "kv_cache_dtype": kv_cache_dtype,
        "enforce_eager": enforce_eager,
        "kv_cache_memory_gib": kv_cache_memory_gib,
    }
    with exits.ending():
        if batch is None:
            form = _form(output)
            from pillion.cli import estimate_run

            estimate_run.one(fields, revision=revision, form=form)
            return
        options = {name: "MODEL" if name == "model" else f"--{name.replace('_', '-')}" for name in fields}
        beside = [options[name] for name, value in fields.items() if value is not None]
        if beside:
            raise exits.BadInputError(
                f"{', '.join(beside)}: with --batch each line of the file says what it asks for; write it there"
            )
        if output not in (None, "jsonl"):
            raise exits.BadInputError(f"--output {output}: --batch writes jsonl alone")
        from pillion.cli import estimate_run

        estimate_run.many(batch, revision=revision)


def _form(output: str | None) -> Form:
    from pillion.cli.exits import BadInputError

    try:
        return Form(output or "table")
    except ValueError:
        raise BadInputError(
            f"--output {output}: accepted are table, json and yaml; jsonl with --batch"
        ) from None
