"""An API server that only lists and gets: what a command may ask of a cluster."""

from __future__ import annotations

import http.server
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Raw = dict[str, Any]
COLLECTIONS = {
    "Node": "/api/v1/nodes",
    "Pod": "/api/v1/pods",
    "ModelDeployment": "/apis/pillion.dev/v1alpha1/modeldeployments",
    "ModelSidecar": "/apis/pillion.dev/v1alpha1/modelsidecars",
    "Deployment": "/apis/apps/v1/deployments",
    "StatefulSet": "/apis/apps/v1/statefulsets",
    "DaemonSet": "/apis/apps/v1/daemonsets",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/horizontalpodautoscalers",
}


class Server:
    """Objects by kind, which paths are forbidden, and what was asked."""

    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self.forbidden: set[str] = set()
        self.missing: set[str] = set()  # kinds that are not installed
        self.asked: list[tuple[str, str]] = []  # methods, and paths with their queries
        self._objects: list[Raw] = []

    def put(self, kind: str, obj: Raw, *, namespace: str | None = None) -> Raw:
        """An object as it would be stored."""
        number = str(len(self._objects) + 1)
        metadata = {"uid": f"uid-{number}", "resourceVersion": number, **obj.get("metadata", {})}
        if namespace is not None:
            metadata["namespace"] = namespace
        stored = {**obj, "kind": kind, "metadata": metadata}
        self._objects.append(stored)
        return stored

    def answer(self, path: str) -> tuple[int, Raw]:
        """Status and body of a GET."""
        for kind, collection in COLLECTIONS.items():
            group, _, plural = collection.rpartition("/")
            if not path.startswith(f"{group}/") or plural not in path.split("/"):
                continue
            if kind in self.forbidden:
                return 403, {"message": f"{plural} is forbidden"}
            if kind in self.missing:
                return 404, {"message": "the server could not find the requested resource"}
            parts = path.removeprefix(f"{group}/").split("/")
            namespace = parts[1] if parts[0] == "namespaces" else None
            name = parts[-1] if parts[-1] != plural else None
            found = [
                each
                for each in self._objects
                if each["kind"] == kind
                and namespace in (None, each["metadata"].get("namespace"))
                and name in (None, each["metadata"]["name"])
            ]
            if name is None:
                return 200, {"kind": f"{kind}List", "metadata": {"resourceVersion": "99"}, "items": found}
            if found:
                return 200, found[0]
            return 404, {"message": f'{plural} "{name}" not found'}
        return 404, {"message": f"no such path: {path}"}


@contextmanager
def serving(folder: Path, *, namespace: str | None = None) -> Iterator[Server]:
    """A server, and a kubeconfig whose context `test` leads to it."""
    there = Server(folder / "kubeconfig")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            there.asked.append(("GET", self.path))
            status, body = there.answer(urlsplit(self.path).path)
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it)
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        context = {"cluster": "c", "user": "u", **({"namespace": namespace} if namespace else {})}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [
                {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}}
            ],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "test", "context": context}],
        }
        there.kubeconfig.write_text(yaml.safe_dump(config))
        yield there
        server.shutdown()
