"""Where do the facts of a model come from: a directory, or the Hub?

The Hub is HF_ENDPOINT's, and gated models are read with HF_TOKEN, as with every other tool. The same model is read
once in a run.
"""

import os
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from pillion.api.modeldeployment import Checkpoints, ModelDeploymentSpec
from pillion.api.reasons import Reason
from pillion.cli.exits import BadInputError
from pillion.facts import FactsError, ModelFacts, tokens
from pillion.facts.cache import FactsCache
from pillion.facts.words import Words

__all__ = ["Models", "directory_of", "hub_token"]

_PARALLEL_READS = 8
# What people copy from a browser: https://huggingface.co/owner/name/tree/main, hf.co/owner/name, hf://owner/name.
_ADDRESS = re.compile(
    r"(?:https?://(?:www\.)?[^/]+/?|(?:www\.)?(?:huggingface\.co|hf\.co)/|hf://)"
    r"(?:(?P<kind>models|datasets|spaces)/)?"
    r"(?P<repo>[\w.-]+/[\w.-]+)?(?:/(?:tree|blob|resolve)/(?P<revision>[^/?#]+))?"
)
_PATIENCE = 3  # a thousand lines must not wait for a Hub that is down a thousand times


def hub_token() -> str | None:
    """The token of HF_TOKEN, if there is one.

    Raises:
        BadInputError: it is no token that can be sent.
    """
    value = os.environ.get("HF_TOKEN")
    if not value:
        return None
    token = value.strip()
    wrong = tokens.wrong(token)
    if wrong is not None:
        raise BadInputError(
            f"HF_TOKEN {wrong}, where a token of the Hub is one word (hf_...); set it to the token alone, or unset it "
            "for public models"
        )
    return token


def directory_of(model: str, *, beside: Path | None = None) -> Path | None:
    """The directory that a model's name means, from here or from the file that names it; None: a Hub's model.

    Raises:
        BadInputError: it can only be a path, and there is no such directory.
    """
    path = Path(model).expanduser()
    for place in (path, beside / path if beside is not None else path):
        if place.is_dir():
            return place
        if place.is_file() and place.name == "config.json":
            return place.parent
    address = _ADDRESS.match(model)
    if address is not None:
        raise BadInputError(f"{model}: is an address; {_named_by(address)}")
    is_path = model.startswith((".", "/", "~")) or model.count("/") != 1 or "\\" in model
    if is_path:
        raise BadInputError(
            f"{model}: there is no such directory; a model is a directory with at least config.json, or owner/name as "
            "on the Hub"
        )
    return None


def _named_by(address: re.Match[str]) -> str:
    """What to write in place of an address."""
    kind, repo, revision = address["kind"], address["repo"], address["revision"]
    if kind in ("datasets", "spaces"):
        return f"and it is one of {kind}: name a model by owner/name"
    if repo is None:
        return "name a model of the Hub by owner/name, and another Hub than huggingface.co by HF_ENDPOINT"
    return f"write {repo}" + (f" (and --revision {revision})" if revision not in (None, "main") else "")


