"""An application that is written against OpenAI's API, and knows nothing of Pillion.

It reads what OpenAI's own SDKs read: OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL. `GET /ask?q=...` asks
the model; `GET /` is the rest of the application, which goes on whatever happens to the model.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NoReturn

STARTED = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
TIMEOUT_SECONDS = 120  # a model on CPU takes its time
requests_served = itertools.count(1)


class ModelError(Exception):
    """The model gave no answer; the message says why, in a sentence for whoever asked."""


def ask(question: str) -> dict[str, str]:
    """The model's answer, and the model's name as the server reports it."""
    base_url = os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1").rstrip("/")
    body = {
        "model": os.environ.get("OPENAI_MODEL", "gpt-4o-mini"),
        "messages": [{"role": "user", "content": question}],
        "max_tokens": 64,
    }
    request = urllib.request.Request(  # noqa: S310 (the address comes from whoever deployed the application)
        f"{base_url}/chat/completions",
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {os.environ.get('OPENAI_API_KEY', '')}",
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:  # noqa: S310 (as above)
            completion = json.load(response)
        return {"answer": completion["choices"][0]["message"]["content"], "model": completion["model"]}
    except urllib.error.HTTPError as error:
        told = error.read().decode(errors="replace")[:500]
        raise ModelError(f"The model at {base_url} answered {error.code}: {told}") from error
    except OSError as error:
        raise ModelError(f"The model at {base_url} cannot be reached: {error}") from error
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ModelError(f"The model at {base_url} did not answer in OpenAI's form: {error!r}") from error


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer `/` and `/ask`."""
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/":
            served = next(requests_served)
            self.reply(200, "text/plain", f"app is serving: request {served} since {STARTED}\n")
        elif url.path == "/ask":
            question = urllib.parse.parse_qs(url.query).get("q", ["Who are you?"])[0]
            try:
                self.reply(200, "application/json", json.dumps(ask(question)) + "\n")
            except ModelError as error:
                self.reply(502, "application/json", json.dumps({"error": str(error)}) + "\n")
        else:
            self.reply(404, "text/plain", "Ask `/ask?q=...`, or `/`.\n")

    def reply(self, status: int, content_type: str, text: str) -> None:
        """Send one whole answer."""
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{content_type}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def stop(*_: object) -> NoReturn:
    """End at once; without this a container's first process does not hear SIGTERM."""
    sys.exit(0)


def main() -> None:
    """Serve until the container is asked to stop."""
    signal.signal(signal.SIGTERM, stop)
    port = int(os.environ.get("PORT", "8080"))
    print(f"listening on port {port}", flush=True)
    ThreadingHTTPServer(("", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
