"""How does an image come about without an image builder, and when is it the same image as yesterday's?

An archive as `docker save` writes it is a tar of layers, one JSON configuration an image, and a manifest.
Layers are written sorted, without times and owners' names, so an image's id changes with its contents and
with nothing else. Layers are kept in the cache by the recipe that made them; images that share one share it
in the archive too.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster import cache, rootfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
}  # what the kernel says → what image configurations say


class Tree:
    """What goes into a layer, in the order of its names, whatever order it was added in."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[tarfile.TarInfo, Path | bytes | None]] = {}

    def folder(self, name: str, *, mode: int = 0o755, uid: int = 0) -> Tree:
        """An empty folder."""
        header = self._header(name, mode, uid)
        header.type = tarfile.DIRTYPE
        return self._put(header, None)

    def file(self, name: str, contents: bytes | Path, *, mode: int = 0o644, uid: int = 0) -> Tree:
        """A file with these bytes, or those of the file at the path."""
        header = self._header(name, mode, uid)
        header.size = len(contents) if isinstance(contents, bytes) else contents.stat().st_size
        return self._put(header, contents)

    def link(self, name: str, target: str) -> Tree:
        """A symbolic link."""
        header = self._header(name, 0o777, 0)
        header.type, header.linkname = tarfile.SYMTYPE, target
        return self._put(header, None)

    def copy(self, source: Path, *, under: str = "") -> Tree:
        """Everything below a folder, with its modes and owners."""
        for header, path in rootfs.members(source, under=under):
            self._put(header, path if header.isreg() else None)
        return self

    def fingerprint(self) -> str:
        """One hash of names, modes, owners, targets and contents."""
        digest = hashlib.sha256()
        for header, contents in self._sorted():
            parts = (
                header.name,
                header.mode,
                header.uid,
                header.gid,
                header.type,
                header.linkname,
                header.size,
            )
            digest.update(repr(parts).encode())
            digest.update(_sha256(contents).encode())
        return digest.hexdigest()

    def write(self, path: Path) -> str:
        """Write the layer's tar; return its digest, which an image configuration calls diff id."""
        with path.open("wb") as raw:
            hashing = _Hashing(raw)
            with tarfile.open(fileobj=hashing, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20) as tar:
                for header, contents in self._sorted():
                    if isinstance(contents, Path):
                        with contents.open("rb") as handle:
                            tar.addfile(header, handle)
                    else:
                        tar.addfile(header, io.BytesIO(contents) if contents is not None else None)
        return f"sha256:{hashing.digest.hexdigest()}"

    def _sorted(self) -> list[tuple[tarfile.TarInfo, Path | bytes | None]]:
        # By parts of the path, as sorted folders are walked: a hard link comes after the name that became the
        # file.
        return [self._entries[name] for name in sorted(self._entries, key=lambda name: name.split("/"))]

    def _header(self, name: str, mode: int, uid: int) -> tarfile.TarInfo:
        header = tarfile.TarInfo(name.strip("/"))
        header.mode, header.uid, header.gid = mode, uid, uid
        return header

    def _put(self, header: tarfile.TarInfo, contents: Path | bytes | None) -> Tree:
        for parent in list(Path(header.name).parents)[:-1]:
            if str(parent) not in self._entries:
                self.folder(str(parent))
        self._entries[header.name] = (header, contents)
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A layer's tar in the cache."""

    tar: Path  # may be packed with zstd
    digest: str  # sha256:... of the plain tar
    blob: str = ""  # sha256:... of the file, where it is packed

    def name(self) -> str:
        """The digest that the file goes by in an archive."""
        return self.blob or self.digest


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """One image: its names, its layers from the bottom up, and how it is started."""

    names: Sequence[str]
    layers: Sequence[Layer]
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    user: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    working_folder: str = "/"

    def configuration(self) -> bytes:
        """The JSON document whose digest is the image's id."""
        settings: dict[str, object] = {
            "Env": [f"{name}={value}" for name, value in {"PATH": PATH, **self.environment}.items()],
            "WorkingDir": self.working_folder,
        }
        optional = {"User": self.user, "Entrypoint": list(self.entrypoint), "Cmd": list(self.command)}
        settings |= {name: value for name, value in optional.items() if value}
        document = {
            "architecture": architecture(),
            "os": "linux",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in self.layers]},
            "history": [{"created_by": "tests.cluster.images"} for _ in self.layers],
        }
        return json.dumps(document, sort_keys=True).encode()

    def identity(self) -> str:
        """The image's id, as Docker and containerd show it."""
        return f"sha256:{hashlib.sha256(self.configuration()).hexdigest()}"


