"""Are the files there before anything changes, from the cache where they are, and is every failure a reason?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pillion.supervisor import supervisor as program
from tests.hub import models, server
from tests.hub.repos import File, Repo
from tests.unit.supervisor.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = ["*.json", "*.safetensors"]
MIB = 2**20


@pytest.fixture(scope="module")
def shared() -> Iterator[server.Hub]:
    with server.start() as hub:
        yield hub


@pytest.fixture
def hub(shared: server.Hub) -> Iterator[server.Hub]:
    shared.requests.clear()
    yield shared
    shared.fault = server.Fault()
    shared.online()


@pytest.fixture
def rig(tmp_path: Path, hub: server.Hub) -> Iterator[Rig]:
    """A supervisor that would ask the test Hub, with a cache of 64 MiB."""
    made = Rig(
        tmp_path,
        variables={
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "cache" / "hf"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_ETAG_TIMEOUT": "2",
            "HF_HUB_DOWNLOAD_TIMEOUT": "2",
        },
        arguments=(f"--cache-limit-bytes={64 * MIB}",),
    )
    yield made
    made.close()


def model(hub: server.Hub, name: str, **changes: object) -> dict[str, object]:
    """The model's part of an instruction."""
    return {"repo": name, "commit": hub.find(name, None, signed_in=True).commit, "files": FILES, **changes}


def sized(repo: str, mebibytes: int) -> Repo:
    """A repository of some size, that the stand-in takes for a model."""
    config = File(b'{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    return Repo(repo_id=repo, files={"config.json": config, "model.safetensors": File(b"x", mebibytes * MIB)})


def cached(rig: Rig) -> set[str]:
    """The repositories whose files are in the cache."""
    return {path.name for path in (rig.cache / "hf" / "hub").glob("models--*")}


def test_a_model_is_fetched_and_served(rig: Rig, hub: server.Hub) -> None:
    wanted = rig.instruct(model(hub, models.TINY_RIVER))
    rig.start()

    shown = rig.serving(wanted)

    size = 5_000_000  # 2.6 million parameters of 2 bytes
    assert shown["bytesTotal"] > size
    assert shown["bytesDone"] == shown["bytesTotal"]
    assert f"({models.TINY_RIVER}@" in rig.chat()
    # The README is not among what an engine needs.
    assert not [r for r in hub.requests if "README" in r.path]


def test_a_restart_needs_no_hub(rig: Rig, hub: server.Hub) -> None:
    wanted = rig.instruct(model(hub, models.TINY_RIVER))
    rig.start()
    first = rig.serving(wanted)
    assert rig.end() == 0

    hub.offline()
    rig.start()
    again = rig.serving(wanted)

    assert again["bytesTotal"] == first["bytesTotal"]
    assert again["serial"] > first["serial"]


def test_progress_is_told_while_the_old_engine_serves(rig: Rig, hub: server.Hub) -> None:
    first = rig.instruct(model(hub, models.TINY_RIVER))
    rig.start()
    rig.serving(first)

    hub.fault = server.Fault(bytes_per_second=20_000, path="model.safetensors")
    second = rig.instruct(model(hub, models.TINY_STAR))
    fetching = rig.wait(lambda s: s["state"] == "Fetching" and 0 < s["bytesDone"] < (s["bytesTotal"] or 0))
    hub.fault = server.Fault()
    rig.serving(second)

    assert fetching["serving"] == first
    assert f"({models.TINY_STAR}@" in rig.chat()


def test_another_model_while_one_is_fetched_ends_the_fetch(rig: Rig, hub: server.Hub) -> None:
    hub.fault = server.Fault(bytes_per_second=10_000, path="tiny-star/resolve")
    rig.instruct(model(hub, models.TINY_STAR))
    rig.start()
    rig.wait(lambda s: s["state"] == "Fetching" and s["bytesTotal"])

    second = rig.instruct(model(hub, models.TINY_RIVER))

    assert rig.serving(second)["failure"] is None


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        pytest.param({"name": models.GATED}, "ModelGated", "is gated", id="a gated model"),
        pytest.param({"commit": "0" * 40}, "ModelNotFound", "no commit", id="no such commit"),
        pytest.param({"files": ["*.gguf"]}, "ModelNotFound", "no file of", id="no such file"),
        pytest.param({"repo": "no/thing"}, "ModelNotFound", "no model no/thing", id="no such model"),
        pytest.param({"name": models.DENSE_8B}, "DiskFull", "needs 15.26 GiB more", id="no room"),
    ],
)
def test_a_model_that_cannot_be_fetched_leaves_the_old_engine_alone(
    rig: Rig, hub: server.Hub, *, changes: dict[str, Any], reason: str, words: str
) -> None:
    first = rig.instruct(model(hub, models.TINY_STAR))
    rig.start()
    rig.serving(first)

    second = rig.instruct(model(hub, **{"name": models.TINY_RIVER, **changes}))
    shown = rig.failed(second)

    assert shown["failure"]["reason"] == reason
    assert words in shown["failure"]["message"]
    assert shown["serving"] == first
    assert f"({models.TINY_STAR}@" in rig.chat()


