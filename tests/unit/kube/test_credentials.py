"""Whom does a kubeconfig speak for, and to which server?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pillion.kube import credentials

if TYPE_CHECKING:
    from pathlib import Path

SERVER = "http://127.0.0.1:8001"


def written(path: Path, *, user: dict[str, Any], name: str = "c", server: str = SERVER) -> Path:
    path.write_text(
        json.dumps(
            {
                "clusters": [{"name": name, "cluster": {"server": server}}],
                "users": [{"name": name, "user": user}],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
                "current-context": name,
            }
        )
    )
    return path


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        pytest.param({"token": "t"}, "Bearer t", id="a token"),
        pytest.param({"tokenFile": "token"}, "Bearer from-file", id="a file beside the kubeconfig"),
        pytest.param({}, None, id="nobody"),
    ],
)
async def test_who_asks(user: dict[str, Any], expected: str | None, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-file\n")
    found = await credentials.load(str(written(tmp_path / "config", user=user)))
    assert found.server == SERVER
    assert await found.authorization() == expected


async def test_of_several_kubeconfigs_the_first_that_names_a_context_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = written(tmp_path / "first", user={"token": "1"})
    second = written(tmp_path / "second", user={"token": "2"}, name="d", server="http://127.0.0.1:8002")
    monkeypatch.setenv("KUBECONFIG", f"{first}:{tmp_path / 'missing'}:{second}")
    assert await (await credentials.load()).authorization() == "Bearer 1"
    other = await credentials.load(context="d")
    assert other.server == "http://127.0.0.1:8002"


async def test_a_context_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    path = written(tmp_path / "config", user={"token": "t"})
    with pytest.raises(credentials.CredentialsError, match="no context 'x'; it has c"):
        await credentials.load(str(path), "x")


async def test_a_kubeconfig_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(credentials.CredentialsError, match="no kubeconfig at"):
        await credentials.load(str(tmp_path / "missing"))


async def test_a_user_that_is_a_program_is_asked_through_the_official_client(tmp_path: Path) -> None:
    program = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "echo",
        "args": [
            json.dumps(
                {
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "kind": "ExecCredential",
                    "status": {"token": "given"},
                }
            )
        ],
        "interactiveMode": "Never",
    }
    path = written(tmp_path / "config", user={"exec": program})
    assert await (await credentials.load(str(path))).authorization() == "Bearer given"


def test_a_token_does_not_show() -> None:
    found = credentials.Credentials(server=SERVER, tls=None, token="secret-token")
    assert "secret-token" not in repr(found)


def test_a_context_works_in_its_namespace(tmp_path: Path) -> None:
    path = written(tmp_path / "config", user={"token": "t"})
    assert credentials.namespace(str(path)) == "default"

    config = json.loads(path.read_text())
    config["contexts"].append({"name": "shop", "context": {"cluster": "c", "user": "c", "namespace": "shop"}})
    path.write_text(json.dumps(config))
    assert credentials.namespace(str(path), "shop") == "shop"
    with pytest.raises(credentials.CredentialsError, match="no context 'x'; it has c, shop"):
        credentials.namespace(str(path), "x")
