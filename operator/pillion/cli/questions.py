"""What may a question about a model's memory say, and what does it become for the memory model?

The same fields come as a line of JSON and as options of a command, and every mistake of one question is told at once.
Absent and null mean the engine's default for its version.
"""

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pillion import engines, sizing
from pillion.cli.exits import BadInputError
from pillion.facts import ModelFacts
from pillion.hardware import gpus
from pillion.sizing import kv_dtypes, versions
from pillion.sizing import request as sizing_request
from pillion.sizing.constants import GIB

__all__ = ["CPU", "FIELDS", "Question", "from_texts", "read"]

CPU: Final = "cpu"  # the product that stands for no accelerator
_DTYPES: Final = ("auto", "bfloat16", "float16", "float32", "half", "float")
_ENGINES: Final = ("vllm", "tgi")
_NEWEST: Final = frozenset({"latest", "main", "nightly"})
_SHORT_DTYPES: Final = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
_CAPABILITY: Final = re.compile(r"(?:sm_?)?(\d{1,2})\.(\d)[a-z]?", re.IGNORECASE)

# The engine's own notation: human_readable_int, by which vLLM reads --max-model-len and --max-num-batched-tokens.
_TOKENS: Final = re.compile(r"(\d+(?:\.\d+)?)([kKmMgG]?)")
_DECIMAL: Final = {"k": 10**3, "m": 10**6, "g": 10**9}
_BINARY: Final = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}

Check = Callable[[object], Any]


class _WrongValueError(ValueError):
    """What is accepted; the caller adds the field and what was found."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A question whose values make sense, before the model was looked at."""

    model: str
    product: str | None = None
    gpu: gpus.GpuModel | None = None  # None beside a product: nobody knows it, and its memory was given
    gpu_memory_bytes: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)  # by the names that the memory model has

    def request(self, model: ModelFacts) -> sizing.EstimateRequest:
        """The question to the memory model.

        The accelerator's own memory and compute capability count where the question names none.
        """
        settings = dict(self.settings)
        memory = self.gpu_memory_bytes
        if self.gpu is not None:
            memory = memory if memory is not None else gpus.usable_bytes(self.gpu)
            settings.setdefault("compute_capability", self.gpu.compute_capability)
        return sizing.EstimateRequest(
            model=model,
            gpu_memory_bytes=memory,
            product=self.product,
            listed=engines.lists(settings.get("engine", sizing_request.VLLM), model.architecture),
            **settings,
        )


def read(fields: Mapping[str, object]) -> Question:
    """A question from its fields; `id` is not one of them.

    Raises:
        BadInputError: every field that is wrong or that there is none of, each with what is accepted.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, found in fields.items():
        check = FIELDS.get(name)
        if name == "gpu" and isinstance(found, str) and fields.get("gpu_memory_gib") is not None:
            continue  # its memory is given, so that its name need not be known
        if check is None:
            near = difflib.get_close_matches(str(name), FIELDS, n=1, cutoff=0.6)
            remedy = f"did you mean {near[0]}?" if near else f"there are: {', '.join(FIELDS)}"
            problems.append(f"{name}: there is no such field; {remedy}")
        elif found is not None:
            try:
                value = check(found)
                if value is not None:
                    values[name] = value
            except _WrongValueError as error:
                problems.append(f"{name}: {error}; found {found!r}")
    if fields.get("model") is None:
        problems.append(
            "model: is required: a directory with at least config.json, or owner/name as on the Hub"
        )
    if problems:
        raise BadInputError(problems)
    cache = values.pop("kv_cache_memory_gib", None)
    memory = values.pop("gpu_memory_gib", None)
    if cache is not None:
        values["kv_cache_memory_bytes"] = cache
    gpu: gpus.GpuModel | None = values.pop("gpu", None)
    given = fields.get("gpu")
    product = given if isinstance(given, str) else None
    if product is not None and product.strip().lower() == CPU:
        product = CPU
    if gpu is None and product is not None:
        gpu = gpus.find(product)
    return Question(
        model=values.pop("model"),
        product=gpu.product if gpu is not None else product,
        gpu=gpu,
        gpu_memory_bytes=memory,
        settings=values,
    )


def from_texts(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields as options give them, with numbers for the texts that are some; others are refused by their check."""
    return {
        name: _number(found) if isinstance(found, str) and FIELDS.get(name) in _OF_NUMBERS else found
        for name, found in fields.items()
    }


def _number(text: str) -> int | float | str:
    for read_number in (int, float):
        try:
            return read_number(text)
        except ValueError:
            continue
    return text


def _whole(value: object) -> int:
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
    if not math.isfinite(number) or number != math.floor(number) or number < 1:
        raise _WrongValueError("must be a whole number of 1 or more")
    return int(number)


