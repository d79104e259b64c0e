"""How is a kind node image made where neither `kindest/node` nor a base image can be pulled?

A Debian root gets kind's own base files (they are in kind's Go module), the binaries that are built here, and
the images of the control plane, put into the node's containerd store by a containerd that runs for that
moment. What is kept is the packed root. Kubernetes, etcd and CoreDNS are what the stock image has; the base
distribution, the pod network (a static bridge) and the storage class are not.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from tests.cluster import ClusterError, binaries, cache, component_images, dockerd, rootfs, toolchain

RECIPE = 1  # raise it when the code below makes another image out of the same versions
REPOSITORY = "localhost/pillion-kind-node"
STOCK_REPOSITORY = "kindest/node"
PULL_SECONDS = 600

PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "kmod", "mount", "util-linux", "procps", "hostname"),
    *("conntrack", "iptables", "nftables", "iproute2", "ethtool", "netbase"),
    *("runc", "libseccomp2", "e2fsprogs", "bash", "ca-certificates", "curl", "jq"),
)
NODE_PROGRAMS = {
    "usr/bin": ("kubeadm", "kubelet", "kubectl"),
    "usr/local/bin": ("containerd", "ctr", "containerd-shim-runc-v2", "crictl"),
    "opt/cni/bin": ("bridge", "host-local", "loopback", "ptp", "portmap"),
}
NEEDED = (*component_images.COMPONENTS, *(name for names in NODE_PROGRAMS.values() for name in names))
UNWANTED_UNITS = (
    *(
        "lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
        "lib/systemd/system/multi-user.target.wants/*",
    ),
    *(
        "etc/systemd/system/*.wants/*",
        "lib/systemd/system/local-fs.target.wants/*",
        "lib/systemd/system/basic.target.wants/*",
    ),
    *("lib/systemd/system/sockets.target.wants/*udev*", "lib/systemd/system/sockets.target.wants/*initctl*"),
)

# containerd writes the node's CNI configuration from this when the kubelet tells it the node's pod subnet.
# That spares kindnet, which cannot be had without a registry; what it does beyond, routes between nodes, is
# done when the nodes are up.
CNI_TEMPLATE = {
    "cniVersion": "1.0.0",
    "name": "bridge",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipMasq": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": "{{.PodCIDR}}"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}


class NodeImageError(ClusterError):
    """The node image cannot be made, with the step that failed."""


def chosen(docker: dockerd.Docker, *, version: str, progress: cache.Progress) -> tuple[str, str]:
    """The node image to use, and where it is from in words."""
    if not docker.ours:
        stock = _stock_image(docker, version=version, progress=progress)
        if stock:
            return stock, f"{stock} (kind's stock image)"
    image = available(docker, kubernetes_version=version, progress=progress)
    return image, f"{image} (built here from Go modules and Debian packages)"


def available(docker: dockerd.Docker, *, kubernetes_version: str, progress: cache.Progress) -> str:
    """The name of the node image in the daemon, built and imported where it is missing (two minutes
    and the binaries).

    Raises:
        NodeImageError, rootfs.RootError, debian.PackageError, binaries.BinariesError: what kept it from being
            made.
    """
    recipe = _recipe(kubernetes_version)
    name = f"{REPOSITORY}:{kubernetes_version}-{recipe}"
    if docker.run("image", "inspect", name, check=False).returncode == 0:
        return name
    archive = packed(kubernetes_version=kubernetes_version, progress=progress)
    with cache.locked(archive.parent.with_name(".import.lock")):
        if docker.run("image", "inspect", name, check=False).returncode:
            progress("importing the node image into Docker")
            _import(docker, archive, name)
            _remove_older(docker, kubernetes_version, name)
    return name


def _import(docker: dockerd.Docker, archive: Path, name: str) -> None:
    changes = ('ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]', "ENV container=docker")
    command = [
        docker.client,
        "import",
        *(word for change in changes for word in ("--change", change)),
        "-",
        name,
    ]
    with subprocess.Popen(rootfs.unpacking(archive), stdout=subprocess.PIPE) as unpacking:
        done = subprocess.run(
            command,
            stdin=unpacking.stdout,
            capture_output=True,
            text=True,
            check=False,
            env=docker.environment(),
        )
        # Leaving the block closes our end of the pipe: without it the unpacking would wait for a reader for ever.
    if unpacking.returncode or done.returncode:
        raise NodeImageError(
            f"Docker refused the node image: {done.stderr.strip() or 'its archive is damaged'}."
        )


def _stock_image(docker: dockerd.Docker, *, version: str, progress: cache.Progress) -> str | None:
    """kind's image for this Kubernetes, or for the nearest patch release that was published, or None without
    a registry.
    """
    minor, patch = version.rsplit(".", 1)
    patches = [patch, *(str(other) for other in range(9, -1, -1) if str(other) != patch)]
    names = [f"{STOCK_REPOSITORY}:{minor}.{other}" for other in patches]
    for name in names:
        if docker.run("image", "inspect", name, check=False).returncode == 0:
            return name
    for name in names:
        progress(f"pulling {name}")
        try:
            pulled = docker.run("pull", "--quiet", name, check=False, timeout=PULL_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        if pulled.returncode == 0:
            return name
        if "not found" not in pulled.stderr and "manifest unknown" not in pulled.stderr:
            progress("no image registry can be reached, so the node image is built here")
            return None
    return None


def packed(*, kubernetes_version: str, progress: cache.Progress) -> Path:
    """The node's root as a packed tar in the cache."""

    def make(draft: Path) -> None:
        root = draft / "root"
        programs = binaries.ensure(NEEDED, kubernetes_version=kubernetes_version, progress=progress)
        started = time.monotonic()
        rootfs.make(root, name="node-image", include=PACKAGES, progress=progress)
        progress("putting Kubernetes into the node's root")
        _kind_files(root)
        _programs(root, programs, kubernetes_version)
        with tempfile.TemporaryDirectory(dir=draft) as folder:
            archives = component_images.archives(root, programs, kubernetes_version, Path(folder))
            component_images.preload(root, programs, archives)
        progress("packing the node's root")
        rootfs.pack(root, draft / "root.tar.packed")
        shutil.rmtree(root)
        mebibytes = (draft / "root.tar.packed").stat().st_size / 2**20
        progress(f"node image: {mebibytes:.0f} MiB packed, made in {time.monotonic() - started:.0f} s")

    entry = cache.root() / "node-images" / kubernetes_version
    return (
        cache.made(entry, recipe=_recipe(kubernetes_version), make=make, progress=progress)
        / "root.tar.packed"
    )


