#!/usr/bin/env python3
"""What answers in tests and in the demo where no real engine is wanted?

A STAND-IN, not an engine: it has vLLM's command line (as far as Pillion uses it), its HTTP API, its log lines, and its
way of dying, but no model. Its answers name the model that was loaded, so that a test sees who answers.

Like vLLM it has a worker in its own session that holds the accelerator (here: an abstract socket, which nobody can take
away while the worker lives, whatever is deleted from `/dev/shm`), leaves a segment behind when it is killed, answers
`/health` with 503 once the worker is dead, and then ends itself.

In the model's config.json these keys direct it: `standin_fail` ("load": it ends with code 1 while loading; "memory":
the same with an out-of-memory error; "never": it never answers), `standin_load_seconds`, `standin_answer_seconds`.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

KV_CACHE_TOKENS = 131_072
SHARED_MEMORY = Path(os.environ.get("STANDIN_SHM", "/dev/shm"))  # noqa: S108 - as a real engine
ACCELERATOR = "\0standin-accelerator-{port}"  # one for each engine of a pod; the port tells them apart
SEGMENT_BYTES = 1 << 20
DYING_SECONDS = 1.0  # vLLM takes up to 8 from the death of a worker to its own end

Json = dict[str, object]


class RefusedError(Exception):
    """A request that vLLM would refuse too."""

    def __init__(self, code: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.kind = kind


def log(level: str, message: str) -> None:
    """A line as vLLM writes it."""
    print(f"{level} {time.strftime('%m-%d %H:%M:%S')} [standin.py:1] {message}", flush=True)


def parser() -> argparse.ArgumentParser:
    """The command line; what is not in here is an error, as in vLLM."""
    made = argparse.ArgumentParser(prog="vllm", allow_abbrev=False, description=__doc__)
    commands = made.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", allow_abbrev=False)
    serve.add_argument("model")
    serve.add_argument("--host", default="0.0.0.0")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--served-model-name", nargs="+", default=[])
    serve.add_argument("--max-model-len", type=int, default=4096)
    serve.add_argument("--max-num-seqs", type=int)
    serve.add_argument("--max-num-batched-tokens", type=int)
    serve.add_argument("--gpu-memory-utilization", type=float, default=0.92)
    serve.add_argument("--kv-cache-memory-bytes", type=int)
    serve.add_argument("--kv-cache-dtype", default="auto")
    serve.add_argument("--tensor-parallel-size", type=int, default=1)
    serve.add_argument(
        "--dtype", default="auto", choices=["auto", "half", "float16", "bfloat16", "float", "float32"]
    )
    serve.add_argument("--quantization", choices=["fp8", "mxfp8"])
    serve.add_argument("--runner", default="auto", choices=["auto", "generate", "pooling"])
    serve.add_argument("--override-generation-config", type=json.loads, default={})
    serve.add_argument("--enable-auto-tool-choice", action="store_true")
    serve.add_argument("--tool-call-parser")
    serve.add_argument("--reasoning-parser")
    serve.add_argument("--trust-remote-code", action="store_true")
    serve.add_argument("--language-model-only", action="store_true")
    serve.add_argument("--enforce-eager", action="store_true")
    serve.add_argument("--seed", type=int)
    serve.add_argument("--disable-access-log-for-endpoints", default="")
    return made


class Worker:
    """The process that holds the accelerator."""

    def __init__(self, port: int) -> None:
        """Start it, and wait until it has the accelerator of the engine on `port`.

        Raises:
            RuntimeError: another process has it.
        """
        readable, writable = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(readable)
            self._hold(writable, ACCELERATOR.format(port=port))
        os.close(writable)
        with os.fdopen(readable) as answer:
            said = answer.read()
        if said != "held":
            os.waitpid(self.pid, 0)
            raise RuntimeError(
                f"CUDA error: the accelerator is held by another process ({said or 'no answer'})"
            )

    def _hold(self, writable: int, accelerator: str) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        held = socket.socket(socket.AF_UNIX)
        try:
            held.bind(accelerator)
        except OSError as error:
            os.write(writable, str(error).encode())
            os._exit(1)
        (SHARED_MEMORY / f"psm_standin_{os.getpid()}").write_bytes(bytes(SEGMENT_BYTES))
        os.write(writable, b"held")
        os.close(writable)
        while True:
            signal.pause()

    def end(self) -> None:
        """Give the accelerator back."""
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGTERM)
            os.waitpid(self.pid, 0)
        (SHARED_MEMORY / f"psm_standin_{self.pid}").unlink(missing_ok=True)


class Model:
    """What was loaded."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.path: str = options.model
        found = re.search(r"models--(.+?)--(.+?)/snapshots/([0-9a-f]+)", self.path)
        self.title = f"{found[1]}/{found[2]}@{found[3][:12]}" if found else self.path
        self.served: list[str] = options.served_model_name or [self.path]
        self.max_model_len: int = options.max_model_len
        self.pooling: bool = options.runner == "pooling"
        self.most_tokens: int = options.override_generation_config.get("max_new_tokens", 1 << 30)
        self.config: Json = json.loads((Path(self.path) / "config.json").read_text())
        self.answer_seconds = float(str(self.config.get("standin_answer_seconds", 0)))
        self.dead = False
        self.running = 0
        self.answered = 0
        self.lock = threading.Lock()