def _tokens(value: object) -> int:
    """A whole number, or a text as the engine's option takes it: 8k is 8,000, 8K is 8,192, 25.6k is 25,600."""
    found = _TOKENS.fullmatch(value.strip()) if isinstance(value, str) else None
    try:
        if found is None:
            return _whole(value)
        number, suffix = found.groups()
        # A fraction of a binary multiple is refused by the engine, too.
        return _whole(
            int(float(number) * _DECIMAL[suffix]) if suffix in _DECIMAL else int(number) * _BINARY[suffix]
        )
    except (OverflowError, ValueError):
        raise _WrongValueError(
            "must be a whole number of 1 or more, which may end as vLLM's do: 8k is 8,000 and 8K is 8,192"
        ) from None


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise _WrongValueError("must be a number above 0 and at most 1")
    return float(value)


def _gib(value: object) -> int:
    """Bytes of an amount in GiB, rounded down."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise _WrongValueError("must be a number of GiB above 0")
    return math.floor(value * GIB)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _WrongValueError("must be a text that is not empty")
    return value.strip()


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _WrongValueError("must be true or false")
    return value


def _gpu(value: object) -> gpus.GpuModel:
    name = _text(value)
    if name.lower() == CPU:
        raise _WrongValueError("on CPU gpu_memory_gib is needed: the memory that the engine may count on")
    found = gpus.find(name)
    if found is None:
        near = gpus.nearest(name)
        raise _WrongValueError(
            "no GPU of that name is known"
            + (f"; near it: {', '.join(near)}" if near else "")
            + "; gpu_memory_gib and compute_capability describe any other"
        )
    return found


def _capability(value: object) -> tuple[int, int]:
    """From 8.9, "8.9", "sm_89" or [8, 9]."""
    pair = value
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        written = str(value).strip().lower().removeprefix("sm_").removeprefix("sm")
        if written.isdigit() and len(written) > 1 and isinstance(value, str):
            written = f"{written[:-1]}.{written[-1]}"  # sm_89, sm_120
        match = _CAPABILITY.fullmatch(written if "." in written else f"{written}.0")
        pair = [int(match[1]), int(match[2])] if match else None
    if (
        isinstance(pair, list | tuple)
        and len(pair) == 2
        and all(isinstance(part, int) and not isinstance(part, bool) and 0 <= part < 100 for part in pair)
    ):
        return pair[0], pair[1]
    raise _WrongValueError('must be a compute capability such as "8.9"')


def _one_of(accepted: tuple[str, ...]) -> Check:
    def check(value: object) -> str:
        name = value.strip().lower() if isinstance(value, str) else None
        if name not in accepted:
            raise _WrongValueError(f"must be one of {', '.join(accepted)}")
        return name

    return check


def _version(value: object) -> str | None:
    """A version's text; None for a build of whatever is newest, which nobody can know the defaults of."""
    text = value.strip() if isinstance(value, str) else ""
    if text.lower() in _NEWEST:
        return None
    if versions.parse(text) is None:
        raise _WrongValueError('must be a version such as "0.33.0"')
    return text.removeprefix("v")


def _dtype(value: object) -> str:
    """As the engine's option has it; torch's and other tools' names are taken, too."""
    text = value.strip().lower().removeprefix("torch.") if isinstance(value, str) else value
    return str(_one_of(_DTYPES)(_SHORT_DTYPES.get(text, text) if isinstance(text, str) else text))


def _cache_dtype(value: object) -> str:
    """As the engine's option has it; the API's and torch's names are taken, too."""
    name = kv_dtypes.name_of(value) if isinstance(value, str) else None
    if name is None:
        raise _WrongValueError(f"must be one of {', '.join(kv_dtypes.NAMES)}, whose sizes are known")
    return name


def _quantization(value: object) -> str | None:
    text = _text(value)
    return None if text.lower() == "none" else text


FIELDS: Final[Mapping[str, Check]] = {
    "model": _text,
    "gpu": _gpu,
    "gpu_memory_gib": _gib,
    "compute_capability": _capability,
    "tensor_parallel": _whole,
    "pipeline_parallel": _whole,
    "engine": _one_of(_ENGINES),
    "engine_version": _version,
    "gpu_memory_utilization": _share,
    "max_model_len": _tokens,
    "max_num_seqs": _whole,
    "max_num_batched_tokens": _tokens,
    "dtype": _dtype,
    "quantization": _quantization,
    "kv_cache_dtype": _cache_dtype,
    "enforce_eager": _flag,
    "kv_cache_memory_gib": _gib,
}
_OF_NUMBERS: Final = (_whole, _tokens, _share, _gib)
