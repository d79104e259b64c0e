"""How is each part of a control plane told what to do?

Command lines and files, as values; nothing is started here.
"""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster import audit, nodes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOST = "127.0.0.1"

# The order of the base point of the curve P-256 (SEC 2, version 2.0, section 2.4.2): private keys are the
# numbers below it.
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

# Client-side throttling off, so far as it can be: five hundred Deployments at once are a test of the
# operator.
CLIENT_QPS = 500
CLIENT_BURST = 1000

ADMIN = "admin"
# Who may ask, besides service accounts: user -> groups. KWOK has a name of its own so that its requests can
# be told apart.
USERS: dict[str, tuple[str, ...]] = {
    ADMIN: ("system:masters",),
    "kwok": ("system:masters",),
    "system:kube-controller-manager": (),
    "system:kube-scheduler": (),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ports:
    """The ports on 127.0.0.1 that a control plane listens on."""

    api: int
    etcd: int
    etcd_peer: int
    controller_manager: int
    scheduler: int
    kwok: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where a control plane keeps its files."""

    folder: Path

    @property
    def state(self) -> Path:
        """What is needed to find and stop it, as JSON."""
        return self.folder / "state.json"

    @property
    def logs(self) -> Path:
        """One log for every component, and the audit log; kept when the cluster is stopped."""
        return self.folder / "logs"

    @property
    def audit_log(self) -> Path:
        """One JSON line for every request."""
        return self.logs / "audit.log"

    @property
    def run(self) -> Path:
        """Everything else: gone when the cluster is stopped."""
        return self.folder / "run"

    @property
    def certificates(self) -> Path:
        """Where the API server writes the certificate that it makes for itself, with its authority."""
        return self.run / "certificates"

    @property
    def authority(self) -> Path:
        """What clients check the API server's certificate against."""
        return self.certificates / "apiserver.crt"

    @property
    def admin_kubeconfig(self) -> Path:
        """For people and tests: may do everything."""
        return self.folder / "kubeconfig"

    def kubeconfig(self, user: str) -> Path:
        """A kubeconfig of its own for every user."""
        return self.admin_kubeconfig if user == ADMIN else self.run / f"{user.replace(':', '.')}.kubeconfig"


def private_key() -> str:
    """A new elliptic-curve key that signs service-account tokens.

    PEM, RFC 5915, without the public half, which may be left out.
    """
    number = secrets.randbelow(P256_ORDER - 1) + 1
    key = b"\x02\x01\x01" + b"\x04\x20" + number.to_bytes(32, "big")
    curve = b"\xa0\x0a\x06\x08" + bytes.fromhex("2a8648ce3d030107")
    der = b"\x30" + bytes([len(key + curve)]) + key + curve
    return f"-----BEGIN EC PRIVATE KEY-----\n{base64.encodebytes(der).decode()}-----END EC PRIVATE KEY-----\n"


def token_file(tokens: Mapping[str, str], groups: Mapping[str, Sequence[str]]) -> str:
    """The API server's list of static tokens: token, user, uid, groups."""
    return "".join(
        f'{token},{user},{user},"{",".join(groups[user])}"\n' for user, token in sorted(tokens.items())
    )


def kubeconfig(*, name: str, server: str, authority: Path, user: Mapping[str, Any]) -> str:
    """A kubeconfig as JSON, which is YAML too; the authority is inside, so the file can be moved."""
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": name,
                    "cluster": {
                        "server": server,
                        "certificate-authority-data": base64.b64encode(authority.read_bytes()).decode(),
                    },
                }
            ],
            "users": [{"name": "user", "user": dict(user)}],
            "contexts": [
                {"name": name, "context": {"cluster": name, "user": "user", "namespace": "default"}}
            ],
            "current-context": name,
        },
        indent=1,
    )


