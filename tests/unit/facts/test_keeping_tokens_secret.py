"""A token is looked at before it is sent, and stands in no message."""

import base64

import httpx2
import pytest

from pillion.api.reasons import Reason
from pillion.facts import FactsError, hub, hub_errors, tokens
from tests.hub import models

SECRET = "hf_Xy12Secret"
WHERE = "spec.model.tokenSecretRef: Secret hub, key 'token',"
CLOSED = "http://127.0.0.1:9"


def encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


@pytest.mark.parametrize(
    "value",
    [pytest.param(b"hf_Xy12Secret", id="a word"), pytest.param(b" hf_Xy12Secret\r\n", id="and its line end")],
)
def test_a_word_is_a_token(value: bytes) -> None:
    assert tokens.token(encoded(value), where=WHERE) == SECRET


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        pytest.param(b"hf_Xy12Secret\nhf_Xy12Secret", "holds 2 lines", id="two lines"),
        pytest.param(b"user hf_Xy12Secret", "holds white space", id="two words"),
        pytest.param("hf_Xy12Secrét".encode(), "visible ASCII", id="a letter with an accent"),
        pytest.param(b"hf_Xy12Secret\x00x", "visible ASCII", id="a control character"),
        pytest.param(b"hf_Xy12Secret\xff", "no text", id="bytes that are no text"),
        pytest.param(b"\n", "is empty", id="nothing"),
    ],
)
def test_what_is_no_token_is_refused_without_showing_it(value: bytes, wrong: str) -> None:
    with pytest.raises(FactsError) as failure:
        tokens.token(encoded(value), where=WHERE)
    assert failure.value.reason is Reason.TOKEN_NOT_READABLE
    assert wrong in failure.value.message
    assert "Xy12" not in failure.value.message
    assert failure.value.__cause__ is None  # a cause could carry the bytes


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(
            httpx2.LocalProtocolError(f"Illegal header value b'Bearer {SECRET}'"), id="the library's"
        ),
        pytest.param(OSError(f"Bearer {SECRET}"), id="the system's"),
        pytest.param(ValueError(f"Bearer {SECRET}"), id="an answer that is not understood"),
    ],
)
def test_words_that_can_hold_headers_are_not_passed_on(error: Exception) -> None:
    told = hub_errors.translated(error, repo="a/b", revision=None, endpoint="https://hub", has_token=True)
    assert SECRET not in told.message
    assert type(error).__name__ in told.message
    assert "https://hub" in told.message


def test_a_refused_connection_is_told_in_the_systems_words() -> None:
    with pytest.raises(FactsError) as failure:
        hub.read(models.TINY_RIVER, endpoint=CLOSED, token=SECRET)
    assert "refused" in failure.value.message
    assert SECRET not in failure.value.message
