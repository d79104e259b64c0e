"""What does the Hub say of a model?

Everything is read into memory with a time limit; nothing is written to disk. One request finds the commit
of a revision; what a commit holds never changes, so its facts are kept.
"""

import functools
import hashlib
from collections.abc import Callable, Sequence

from pillion.api.reasons import Reason
from pillion.facts import trusted, understanding
from pillion.facts.cache import FactsCache
from pillion.facts.errors import FactsError
from pillion.facts.hub_source import Source, UnloadableError
from pillion.facts.model import ModelFacts
from pillion.facts.words import OPERATOR, Words


def read(
    repo: str,
    *,
    revision: str | None = None,
    token: str | None = None,
    endpoint: str | None = None,
    cache: FactsCache | None = None,
    timeout_seconds: float = 10.0,
    words: Words = OPERATOR,
) -> ModelFacts:
    """The facts of a model at a revision. Blocks; safe to call from several threads.

    Args:
        repo: owner/name.
        revision: a branch, tag or commit; None is main.
        token: for gated and private repositories; without one, none of the machine's own is used.
        endpoint: the Hub's address; None is HF_ENDPOINT, or the public Hub.
        cache: keeps facts by commit, and for whom they were read.
        timeout_seconds: for each request.
        words: in which failures are told.

    Raises:
        FactsError: with the reason, and what would help.
    """
    reader = functools.partial(
        _loadable, token=token, endpoint=endpoint, cache=cache, timeout_seconds=timeout_seconds, words=words
    )
    try:
        return reader(repo, revision=revision)
    except UnloadableError as problem:
        # Here what is looked up for the message is read plainly, so that no two repositories name each other forever.
        quantizations = functools.partial(
            trusted.quantizations,
            read=lambda other: _plainly(reader, other),
            token=token,
            endpoint=endpoint,
            timeout_seconds=timeout_seconds,
        )
        raise problem.explained(lambda other: _plainly(reader, other), quantizations) from problem


def _loadable(
    repo: str,
    *,
    revision: str | None = None,
    token: str | None,
    endpoint: str | None,
    cache: FactsCache | None,
    timeout_seconds: float,
    words: Words = OPERATOR,
) -> ModelFacts:
    source = Source(repo=repo, token=token, endpoint=endpoint, timeout_seconds=timeout_seconds, words=words)
    place = (source.address, repo, revision or "", _whose(token))
    try:
        info = source.ask(lambda: source.info(revision), revision=revision)
    except FactsError as problem:
        earlier = cache.latest(place) if cache is not None else None
        if problem.reason is Reason.HUB_UNREACHABLE and earlier is not None:
            return earlier  # a Hub that is away for an hour changes no plan
        raise
    if info.sha is None:
        raise FactsError(Reason.HUB_UNREACHABLE, f"the Hub named no commit for {repo}", transient=True)
    key = (source.address, repo, info.sha, _whose(token))
    if cache is not None:
        cache.remember(place, info.sha)
    known = cache.get(key) if cache is not None else None
    if known is not None:
        return known
    found = understanding.facts(source.documents(info, info.sha))
    if cache is not None:
        cache.put(key, found)
    return found


def _plainly(reader: Callable[[str], ModelFacts], repo: str) -> ModelFacts:
    """Facts without a search for something to load instead."""
    try:
        return reader(repo)
    except UnloadableError as problem:
        raise problem.plain() from problem


def trusted_quantizations(
    base: ModelFacts,
    *,
    publishers: Sequence[str] = trusted.PUBLISHERS,
    token: str | None = None,
    endpoint: str | None = None,
    cache: FactsCache | None = None,
    timeout_seconds: float = 10.0,
) -> tuple[ModelFacts, ...]:
    """Quantized checkpoints of a model by publishers that are trusted, as far as the Hub answers.

    Args as for `read`; `publishers` are trusted beside the model's own.
    """
    return trusted.quantizations(
        base,
        read=functools.partial(
            _plainly,
            functools.partial(
                _loadable, token=token, endpoint=endpoint, cache=cache, timeout_seconds=timeout_seconds
            ),
        ),
        publishers=publishers,
        token=token,
        endpoint=endpoint,
        timeout_seconds=timeout_seconds,
    )


def _whose(token: str | None) -> str:
    """Tells readers apart without keeping their tokens: facts of a gated model are not for everybody."""
    return hashlib.sha256(token.encode()).hexdigest()[:16] if token else ""
