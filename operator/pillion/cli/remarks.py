"""What is there to say of a question itself, whatever the model and its estimate?"""

from pillion.cli.questions import Question
from pillion.sizing import versions
from pillion.sizing.request import TGI

__all__ = ["of"]


def of(question: Question) -> tuple[str, ...]:
    """Sentences for the notes of each answer to the question."""
    return _about_the_version(question)


def _about_the_version(question: Question) -> tuple[str, ...]:
    """That the version of vLLM is none whose rules are known: any number is accepted, as are builds of tomorrow's."""
    written = question.settings.get("engine_version")
    version = versions.parse(written)
    if version is None or question.settings.get("engine") == TGI:
        return ()
    oldest, newest = versions.V1_ENGINE, versions.PINNED
    if oldest <= version <= newest:
        return ()
    than = "older" if version < oldest else "newer"
    return (
        f"Unverified: the memory model has the rules of vLLM {oldest} to {newest}, and {written} is {than}: it may "
        "divide memory otherwise.",
    )
