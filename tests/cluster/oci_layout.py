"""How is an image sent to somebody who has most of it?

containerd takes an OCI layout whose blobs it has already, where an archive of `docker save` must be complete; so a
change to a program costs its own layer, not the whole root once more.
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from typing import IO, TYPE_CHECKING

from tests.cluster import images

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

ZSTD = b"\x28\xb5\x2f\xfd"  # how a file packed with zstd begins; RFC 8878, section 3.1.1


MEDIA_TYPES = {
    "manifest": "application/vnd.oci.image.manifest.v1+json",
    "config": "application/vnd.oci.image.config.v1+json",
    "layer": "application/vnd.oci.image.layer.v1.tar",
    "packed layer": "application/vnd.oci.image.layer.v1.tar+zstd",
}


def write_missing(path: Path, target: IO[bytes], *, present: Collection[str]) -> None:
    """Write an archive's images as an OCI layout without the blobs that the receiver has (by digest)."""
    with tarfile.open(path) as source, tarfile.open(fileobj=target, mode="w|", bufsize=1 << 20) as tar:
        member = source.extractfile("manifest.json")
        saved = json.load(member) if member else []
        written = set(present)
        index = []
        for entry in saved:
            config_digest = f"sha256:{entry['Config'].removesuffix('.json')}"
            blobs = {config_digest: source.getmember(entry["Config"])}
            blobs |= {f"sha256:{name.split('/', 1)[0]}": source.getmember(name) for name in entry["Layers"]}
            for digest, header in blobs.items():
                if digest not in written:
                    written.add(digest)
                    _copy_blob(source, header, tar, digest)
            manifest = _manifest(
                config_digest,
                blobs,
                packed={digest for digest, header in blobs.items() if _is_packed(source, header)},
            )
            digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
            images.add(tar, _blob_name(digest), manifest)
            index += [
                _descriptor("manifest", digest, len(manifest))
                | {"annotations": {"io.containerd.image.name": name}}
                for name in entry["RepoTags"]
            ]
        images.add(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": index}).encode())
        images.add(tar, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')


def _manifest(config_digest: str, blobs: Mapping[str, tarfile.TarInfo], *, packed: Collection[str]) -> bytes:
    config, *layers = blobs.items()
    document = {
        "schemaVersion": 2,
        "mediaType": MEDIA_TYPES["manifest"],
        "config": _descriptor("config", config_digest, config[1].size),
        "layers": [
            _descriptor("packed layer" if digest in packed else "layer", digest, header.size)
            for digest, header in layers
        ],
    }
    return json.dumps(document, sort_keys=True).encode()


def _is_packed(source: tarfile.TarFile, header: tarfile.TarInfo) -> bool:
    member = source.extractfile(header)
    return member is not None and member.read(4) == ZSTD


def _descriptor(what: str, digest: str, size: int) -> dict[str, object]:
    return {"mediaType": MEDIA_TYPES[what], "digest": digest, "size": size}


def _blob_name(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _copy_blob(source: tarfile.TarFile, header: tarfile.TarInfo, tar: tarfile.TarFile, digest: str) -> None:
    copied = tarfile.TarInfo(_blob_name(digest))
    copied.mode, copied.size = 0o644, header.size
    tar.addfile(copied, source.extractfile(header))
