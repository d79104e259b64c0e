"""What does the Hub answer to huggingface_hub, and what when it is slow, broken, or not there?

    python3 server.py --port 8080            # in a container, with the folder's other files beside it

In a test: `with server.start() as hub:`, then `HF_ENDPOINT=hub.url`. `hub.requests` is what was asked,
`hub.fault` makes it fail, `hub.put(repo)` publishes a commit. A running server takes faults by HTTP as well:
`PUT /_test/fault` with `{"status": 503}`, and `{}` ends it; `GET /_test/requests` is what was asked.

As on the Hub: what a repository is can be read by everybody, the files of a gated one need a token with
access; an unknown repository is 401 without a token and 404 with one; an invalid token is 401 everywhere.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import re
import socket
import threading
import time
import urllib.parse
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Self
from urllib.parse import unquote

if __package__:
    from tests.hub import models
    from tests.hub.repos import CHUNK_BYTES, File, Repo, is_large
else:  # this folder, copied into an image
    import models
    from repos import CHUNK_BYTES, File, Repo, is_large

READER_TOKEN = "hf_reader"  # has access to the gated repositories
STRANGER_TOKEN = "hf_stranger"  # is valid, and has not
REMEMBERED_REQUESTS = 10_000

RESOLVE = re.compile(r"^/([^/]+/[^/]+)/resolve/([^/]+)/(.+)$")
API = re.compile(r"^/api/models/([^/]+/[^/]+)(?:/(revision|tree|paths-info|refs)(?:/([^/]+))?(?:/(.*))?)?$")
RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")

Query = dict[str, list[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request as it came in, and the status it got (0: none)."""

    method: str
    path: str
    query: str
    status: int
    token: str | None = field(repr=False)
    range: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """How the server misbehaves, for the paths that contain `path`."""

    status: int | None = None  # answer this and nothing else
    drop: bool = False  # close the connection without an answer, as a network that is down
    delay_seconds: float = 0.0  # before each answer
    bytes_per_second: int | None = None  # of each download
    path: str = ""


