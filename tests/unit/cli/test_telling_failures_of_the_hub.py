"""Is what a user of commands can do said of the Hub's failures: HF_TOKEN and options, no Secrets and no operator?"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import httpx2
import pytest
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from pillion.cli import hub_words
from pillion.facts import hub_errors
from tests.hub import models, server
from tests.unit.cli import objects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.cli.conftest import Ended

    Pillion = Callable[..., Ended]

MISSING = "pillion-test/missing"


def answered(kind: type[HfHubHTTPError], status: int) -> HfHubHTTPError:
    """The Hub's refusal, as its library raises it."""
    request = httpx2.Request("GET", "https://hub.example/api")
    return kind("refused", response=httpx2.Response(status, request=request))


@pytest.mark.parametrize("has_token", [True, False])
@pytest.mark.parametrize(
    "error",
    [
        pytest.param(answered(GatedRepoError, 403), id="gated"),
        pytest.param(answered(RepositoryNotFoundError, 404), id="not there"),
        pytest.param(answered(RevisionNotFoundError, 404), id="no such revision"),
        pytest.param(answered(HfHubHTTPError, 401), id="no such token"),
        pytest.param(answered(HfHubHTTPError, 429), id="too many requests"),
        pytest.param(answered(HfHubHTTPError, 500), id="out of order"),
        pytest.param(OfflineModeIsEnabled("offline"), id="offline"),
        pytest.param(httpx2.ConnectError("refused"), id="no answer"),
    ],
)
def test_no_failure_speaks_of_what_a_command_does_not_have(error: Exception, has_token: bool) -> None:
    translated = functools.partial(
        hub_errors.translated,
        error,
        repo="a/b",
        revision="v1",
        endpoint="https://hub.example",
        has_token=has_token,
    )
    failure, told = translated(), translated(words=hub_words.OF_AN_ESTIMATE)
    assert (told.reason, told.transient) == (failure.reason, failure.transient)
    for word in ("spec.", "Secret", "operator", "asked again"):
        assert word not in told.message
    for word in ("HF_TOKEN", "--revision", "Run the command"):
        assert word not in failure.message


def test_a_gated_model_is_told_with_what_to_set(pillion: Pillion, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = pillion("estimate", models.GATED, "--gpu", "L4")
    assert ended.code == 1
    assert ended.err.endswith(f"/{models.GATED}, and set HF_TOKEN to a token with read access.\n")

    monkeypatch.setenv("HF_TOKEN", "hf_nobody")
    ended = pillion("estimate", models.GATED, "--gpu", "L4")
    assert (
        "does not accept the token of HF_TOKEN; make a new one with read access and set HF_TOKEN to it."
        in ended.err
    )

    monkeypatch.setenv("HF_TOKEN", server.READER_TOKEN)
    assert pillion("estimate", models.GATED, "--gpu", "L4").code == 0


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        pytest.param("hf_Xy12\nhf_Xy12", "HF_TOKEN holds 2 lines, where", id="two lines"),
        pytest.param(" ", "HF_TOKEN is empty, where", id="white space alone"),
        pytest.param("hf_Xy12\udcff", "HF_TOKEN holds characters other than", id="a byte that is no text"),
    ],
)
def test_what_is_no_token_is_refused_without_showing_it(
    pillion: Pillion, monkeypatch: pytest.MonkeyPatch, value: str, wrong: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", value)
    ended = pillion("estimate", models.DENSE_8B, "--gpu", "L4")
    assert ended.code == 2
    assert wrong in ended.err
    assert "Xy12" not in ended.err
    assert ended.err.endswith("; set it to the token alone, or unset it for public models\n")


def test_a_model_that_is_not_there_may_be_private(pillion: Pillion) -> None:
    assert "a private one needs a token in HF_TOKEN." in pillion("estimate", MISSING, "--gpu", "L4").err


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("adapter_config.json", "no whole model; ask for someone/base.\n", id="an adapter"),
        pytest.param(
            "model-Q4_K_M.gguf",
            "; ask for someone/base, the model it was made from, or ask for a quantized checkpoint of it with",
            id="GGUF",
        ),
    ],
)
def test_what_stands_for_a_directory_is_told_without_fields_of_a_spec(
    pillion: Pillion, tmp_path: Path, name: str, said: str
) -> None:
    (tmp_path / name).write_text("{}")
    (tmp_path / "README.md").write_text("---\nbase_model: someone/base\n---\n")
    ended = pillion("estimate", tmp_path, "--gpu", "L4")
    assert ended.code == 2
    assert said in ended.err


def test_a_revision_is_an_option_of_an_estimate(pillion: Pillion) -> None:
    ended = pillion("estimate", models.DENSE_8B, "--gpu", "L4", "--revision", "v9")
    assert ended.code == 1
    assert "leave --revision away for main" in ended.err


def test_a_plan_tells_what_the_operator_needs_as_well(
    pillion: Pillion, written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(objects.deployment(repo=models.GATED))
    (plan,) = pillion("plan", "-f", path, "--gpu", "L4", "-o", "json").json["plans"]
    assert "set HF_TOKEN to a token" in plan["message"]
    assert plan["message"].endswith(
        "The operator needs a Secret with such a token, named in spec.model.tokenSecretRef."
    )
    path = written(
        objects.deployment(model={"repo": MISSING, "tokenSecretRef": {"name": "hub", "key": "token"}})
    )
    (plan,) = pillion("plan", "-f", path, "--gpu", "L4", "-o", "json").json["plans"]
    assert "The operator needs" not in plan["message"]
    monkeypatch.setenv("HF_TOKEN", "hf_two words")
    assert "kubectl" not in pillion("plan", "-f", path, "--gpu", "L4").err