def _recipe(kubernetes_version: str) -> str:
    return cache.recipe_hash(
        RECIPE, rootfs.SUITE, PACKAGES, sorted(binaries.versions(kubernetes_version).items())
    )


def _remove_older(docker: dockerd.Docker, kubernetes_version: str, name: str) -> None:
    listed = docker.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", REPOSITORY).stdout.split()
    older = [
        other for other in listed if other != name and other.startswith(f"{REPOSITORY}:{kubernetes_version}-")
    ]
    if older:
        docker.run("image", "rm", *older, check=False)  # one that a cluster still runs from stays


def _kind_module() -> Path:
    version = binaries.versions()["kind"]
    command = [str(toolchain.go()), "mod", "download", "-json", f"sigs.k8s.io/kind@{version}"]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=toolchain.environment(), cwd=folder
        )
    told = json.loads(done.stdout or "{}")
    if "Dir" not in told:
        raise NodeImageError(
            f"The source of kind {version} cannot be had: {told.get('Error') or done.stderr.strip()}."
        )
    return Path(told["Dir"])


def _kind_files(root: Path) -> None:
    """What kind's Dockerfile for its base image does after the packages."""
    source = _kind_module() / "images/base/files"
    for path in sorted(source.rglob("*")):
        if path.is_file():
            name = path.relative_to(source)
            executable = name.parts[:2] == ("kind", "bin") or name.parts[:3] == ("usr", "local", "bin")
            _install(path, root / name, mode=0o755 if executable else 0o644)
    for pattern in UNWANTED_UNITS:
        for unit in root.glob(pattern):
            unit.unlink()
    with (root / "etc/systemd/journald.conf").open("a") as journald:
        journald.write("ReadKMsg=no\n")
    if not (root / "sbin/init").is_symlink():
        (root / "sbin/init").symlink_to("/usr/lib/systemd/systemd")
    rootfs.run_in(
        root,
        "systemctl",
        "enable",
        "--quiet",
        "kubelet.service",
        "containerd.service",
        "undo-mount-hacks.service",
    )
    rootfs.run_in(root, "systemctl", "mask", "--quiet", "systemd-binfmt.service")
    # On a host without CAP_SYS_RESOURCE nobody may lower an oom_score_adj, and static pods fail in runc with
    # "can't get final child's PID".
    _replace(
        root / "etc/containerd/config.toml", "restrict_oom_score_adj = false", "restrict_oom_score_adj = true"
    )
    with (root / "etc/containerd/config.toml").open("a") as configuration:
        configuration.write(
            '\n[plugins."io.containerd.grpc.v1.cri".cni]\n  conf_template = "/etc/containerd/cni.template"\n'
        )


def _programs(root: Path, programs: Path, kubernetes_version: str) -> None:
    for folder, names in NODE_PROGRAMS.items():
        for name in names:
            _install(programs / name, root / folder / name, mode=0o755)
    (root / "etc/kubernetes/manifests").mkdir(parents=True, exist_ok=True)
    (root / "kind/manifests").mkdir(parents=True, exist_ok=True)
    (root / "kind/version").write_text(kubernetes_version)
    runtime = json.loads(rootfs.run_in(root, "ctr", "oci", "spec"))
    runtime.setdefault("hooks", {}).setdefault("createContainer", []).append(
        {"path": "/kind/bin/mount-product-files.sh"}
    )
    runtime["process"].pop("rlimits", None)
    (root / "etc/containerd/cri-base.json").write_text(json.dumps(runtime))
    (root / "etc/containerd/cni.template").write_text(json.dumps(CNI_TEMPLATE))
    # kind applies this file as the cluster's network and fails where it is absent.
    (root / "kind/manifests/default-cni.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: "
        "{name: network-is-a-static-bridge, namespace: kube-system}\n"
    )


def _install(source: Path, target: Path, *, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    if old not in text:
        raise NodeImageError(
            f"{path.name} of this version of kind has no `{old}`, which the recipe has to change."
        )
    path.write_text(text.replace(old, new, 1))