def load(options: argparse.Namespace) -> tuple[Model, Worker]:
    """Read the model, as far as there is one, and take the accelerator."""
    model = Model(options)
    log("INFO", f"STAND-IN for vLLM, not an engine: loading {model.title} ({model.config.get('model_type')})")
    worker = Worker(options.port)
    time.sleep(float(str(model.config.get("standin_load_seconds", 0))))
    failure = model.config.get("standin_fail")
    if failure == "load":
        worker.end()
        raise ValueError(f"the model {model.title} cannot be loaded: standin_fail is set")
    if failure == "memory":
        worker.end()
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    while failure == "never":
        time.sleep(60)
    concurrency = KV_CACHE_TOKENS / model.max_model_len
    log(
        "INFO",
        f"GPU KV cache size: {KV_CACHE_TOKENS:,} tokens, Maximum concurrency for {model.max_model_len:,} tokens per "
        f"request: {concurrency:.2f}x",
    )
    return model, worker


class Handler(BaseHTTPRequestHandler):
    """vLLM's paths."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def do_GET(self) -> None:
        model = self.server.model
        if self.path == "/health":
            self._send(503 if model.dead else 200, b"", "text/plain")
        elif self.path == "/metrics":
            self._send(200, metrics(model), "text/plain; version=0.0.4")
        elif self.path == "/version":
            self._json(200, {"version": "0.0.0+standin"})
        elif self.path == "/v1/models":
            cards = [
                {"id": name, "object": "model", "root": model.path, "max_model_len": model.max_model_len}
                for name in model.served
            ]
            self._json(200, {"object": "list", "data": cards})
        else:
            self._json(404, {"detail": "Not Found"})

    def do_POST(self) -> None:
        model = self.server.model
        with model.lock:
            model.running += 1
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))) or b"{}")
            time.sleep(model.answer_seconds)
            self._reply(body)
        except RefusedError as refusal:
            error = {"message": str(refusal), "type": refusal.kind, "param": None, "code": refusal.code}
            self._json(refusal.code, {"error": error})
        finally:
            with model.lock:
                model.running -= 1
                model.answered += 1

    def _reply(self, body: Json) -> None:
        model = self.server.model
        if model.dead:
            raise RefusedError(500, "InternalServerError", "EngineCore encountered an issue.")
        asked = body.get("model", model.served[0])
        if asked not in model.served:
            raise RefusedError(404, "NotFoundError", f"The model `{asked}` does not exist.")
        answers = POOLING if model.pooling else GENERATION
        if self.path not in answers:
            raise RefusedError(404, "NotFoundError", f"The model does not support {self.path}")
        reply = answers[self.path](model, body)
        if body.get("stream"):
            self._stream(reply)
        else:
            self._json(200, reply)

    def _stream(self, reply: Json) -> None:
        """The whole answer as one event."""
        choice = dict(reply["choices"][0])  # type: ignore[index]
        if "message" in choice:
            choice["delta"] = choice.pop("message")
        event = {**reply, "object": "chat.completion.chunk", "choices": [choice]}
        event.pop("usage", None)
        self._send(200, f"data: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode(), "text/event-stream")

    def _json(self, code: int, body: Json) -> None:
        self._send(code, json.dumps(body).encode(), "application/json")

    def _send(self, code: int, body: bytes, kind: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        if self.path not in self.server.quiet:
            log("INFO", format % args)


def say(model: Model, body: Json, heard: str) -> tuple[str, Json, str]:
    """The words of an answer within its limit (a token is a word here), its usage, and why it ended."""
    words = f"stand-in {model.served[0]} ({model.title}) heard: {heard}".split()
    given = body.get("max_completion_tokens") or body.get("max_tokens") or model.most_tokens
    most = min(int(str(given)), model.most_tokens)
    spoken = words[:most]
    prompt = len(heard.split())
    usage: Json = {
        "prompt_tokens": prompt,
        "completion_tokens": len(spoken),
        "total_tokens": prompt + len(spoken),
    }
    return " ".join(spoken), usage, "stop" if len(spoken) == len(words) else "length"


def text_of(content: object) -> str:
    """What a message says; a list of parts, too."""
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def chat(model: Model, body: Json) -> Json:
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise RefusedError(400, "BadRequestError", "messages: Field required")
    text, usage, reason = say(model, body, text_of(messages[-1].get("content")))
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": reason}
    return {**head(model, body, "chat.completion"), "choices": [choice], "usage": usage}


def completion(model: Model, body: Json) -> Json:
    text, usage, reason = say(model, body, text_of(body.get("prompt")))
    choice = {"index": 0, "text": text, "finish_reason": reason}
    return {**head(model, body, "text_completion"), "choices": [choice], "usage": usage}


def embeddings(model: Model, body: Json) -> Json:
    inputs = body.get("input", "")
    texts = inputs if isinstance(inputs, list) else [inputs]
    # Anything that differs with the text, and is the same each time.
    data = [
        {
            "object": "embedding",
            "index": i,
            "embedding": [float(len(str(t))), float(sum(map(ord, str(t))) % 97)],
        }
        for i, t in enumerate(texts)
    ]
    return {**head(model, body, "list"), "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}


def score(model: Model, body: Json) -> Json:
    return {**head(model, body, "list"), "data": [{"index": 0, "object": "score", "score": 0.5}], "usage": {}}


def rerank(model: Model, body: Json) -> Json:
    documents = body.get("documents")
    count = len(documents) if isinstance(documents, list) else 1
    results = [{"index": i, "relevance_score": 1 / (i + 1)} for i in range(count)]
    return {**head(model, body, "rerank"), "results": results, "usage": {"total_tokens": 1}}


def classify(model: Model, body: Json) -> Json:
    data = [{"index": 0, "label": "stand-in", "probs": [1.0], "num_classes": 1}]
    return {**head(model, body, "list"), "data": data, "usage": {}}


def head(model: Model, body: Json, kind: str) -> Json:
    return {
        "id": f"standin-{model.answered}",
        "object": kind,
        "created": int(time.time()),
        "model": body.get("model", model.served[0]),
    }


GENERATION = {"/v1/chat/completions": chat, "/v1/completions": completion}
POOLING = {
    "/v1/embeddings": embeddings,
    "/score": score,
    "/v1/score": score,
    "/rerank": rerank,
    "/v1/rerank": rerank,
    "/classify": classify,
}


def metrics(model: Model) -> bytes:
    """A few of vLLM's series."""
    label = f'{{model_name="{model.served[0]}"}}'
    return (
        "# TYPE vllm:num_requests_running gauge\n"
        f"vllm:num_requests_running{label} {model.running}\n"
        "# TYPE vllm:num_requests_waiting gauge\n"
        f"vllm:num_requests_waiting{label} 0\n"
        "# TYPE vllm:request_success_total counter\n"
        f"vllm:request_success_total{label} {model.answered}\n"
    ).encode()


class Server(ThreadingHTTPServer):
    """The API server."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, options: argparse.Namespace, model: Model) -> None:
        self.model = model
        self.quiet = options.disable_access_log_for_endpoints.split(",")
        if ":" in options.host:
            self.address_family = socket.AF_INET6
        super().__init__((options.host, options.port), Handler)


def watch(worker: Worker, model: Model) -> None:
    """Go the way of vLLM when the worker dies."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(worker.pid, 0)
    model.dead = True
    log("ERROR", f"EngineDeadError: the worker {worker.pid} died; shutting down")
    time.sleep(DYING_SECONDS)
    os._exit(1)


def main() -> None:
    options = parser().parse_args()
    try:
        model, worker = load(options)
    except (OSError, RuntimeError, ValueError) as error:
        log("ERROR", f"{type(error).__name__}: {error}")
        sys.exit(1)

    def end(*_: object) -> None:
        worker.end()
        log("INFO", "shutting down")
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    server = Server(options, model)
    threading.Thread(target=watch, args=(worker, model), daemon=True).start()
    log("INFO", f"serving {model.served} on http://{options.host}:{options.port}")
    server.serve_forever()


if __name__ == "__main__":
    main()
