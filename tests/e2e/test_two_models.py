"""Can an application have two models beside it, and lose one of them while the other stays?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.harness.application import CONTAINER
from tests.e2e.harness.models import Model
from tests.hub import models

if TYPE_CHECKING:
    from tests.e2e.harness.application import Application
    from tests.e2e.harness.cluster import Space

# The application asks the model that its plain variables name; this asks another one by its own.
ASK_BY_NAME = """
import json, os, sys, urllib.request
prefix = "PILLION_" + sys.argv[1].upper()
body = {"model": os.environ[prefix + "_MODEL"], "messages": [{"role": "user", "content": "Who are you?"}]}
request = urllib.request.Request(
    os.environ[prefix + "_BASE_URL"] + "/chat/completions",
    data=json.dumps(body).encode(),
    headers={"Content-Type": "application/json"},
)
print(json.load(urllib.request.urlopen(request, timeout=30))["choices"][0]["message"]["content"])
"""


def test_two_models_serve_beside_one_application_and_one_of_them_goes_alone(
    space: Space, application: Application
) -> None:
    original = application.template()
    river, star = Model(space=space, name="river"), Model(space=space, name="star")
    river.apply(repo=models.TINY_RIVER)
    river.await_condition("Ready")

    star.apply(repo=models.TINY_STAR)
    star.await_condition("Ready")
    found = river.await_condition("Ready")
    application.rolled_out()

    pod = application.pod()
    assert {each["name"] for each in pod["spec"]["containers"]} == {
        CONTAINER,
        river.container,
        star.container,
    }
    environment = application.environment(pod)
    assert environment["OPENAI_BASE_URL"] == found["status"]["endpoint"]  # the older one's
    assert environment["PILLION_STAR_BASE_URL"] == star.object()["status"]["endpoint"]
    assert environment["PILLION_STAR_BASE_URL"] != environment["PILLION_RIVER_BASE_URL"]
    assert models.TINY_RIVER in application.ask(pod=pod).text
    assert models.TINY_STAR in space.run_python(pod["metadata"]["name"], CONTAINER, ASK_BY_NAME, "star")

    river.delete()
    star.await_condition("Ready")
    application.rolled_out()
    star.await_serving_pods(1)
    pod = application.pod()
    assert [each["name"] for each in pod["spec"]["containers"]] == [CONTAINER, star.container]
    application.answer(mentions=models.TINY_STAR, pod=pod)  # it has the plain variables now

    star.delete()
    application.await_template(original)
