"""The Hub's answers and failures, from a real server on the loopback that speaks its API."""

import itertools
from collections.abc import Iterator

import pytest

from pillion.api.reasons import Reason
from pillion.facts import FactsError, hub
from pillion.facts.cache import FactsCache
from tests.hub import models, server
from tests.hub.repos import File, Repo
from tests.unit.facts import checkpoints


@pytest.fixture(scope="module")
def listening() -> Iterator[server.Hub]:
    with server.start() as started:
        yield started


@pytest.fixture
def there(listening: server.Hub) -> Iterator[server.Hub]:
    listening.requests.clear()
    yield listening
    listening.fault = server.Fault()
    listening.online()


def refused(repo: str, at: server.Hub, **more: object) -> FactsError:
    with pytest.raises(FactsError) as failure:
        hub.read(repo, endpoint=at.url, **more)  # type: ignore[arg-type]
    return failure.value


def test_headers_alone_tell_the_parameters_of_16_gigabytes(there: server.Hub) -> None:
    found = hub.read(models.DENSE_8B, endpoint=there.url)
    assert found.parameters == 8_190_735_360
    assert found.weights_bytes == 2 * 8_190_735_360
    assert len(found.commit) == 40
    assert found.files == (
        "config.json",
        "model-*-of-00004.safetensors",
        "model.safetensors.index.json",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    )


@pytest.mark.parametrize(
    ("repo", "scheme"),
    [
        pytest.param(models.DENSE_8B_AWQ, "AWQ", id="AWQ"),
        pytest.param(models.DENSE_8B_FP8, "FP8", id="FP8"),
    ],
)
def test_a_quantized_checkpoint_is_recognised(there: server.Hub, repo: str, scheme: str) -> None:
    found = hub.read(repo, endpoint=there.url)
    assert found.quantization is not None
    assert (found.quantization.scheme, found.base_model) == (scheme, models.DENSE_8B)
    assert found.parameters == 8_190_735_360


def test_what_a_commit_holds_is_asked_once(there: server.Hub) -> None:
    cache = FactsCache()
    first = hub.read(models.TINY_RIVER, endpoint=there.url, cache=cache)
    there.requests.clear()
    second = hub.read(models.TINY_RIVER, endpoint=there.url, cache=cache)
    assert second is first
    assert [request.path for request in there.requests] == [f"/api/models/{models.TINY_RIVER}"]


def test_a_full_cache_forgets_what_was_not_asked_for_longest(there: server.Hub) -> None:
    cache = FactsCache(max_entries=2)
    for repo in (models.TINY_RIVER, models.TINY_STAR, models.TINY_RIVER, models.TINY_BASE, models.TINY_RIVER):
        hub.read(repo, endpoint=there.url, cache=cache)
    there.requests.clear()
    hub.read(models.TINY_RIVER, endpoint=there.url, cache=cache)
    assert len(there.requests) == 1
    assert len(cache) == 2


def test_facts_of_a_gated_model_are_kept_for_whose_token_read_them(there: server.Hub) -> None:
    cache = FactsCache()
    assert hub.read(models.GATED, token=server.READER_TOKEN, endpoint=there.url, cache=cache).parameters
    assert refused(models.GATED, there, cache=cache).reason is Reason.MODEL_GATED


def test_an_unknown_repository(there: server.Hub) -> None:
    for token in (None, server.READER_TOKEN):
        error = refused("nobody/nothing", there, token=token)
        assert error.reason is Reason.MODEL_NOT_FOUND
        assert not error.transient
        assert "check the spelling" in error.message


def test_an_unknown_revision(there: server.Hub) -> None:
    error = refused(models.TINY_RIVER, there, revision="v9")
    assert error.reason is Reason.REVISION_NOT_FOUND
    assert "'v9'" in error.message


@pytest.mark.parametrize(
    ("token", "words"),
    [
        pytest.param(None, "spec.model.tokenSecretRef", id="without a token it is named"),
        pytest.param(server.STRANGER_TOKEN, "has no access", id="a token without access is told so"),
        pytest.param("hf_expired", "does not accept the token", id="an invalid token is told so"),
    ],
)
def test_a_gated_model(there: server.Hub, token: str | None, words: str) -> None:
    error = refused(models.GATED, there, token=token)
    assert error.reason is Reason.MODEL_GATED
    assert words in error.message


def test_a_token_shows_in_no_message(there: server.Hub) -> None:
    assert "hf_expired" not in str(refused(models.GATED, there, token="hf_expired"))


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(server.Fault(status=503), id="it is down for maintenance"),
        pytest.param(server.Fault(status=429), id="it asks for fewer requests"),
        pytest.param(server.Fault(drop=True), id="the connection is cut"),
        pytest.param(server.Fault(delay_seconds=2.0), id="it does not answer in time"),
        pytest.param(server.Fault(status=503, path="config.json"), id="one file cannot be had"),
    ],
)
def test_failures_that_pass(there: server.Hub, fault: server.Fault) -> None:
    there.fault = fault
    error = refused(models.TINY_RIVER, there, timeout_seconds=0.2)
    assert error.reason is Reason.HUB_UNREACHABLE
    assert error.transient
    assert "HF_ENDPOINT" in error.message


def test_no_network(there: server.Hub) -> None:
    there.offline()
    error = refused(models.TINY_RIVER, there, timeout_seconds=0.5)
    assert (error.reason, error.transient) == (Reason.HUB_UNREACHABLE, True)