def architecture() -> str:
    """This machine's architecture in the words of image configurations."""
    machine = platform.machine()
    return ARCHITECTURES.get(machine, machine)


def layer(
    name: str,
    *,
    recipe: str,
    fill: Callable[[Tree, Path], None],
    progress: cache.Progress,
    packed: bool = False,
) -> Layer:
    """A layer of the cache.

    Args:
        name: its name there.
        recipe: hash of all that decides what is in it.
        fill: describes the layer when it has to be made; is given a folder to work in.
        progress: told what takes long.
        packed: keep it packed where this machine has zstd; worth a minute for layers of gigabytes, which are
            read and written several times on their way into a node.
    """

    def make(draft: Path) -> None:
        workshop = Path(tempfile.mkdtemp(prefix="workshop.", dir=draft))
        tree = Tree()
        fill(tree, workshop)
        (draft / "digest").write_text(tree.write(draft / "layer.tar"))
        shutil.rmtree(workshop)
        if packed and shutil.which("zstd"):
            (draft / "blob").write_text(pack(draft / "layer.tar"))

    entry = cache.made(cache.root() / "layers" / name, recipe=recipe, make=make, progress=progress)
    blob = entry / "blob"
    return Layer(
        tar=entry / "layer.tar",
        digest=(entry / "digest").read_text(),
        blob=blob.read_text() if blob.exists() else "",
    )


def pack(tar: Path) -> str:
    """Pack the file with zstd in its place; return its digest."""
    packed = tar.with_suffix(".zst")
    subprocess.run(["zstd", "--quiet", "-3", "-T0", tar, "-o", packed], check=True, capture_output=True)
    packed.replace(tar)
    return f"sha256:{_sha256(tar)}"


def archive(name: str, images: Sequence[Image], *, progress: cache.Progress) -> Path:
    """The images' archive in the cache, written anew when one of them is another image than before."""
    recipe = cache.recipe_hash([(list(image.names), image.identity()) for image in images])

    def make(draft: Path) -> None:
        write(draft / "images.tar", images)

    return (
        cache.made(cache.root() / "archives" / name, recipe=recipe, make=make, progress=progress)
        / "images.tar"
    )


def write(path: Path, images: Iterable[Image]) -> None:
    """Write an archive that `docker load`, `ctr images import` and `kind load image-archive` read."""
    manifest = []
    with tarfile.open(path, mode="w", format=tarfile.PAX_FORMAT) as tar:
        written: set[str] = set()
        for image in images:
            configuration = image.configuration()
            config_name = f"{image.identity().removeprefix('sha256:')}.json"
            layer_names = [f"{layer.name().removeprefix('sha256:')}/layer.tar" for layer in image.layers]
            for layer_name, source in zip(layer_names, image.layers, strict=True):
                if layer_name not in written:
                    written.add(layer_name)
                    add(tar, layer_name, source.tar)
            if config_name not in written:
                written.add(config_name)
                add(tar, config_name, configuration)
            manifest.append({"Config": config_name, "RepoTags": list(image.names), "Layers": layer_names})
        add(tar, "manifest.json", json.dumps(manifest, sort_keys=True).encode())


def identities(path: Path) -> dict[str, str]:
    """What an archive holds: image name → image id."""
    with tarfile.open(path) as tar:
        member = tar.extractfile("manifest.json")
        manifest = json.load(member) if member else []
    return {
        name: f"sha256:{entry['Config'].removesuffix('.json')}"
        for entry in manifest
        for name in entry["RepoTags"]
    }


class _Hashing(io.RawIOBase):
    """Passes bytes on and hashes them on the way."""

    def __init__(self, target: io.BufferedWriter) -> None:
        super().__init__()
        self.digest = hashlib.sha256()
        self._target = target

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]  # whatever tarfile hands over supports the buffer protocol
        self.digest.update(view)
        return self._target.write(view)


def add(tar: tarfile.TarFile, name: str, contents: bytes | Path) -> None:
    """Add a file of these bytes, or those of the file at the path, with nothing that tells when or by whom."""
    header = tarfile.TarInfo(name)
    header.mode = 0o644
    if isinstance(contents, bytes):
        header.size = len(contents)
        tar.addfile(header, io.BytesIO(contents))
        return
    header.size = contents.stat().st_size
    with contents.open("rb") as handle:
        tar.addfile(header, handle)


def _sha256(contents: Path | bytes | None) -> str:
    if contents is None:
        return ""
    if isinstance(contents, bytes):
        return hashlib.sha256(contents).hexdigest()
    with contents.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
