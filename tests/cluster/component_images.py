"""Which images does a control plane consist of, and how do they get into a node that pulls nothing?

Each is made of a binary that is built here, under the name that kubeadm asks for. A containerd that runs for that
moment puts them into the store that the node's own containerd finds at its start.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.cluster import ClusterError, images, rootfs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMPONENTS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
    "etcd",
    "coredns",
    "pause",
)
CONTAINERD_WITHOUT_CRI = """\
version = 3
root = "{store}"
state = "{workshop}/state"
disabled_plugins = [
  "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images",
]
[grpc]
  address = "{workshop}/c.sock"
[ttrpc]
  address = "{workshop}/c.sock.ttrpc"
"""


class ComponentError(ClusterError):
    """An image of the control plane cannot be made or is refused."""


def archives(root: Path, programs: Path, kubernetes_version: str, folder: Path) -> list[Path]:
    """One archive for each image that kubeadm asks for, under the name it asks for."""
    asked = subprocess.run(
        [programs / "kubeadm", "config", "images", "list", "--kubernetes-version", kubernetes_version],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    sandbox = re.search(r'sandbox_image = "(.+)"', (root / "etc/containerd/config.toml").read_text())
    made = []
    for name in asked:
        component = name.rsplit("/", 1)[-1].split(":", 1)[0]
        if component not in COMPONENTS:
            raise ComponentError(
                f"kubeadm {kubernetes_version} asks for {name}, and there is no recipe for it."
            )
        tree = images.Tree().folder("etc").folder("tmp", mode=0o1777)
        names, entrypoint = [name], [f"/{component}"]
        if component == "kube-proxy":
            _add_firewall_programs(tree, root)
        if component in {"pause", "coredns"}:
            tree.file(component, programs / component, mode=0o755)
        else:
            tree.file(f"usr/local/bin/{component}", programs / component, mode=0o755)
            entrypoint = [component]
        if component == "pause" and sandbox:
            names.append(sandbox[1])
        archive = folder / f"{component}.tar"
        layer_tar = folder / f"{component}.layer"
        layer = images.Layer(digest=tree.write(layer_tar), tar=layer_tar)
        images.write(archive, [images.Image(names=sorted(set(names)), layers=[layer], entrypoint=entrypoint)])
        layer_tar.unlink()
        made.append(archive)
    return made


def _add_firewall_programs(tree: images.Tree, root: Path) -> None:
    """What kube-proxy calls, with all libraries, those of every match module too.

    A module whose library is missing makes `iptables-restore` fail as a whole: Services with one endpoint
    work, those with two do not.
    """
    library_folder = next(root.glob("usr/lib/*-linux-gnu*/xtables")).parent
    modules = sorted((library_folder / "xtables").glob("*.so"))
    programs = [root / "usr/sbin" / name for name in ("xtables-nft-multi", "nft", "conntrack")]
    for name in (
        "iptables",
        "iptables-save",
        "iptables-restore",
        "ip6tables",
        "ip6tables-save",
        "ip6tables-restore",
    ):
        tree.link(f"usr/sbin/{name}", "xtables-nft-multi")
    for name in ("lib", "sbin", "bin"):
        tree.link(name, f"usr/{name}")
    for program in programs:
        tree.file(str(program.relative_to(root)), program, mode=0o755)
    for module in modules:
        tree.file(str(module.relative_to(root)), module)
    inside = [f"/{path.relative_to(root)}" for path in (*programs, *modules)]
    told = subprocess.run(
        ["chroot", root, "ldd", *inside], capture_output=True, text=True, check=False
    ).stdout
    # "name => /path (address)" and, for the loader, "/path (address)"; lines that end with a colon name what
    # was asked about.
    for library in sorted(set(re.findall(r"(/\S+\.so\S*) \(0x", told))):
        place = f"usr{library}" if library.startswith("/lib/") else library
        tree.file(place, _followed(root, library), mode=0o755)


def _followed(root: Path, name: str) -> Path:
    """The file behind a link inside the root, whose absolute targets mean the root, not this machine."""
    return root / rootfs.run_in(root, "readlink", "-f", name).strip().lstrip("/")


def preload(root: Path, programs: Path, made: Sequence[Path]) -> None:
    """Put the archives into the containerd store of the node's root."""
    store = root / "var/lib/containerd"
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir(parents=True)
    with _containerd(store, programs) as address:
        for archive in made:
            ctr: list[str | Path] = [programs / "ctr", "--address", address, "--namespace", "k8s.io"]
            done = subprocess.run(
                # Unpacked at first use: an unpacked layer is an overlay, which does not survive being packed
                # as a file tree.
                [*ctr, "images", "import", "--no-unpack", "--label=io.cri-containerd.pinned=pinned", archive],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise ComponentError(f"containerd refused {archive.name}: {done.stderr.strip()}")


@contextlib.contextmanager
def _containerd(store: Path, programs: Path) -> Iterator[str]:
    # Not below the cache: the path of a Unix socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="pillion-containerd.") as workshop:
        configuration, log = Path(workshop, "config.toml"), Path(workshop, "log")
        configuration.write_text(CONTAINERD_WITHOUT_CRI.format(store=store, workshop=workshop))
        address = f"{workshop}/c.sock"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [programs / "containerd", "--config", configuration], stdout=out, stderr=out
            )
        try:
            deadline = time.monotonic() + 30
            while not Path(address).is_socket():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise ComponentError(
                        f"containerd did not come up: {log.read_text(errors='replace')[-400:]}"
                    )
                time.sleep(0.05)
            yield address
        finally:
            process.terminate()
            process.wait()