class Models:
    """Reads facts, of directories and of one Hub."""

    def __init__(
        self,
        words: Words,
        *,
        folders: Mapping[str, Path] | None = None,
        revision: str | None = None,
        timeout_seconds: float = 10.0,
    ) -> None:
        """Nothing is read yet.

        Args:
            words: in which failures are told.
            folders: directories that stand for repositories; the name "" stands for whatever is asked for first.
            revision: of models of the Hub that name none.
            timeout_seconds: for each request.
        """
        self._words = words
        self._folders = dict(folders or {})
        self._revision = revision
        self._timeout_seconds = timeout_seconds
        self._token = hub_token()
        self._cache = FactsCache()
        self._read: dict[tuple[str, str | None], ModelFacts | FactsError] = {}
        self._failures_in_a_row = 0  # of a Hub that does not answer

    def of_directory(self, folder: Path) -> ModelFacts:
        """A directory's model.

        Raises:
            FactsError: it holds no model that can be understood.
        """
        from pillion.facts import local

        return self._once((str(folder.resolve()), None), lambda: local.read(folder, words=self._words))

    def of_hub(self, repo: str, revision: str | None = None) -> ModelFacts:
        """A repository's model; failures are remembered too, so that nobody waits for a dead Hub a thousand times.

        Raises:
            FactsError: with the reason, and what would help.
        """
        wanted = revision or self._revision
        return self._once((repo, wanted), lambda: self._from_hub(repo, wanted))

    def named(self, model: str, *, beside: Path | None = None) -> ModelFacts:
        """The model that a user names: a directory, or owner/name.

        Raises:
            BadInputError: there is no such directory.
            FactsError: there is no such model, or it cannot be understood.
        """
        folder = directory_of(model, beside=beside)
        return self.of_hub(model) if folder is None else self.of_directory(folder)

    def checkpoints(self, spec: ModelDeploymentSpec) -> tuple[tuple[ModelFacts, ...], tuple[str, ...]]:
        """The model, its variants and trusted quantizations, and what was assumed about them, in sentences.

        Raises:
            FactsError: the model or a variant cannot be read.
        """
        repo = spec.model.repo
        if repo is None:
            raise BadInputError(
                "spec.model.repo: is required here: this version plans models from the Hub alone"
            )
        wanted = [(repo, spec.model.revision), *((variant, None) for variant in spec.model.variants)]
        with ThreadPoolExecutor(max_workers=_PARALLEL_READS) as pool:
            reading = [pool.submit(self._checkpoint, *each) for each in wanted]
            found = [each.result() for each in reading]
        if spec.quantization.checkpoints is not Checkpoints.TRUSTED_PUBLISHERS:
            return tuple(found), ()
        if self._folder(repo) is not None:
            note = (
                f"{repo} was read from a directory, so the Hub was not asked for quantized checkpoints of it."
            )
            return tuple(found), (note,)
        known = {checkpoint.repo for checkpoint in found}
        found += [each for each in self._trusted(found[0]) if each.repo not in known]
        return tuple(found), ()

    def _checkpoint(self, repo: str, revision: str | None) -> ModelFacts:
        folder = self._folder(repo)
        if folder is None:
            return self.of_hub(repo, revision)
        try:
            return replace(self.of_directory(folder), repo=repo)
        except FactsError as error:
            raise BadInputError(f"--model {folder}: {error.message}") from error

    def _folder(self, repo: str) -> Path | None:
        return self._folders.get(repo, self._folders.get(""))

    def _from_hub(self, repo: str, revision: str | None) -> ModelFacts:
        # Its imports take longer than everything else a directory's model needs.
        from pillion.facts import hub

        if self._failures_in_a_row >= _PATIENCE:
            raise FactsError(
                Reason.HUB_UNREACHABLE,
                f"The Hub did not answer for {_PATIENCE} models in a row, so {repo} was not asked for.",
                transient=True,
            )
        try:
            found = hub.read(
                repo,
                revision=revision,
                token=self._token,
                endpoint=os.environ.get("HF_ENDPOINT") or None,
                cache=self._cache,
                timeout_seconds=self._timeout_seconds,
                words=self._words,
            )
        except FactsError as error:
            self._failures_in_a_row = self._failures_in_a_row + 1 if error.transient else 0
            raise
        self._failures_in_a_row = 0
        return found

    def _trusted(self, base: ModelFacts) -> tuple[ModelFacts, ...]:
        from pillion.facts import hub

        return hub.trusted_quantizations(
            base,
            token=self._token,
            endpoint=os.environ.get("HF_ENDPOINT") or None,
            cache=self._cache,
            timeout_seconds=self._timeout_seconds,
        )

    def _once(self, key: tuple[str, str | None], read: Callable[[], ModelFacts]) -> ModelFacts:
        known = self._read.get(key)
        if known is None:
            try:
                known = read()
            except FactsError as error:
                known = error
            except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
                # A configuration is anybody's file, and what it may hold has no end.
                message = f"{key[0]}: its files cannot be understood ({type(error).__name__}: {error})."
                known = FactsError(Reason.CONFIG_INVALID, message)
            self._read[key] = known
        if isinstance(known, FactsError):
            raise known
        return known
