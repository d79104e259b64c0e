"""How does one Python class become a schema, its defaults and its rules, in a CRD and for a file alike?

A `Rule` is written once, with the expression that the API server evaluates and the function that holds a file
to the same rule, and one message for both. It stands in a model's `RULES` (several fields) or in a field's
`Annotated` (one value). What belongs to Kubernetes alone (list types, int-or-string) is `Annotated` too.

Errors: `InvalidObjectError` is raised for whatever does not fit, with all problems at once and the path of
each. It is caught by the command line, and by the reconcile, which makes a condition of it.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Self, cast, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    JsonValue,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

Raw = dict[str, Any]  # a Kubernetes object or a part of one, as JSON


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One mistake: where it is (`spec.hardware.products[1]`) and what would be accepted."""

    path: str
    message: str

    def __str__(self) -> str:
        """As the API server prints it."""
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidObjectError(ValueError):
    """An object that does not fit its schema or breaks a rule; `problems` has every mistake."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A rule that the API server and a file's reader hold to, with one message for both."""

    cel: str
    holds: Callable[[Any], bool]
    message: str
    path: str | None = None  # the field to name, below the object that the rule is on, as in `.maxBits`

    def schema(self) -> Raw:
        """The entry of `x-kubernetes-validations`."""
        entry: Raw = {"rule": self.cel, "message": self.message}
        if self.path is not None:
            entry["fieldPath"] = self.path
        return entry

    def check(self, value: object) -> object:
        """The value again, or pydantic's error."""
        if not self.holds(value):
            raise PydanticCustomError("rule", "{message}", {"message": self.message, "path": self.path or ""})
        return value

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check after everything that stands before the rule in `Annotated`."""
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Publish the rule with the field."""
        published = handler(schema)
        published["x-kubernetes-validations"] = [
            *published.get("x-kubernetes-validations", []),
            self.schema(),
        ]
        return published


@dataclass(frozen=True, kw_only=True, slots=True)
class ListOf:
    """How server-side apply merges a list: as a whole, as a set of values, or by the keys of its items."""

    kind: Literal["atomic", "set", "map"]
    keys: tuple[str, ...] = ()

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """A set or a map has no two items that are the same; the API server says `Duplicate value`."""
        if self.kind == "atomic":
            return handler(source)
        return core_schema.no_info_after_validator_function(self._without_duplicates, handler(source))

    def _without_duplicates(self, items: tuple[Any, ...]) -> tuple[Any, ...]:
        seen: list[object] = []
        for index, item in enumerate(items):
            key = item if self.kind == "set" else tuple(_by_alias(item, key) for key in self.keys)
            if key in seen:
                message = "must not stand twice in the list"
                raise PydanticCustomError("rule", "{message}", {"message": message, "path": f"[{index}]"})
            seen.append(key)
        return items

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Publish the list's type."""
        published = handler(schema)
        published["x-kubernetes-list-type"] = self.kind
        if self.keys:
            published["x-kubernetes-list-map-keys"] = list(self.keys)
        return published


def _by_alias(item: BaseModel, alias: str) -> object:
    for name, field in type(item).model_fields.items():
        if alias in (field.alias, name):
            return getattr(item, name)
    raise KeyError(alias)


@dataclass(frozen=True, kw_only=True, slots=True)
class WrittenWhole:
    """An object that one writer writes whole: server-side apply keeps no account of who wrote which field in it.

    For a ModelSidecar that account is 4.9 KiB of 11.9, and its write costs the API server 20 ms of CPU with it and
    12 without; for a status it is 0.8 of 4.9 KB (kube-apiserver 1.36, the benchmarks' model).
    """

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Nothing to check."""
        return handler(source)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Publish the map's type."""
        return {**handler(schema), "x-kubernetes-map-type": "atomic"}


ATOMIC: Final = ListOf(kind="atomic")
SET: Final = ListOf(kind="set")
BY_NAME: Final = ListOf(kind="map", keys=("name",))


