"""Are the audit log's events counted as requests, each once and for the right user?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.cluster import audit

if TYPE_CHECKING:
    from pathlib import Path


def event(audit_id: str, **more: Any) -> str:
    base = {
        "auditID": audit_id,
        "stage": "ResponseComplete",
        "requestURI": "/api/v1/pods",
        "verb": "list",
        "user": {"username": "admin"},
        "objectRef": {"resource": "pods"},
        "responseStatus": {"code": 200},
        "requestReceivedTimestamp": "2026-01-01T00:00:00.000001Z",
    }
    return json.dumps({**base, **more}) + "\n"


def log(tmp_path: Path, *lines: str) -> audit.Log:
    path = tmp_path / "audit.log"
    path.write_text("".join(lines))
    return audit.Log(path)


def test_a_watch_that_started_and_ended_is_one_request(tmp_path: Path) -> None:
    lines = [event("a", verb="watch", stage=stage) for stage in ("ResponseStarted", "ResponseComplete")]

    [request] = log(tmp_path, *lines).requests()

    assert request.is_watch


def test_the_user_is_the_one_that_is_impersonated(tmp_path: Path) -> None:
    line = event("a", impersonatedUser={"username": "stranger"})

    assert [each.user for each in log(tmp_path, line).requests()] == ["stranger"]


def test_only_what_matches_everything_given_is_told(tmp_path: Path) -> None:
    lines = [
        event("a", user={"username": "operator"}, verb="patch"),
        event("b", user={"username": "operator"}, verb="list"),
        event("c", user={"username": "someone"}, verb="patch"),
    ]

    found = log(tmp_path, *lines).requests(user="operator", verb="patch")

    assert [(each.user, each.verb) for each in found] == [("operator", "patch")]


def test_what_came_before_the_position_is_left_out(tmp_path: Path) -> None:
    told = log(tmp_path, event("a"))
    position = told.position()
    with told.path.open("a") as more:
        more.write(event("b", verb="create"))

    assert [each.verb for each in told.requests(since=position)] == ["create"]


def test_a_line_that_is_still_being_written_waits_for_its_end(tmp_path: Path) -> None:
    assert len(log(tmp_path, event("a"), event("b")[:30]).requests()) == 1


def test_a_position_in_the_middle_of_a_line_counts_the_line_as_later(tmp_path: Path) -> None:
    line = event("b", verb="create")
    told = log(tmp_path, event("a"), line[:30])
    position = told.position()
    with told.path.open("a") as more:
        more.write(line[30:])

    assert [each.verb for each in told.requests(since=position)] == ["create"]


def test_a_log_that_is_not_there_yet_has_no_requests(tmp_path: Path) -> None:
    told = audit.Log(tmp_path / "audit.log")

    assert told.position() == 0
    assert told.requests() == []


def test_requests_without_an_object_are_told_by_their_address(tmp_path: Path) -> None:
    line = event("a", verb="get", objectRef=None, requestURI="/readyz")

    [request] = log(tmp_path, line).requests()

    assert (request.resource, request.uri) == ("", "/readyz")


def test_subresources_are_counted_apart(tmp_path: Path) -> None:
    status = {"resource": "pods", "subresource": "status"}
    lines = [event("a", verb="patch"), event("b", verb="patch", objectRef=status), event("c", verb="patch")]

    assert audit.counts(log(tmp_path, *lines).requests()) == {
        ("patch", "pods"): 2,
        ("patch", "pods/status"): 1,
    }