class Refusal(Exception):  # noqa: N818 (an answer, not a mistake)
    """An answer that is an error, in the Hub's own words."""

    def __init__(self, status: int, code: str | None, message: str, *, commit: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.commit = status, code, message, commit


Respond = Callable[[str, Query, Fault], None]


class Hub:
    """The repositories, who may read them, what was asked, and how it fails at the moment."""

    def __init__(self, repos: Iterable[Repo], *, access: frozenset[str], strangers: frozenset[str]) -> None:
        self.requests: deque[Request] = deque(maxlen=REMEMBERED_REQUESTS)
        self.fault = Fault()
        self.access, self.strangers = access, strangers
        self._commits: dict[str, dict[str, Repo]] = {}
        self._refs: dict[str, dict[str, str]] = {}
        self._server: Listener | None = None
        self._address = ("127.0.0.1", 0)
        for repo in repos:
            self.put(repo)

    def put(self, repo: Repo, *, ref: str = "main") -> None:
        """Publish a commit, and let the branch or tag point to it; earlier commits stay."""
        self._commits.setdefault(repo.repo_id, {})[repo.commit] = repo
        self._refs.setdefault(repo.repo_id, {})[ref] = repo.commit

    def remove(self, repo_id: str) -> None:
        """Take a repository away, as its owner may."""
        self._commits.pop(repo_id, None)
        self._refs.pop(repo_id, None)

    def repos(self) -> Iterator[Repo]:
        """What every `main` points to."""
        for repo_id, refs in sorted(self._refs.items()):
            if "main" in refs:
                yield self._commits[repo_id][refs["main"]]

    def refs(self, repo_id: str) -> dict[str, str]:
        """Branches and tags of a repository, with their commits."""
        return dict(self._refs[repo_id])

    def find(self, repo_id: str, revision: str | None, *, signed_in: bool) -> Repo:
        """The repository at a revision."""
        commits = self._commits.get(repo_id)
        if commits is None:
            # The Hub does not tell a stranger whether a private repository of that name exists.
            raise Refusal(404 if signed_in else 401, "RepoNotFound", "Repository not found")
        revision = revision or "main"
        repo = commits.get(self._refs[repo_id].get(revision, revision))
        if repo is None:
            raise Refusal(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repo

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._address[1]

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self.port}"

    def listen(self, host: str, port: int) -> None:
        """Answer in threads of their own until `offline`."""

        class Bound(Handler):
            hub = self

        self._server = Listener((host, port), Bound)
        self._address = (host, self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def offline(self) -> None:
        """Refuse connections, as a Hub that cannot be reached."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def online(self) -> None:
        """Come back at the same address."""
        if self._server is None:
            self.listen(*self._address)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.offline()


class Listener(http.server.ThreadingHTTPServer):
    """Takes as many connections at once as a test opens, and cuts those that are kept alive when it ends."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], handler: type[Handler]) -> None:
        super().__init__(address, handler)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):  # the client may have closed it at this moment
                connection.shutdown(socket.SHUT_RDWR)


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection."""

    hub: Hub
    protocol_version = "HTTP/1.1"
    server_version = "pillion-test-hub"

    def do_GET(self) -> None:
        self._answer(self._get)

    def do_HEAD(self) -> None:
        self._answer(self._get)

    def do_POST(self) -> None:
        self._answer(self._post)

    def do_PUT(self) -> None:
        self._answer(self._put)

    def _answer(self, respond: Respond) -> None:
        url = urllib.parse.urlsplit(self.path)
        path, fault = url.path, self._fault()
        try:
            time.sleep(fault.delay_seconds)
            if fault.drop:
                self._remember(0)
                self.close_connection = True
                return
            if fault.status is not None:
                self._refuse(Refusal(fault.status, None, f"The test asked for {fault.status}"))
                return
            respond(path, urllib.parse.parse_qs(url.query), fault)
        except Refusal as refusal:
            self._refuse(refusal)
        except (BrokenPipeError, ConnectionResetError):  # the client was killed, which tests do
            self.close_connection = True

    def _fault(self) -> Fault:
        """How this request is answered wrongly, if at all."""
        path, fault = urllib.parse.urlsplit(self.path).path, self.hub.fault
        return Fault() if path.startswith("/_test/") or fault.path not in path else fault

    def send_response(self, code: int, message: str | None = None) -> None:
        """Begin an answer. It is remembered first: who has got it may ask at once what is remembered."""
        self._remember(code)
        super().send_response(code, message)

    def _get(self, path: str, query: Query, fault: Fault) -> None:
        if path == "/healthz":
            self._json({"status": "ok"})
        elif path == "/_test/requests":
            self._json([{**asdict(asked), "token": asked.token is not None} for asked in self.hub.requests])
        elif resolve := RESOLVE.match(path):
            repo = self.hub.find(resolve[1], unquote(resolve[2]), signed_in=self._signed_in())
            self._file(repo, unquote(resolve[3]), fault)
        else:
            self._json(self._told(path, query))

    def _told(self, path: str, query: Query) -> object:
        signed_in = self._signed_in()
        if path == "/api/models":
            return list(_matching(self.hub.repos(), query))
        api = API.match(path)
        if api is None or api[2] == "paths-info":
            raise Refusal(404, None, "Sorry, we can't find the page you are looking for.")
        repo = self.hub.find(api[1], unquote(api[3] or ""), signed_in=signed_in)
        if api[2] == "tree":
            return _tree(repo, unquote(api[4] or ""), recursive=_is_set(query, "recursive"))
        if api[2] == "refs":
            return _refs(self.hub.refs(repo.repo_id))
        return _expanded(repo.describe(blobs=_is_set(query, "blobs")), query)

    def _post(self, path: str, _query: Query, _fault: Fault) -> None:
        body = self._body()
        api = API.match(path)
        if api is None or api[2] != "paths-info":
            raise Refusal(404, None, "Sorry, we can't find the page you are looking for.")
        repo = self.hub.find(api[1], unquote(api[3] or ""), signed_in=self._signed_in())
        try:
            wanted = json.loads(body)["paths"]
        except ValueError:
            wanted = urllib.parse.parse_qs(body.decode())["paths"]
        self._json([entry for entry in repo.tree() if entry["path"] in wanted])

    def _put(self, path: str, _query: Query, _fault: Fault) -> None:
        body = self._body()
        if path != "/_test/fault":
            raise Refusal(404, None, "Sorry, we can't find the page you are looking for.")
        self.hub.fault = Fault(**json.loads(body or b"{}"))
        self._json(asdict(self.hub.fault))

    def _file(self, repo: Repo, path: str, fault: Fault) -> None:
        token = self._token()
        if repo.gated and token not in self.hub.access:
            message = f"Access to model {repo.repo_id} is restricted."
            if token is None:
                raise Refusal(
                    401, "GatedRepo", message + " You must be authenticated to access it.", commit=repo.commit
                )
            raise Refusal(
                403, "GatedRepo", message + " You are not in the authorized list.", commit=repo.commit
            )
        file = repo.files.get(path)
        if file is None:
            raise Refusal(404, "EntryNotFound", "Entry not found", commit=repo.commit)
        start, stop = self._range(file.size_bytes)
        status = 200 if self.headers["Range"] is None else 206
        self.send_response(status)
        self._identify(repo, path, file)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{file.size_bytes}")
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        if self.command != "HEAD":
            self._send(file, start, stop, slowly=fault.bytes_per_second is not None)

    def _identify(self, repo: Repo, path: str, file: File) -> None:
        """The headers by which a client knows which file it got."""
        identity = file.sha256 if is_large(path) else file.blob_id
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("X-Repo-Commit", repo.commit)
        self.send_header("ETag", f'"{identity}"')
        if is_large(path):
            self.send_header("X-Linked-ETag", f'"{identity}"')
            self.send_header("X-Linked-Size", str(file.size_bytes))

    def _send(self, file: File, start: int, stop: int, *, slowly: bool) -> None:
        """The bytes from `start` to before `stop`; a slow download goes on at full speed once the fault is over."""
        if not slowly:
            for chunk in file.chunks(start, stop):
                self.wfile.write(chunk)
            return
        begin = start
        while begin < stop:
            rate = self._fault().bytes_per_second
            end = min(stop, begin + (CHUNK_BYTES if rate is None else max(1, min(CHUNK_BYTES, rate // 10))))
            self.wfile.write(b"".join(file.chunks(begin, end)))
            if rate is not None:
                time.sleep((end - begin) / rate)
            begin = end

    def _range(self, size_bytes: int) -> tuple[int, int]:
        """First byte and the one after the last, of what was asked for."""
        asked = self.headers["Range"]
        if asked is None:
            return 0, size_bytes
        parts = RANGE.match(asked)
        if parts is None or parts[0] == "bytes=-":
            raise Refusal(416, None, f"Range {asked} is not understood")
        if not parts[1]:
            return max(0, size_bytes - int(parts[2])), size_bytes
        start, stop = int(parts[1]), min(size_bytes, int(parts[2]) + 1) if parts[2] else size_bytes
        if start >= stop:
            raise Refusal(416, None, f"Range {asked} starts after the end of {size_bytes} bytes")
        return start, stop

    def _token(self) -> str | None:
        scheme, _, token = (self.headers["Authorization"] or "").partition(" ")
        return token if scheme == "Bearer" and token else None

    def _signed_in(self) -> bool:
        token = self._token()
        if token is None:
            return False
        if token not in self.hub.access | self.hub.strangers:
            raise Refusal(401, None, "Invalid credentials in Authorization header")
        return True

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def _json(self, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, refusal: Refusal) -> None:
        body = json.dumps({"error": refusal.message}).encode()
        self.send_response(refusal.status)
        self.send_header("X-Error-Message", refusal.message)
        if refusal.code is not None:
            self.send_header("X-Error-Code", refusal.code)
        if refusal.commit is not None:
            self.send_header("X-Repo-Commit", refusal.commit)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _remember(self, status: int) -> None:
        url = urllib.parse.urlsplit(self.path)
        if url.path.startswith("/_test/"):
            return
        self.hub.requests.append(
            Request(
                method=self.command,
                path=url.path,
                query=url.query,
                status=status,
                token=self._token(),
                range=self.headers["Range"],
            )
        )

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it)
        """Nothing: the requests are remembered instead."""


def _matching(repos: Iterable[Repo], query: Query) -> Iterator[dict[str, Any]]:
    """The list route: every filter has to hold; `expand` chooses what is told."""
    limit = int(query.get("limit", ["1000"])[0])
    for repo in repos:
        told = repo.describe()
        author, search = query.get("author", [None])[0], query.get("search", [""])[0]
        pipeline_tag = query.get("pipeline_tag", [None])[0]
        if (
            limit > 0
            and all(tag in (*repo.tags, repo.pipeline_tag) for tag in query.get("filter", []))
            and author in (None, told["author"])
            and search.lower() in repo.repo_id.lower()
            and pipeline_tag in (None, repo.pipeline_tag)
        ):
            limit -= 1
            if not _is_set(query, "full") and "expand" not in query:
                del told["siblings"], told["sha"]
            yield _expanded(told, query)


def _expanded(told: dict[str, Any], query: Query) -> dict[str, Any]:
    chosen = query.get("expand", query.get("expand[]"))
    if chosen is None:
        return told
    return {key: value for key, value in told.items() if key in ("_id", "id", *chosen)}


def _tree(repo: Repo, folder: str, *, recursive: bool) -> list[dict[str, Any]]:
    inside = f"{folder.rstrip('/')}/" if folder else ""
    entries = [entry for entry in repo.tree() if entry["path"].startswith(inside)]
    folders = sorted({entry["path"].rpartition("/")[0] for entry in entries} - {"", folder.rstrip("/")})
    listed = [
        {"type": "directory", "oid": repo.commit, "size": 0, "path": path} for path in folders
    ] + entries
    return [entry for entry in listed if recursive or "/" not in entry["path"][len(inside) :]]


def _refs(refs: dict[str, str]) -> dict[str, Any]:
    branches = [
        {"name": name, "ref": f"refs/heads/{name}", "targetCommit": commit} for name, commit in refs.items()
    ]
    return {"branches": branches, "tags": [], "converts": []}


def _is_set(query: Query, key: str) -> bool:
    return query.get(key, ["false"])[0].lower() in ("true", "1")


def start(
    port: int = 0,
    *,
    host: str = "127.0.0.1",
    repos: Iterable[Repo] | None = None,
    access: Iterable[str] = (READER_TOKEN,),
    strangers: Iterable[str] = (STRANGER_TOKEN,),
) -> Hub:
    """A Hub that answers by the time this returns; port 0 takes a free one, `with` or `offline()` ends it."""
    repos = models.everything() if repos is None else repos
    hub = Hub(repos, access=frozenset(access), strangers=frozenset(strangers))
    hub.listen(host, port)
    return hub


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(
        description="A small Hub with models for tests; see the module's docstring."
    )
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on (default: all)")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--token", default=READER_TOKEN, help="the token that may read gated models")
    parsed = parser.parse_args()
    hub = start(parsed.port, host=parsed.host, access=(parsed.token,))
    print(f"serving {len(list(hub.repos()))} models on {parsed.host}:{hub.port}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
