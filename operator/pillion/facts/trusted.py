"""Which published quantizations of a model may stand in for it?

Publishers say in a checkpoint's card what it was quantized from, and the Hub finds it by that. A publisher on the list
is trusted to have done it well; that it is the same model is checked: shape, vocabulary and tokenizer.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.utils import (  # type: ignore[attr-defined] # documented, not re-exported for checkers
    build_hf_headers,
    get_session,
    hf_raise_for_status,
)

from pillion.facts import sameness
from pillion.facts.errors import FactsError
from pillion.facts.model import ModelFacts

PUBLISHERS = ("RedHatAI", "nvidia")  # beside the model's own; a setting of the operator
_LISTED_PER_PUBLISHER = 20
_MOST = 8
_UNLOADABLE = frozenset({"gguf", "mlx", "openvino", "onnx", "bitsandbytes"})

Read = Callable[[str], ModelFacts]


def quantizations(
    base: ModelFacts,
    *,
    read: Read,
    publishers: Sequence[str] = PUBLISHERS,
    token: str | None = None,
    endpoint: str | None = None,
    timeout_seconds: float = 10.0,
) -> tuple[ModelFacts, ...]:
    """Checkpoints that trusted publishers made of a model, in the order of their names.

    What the Hub does not answer is left out: the model itself can be planned without. Only a plain model has
    quantizations; one that is quantized already is its own.

    Args:
        base: the model.
        read: reads the facts of a repository.
        publishers: trusted ones, beside the model's own.
        token: for the Hub.
        endpoint: the Hub's address; None is HF_ENDPOINT, or the public Hub.
        timeout_seconds: for each request.
    """
    if base.quantization is not None:
        return ()
    authors = sorted({base.repo.partition("/")[0], *publishers})
    address = HfApi(endpoint=endpoint).endpoint
    with ThreadPoolExecutor(max_workers=_MOST) as pool:
        lists = pool.map(lambda author: _listed(base.repo, author, address, token, timeout_seconds), authors)
        repos = sorted({repo for listed in lists for repo in listed} - {base.repo})[:_MOST]
        found = pool.map(lambda repo: _read_or_none(read, repo), repos)
        return tuple(model for model in found if model is not None and is_same_model(base, model))


def is_same_model(base: ModelFacts, other: ModelFacts) -> bool:
    """Whether a quantized checkpoint has the base's shape, vocabulary and tokenizer."""
    return (
        other.quantization is not None
        and not sameness.differing_shape(base, other)
        and sameness.same_tokenizer(base, other)
    )


def _listed(repo: str, author: str, address: str, token: str | None, timeout_seconds: float) -> list[str]:
    """Repositories of one author that the Hub lists as quantizations; none where it does not answer.

    HfApi.list_models waits without a limit, so the request is made here.
    """
    query = {
        "filter": f"base_model:quantized:{repo}",
        "author": author,
        "sort": "downloads",
        "limit": str(_LISTED_PER_PUBLISHER),
    }
    try:
        response = get_session().get(
            f"{address}/api/models",
            params=query,
            headers=build_hf_headers(token=token or False),
            timeout=timeout_seconds,
        )
        hf_raise_for_status(response)
        return list(_loadable(response.json()))
    except (httpx2.HTTPError, OSError, ValueError):
        return []


def _loadable(entries: Any) -> Iterable[str]:  # noqa: ANN401 (somebody's JSON)
    for entry in entries if isinstance(entries, list) else ():
        name = entry.get("id") if isinstance(entry, dict) else None
        if isinstance(name, str) and not _UNLOADABLE & set(entry.get("tags") or ()):
            yield name


def _read_or_none(read: Read, repo: str) -> ModelFacts | None:
    try:
        return read(repo)
    except FactsError:
        return None
