"""Which variables does an application get that has some of its own?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.e2e.harness.application import Application
from tests.hub import models

if TYPE_CHECKING:
    from tests.e2e.harness.cluster import Space
    from tests.e2e.harness.models import Model

OWN_KEY = "sk-an-application's-own"


def with_own_key(deployment: dict[str, Any]) -> None:
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "OPENAI_API_KEY", "value": OWN_KEY}]


def test_an_application_with_its_own_key_keeps_it_and_gets_none_of_the_plain_set(
    space: Space, model: Model
) -> None:
    application = Application(space=space)
    application.deploy(change=with_own_key)

    model.apply(repo=models.TINY_RIVER)
    found = model.await_condition("Ready")

    environment = application.environment(application.pod())
    assert environment["OPENAI_API_KEY"] == OWN_KEY
    assert "OPENAI_BASE_URL" not in environment
    assert "OPENAI_MODEL" not in environment
    assert environment["PILLION_CHAT_BASE_URL"] == found["status"]["endpoint"]
    assert environment["PILLION_CHAT_MODEL"] == model.name
