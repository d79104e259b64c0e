"""What stands in a file that a user names: which objects, and where is it wrong?

JSON and YAML, several documents, Kubernetes' lists, and `-` for standard input. A key that stands twice is a mistake:
YAML would silently take the last one.
"""

import json
import sys
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any

import yaml

from pillion.cli.exits import BadInputError

__all__ = ["STANDARD_INPUT", "Raw", "objects", "shown_name", "text"]

Raw = dict[str, Any]

STANDARD_INPUT = "-"


def text(path: str) -> str:
    """A file's text, or standard input's for `-`.

    Raises:
        BadInputError: there is no such file, or it is no text.
    """
    try:
        if path == STANDARD_INPUT:
            return sys.stdin.read()
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BadInputError(f"{path}: there is no such file") from error
    except UnicodeDecodeError as error:
        raise BadInputError(
            f"{shown_name(path)}: is no UTF-8 text ({error.reason} at byte {error.start})"
        ) from error
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror or error}") from error


def shown_name(path: str) -> str:
    """What a message calls the file."""
    return "standard input" if path == STANDARD_INPUT else path


def objects(path: str) -> list[tuple[str, Raw]]:
    """Every object of a file with where it stands; the items of a Kubernetes list stand for themselves.

    Raises:
        BadInputError: it cannot be parsed, or a document is no object.
    """
    name = shown_name(path)
    parsed = _parsed(text(path), name)
    documents = [document for document in parsed if document is not None]
    if not documents:
        raise BadInputError(f"{name}: is empty; it should hold Kubernetes objects in YAML or JSON")
    found = []
    for number, document in enumerate(documents, start=1):
        where = name if len(documents) == 1 else f"{name}, document {number}"
        found += list(_flattened(document, where))
    return found


def _flattened(document: object, where: str) -> Iterator[tuple[str, Raw]]:
    if not isinstance(document, dict):
        raise BadInputError(
            f"{where}: holds {_kind_of(document)} where an object with apiVersion, kind, metadata is expected"
        )
    kind = document.get("kind")
    items = document.get("items")
    if isinstance(kind, str) and kind.endswith("List") and isinstance(items, list):
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                raise BadInputError(
                    f"{where}, items[{index}]: holds {_kind_of(item)} where an object is expected"
                )
            # kubectl writes the kind into each item; an API server's own list has it once, in the list's kind.
            yield (
                f"{where}, items[{index}]",
                item if "kind" in item else {**item, "kind": kind[: -len("List")]},
            )
        return
    yield where, document


def _kind_of(value: object) -> str:
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    return repr(value)


def _parsed(content: str, name: str) -> list[object]:
    """JSON where it looks like it, because that is fifty times faster to read; else YAML, whose flow style may too."""
    if content.lstrip()[:1] not in ("{", "["):
        return _yaml(content, name)
    try:
        return [json.loads(content, object_pairs_hook=_once_json)]
    except json.JSONDecodeError as error:
        try:
            return _yaml(content, name)
        except BadInputError:
            where = f"line {error.lineno}, column {error.colno}"
            raise BadInputError(f"{name}: {where}: is no valid JSON: {error.msg}") from error
    except (_DuplicateKeyError, RecursionError) as error:
        raise BadInputError(f"{name}: {error}") from error


def _yaml(content: str, name: str) -> list[object]:
    try:
        found = list(yaml.load_all(content, _Loader))
        if "&" in content:
            json.dumps(found, default=str)  # fails where an anchor holds itself
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        raise BadInputError(f"{name}: {where}is no valid YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise BadInputError(f"{name}: is no valid YAML: {' '.join(str(error).split())}") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInputError(
            f"{name}: is no YAML of Kubernetes: an anchor that holds itself, or {error}"
        ) from error
    return found


class _DuplicateKeyError(ValueError):
    """A JSON object has the same key twice."""


def _once_json(pairs: list[tuple[str, Any]]) -> Raw:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _DuplicateKeyError(f"the key {twice!r} stands twice in one object")
    return found


class _Loader(yaml.CSafeLoader):
    """The safe loader, which takes no key twice and leaves dates as the texts they are in Kubernetes."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice in one object", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _as_text(loader: yaml.CSafeLoader, node: yaml.ScalarNode) -> object:
    return loader.construct_scalar(node)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _as_text)