def etcd(programs: Path, layout: Layout, ports: Ports) -> list[str]:
    """A store of one member that never waits for the disk: what it holds dies with the test."""
    client, peer = f"http://{HOST}:{ports.etcd}", f"http://{HOST}:{ports.etcd_peer}"
    return [
        str(programs / "etcd"),
        f"--data-dir={layout.run / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def api_server(
    programs: Path, layout: Layout, ports: Ports, *, with_audit: bool, extra: Sequence[str]
) -> list[str]:
    """The API server, with the default admission plugins, Pod Security and mutating policies among them."""
    key = layout.run / "service-accounts.pem"
    command = [
        str(programs / "kube-apiserver"),
        f"--etcd-servers=http://{HOST}:{ports.etcd}",
        f"--bind-address={HOST}",
        f"--secure-port={ports.api}",
        f"--cert-dir={layout.certificates}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--token-auth-file={layout.run / 'tokens.csv'}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-signing-key-file={key}",
        f"--service-account-key-file={key}",
        "--service-cluster-ip-range=10.96.0.0/16",
        # An endpoint on the loopback address is refused, so the `kubernetes` Service stays without one.
        "--endpoint-reconciler-type=none",
        "--profiling=false",
        # A stop should not wait for watches that have no reason to end.
        "--shutdown-delay-duration=0s",
    ]
    if with_audit:
        command += [
            f"--audit-policy-file={layout.run / 'audit-policy.json'}",
            f"--audit-log-path={layout.audit_log}",
            # A request is in the log before it is answered, so a test can count right after its last call.
            "--audit-log-mode=blocking",
            "--audit-log-maxsize=4096",
        ]
    return [*command, *extra]


def controller_manager(programs: Path, layout: Layout, ports: Ports) -> list[str]:
    """All controllers, each with a service account of its own as in a real cluster."""
    return [
        str(programs / "kube-controller-manager"),
        f"--kubeconfig={layout.kubeconfig('system:kube-controller-manager')}",
        f"--bind-address={HOST}",
        f"--secure-port={ports.controller_manager}",
        f"--service-account-private-key-file={layout.run / 'service-accounts.pem'}",
        f"--root-ca-file={layout.authority}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--controllers=*",
        "--allocate-node-cidrs=false",
        f"--kube-api-qps={CLIENT_QPS}",
        f"--kube-api-burst={CLIENT_BURST}",
        "--profiling=false",
    ]


def scheduler(programs: Path, layout: Layout, ports: Ports) -> list[str]:
    """The default scheduler."""
    return [
        str(programs / "kube-scheduler"),
        f"--config={layout.run / 'scheduler.json'}",
        f"--bind-address={HOST}",
        f"--secure-port={ports.scheduler}",
    ]


def kwok(programs: Path, layout: Layout, ports: Ports, *, pod_network: str) -> list[str]:
    """The player of nodes and pods."""
    selector = ",".join(f"{key}={value}" for key, value in nodes.MANAGED.items())
    return [
        str(programs / "kwok"),
        f"--kubeconfig={layout.kubeconfig('kwok')}",
        f"--config={Path(__file__).with_name('stages.yaml')}",
        f"--manage-nodes-with-annotation-selector={selector}",
        f"--cidr={pod_network}",
        f"--node-ip={HOST}",
        f"--server-address={HOST}:{ports.kwok}",
        # Renewed every quarter of it. The controller manager declares a node lost after 50 s.
        "--node-lease-duration-seconds=40",
    ]


def files(
    layout: Layout, *, tokens: Mapping[str, str], groups: Mapping[str, Sequence[str]]
) -> dict[Path, str]:
    """What has to lie on disk before the first component starts."""
    return {
        layout.run / "service-accounts.pem": private_key(),
        layout.run / "tokens.csv": token_file(tokens, groups),
        layout.run / "audit-policy.json": json.dumps(audit.POLICY),
        layout.run / "scheduler.json": json.dumps(
            {
                "apiVersion": "kubescheduler.config.k8s.io/v1",
                "kind": "KubeSchedulerConfiguration",
                "leaderElection": {"leaderElect": False},
                "clientConnection": {
                    "kubeconfig": str(layout.kubeconfig("system:kube-scheduler")),
                    "qps": CLIENT_QPS,
                    "burst": CLIENT_BURST,
                },
            }
        ),
    }
