"""The test Hub answers the real client as the Hub does, so what passes against it means something."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import huggingface_hub
import pytest
from huggingface_hub import errors

from tests.hub import models, server, tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator

PARAMETERS_8B = 8_190_735_360  # as the Hub counts Qwen3-8B, whose shapes these are


@pytest.fixture(scope="module")
def shared() -> Iterator[server.Hub]:
    with server.start() as hub:
        yield hub


@pytest.fixture
def hub(shared: server.Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[server.Hub]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    shared.requests.clear()
    yield shared
    shared.fault = server.Fault()
    shared.online()


def client(hub: server.Hub, token: str | bool = False) -> huggingface_hub.HfApi:
    return huggingface_hub.HfApi(endpoint=hub.url, token=token)


def test_model_info_tells_commit_files_sizes_and_parameters(hub: server.Hub) -> None:
    info = client(hub).model_info(models.DENSE_8B, files_metadata=True)

    assert info.sha is not None
    assert len(info.sha) == 40
    sizes = {file.rfilename: file.size for file in info.siblings or ()}
    shards = {name: size for name, size in sizes.items() if name.endswith(".safetensors")}
    assert len(shards) == 4
    # 2 bytes a parameter, and the headers.
    assert 0 < sum(size or 0 for size in shards.values()) - 2 * PARAMETERS_8B < 100_000
    assert info.safetensors is not None
    assert info.safetensors.total == PARAMETERS_8B
    assert info.pipeline_tag == "text-generation"


def test_a_commit_answers_for_itself_after_main_moved(hub: server.Hub) -> None:
    name = "pillion-test/moving"
    hub.put(models.tiny_llama(name, words=tokenizer.RIVER_WORDS))
    first = client(hub).model_info(name).sha
    hub.put(models.tiny_llama(name, words=tokenizer.STAR_WORDS))

    assert client(hub).model_info(name).sha != first
    assert client(hub).model_info(name, revision=first).sha == first


def test_a_branch_with_a_slash_is_found(hub: server.Hub) -> None:
    name = "pillion-test/branches"
    hub.put(models.tiny_llama(name))
    hub.put(models.tiny_llama(name, words=tokenizer.STAR_WORDS), ref="refs/pr/1")

    assert client(hub).model_info(name, revision="refs/pr/1").sha != client(hub).model_info(name).sha


@pytest.mark.parametrize(
    ("repo", "dtypes", "gigabytes"),
    [
        pytest.param(models.DENSE_8B, {"BF16"}, 16.38, id="sixteen bit, in four files"),
        pytest.param(models.DENSE_8B_FP8, {"BF16", "F8_E4M3"}, 9.44, id="eight bit with scales"),
        pytest.param(models.DENSE_8B_AWQ, {"F16", "I32"}, 6.09, id="four bit, packed"),
    ],
)
def test_safetensors_headers_of_large_models_are_read_by_range(
    hub: server.Hub,
    repo: str,
    dtypes: set[str],
    gigabytes: float,
) -> None:
    metadata = client(hub).get_safetensors_metadata(repo)

    assert set(metadata.parameter_count) == dtypes
    ends = [
        max(tensor.data_offsets[1] for tensor in file.tensors.values())
        for file in metadata.files_metadata.values()
    ]
    assert sum(ends) / 1e9 == pytest.approx(gigabytes, abs=0.01)
    ranges = {request.range for request in hub.requests if request.range}
    assert "bytes=0-100000" in ranges


def test_snapshot_download_fetches_only_what_is_asked_for(hub: server.Hub, tmp_path: Path) -> None:
    folder = Path(
        client(hub).snapshot_download(
            models.TINY_RIVER, cache_dir=tmp_path, allow_patterns=["*.safetensors", "*.json"]
        )
    )

    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert (folder / "model.safetensors").read_bytes() == models.tiny_llama(models.TINY_RIVER).files[
        "model.safetensors"
    ].head


def test_an_interrupted_download_goes_on_where_it_ended(hub: server.Hub) -> None:
    url = f"{hub.url}/{models.TINY_RIVER}/resolve/main/model.safetensors"
    whole = httpx2.get(url).content

    rest = httpx2.get(url, headers={"Range": "bytes=1000-"})

    assert rest.status_code == 206
    assert rest.headers["Content-Range"] == f"bytes 1000-{len(whole) - 1}/{len(whole)}"
    assert whole[:1000] + rest.content == whole
    assert httpx2.get(url, headers={"Range": "bytes=-10"}).content == whole[-10:]
    assert httpx2.get(url, headers={"Range": f"bytes={len(whole)}-"}).status_code == 416


def test_quantized_checkpoints_are_found_by_their_base_model(hub: server.Hub) -> None:
    found = client(hub).list_models(filter=f"base_model:quantized:{models.DENSE_8B}", author=models.OWNER)

    assert {model.id for model in found} == {models.DENSE_8B_AWQ, models.DENSE_8B_FP8, models.ONLY_GGUF}
    assert list(client(hub).list_models(author="somebody-else")) == []
    assert [model.id for model in client(hub).list_models(search="awq", limit=1)] == [models.DENSE_8B_AWQ]


def test_expand_chooses_what_is_told(hub: server.Hub) -> None:
    info = client(hub).model_info(models.DENSE_8B_AWQ, expand=["config", "gated"])

    assert (info.config or {})["quantization_config"]["bits"] == 4
    assert info.sha is None


@pytest.mark.parametrize(
    ("token", "status"),
    [
        pytest.param(False, 401, id="no token"),
        pytest.param(server.STRANGER_TOKEN, 403, id="a token without access"),
    ],
)
def test_files_of_a_gated_repository_are_refused(
    hub: server.Hub, token: str | bool, status: int, tmp_path: Path
) -> None:
    assert client(hub, token).model_info(models.GATED).gated == "manual"

    with pytest.raises(errors.GatedRepoError) as caught:
        client(hub, token).hf_hub_download(models.GATED, "config.json", cache_dir=tmp_path)
    assert caught.value.response.status_code == status


def test_files_of_a_gated_repository_are_given_to_a_token_with_access(
    hub: server.Hub, tmp_path: Path
) -> None:
    path = client(hub, server.READER_TOKEN).hf_hub_download(models.GATED, "config.json", cache_dir=tmp_path)

    assert json.loads(Path(path).read_text())["architectures"] == ["LlamaForCausalLM"]


@pytest.mark.parametrize("token", [False, server.STRANGER_TOKEN], ids=["without a token", "with a token"])
def test_an_unknown_repository_is_not_found(hub: server.Hub, token: str | bool) -> None:
    with pytest.raises(errors.RepositoryNotFoundError):
        client(hub, token).model_info("pillion-test/nothing")


def test_an_unknown_revision_is_not_found(hub: server.Hub) -> None:
    with pytest.raises(errors.RevisionNotFoundError):
        client(hub).model_info(models.TINY_RIVER, revision="v9")


def test_an_unknown_file_is_not_found(hub: server.Hub, tmp_path: Path) -> None:
    with pytest.raises(errors.EntryNotFoundError):
        client(hub).hf_hub_download(models.ONLY_GGUF, "config.json", cache_dir=tmp_path)


def test_an_invalid_token_is_refused_even_for_a_public_repository(hub: server.Hub) -> None:
    with pytest.raises(errors.HfHubHTTPError, match="Invalid credentials") as caught:
        client(hub, "hf_nobody").model_info(models.TINY_RIVER)
    assert not isinstance(caught.value, errors.RepositoryNotFoundError)


def test_a_hub_in_trouble_answers_with_the_status_that_was_set(hub: server.Hub) -> None:
    hub.fault = server.Fault(status=503)

    with pytest.raises(errors.HfHubHTTPError) as caught:
        client(hub).model_info(models.TINY_RIVER)
    assert caught.value.response.status_code == 503


def test_a_fault_is_set_and_ended_by_http_for_a_server_in_a_container(hub: server.Hub) -> None:
    def put(fault: dict[str, object]) -> None:
        answer = httpx2.put(f"{hub.url}/_test/fault", json=fault)
        assert answer.status_code == 200

    put({"status": 500, "path": "dense-8b"})
    assert httpx2.get(f"{hub.url}/api/models/{models.DENSE_8B}").status_code == 500
    assert httpx2.get(f"{hub.url}/api/models/{models.TINY_RIVER}").status_code == 200
    put({})
    assert httpx2.get(f"{hub.url}/api/models/{models.DENSE_8B}").status_code == 200


def test_a_dropped_connection_and_a_closed_port_are_network_errors(hub: server.Hub) -> None:
    hub.fault = server.Fault(drop=True)
    with pytest.raises(httpx2.HTTPError):
        client(hub).model_info(models.TINY_RIVER)

    port = hub.port
    hub.offline()
    with pytest.raises(httpx2.ConnectError):
        client(hub).model_info(models.TINY_RIVER)

    hub.fault = server.Fault()
    hub.online()
    assert hub.port == port
    assert client(hub).model_info(models.TINY_RIVER).id == models.TINY_RIVER


def test_a_slow_download_arrives_whole(hub: server.Hub) -> None:
    hub.fault = server.Fault(bytes_per_second=50_000_000)
    url = f"{hub.url}/{models.TINY_RIVER}/resolve/main/model.safetensors"

    assert httpx2.get(url).content == models.tiny_llama(models.TINY_RIVER).files["model.safetensors"].head


def test_requests_are_remembered_without_their_tokens_in_print(hub: server.Hub) -> None:
    client(hub, server.READER_TOKEN).model_info(models.TINY_RIVER)

    (request,) = hub.requests
    assert (request.method, request.path, request.status) == ("GET", f"/api/models/{models.TINY_RIVER}", 200)
    assert request.token == server.READER_TOKEN
    assert server.READER_TOKEN not in repr(request)


def test_the_same_model_is_the_same_commit_on_every_machine() -> None:
    assert models.tiny_llama(models.TINY_RIVER).commit == "5b6c98988a56cad2ac9494d8370c0f9a74ba2a4e"


def test_the_folder_runs_by_itself() -> None:
    script = Path(server.__file__)
    # Isolated mode, so neither the repository nor installed packages can help.
    run = [
        sys.executable,
        "-I",
        "-c",
        f"import sys; sys.path.insert(0, {str(script.parent)!r}); import server",
    ]

    assert subprocess.run(run, cwd="/", check=False).returncode == 0
