"""What is known of an engine, before anything is planned for it?

The numbers and names stand in the engine's `profile.yaml`, each with its source; here they are read once and
checked, so that a slip in the file is an error at import rather than a strange pod.
"""

import functools
import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import yaml

# libyaml reads what we wrote ten times as fast as Python does; PyYAML's wheels have it.
LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
FOLDERS: Mapping[str, str] = {"vLLM": "vllm", "TGI": "tgi"}  # by the name in spec.engine.name


@dataclass(frozen=True, kw_only=True, slots=True)
class ParserRule:
    """Which models a parser is for."""

    parser: str
    architectures: tuple[str, ...]
    repos: tuple[str, ...]  # shell patterns in lower case; none: every repository
    excluded_repos: tuple[str, ...]
    source: str

    def matches(self, architecture: str, repo: str) -> bool:
        """Whether a model is one of those."""
        name = repo.lower()
        return (
            architecture in self.architectures
            and (not self.repos or any(fnmatchcase(name, pattern) for pattern in self.repos))
            and not any(fnmatchcase(name, pattern) for pattern in self.excluded_repos)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Cuda:
    """What the pinned image for NVIDIA accelerators is made with, and needs of a node's driver."""

    version: tuple[int, int]
    minimum_driver: int  # major version
    # Makes the engine take the libraries for older drivers that its image brings.
    compatibility_variable: str | None

    @property
    def text(self) -> str:
        """The version, for people."""
        return f"{self.version[0]}.{self.version[1]}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One engine in one version."""

    name: str
    version: str
    images: Mapping[str, str]  # by device: GPU, CPU
    uid: int  # exists in the image
    gid: int
    health_path: str
    metrics_path: str
    default_utilization: float  # of an accelerator's memory
    minimum_capability: Mapping[str, tuple[int, int]]  # by quantization label; "None" is 16 or 32 bit
    on_the_fly: Mapping[str, str]  # label -> what the engine calls it
    cpu_quantizations: frozenset[str]
    tool_rules: tuple[ParserRule, ...]
    reasoning_rules: tuple[ParserRule, ...]
    tool_parsers: frozenset[str]  # every name that a pin may have
    reasoning_parsers: frozenset[str]
    architectures: frozenset[str]
    gone_architectures: frozenset[str]
    cuda: Cuda | None = None
    maximum_capability: tuple[int, int] | None = None  # its kernels run up to that; None: none is known
    starts_for_root_alone: bool = False  # the pinned image: another one has to be named

    def image(self, device: str) -> str:
        """The pinned image for a device."""
        return self.images[device]

    def knows_architecture(self, architecture: str) -> bool | None:
        """True where the engine has the architecture, False where it dropped it, None where nobody knows."""
        if architecture in self.architectures:
            return True
        return False if architecture in self.gone_architectures else None

    def tool_parser(self, architecture: str, repo: str = "") -> str | None:
        """The parser of tool calls for `toolCalls: Auto`; None where none is known."""
        return _first(self.tool_rules, architecture, repo)

    def reasoning_parser(self, architecture: str, repo: str = "") -> str | None:
        """The parser of reasoning for `reasoning: Auto`; None where none is known."""
        return _first(self.reasoning_rules, architecture, repo)


def lists(engine: str, architecture: str | None) -> bool:
    """Whether the pinned version of an engine, by its folder's name, has an architecture in its own list."""
    name = next(name for name, folder in FOLDERS.items() if folder == engine)
    return architecture is not None and profile(name).knows_architecture(architecture) is True


@functools.cache
def profile(name: str) -> Profile:
    """The profile of an engine by the name that users write.

    Raises:
        KeyError: there is no such engine.
    """
    folder = importlib.resources.files("pillion.engines") / FOLDERS[name]
    return parse(yaml.load((folder / "profile.yaml").read_text(encoding="utf-8"), Loader=LOADER))  # noqa: S506 - safe


def parse(document: Mapping[str, Any]) -> Profile:
    """A profile from its file's content.

    Raises:
        KeyError, TypeError, ValueError: the file lacks something, or a rule names what the engine does not
        have.
    """
    quantizations = document["quantizations"]
    parsers = document["parserNames"]
    made = Profile(
        name=document["name"],
        version=document["version"],
        images=dict(document["images"]),
        uid=_positive(document["user"]["uid"]),
        gid=int(document["user"]["gid"]),
        health_path=document["paths"]["health"],
        metrics_path=document["paths"]["metrics"],
        default_utilization=float(document["defaultUtilization"]["value"]),
        minimum_capability={q["label"]: _capability(q["minimumCapability"]) for q in quantizations},
        on_the_fly={q["label"]: q["onTheFly"] for q in quantizations if "onTheFly" in q},
        cpu_quantizations=frozenset(q["label"] for q in quantizations if q["cpu"]),
        tool_rules=tuple(_rule(r) for r in document["toolParsers"]),
        reasoning_rules=tuple(_rule(r) for r in document["reasoningParsers"]),
        tool_parsers=frozenset(parsers["tool"]),
        reasoning_parsers=frozenset(parsers["reasoning"]),
        architectures=frozenset(document["architectures"]["served"]),
        gone_architectures=frozenset(document["architectures"]["gone"]),
        cuda=_cuda(document["cuda"]) if "cuda" in document else None,
        maximum_capability=_capability(document["maximumCapability"])
        if "maximumCapability" in document
        else None,
        starts_for_root_alone=bool(document.get("startsForRootAlone", False)),
    )
    named = ((made.tool_rules, made.tool_parsers), (made.reasoning_rules, made.reasoning_parsers))
    for rules, names in named:
        for rule in rules:
            if rule.parser not in names:
                raise ValueError(
                    f"a rule names the parser {rule.parser!r}, unknown to {made.name} {made.version}"
                )
            if strange := set(rule.architectures) - made.architectures:
                raise ValueError(
                    f"the rule of {rule.parser!r} names unknown architectures: {sorted(strange)}"
                )
    return made


def _first(rules: tuple[ParserRule, ...], architecture: str, repo: str) -> str | None:
    return next((rule.parser for rule in rules if rule.matches(architecture, repo)), None)


def _rule(raw: Mapping[str, Any]) -> ParserRule:
    if not str(raw["source"]).strip():
        raise ValueError(f"the rule of {raw['parser']!r} has no source")
    return ParserRule(
        parser=raw["parser"],
        architectures=tuple(raw["architectures"]),
        repos=tuple(raw.get("repos", ())),
        excluded_repos=tuple(raw.get("not", ())),
        source=raw["source"],
    )


def _cuda(raw: Mapping[str, Any]) -> Cuda:
    return Cuda(
        version=_capability(raw["version"]),
        minimum_driver=int(raw["minimumDriver"]),
        compatibility_variable=raw.get("compatibilityVariable"),
    )


def _capability(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)


def _positive(number: int) -> int:
    if number <= 0:
        raise ValueError(f"the engine's user is {number}; it must not be root")
    return number
