"""Which pods need not be tried again, because the API server accepted pods like them?"""

from __future__ import annotations

from typing import Any

import pytest

from pillion import engines, injection
from tests.corpus.compiled import compiled, settings

APPLICATION: dict[str, Any] = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "web:1"}]},
}
CHAT = compiled(name="chat", namespace="shop")


def other_engine(**changes: Any) -> dict[str, Any]:
    return compiled(name="chat", namespace="shop", rendering=engines.render(settings("chat", **changes)))


def with_spec(**changes: Any) -> dict[str, Any]:
    return {**CHAT, "spec": {**CHAT["spec"], **changes}}


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(compiled(name="embed", namespace="shop"), id="another model"),
        pytest.param(compiled(name="chat", namespace="shop", port=20000), id="another port"),
        pytest.param(with_spec(revision="r-000000000000"), id="another revision"),
    ],
)
def test_names_and_ports_make_no_other_pod(other: dict[str, Any]) -> None:
    assert (
        injection.form_of_trial(other, APPLICATION) == injection.form_of_trial(CHAT, APPLICATION) is not None
    )


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(other_engine(image="engine.example/vllm:2"), id="another image"),
        pytest.param(
            other_engine(cache=engines.CacheVolume(size_limit_bytes=None, claim_name="weights")), id="a claim"
        ),
        pytest.param(other_engine(hub_endpoint="https://hub.example"), id="a variable"),
        pytest.param(compiled(name="chat", namespace="shop", gate="Startup"), id="another gate"),
        pytest.param(
            compiled(name="chat", namespace="shop", tolerations=[{"key": "gpu", "operator": "Exists"}]),
            id="a toleration",
        ),
        pytest.param(compiled(name="chat", namespace="shop", runtime_class_name="nvidia"), id="a runtime"),
        pytest.param(
            compiled(name="chat", namespace="shop", environment_containers=["web"]), id="chosen containers"
        ),
    ],
)
def test_what_the_api_server_looks_into_does(other: dict[str, Any]) -> None:
    assert injection.form_of_trial(other, APPLICATION) != injection.form_of_trial(CHAT, APPLICATION)


def test_another_application_does() -> None:
    other = {**APPLICATION, "spec": {"containers": [{"name": "web", "image": "web:2"}]}}
    assert injection.form_of_trial(CHAT, other) != injection.form_of_trial(CHAT, APPLICATION)
    assert injection.form_of_trial(CHAT, None) != injection.form_of_trial(CHAT, APPLICATION)


@pytest.mark.parametrize(
    ("sidecar", "template"),
    [
        pytest.param(
            with_spec(instruction="x" * 65_536), APPLICATION, id="annotations that may be too large"
        ),
        pytest.param(
            CHAT,
            {**APPLICATION, "metadata": {"annotations": {"a": "x" * 65_536}}},
            id="the application's annotations too",
        ),
        pytest.param(
            CHAT,
            {"spec": {"containers": [{"name": "pillion-web", "image": "web:1"}]}},
            id="names that an engine could have",
        ),
        pytest.param(
            CHAT,
            {**APPLICATION, "metadata": {"annotations": {"kubernetes.io/config.mirror": "a"}}},
            id="pods that get no engine",
        ),
    ],
)
def test_some_are_tried_each_time(sidecar: dict[str, Any], template: dict[str, Any]) -> None:
    assert injection.form_of_trial(sidecar, template) is None
