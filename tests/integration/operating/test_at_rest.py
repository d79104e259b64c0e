"""When everything has settled the operator asks nothing and writes nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.hub import models
from tests.integration.operating import stage as stages

if TYPE_CHECKING:
    from tests.cluster import audit
    from tests.integration.operating.stage import Stage

MINUTE_SECONDS = 60.0


def test_a_minute_at_rest_has_no_request(stage: Stage, namespace: str, requests: audit.Log) -> None:
    for number in range(3):
        name = f"web-{number}"
        stage.apply(
            stages.web(namespace, name=name),
            stages.model(namespace, models.TINY_RIVER, name=f"chat-{number}", target=name),
        )
    for number in range(3):
        stage.until_ready(namespace, f"chat-{number}")
    others_are_gone(stage, namespace)
    stage.until(lambda: quiet_for(requests, 3.0), "the operator has settled", seconds=60)
    assert requests.requests(user=stages.USER, resource="modelsidecars", verb="create"), (
        "the log knows the operator"
    )
    mark = requests.position()
    time.sleep(MINUTE_SECONDS)
    seen = [
        f"{request.verb} {request.uri}"
        for request in requests.requests(user=stages.USER, since=mark)
        if not request.is_lease and not request.is_watch
    ]
    assert seen == []


def others_are_gone(stage: Stage, namespace: str) -> None:
    """Earlier tests' models that wait for something are asked again and again, rightly: they have to go first."""
    stage.until(
        lambda: all(item["metadata"]["namespace"] == namespace for item in stage.list("modeldeployment")),
        "no other test's model is left",
        seconds=90,
    )


def quiet_for(requests: audit.Log, seconds: float) -> bool:
    mark = requests.position()
    time.sleep(seconds)
    return not [
        request
        for request in requests.requests(user=stages.USER, since=mark)
        if not request.is_lease and not request.is_watch
    ]