def test_an_operator_that_is_told_to_stay_offline_says_so(
    there: server.Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    error = refused(models.TINY_RIVER, there)
    assert error.reason is Reason.HUB_UNREACHABLE
    assert "HF_HUB_OFFLINE" in error.message


def test_gguf_names_a_checkpoint_of_the_same_model_that_is_served(there: server.Hub) -> None:
    error = refused(models.ONLY_GGUF, there)
    assert error.reason is Reason.FORMAT_UNSUPPORTED
    assert (
        f"set spec.model.repo to {models.DENSE_8B_AWQ}, a checkpoint of {models.DENSE_8B} in AWQ"
        in error.message
    )


def test_a_gguf_file_names_its_base_where_the_card_does_not(there: server.Hub) -> None:
    head = checkpoints.gguf(
        {
            "general.architecture": "qwen3",
            "general.file_type": 15,
            "general.base_model.0.repo_url": f"https://huggingface.co/{models.TINY_RIVER}",
        }
    )
    repo = Repo(
        repo_id=f"{models.OWNER}/unnamed-gguf", files={"model-Q4_K_M.gguf": File(head, zeros=1_000_000)}
    )
    there.put(repo)
    error = refused(repo.repo_id, there)
    assert error.reason is Reason.FORMAT_UNSUPPORTED
    assert "its file says: Q4_K_M qwen3" in error.message
    assert f"set spec.model.repo to {models.TINY_RIVER}, the model it was made from" in error.message


def test_two_gguf_repositories_that_name_each_other_end(there: server.Hub) -> None:
    first, second = f"{models.OWNER}/this-gguf", f"{models.OWNER}/that-gguf"
    for name, base in ((first, second), (second, first)):
        there.put(Repo(repo_id=name, files={"a.gguf": File(b"GGUF")}, card={"base_model": base}))
    assert refused(first, there).reason is Reason.FORMAT_UNSUPPORTED


def test_a_hub_that_is_away_changes_nothing_that_was_known(there: server.Hub) -> None:
    cache = FactsCache()
    before = hub.read(models.TINY_RIVER, endpoint=there.url, cache=cache)
    there.fault = server.Fault(status=503)
    assert hub.read(models.TINY_RIVER, endpoint=there.url, cache=cache) is before
    assert refused(models.TINY_STAR, there, cache=cache).reason is Reason.HUB_UNREACHABLE
    assert refused(models.TINY_RIVER, there, cache=cache, revision="other").reason is Reason.HUB_UNREACHABLE


def test_what_is_known_is_not_told_to_others_while_the_hub_is_away(there: server.Hub) -> None:
    cache = FactsCache()
    hub.read(models.GATED, endpoint=there.url, cache=cache, token=server.READER_TOKEN)
    there.fault = server.Fault(status=503)
    assert refused(models.GATED, there, cache=cache).reason is Reason.HUB_UNREACHABLE


def test_broken_json_is_shown_with_its_place(there: server.Hub) -> None:
    error = refused(models.BROKEN_CONFIG, there)
    assert error.reason is Reason.CONFIG_INVALID
    assert "config.json is no valid JSON" in error.message
    assert "line 1" in error.message


numbers = itertools.count()


def published(there: server.Hub, **changes: bytes | None) -> str:
    """A repository like the tiny one, with some files replaced, or taken away where None."""
    files = dict(models.tiny_llama(models.TINY_RIVER).files)
    for name, content in changes.items():
        path = name.replace("__", ".")
        if content is None:
            del files[path]
        else:
            files[path] = File(content)
    repo = Repo(repo_id=f"{models.OWNER}/changed-{next(numbers)}", files=files)
    there.put(repo)
    return repo.repo_id


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        pytest.param({"config__json": None}, Reason.CONFIG_INVALID, "no config.json", id="no config.json"),
        pytest.param(
            {"config__json": b"[]"}, Reason.CONFIG_INVALID, "no JSON object", id="a list for a configuration"
        ),
        pytest.param(
            {"config__json": b"{}"}, Reason.CONFIG_INVALID, "num_hidden_layers", id="an empty configuration"
        ),
        pytest.param(
            {"model__safetensors": b"no header at all"},
            Reason.FORMAT_UNSUPPORTED,
            "no safetensors",
            id="broken weights",
        ),
    ],
)
def test_a_broken_repository(
    there: server.Hub, changes: dict[str, bytes | None], reason: Reason, words: str
) -> None:
    error = refused(published(there, **changes), there)
    assert error.reason is reason
    assert words in error.message


def test_quantizations_by_the_models_own_publisher_are_found(there: server.Hub) -> None:
    base = hub.read(models.DENSE_8B, endpoint=there.url)
    found = hub.trusted_quantizations(base, endpoint=there.url)
    assert [model.repo for model in found] == [models.DENSE_8B_AWQ, models.DENSE_8B_FP8]


def test_a_publisher_who_is_not_trusted_is_not_asked(there: server.Hub) -> None:
    base = hub.read(models.DENSE_8B, endpoint=there.url)
    there.requests.clear()
    hub.trusted_quantizations(base, publishers=("RedHatAI",), endpoint=there.url)
    listed = [request.query for request in there.requests if request.path == "/api/models"]
    assert sorted(query.split("author=")[1].split("&")[0] for query in listed) == ["RedHatAI", models.OWNER]


def test_a_hub_that_does_not_answer_leaves_the_model_itself(there: server.Hub) -> None:
    base = hub.read(models.DENSE_8B, endpoint=there.url)
    there.fault = server.Fault(status=503)
    assert hub.trusted_quantizations(base, endpoint=there.url) == ()
