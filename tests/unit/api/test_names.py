"""Do the names that are made from an object's name fit where they are used?"""

from __future__ import annotations

import re

import pytest

from pillion.api import names

LONGEST = "a" * names.MAX_NAME_LENGTH
SUFFIXES = [value for name, value in vars(names).items() if name.endswith("_VOLUME")]
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_longest_name_gives_volumes_that_are_dns_labels(suffix: str) -> None:
    assert LABEL.fullmatch(names.volume_name(LONGEST, suffix))


def test_volumes_have_suffixes_of_their_own_with_at_most_four_letters() -> None:
    assert len(set(SUFFIXES)) == len(SUFFIXES) > 0
    assert all(len(suffix) <= 4 for suffix in SUFFIXES)


def test_the_longest_name_gives_a_container_that_is_a_dns_label() -> None:
    assert LABEL.fullmatch(names.container_name(LONGEST))


@pytest.mark.parametrize("key", [names.model_annotation(LONGEST), names.engine_annotation(LONGEST)])
def test_the_longest_name_gives_annotation_keys(key: str) -> None:
    prefix, _, name = key.partition("/")
    assert prefix.endswith(".pillion.dev")
    assert len(name) <= 63


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("chat", "PILLION_CHAT_BASE_URL", id="a word"),
        pytest.param("chat-v2", "PILLION_CHAT_V2_BASE_URL", id="a dash becomes an underscore"),
        pytest.param("7b", "PILLION_7B_BASE_URL", id="a digit in front"),
    ],
)
def test_variables(name: str, expected: str) -> None:
    assert names.base_url_variable(name) == expected
    assert VARIABLE.fullmatch(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("r-0123456789ab", True, id="the operator's form"),
        pytest.param("true", False, id="a user's own value"),
        pytest.param("r-0123456789AB", False, id="upper case"),
        pytest.param("r-0123456789ab-1", False, id="more than the form"),
        pytest.param("r-0123456789ab\n", False, id="a line break behind it"),
    ],
)
def test_a_revision_is_known_by_its_form(text: str, expected: bool) -> None:  # a table's column
    assert names.is_revision(text) is expected


def test_the_highest_port_leaves_one_for_the_supervisor() -> None:
    assert names.supervisor_port(names.HIGHEST_PORT) == 65_535
