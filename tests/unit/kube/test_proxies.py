"""The API server is reached by the proxy that the environment names for it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pillion.kube.client import Cluster

if TYPE_CHECKING:
    from pathlib import Path

PROXY = "http://proxy.example.com:3128"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        pytest.param({}, None, id="none is named"),
        pytest.param({"HTTPS_PROXY": PROXY}, PROXY, id="one is named"),
        pytest.param({"HTTP_PROXY": PROXY}, None, id="one is named for addresses without TLS"),
        pytest.param(
            {"HTTPS_PROXY": PROXY, "NO_PROXY": "api.example.com"}, None, id="this server is left out"
        ),
        pytest.param({"HTTPS_PROXY": PROXY, "NO_PROXY": "10.0.0.1"}, PROXY, id="another server is left out"),
    ],
)
async def test_the_environments_proxy_is_used(
    environment: dict[str, str], expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(
        json.dumps(
            {
                "clusters": [{"name": "c", "cluster": {"server": "https://api.example.com:6443"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )
    )
    cluster = await Cluster.connect(str(kubeconfig))
    try:
        assert cluster.credentials.proxy == expected
    finally:
        await cluster.close()