def test_a_gated_model_is_fetched_with_a_token_that_may(rig: Rig, hub: server.Hub) -> None:
    rig.variables = {**rig.variables, "HF_TOKEN": server.READER_TOKEN}
    wanted = rig.instruct(model(hub, models.GATED))
    rig.start()

    rig.serving(wanted)

    assert f"({models.GATED}@" in rig.chat()
    assert server.READER_TOKEN not in rig.said()


def test_a_hub_that_is_away_is_asked_again(rig: Rig, hub: server.Hub) -> None:
    wanted = rig.instruct(model(hub, models.TINY_RIVER))
    hub.offline()
    rig.start()
    failed = rig.failed(wanted)

    hub.online()
    rig.serving(wanted)

    assert failed["failure"]["reason"] == "HubUnreachable"


def test_an_older_model_makes_room_for_a_new_one(rig: Rig, hub: server.Hub) -> None:
    small, large = sized("pillion-test/small", 15), sized("pillion-test/large", 45)
    hub.put(small)
    hub.put(large)
    rig.start()
    for repo in (small, models.TINY_RIVER, large):
        name = repo if isinstance(repo, str) else repo.repo_id
        rig.serving(rig.instruct(model(hub, name)))

    # 15 + 5 + 45 of 64 MiB, less what is kept free: the oldest went; what served while the last one came is here.
    assert cached(rig) == {"models--pillion-test--tiny-river", "models--pillion-test--large"}


def test_the_model_that_serves_never_makes_room(rig: Rig, hub: server.Hub) -> None:
    first, second = sized("pillion-test/first", 35), sized("pillion-test/second", 36)
    hub.put(first)
    hub.put(second)
    before = rig.instruct(model(hub, first.repo_id))
    rig.start()
    rig.serving(before)

    shown = rig.failed(rig.instruct(model(hub, second.repo_id)))

    assert shown["failure"]["reason"] == "DiskFull"
    assert shown["serving"] == before
    assert cached(rig) == {"models--pillion-test--first"}


def test_an_older_commit_of_the_same_model_makes_room(rig: Rig, hub: server.Hub) -> None:
    name = "pillion-test/grows"
    hub.put(sized(name, 25))
    rig.start()
    rig.serving(rig.instruct(model(hub, name)))
    rig.serving(rig.instruct(model(hub, models.TINY_RIVER)))
    hub.put(sized(name, 45))
    newer = rig.instruct(model(hub, name))
    rig.serving(newer)

    blobs = (rig.cache / "hf" / "hub" / "models--pillion-test--grows" / "blobs").glob("*")
    assert sorted(path.stat().st_size // MIB for path in blobs) == [0, 45]


def test_a_cache_that_cannot_be_written_tells_the_remedy(rig: Rig, hub: server.Hub) -> None:
    wanted = rig.instruct(model(hub, models.TINY_RIVER))
    rig.cache.rmdir()
    rig.cache.write_text("no folder can be made in a file")
    rig.start()

    failure = rig.failed(wanted)["failure"]

    assert failure["reason"] == "CacheNotWritable"
    assert "fsGroup" in failure["message"]


def note(rig: Rig, wanted: dict[str, object]) -> Path:
    """Where the supervisor writes down that a snapshot is complete."""
    key = json.dumps([wanted["repo"], wanted["commit"], sorted(FILES)])
    folder = rig.cache / "fetched"
    folder.mkdir()
    return folder / f"{program.hash_of(key)}.json"


def test_a_disk_that_is_full_at_the_last_moment_is_a_failure_and_not_the_end(
    rig: Rig, hub: server.Hub
) -> None:
    source = model(hub, models.TINY_RIVER)
    rig.start()
    assert rig.process is not None
    draft = note(rig, source).with_suffix(f".{rig.process.pid}")
    draft.symlink_to("/dev/full")
    wanted = rig.instruct(source)

    failure = rig.failed(wanted)["failure"]
    draft.unlink()
    rig.serving(wanted)

    assert failure["reason"] == "DiskFull"
    assert "No space left on device" in failure["message"]
    assert "Traceback" not in rig.said()


def test_a_cache_with_something_else_in_the_place_of_a_file_is_tried_again(rig: Rig, hub: server.Hub) -> None:
    source = model(hub, models.TINY_RIVER)
    in_the_way = note(rig, source)
    in_the_way.mkdir()
    first = rig.instruct(rig.model("first"))
    rig.start()
    rig.serving(first)

    wanted = rig.instruct(source)
    shown = rig.failed(wanted)
    in_the_way.rmdir()
    rig.serving(wanted)

    assert shown["failure"]["reason"] == "EngineExited"
    assert "the model's files could not be prepared: IsADirectoryError" in shown["failure"]["message"]
    assert shown["serving"] == first
