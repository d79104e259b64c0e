"""The examples are what the API accepts, and the application among them does what it says."""

from __future__ import annotations

import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import yaml

from pillion.api.modeldeployment import ModelDeployment

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[3]
EXAMPLES = REPOSITORY / "examples"
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]


def model_deployments() -> Iterator[Any]:
    for path in sorted(EXAMPLES.rglob("*.yaml")):
        for index, document in enumerate(yaml.safe_load_all(path.read_text("utf-8"))):
            if document["kind"] == "ModelDeployment":
                yield pytest.param(document, id=f"{path.relative_to(EXAMPLES)} document {index + 1}")
    for path in PAGES:
        blocks = re.findall(r"```yaml\n(.*?)```", path.read_text("utf-8"), re.DOTALL)
        for index, block in enumerate(blocks):
            for document in yaml.safe_load_all(block):
                if isinstance(document, dict) and document.get("kind") == "ModelDeployment":
                    yield pytest.param(document, id=f"{path.relative_to(REPOSITORY)} block {index + 1}")


@pytest.mark.parametrize("document", list(model_deployments()))
def test_a_shown_model_deployment_is_one_that_the_api_accepts(document: dict[str, Any]) -> None:
    assert ModelDeployment.from_user(document).metadata.name == document["metadata"]["name"]


def test_the_examples_are_found() -> None:
    assert len(list(model_deployments())) >= 4


class Model(http.server.BaseHTTPRequestHandler):
    """A model that answers, and remembers what it was asked."""

    asked: list[tuple[str, str | None, dict[str, Any]]] = []  # noqa: RUF012 (one server at a time)
    answer: tuple[int, object] = (200, {"model": "chat", "choices": [{"message": {"content": "A river."}}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, self.headers["Authorization"], body))
        status, document = self.answer
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it)
        pass


@contextmanager
def model(answer: tuple[int, object]) -> Iterator[str]:
    Model.asked, Model.answer = [], answer
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()


@contextmanager
def application(**environment: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, EXAMPLES / "app" / "app.py"],
        env={"PATH": os.environ["PATH"], "PORT": str(port), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with process:
        assert process.stdout.readline().startswith("listening")
        url = f"http://127.0.0.1:{port}"
        with httpx2.Client(transport=httpx2.HTTPTransport(retries=20)) as client:
            client.get(url)  # it has said that it will listen, a moment before it does
        yield url
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def test_the_application_asks_the_model_that_its_environment_names() -> None:
    with model((200, {"model": "chat", "choices": [{"message": {"content": "A river."}}]})) as base_url:
        environment = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "key", "OPENAI_MODEL": "chat"}
        with application(**environment) as url:
            answer = httpx2.get(f"{url}/ask", params={"q": "What flows?"})

    assert answer.status_code == 200
    assert answer.json() == {"answer": "A river.", "model": "chat"}
    ((path, key, body),) = Model.asked
    assert (path, key, body["model"]) == ("/v1/chat/completions", "Bearer key", "chat")
    assert body["messages"] == [{"role": "user", "content": "What flows?"}]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param((503, {"error": "loading"}), "answered 503", id="the model is not ready"),
        pytest.param((200, {"unexpected": 1}), "OpenAI's form", id="something else answers"),
    ],
)
def test_the_application_says_why_the_model_does_not_answer_and_stays_up(
    answer: tuple[int, object], said: str
) -> None:
    with model(answer) as base_url, application(OPENAI_BASE_URL=base_url) as url:
        asked = httpx2.get(f"{url}/ask")
        assert asked.status_code == 502
        assert said in asked.json()["error"]
        assert httpx2.get(url).status_code == 200


def test_the_application_serves_without_any_model() -> None:
    with application(OPENAI_BASE_URL="http://127.0.0.1:1/v1") as url:
        first, second = httpx2.get(url).text, httpx2.get(url).text
        assert "cannot be reached" in httpx2.get(f"{url}/ask").json()["error"]

    assert first.startswith("app is serving: request 2 since ")
    assert second.replace("request 3", "request 2") == first
