"""Which checkpoints may a ModelDeployment be served from, and when is the Hub asked again?

What a commit holds never changes, and is kept. Which commit a branch names, and what publishers have quantized since,
is asked again after half a minute, once for all who ask for the same: a hundred ModelDeployments of one model are one
question. A failure is shared by those who wait for it, and asked again by whoever comes next.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from pillion.api.modeldeployment import Checkpoints, ModelDeployment
from pillion.controller.settings import Settings
from pillion.facts import ModelFacts
from pillion.facts.cache import FactsCache

__all__ = ["CheckpointFacts", "Question"]

FRESH_SECONDS = 30.0

Read = Callable[..., ModelFacts]
Trusted = Callable[..., tuple[ModelFacts, ...]]


class Question(NamedTuple):
    """What is asked of the Hub, and for whom: facts of a gated model are not for everybody."""

    repo: str
    revision: str | None
    variants: tuple[str, ...]
    trusted: bool
    whose: str

    @classmethod
    def of(cls, deployment: ModelDeployment, token: str | None) -> "Question":
        """The one that a spec asks."""
        model = deployment.spec.model
        assert model.repo is not None
        return cls(
            repo=model.repo,
            revision=model.revision,
            variants=tuple(model.variants),
            trusted=deployment.spec.quantization.checkpoints is Checkpoints.TRUSTED_PUBLISHERS,
            whose=hashlib.sha256(token.encode()).hexdigest() if token else "",
        )


class CheckpointFacts:
    """Asks the Hub, in threads, and keeps what it said for a while."""

    def __init__(
        self, settings: Settings, clock: Callable[[], float], *, read: Read, trusted: Trusted
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._read = read
        self._trusted = trusted
        self._of_commits = FactsCache()
        self._answers: dict[Question, tuple[float, asyncio.Task[tuple[ModelFacts, ...]]]] = {}

    async def of(self, deployment: ModelDeployment, token: str | None) -> tuple[ModelFacts, ...]:
        """The declared checkpoint, its variants, and where the spec allows it those of trusted publishers.

        Raises:
            FactsError: the Hub does not answer, or has no such model for this reader.
        """
        question = Question.of(deployment, token)
        asked_at, task = self._answers.get(question, (float("-inf"), None))
        if task is None or self._clock() - asked_at >= FRESH_SECONDS:
            self._answers = {key: kept for key, kept in self._answers.items() if self._fresh(kept[0])}
            task = asyncio.create_task(self._ask(question, token))
            self._answers[question] = (self._clock(), task)
        try:
            return await task
        except Exception:
            if self._answers.get(question, (0.0, None))[1] is task:
                del self._answers[question]
            raise

    def _fresh(self, asked_at: float) -> bool:
        return self._clock() - asked_at < FRESH_SECONDS

    async def _ask(self, question: Question, token: str | None) -> tuple[ModelFacts, ...]:
        def read(repo: str, revision: str | None) -> Awaitable[ModelFacts]:
            return asyncio.to_thread(
                self._read,
                repo,
                revision=revision,
                token=token,
                endpoint=self._settings.hub_endpoint,
                cache=self._of_commits,
                timeout_seconds=self._settings.hub_timeout_seconds,
            )

        own = await read(question.repo, question.revision)
        found = [own, *await asyncio.gather(*(read(variant, None) for variant in question.variants))]
        if question.trusted:
            known = {checkpoint.repo for checkpoint in found}
            quantized = await asyncio.to_thread(
                self._trusted,
                own,
                publishers=self._settings.publishers,
                token=token,
                endpoint=self._settings.hub_endpoint,
                cache=self._of_commits,
                timeout_seconds=self._settings.hub_timeout_seconds,
            )
            found += [checkpoint for checkpoint in quantized if checkpoint.repo not in known]
        return tuple(found)