class ApiModel(BaseModel):
    """A part of an object: camelCase for the world, snake_case here; newer fields are left out."""

    model_config = ConfigDict(
        alias_generator=to_camel, validate_by_name=True, validate_by_alias=True, extra="ignore", frozen=True
    )
    RULES: ClassVar[tuple[Rule, ...]] = ()
    HAS_MORE: ClassVar[bool] = False  # whether fields that are not listed here are known to exist

    @model_validator(mode="after")
    def _hold_to_rules(self) -> Self:
        broken = [rule for rule in self.RULES if not rule.holds(self)]
        if broken:
            problems = [(rule.path or "", rule.message) for rule in broken]
            raise PydanticCustomError(
                "rules", "{text}", {"text": "; ".join(m for _, m in problems), "problems": problems}
            )
        return self

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Publish the rules with the object."""
        published = handler.resolve_ref_schema(handler(schema))
        if cls.RULES:
            published["x-kubernetes-validations"] = [rule.schema() for rule in cls.RULES]
        return published

    @classmethod
    def from_raw(cls, raw: Mapping[str, Any]) -> Self:
        """From what the cluster stores: fields that this version does not know are ignored.

        Raises:
            InvalidObjectError: a value breaks this version's schema.
        """
        try:
            return cls.model_validate(_without_nulls(raw))
        except ValidationError as error:
            raise InvalidObjectError(tuple(_problems(error))) from error

    @classmethod
    def from_user(cls, raw: Mapping[str, Any]) -> Self:
        """From a file: a field that does not exist is a mistake, named with the nearest that does.

        Raises:
            InvalidObjectError: unknown fields and values that break the schema, all together.
        """
        unknown = tuple(unknown_fields(raw, cls))
        try:
            read = cls.from_raw(raw)
        except InvalidObjectError as error:
            raise InvalidObjectError((*unknown, *error.problems)) from error
        if unknown:
            raise InvalidObjectError(unknown)
        return read

    @classmethod
    def published_default(cls) -> dict[str, JsonValue]:
        """For a field filled in whole: the API server checks a default before it fills in what is inside."""
        return {"default": {name: value for name, value in cls().to_raw().items() if value != {}}}

    def to_raw(self) -> Raw:
        """As JSON for the API server: what is absent is left out, not written as null or an empty list."""
        dumped = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return cast("Raw", _without_empty_lists(dumped))


def _without_nulls(value: object) -> object:
    """The API server drops a null where the field may not be null, and so do we."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    return value


def _without_empty_lists(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_empty_lists(item) for key, item in value.items() if item != []}
    if isinstance(value, list):
        return [_without_empty_lists(item) for item in value]
    return value


def _problems(error: ValidationError) -> Iterator[Problem]:
    found = error.errors(include_url=False)
    for entry in found:
        path = _path(entry["loc"])
        if entry["type"] == "too_short" and any(_is_below(other["loc"], entry["loc"]) for other in found):
            continue  # pydantic counts only the items that are right, and those that are not have been told
        context = entry.get("ctx", {})
        if entry["type"] == "rules":
            for below, message in context["problems"]:
                yield Problem(path=(path + below).lstrip("."), message=message)
        elif entry["type"] == "rule":
            yield Problem(path=(path + context["path"]).lstrip("."), message=context["message"])
        elif entry["type"] == "missing":
            yield Problem(path=path, message="is required")
        elif entry["type"] == "enum":
            yield Problem(
                path=path, message=f'"{entry["input"]}" is not accepted; accepted: {context["expected"]}'
            )
        else:
            message = entry["msg"][0].lower() + entry["msg"][1:]
            yield Problem(path=path, message=f"{message}; found {entry['input']!r}")


def _is_below(location: tuple[int | str, ...], above: tuple[int | str, ...]) -> bool:
    return len(location) > len(above) and location[: len(above)] == above


def _path(location: tuple[int | str, ...]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).removeprefix(".")


def unknown_fields(raw: object, model: type[BaseModel], path: str = "") -> Iterator[Problem]:
    """Fields of `raw` that `model` does not have, at any depth, each with the nearest that it has."""
    if not isinstance(raw, Mapping):
        return
    known = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    for key, value in raw.items():
        here = f"{path}.{key}" if path else str(key)
        if key not in known and getattr(model, "HAS_MORE", False):
            continue
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.6)
            remedy = f"did you mean {near[0]}?" if near else f"here may stand: {', '.join(sorted(known))}"
            yield Problem(path=here, message=f"there is no such field; {remedy}")
            continue
        for inner in _models(known[key]):
            if isinstance(value, list | tuple):
                for index, item in enumerate(value):
                    yield from unknown_fields(item, inner, f"{here}[{index}]")
            else:
                yield from unknown_fields(value, inner, here)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    """The models inside `X | None`, `tuple[X, ...]`, `Annotated[X, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _matches(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda text: compiled.search(text) is not None


def written_as(pattern: str, message: str) -> Rule:
    """A text's form, with a message that shows the form rather than the pattern.

    `pattern` has to mean the same to RE2, which the API server uses, and to Python: no `$` before a final
    newline is at stake because texts with line breaks are refused by every pattern here (classes never hold a
    newline).
    """
    return Rule(
        cel=f"self.matches({cel_text(pattern)})",
        holds=_matches(pattern.replace("$", r"\Z")),
        message=message,
    )


def cel_text(text: str) -> str:
    """A CEL string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
