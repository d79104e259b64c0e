"""How does this tool speak to an API server without a client library?

JSON over HTTPS with a bearer token, nothing more.

Tests that want a real client make one from the kubeconfig.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.cluster import ClusterError

if TYPE_CHECKING:
    from pathlib import Path


class ApiError(ClusterError):
    """The API server refused a request, with its own words."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Unreachable(ClusterError):  # noqa: N818 - reads as what it says
    """Nobody answers at the address."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Api:
    """An API server, who we are to it, and the certificates that we accept."""

    server: str
    token: str
    ca_file: Path | None

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        timeout_seconds: float = 10.0,
    ) -> Any:
        """The decoded answer: a mapping for JSON, text for anything else.

        Raises:
            ApiError: the server answered with an error status.
            Unreachable: it did not answer.
        """
        text = self.text(method, path, body, content_type=content_type, timeout_seconds=timeout_seconds)
        return json.loads(text) if text[:1] in {"{", "["} else text

    def text(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        content_type: str = "application/json",
        timeout_seconds: float = 10.0,
    ) -> str:
        """The answer as it came. Raises as `request` does."""
        call = urllib.request.Request(  # noqa: S310 - the address is the one that we started
            self.server + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": content_type, "Accept": "application/json"},
        )
        if self.token:
            call.add_header("Authorization", f"Bearer {self.token}")
        try:
            # No proxy: an address on this machine, whatever the environment says.
            opener = urllib.request.build_opener(
                urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._tls())
            )
            with opener.open(call, timeout=timeout_seconds) as answer:
                said: bytes = answer.read()
                return said.decode()
        except urllib.error.HTTPError as error:
            raise ApiError(error.code, _words(error.read().decode(errors="replace"), error.code)) from error
        except (OSError, ssl.SSLError) as error:
            raise Unreachable(f"{self.server} does not answer: {error}") from error

    def answers(self, path: str = "/readyz") -> bool:
        """Whether the path answers with success now."""
        try:
            self.text("GET", path, timeout_seconds=2.0)
        except (ApiError, Unreachable):
            return False
        return True

    def _tls(self) -> ssl.SSLContext:
        if self.ca_file is None:
            return ssl._create_unverified_context()  # noqa: S323 - a component's own throw-away certificate on 127.0.0.1
        return ssl.create_default_context(cafile=str(self.ca_file))


def _words(answer: str, code: int) -> str:
    try:
        return str(json.loads(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return answer.strip() or f"HTTP {code}"
