"""Is an image the same whenever its contents are, and is the archive what container runtimes expect?"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.cluster import images, oci_layout

if TYPE_CHECKING:
    from pathlib import Path


def layer(tmp_path: Path, tree: images.Tree, name: str = "layer") -> images.Layer:
    tar = tmp_path / f"{name}.tar"
    return images.Layer(digest=tree.write(tar), tar=tar)


def program(folder: Path, *, order: tuple[str, ...] = ("app.py", "data.txt"), age_seconds: int = 0) -> Path:
    folder.mkdir(parents=True)
    for name in order:
        path = folder / name
        path.write_text(f"contents of {name}")
        path.chmod(0o755 if name.endswith(".py") else 0o644)
        os.utime(path, (1_700_000_000 - age_seconds,) * 2)
    return folder


def members(layer: images.Layer) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(layer.tar) as tar:
        return {member.name: member for member in tar.getmembers()}


def test_the_same_files_make_the_same_layer_whatever_their_age_and_order(tmp_path: Path) -> None:
    one = program(tmp_path / "one")
    other = program(tmp_path / "other", order=("data.txt", "app.py"), age_seconds=10_000)

    first = layer(tmp_path, images.Tree().copy(one, under="app"), "first")
    second = layer(tmp_path, images.Tree().copy(other, under="app"), "second")

    assert first.digest == second.digest
    assert first.tar.read_bytes() == second.tar.read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda folder: (folder / "app.py").write_text("other"), id="other contents"),
        pytest.param(lambda folder: (folder / "app.py").chmod(0o644), id="another mode"),
        pytest.param(lambda folder: (folder / "app.py").rename(folder / "main.py"), id="another name"),
        pytest.param(lambda folder: (folder / "more.txt").write_text(""), id="one more file"),
    ],
)
def test_a_changed_file_makes_another_layer(tmp_path: Path, change: object) -> None:
    folder = program(tmp_path / "app")
    before = images.Tree().copy(folder).fingerprint()

    assert callable(change)
    change(folder)

    assert images.Tree().copy(folder).fingerprint() != before


def test_a_layers_digest_is_that_of_its_tar(tmp_path: Path) -> None:
    made = layer(tmp_path, images.Tree().file("etc/motd", b"hello"))

    assert made.digest == f"sha256:{hashlib.sha256(made.tar.read_bytes()).hexdigest()}"


def test_parents_come_before_children_and_nothing_tells_the_time_or_the_owners_name(tmp_path: Path) -> None:
    made = layer(
        tmp_path, images.Tree().file("srv/app/main.py", b"", mode=0o755, uid=2000).link("bin", "usr/bin")
    )

    entries = members(made)
    assert list(entries) == ["bin", "srv", "srv/app", "srv/app/main.py"]
    assert {entry.mtime for entry in entries.values()} == {0}
    assert {entry.uname for entry in entries.values()} == {""}
    assert (entries["srv/app/main.py"].uid, entries["srv/app/main.py"].mode) == (2000, 0o755)
    assert (entries["bin"].issym(), entries["bin"].linkname) == (True, "usr/bin")


def test_a_hard_link_comes_after_the_file_it_means(tmp_path: Path) -> None:
    # Sorted as strings "a-b/x" comes before "a/x", sorted as paths after it.
    source = tmp_path / "source"
    for folder in ("a", "a-b"):
        (source / folder).mkdir(parents=True)
    (source / "a/x").write_text("once")
    (source / "a-b/x").hardlink_to(source / "a/x")

    made = layer(tmp_path, images.Tree().copy(source))

    entries = members(made)
    assert list(entries).index("a/x") < list(entries).index("a-b/x")
    assert (entries["a-b/x"].islnk(), entries["a-b/x"].linkname) == (True, "a/x")
    with tarfile.open(made.tar) as tar:
        linked = tar.extractfile("a-b/x")
        assert linked is not None
        assert linked.read() == b"once"


def test_the_configuration_says_how_the_image_is_started(tmp_path: Path) -> None:
    made = layer(tmp_path, images.Tree().file("app", b""))
    image = images.Image(
        names=["localhost/app:1"],
        layers=[made],
        entrypoint=["/app"],
        command=["--help"],
        user="65532:65532",
        environment={"HOME": "/home/nonroot"},
    )

    told = json.loads(image.configuration())

    assert told["config"] == {
        "Entrypoint": ["/app"],
        "Cmd": ["--help"],
        "User": "65532:65532",
        "WorkingDir": "/",
        "Env": [f"PATH={images.PATH}", "HOME=/home/nonroot"],
    }
    assert told["os"] == "linux"
    assert told["rootfs"] == {"type": "layers", "diff_ids": [made.digest]}


def test_images_of_one_archive_share_a_layer_and_keep_their_names(tmp_path: Path) -> None:
    bottom = layer(tmp_path, images.Tree().file("etc/os", b"root"), "bottom")
    tops = [layer(tmp_path, images.Tree().file("app", name), name.decode()) for name in (b"one", b"two")]
    both = [
        images.Image(names=[f"localhost/{number}:dev"], layers=[bottom, top])
        for number, top in enumerate(tops)
    ]

    images.write(tmp_path / "both.tar", both)

    with tarfile.open(tmp_path / "both.tar") as tar:
        names = tar.getnames()
        manifest = json.load(tar.extractfile("manifest.json"))  # type: ignore[arg-type]  # it is a file
        for entry in manifest:
            told = json.load(tar.extractfile(entry["Config"]))  # type: ignore[arg-type]  # so is this
            for name, diff_id in zip(entry["Layers"], told["rootfs"]["diff_ids"], strict=True):
                content = tar.extractfile(name).read()  # type: ignore[union-attr]  # and this
                assert f"sha256:{hashlib.sha256(content).hexdigest()}" == diff_id
    assert len(names) == len(set(names)) == 3 + 2 + 1
    assert images.identities(tmp_path / "both.tar") == {
        "localhost/0:dev": both[0].identity(),
        "localhost/1:dev": both[1].identity(),
    }


def test_an_archive_is_written_again_only_when_an_image_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PILLION_CACHE", str(tmp_path / "cache"))
    one = layer(tmp_path, images.Tree().file("app", b"one"), "one")
    two = layer(tmp_path, images.Tree().file("app", b"two"), "two")

    def archived(content: images.Layer) -> tuple[Path, int]:
        image = images.Image(names=["localhost/app:dev"], layers=[content])
        path = images.archive("app", [image], progress=lambda _line: None)
        return path, path.stat().st_ino

    first, again, changed = archived(one), archived(one), archived(two)

    assert first == again
    assert changed[0] == first[0]
    assert changed[1] != first[1]


def test_a_layer_of_the_cache_is_filled_once_for_a_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PILLION_CACHE", str(tmp_path / "cache"))
    filled: list[str] = []

    def made(recipe: str) -> images.Layer:
        def fill(tree: images.Tree, workshop: Path) -> None:
            filled.append(recipe)
            (workshop / "scratch").write_text("not part of the layer")
            tree.file("recipe", recipe.encode())

        return images.layer("thing", recipe=recipe, fill=fill, progress=lambda _line: None)

    first, again, other = made("a"), made("a"), made("b")

    assert filled == ["a", "b"]
    assert first == again
    assert other.digest != first.digest
    assert list(members(other)) == ["recipe"]


def blobs_of(layout: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(layout)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]


def test_layers_that_the_receiver_has_stay_out_and_are_still_named(tmp_path: Path) -> None:
    bottom = layer(tmp_path, images.Tree().file("etc/os", b"root"), "bottom")
    top = layer(tmp_path, images.Tree().file("app", b"program"), "top")
    image = images.Image(names=["localhost/app:dev"], layers=[bottom, top])
    images.write(tmp_path / "app.tar", [image])
    sent = io.BytesIO()

    oci_layout.write_missing(tmp_path / "app.tar", sent, present={bottom.digest})

    blobs = blobs_of(sent.getvalue())
    [entry] = json.loads(blobs["index.json"])["manifests"]
    manifest = json.loads(blobs[f"blobs/{entry['digest'].replace(':', '/')}"])
    assert entry["annotations"] == {"io.containerd.image.name": "localhost/app:dev"}
    assert manifest["config"]["digest"] == image.identity()
    assert [told["digest"] for told in manifest["layers"]] == [bottom.digest, top.digest]
    assert [told["size"] for told in manifest["layers"]] == [
        path.tar.stat().st_size for path in (bottom, top)
    ]
    assert blobs[f"blobs/{top.digest.replace(':', '/')}"] == top.tar.read_bytes()
    assert f"blobs/{bottom.digest.replace(':', '/')}" not in blobs


@pytest.mark.skipif(
    shutil.which("zstd") is None, reason="zstd is not installed; layers stay plain without it"
)
def test_a_packed_layer_goes_by_the_digest_of_the_packed_file(tmp_path: Path) -> None:
    plain = layer(tmp_path, images.Tree().file("app", b"program" * 1000))
    size = plain.tar.stat().st_size
    packed = images.Layer(digest=plain.digest, tar=plain.tar, blob=images.pack(plain.tar))
    images.write(tmp_path / "app.tar", [images.Image(names=["localhost/app:dev"], layers=[packed])])
    sent = io.BytesIO()

    oci_layout.write_missing(tmp_path / "app.tar", sent, present=())

    blobs = blobs_of(sent.getvalue())
    [entry] = json.loads(blobs["index.json"])["manifests"]
    manifest = json.loads(blobs[f"blobs/{entry['digest'].replace(':', '/')}"])
    config = json.loads(blobs[f"blobs/{manifest['config']['digest'].replace(':', '/')}"])
    [told] = manifest["layers"]
    assert packed.tar.stat().st_size < size
    assert told["digest"] == f"sha256:{hashlib.sha256(packed.tar.read_bytes()).hexdigest()}"
    assert told["mediaType"] == "application/vnd.oci.image.layer.v1.tar+zstd"
    assert config["rootfs"]["diff_ids"] == [plain.digest]
