"""How does a test get a real Kubernetes API in seconds, without containers?

etcd, kube-apiserver, kube-controller-manager and kube-scheduler run as processes on 127.0.0.1; KWOK plays
nodes and pods. Several clusters run side by side. Pods have addresses in a loopback network of the cluster's
own, so that a test can answer for a pod by listening on its address (Linux routes all of 127.0.0.0/8 to
itself), and so that nothing ever leaves the machine. The price: the API server refuses such addresses
in EndpointSlices, so Services of simulated pods have no endpoints.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster import api, audit, binaries, cache, components, nodes, processes, registry, starting
from tests.cluster.components import HOST
from tests.cluster.registry import ControlPlaneError, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.cluster.cache import Progress

__all__ = ["ControlPlane", "ControlPlaneError", "load", "start", "stop", "use_existing"]

PROGRAMS = tuple(name for name in binaries.INTEGRATION if name != "helm")


@dataclass(frozen=True, kw_only=True, slots=True)
class ControlPlane:
    """A running API server and what belongs to it.

    Attributes:
        name: how the command line calls it.
        kubeconfig: may do everything.
        server: address of the API server, "" for a cluster that is not ours.
        requests: the audit log, None where there is none.
        logs: folder with a log for every component, None for a cluster that is not ours.
        programs: folder with kubectl.
        pod_network: first addresses of pods, for example "127.70.0.0/16"; "" for a cluster that is not ours.
        ours: whether `stop` stops it.
    """

    name: str
    kubeconfig: Path
    kubernetes_version: str
    programs: Path
    server: str = ""
    requests: audit.Log | None = None
    logs: Path | None = None
    pod_network: str = ""
    ours: bool = True
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def admin(self) -> api.Api:
        """A plain client that may do everything, for a cluster of ours."""
        if not self.ours:
            raise ControlPlaneError(
                f"{self.kubeconfig} is a cluster of yours: use a client made from that file."
            )
        authority = registry.layout(self.name).authority
        return api.Api(server=self.server, token=self.tokens[components.ADMIN], ca_file=authority)

    def kubectl(self, *arguments: str, stdin: str | None = None, kubeconfig: Path | None = None) -> str:
        """What kubectl prints, as the administrator or as whoever the kubeconfig is of.

        Raises:
            ControlPlaneError: kubectl failed; the message is what it said.
        """
        answer = subprocess.run(
            [self.programs / "kubectl", "--kubeconfig", kubeconfig or self.kubeconfig, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if answer.returncode:
            raise ControlPlaneError(
                f"kubectl {' '.join(arguments)}: {answer.stderr.strip() or answer.stdout.strip()}"
            )
        return answer.stdout

    def add_node(
        self,
        name: str,
        *,
        labels: Mapping[str, str] | None = None,
        allocatable: Mapping[str, str] | None = None,
        taints: Sequence[Mapping[str, str]] = (),
        managed: bool = True,
        wait_seconds: float = 30.0,
    ) -> None:
        """Add a simulated node (arguments: `nodes.node`) and wait until pods can be scheduled onto it."""
        raw = nodes.node(
            name,
            labels=labels,
            allocatable=allocatable,
            taints=taints,
            address=HOST,
            kubelet_version=self.kubernetes_version,
            managed=managed,
        )
        self._create_nodes([raw], wait_seconds=wait_seconds if managed else 0)

    def add_nodes(self, count: int, *, prefix: str = "node", wait_seconds: float = 60.0) -> None:
        """Add ordinary simulated nodes, named `<prefix>-1` and on, and wait for all of them."""
        made = [
            nodes.node(f"{prefix}-{n}", address=HOST, kubelet_version=self.kubernetes_version)
            for n in range(1, count + 1)
        ]
        self._create_nodes(made, wait_seconds=wait_seconds)

    def node_count(self) -> int:
        """How many nodes it has."""
        return len(self.admin.request("GET", "/api/v1/nodes")["items"])

    def remove_node(self, name: str) -> None:
        """Take a node away; its pods are deleted after a while, as in a real cluster."""
        self.admin.request("DELETE", f"/api/v1/nodes/{name}")

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig of that user: a token for those that `start` was told of, impersonation for others.

        kubectl and Go clients honour impersonation in a kubeconfig; the Python client does not, so name users
        to `start` for it.
        """
        if token := self.tokens.get(user):
            return self._kubeconfig(user, {"token": token})
        if not self.ours:
            raise ControlPlaneError(
                "A cluster that is not ours has no static users: use service_account_kubeconfig."
            )
        return self._kubeconfig(
            user, {"token": self.tokens[components.ADMIN], "as": user, "as-groups": list(groups)}
        )

    def service_account_kubeconfig(self, namespace: str, name: str, *, seconds: int = 3600) -> Path:
        """A kubeconfig with a fresh token of a service account, got by TokenRequest."""
        token = self.kubectl(
            "create", "token", name, "--namespace", namespace, f"--duration={seconds}s"
        ).strip()
        return self._kubeconfig(f"system:serviceaccount:{namespace}:{name}", {"token": token})

    def stop(self) -> None:
        """Stop what `start` started, keep its logs. Does nothing to a cluster that is not ours, or twice."""
        if self.ours:
            stop(self.name)

    def _create_nodes(self, made: Sequence[Mapping[str, Any]], *, wait_seconds: float) -> None:
        admin = self.admin
        for raw in made:
            admin.request("POST", "/api/v1/nodes", raw)
        waiting = {raw["metadata"]["name"] for raw in made}

        def all_ready() -> bool:
            found = admin.request("GET", "/api/v1/nodes")["items"]
            return waiting <= {raw["metadata"]["name"] for raw in found if nodes.is_ready(raw)}

        if wait_seconds and not processes.wait_until(all_ready, seconds=wait_seconds, poll_seconds=0.05):
            raise ControlPlaneError(
                f"Nodes {sorted(waiting)} are not ready after {wait_seconds:.0f} s; see {self.logs}/kwok.log."
            )

    def _kubeconfig(self, user: str, credentials: Mapping[str, Any]) -> Path:
        view = json.loads(self.kubectl("config", "view", "--raw", "--minify", "--flatten", "--output=json"))
        view["users"] = [{"name": entry["name"], "user": dict(credentials)} for entry in view["users"]]
        folder = registry.layout(self.name).run if self.ours else cache.root() / "kubeconfigs"
        path = folder / f"{user.replace(':', '.')}.kubeconfig"
        registry.write_private(path, json.dumps(view, indent=1))
        return path


def start(
    name: str,
    *,
    nodes: int = 0,
    kubernetes_version: str = binaries.DEFAULT_KUBERNETES_VERSION,
    audit: bool = True,
    survive: bool = False,
    users: Mapping[str, Sequence[str]] | None = None,
    api_server_flags: Sequence[str] = (),
    progress: Progress = print,
) -> ControlPlane:
    """Start a control plane and wait until it serves, its controllers run and its nodes are ready.

    Args:
        name: lower-case letters, digits and hyphens.
        nodes: how many ordinary simulated nodes it has from the start, `node-1` and on.
        kubernetes_version: for example v1.36.3; built from source the first time.
        audit: write the audit log that `ControlPlane.requests` reads.
        survive: go on running when this process ends; else it dies with it, even when that is killed.
        users: users with a token of their own, each with their groups; see `kubeconfig_for`.
        api_server_flags: more flags for kube-apiserver.
        progress: told what takes long.

    Raises:
        ControlPlaneError: the name is taken, or a component does not come up; the message has the end of its
            log.
        binaries.BinariesError, toolchain.ToolchainError: the programs cannot be had.
    """
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?", name):
        raise ControlPlaneError(
            f"{name!r} is no name for a cluster: up to 50 lower-case letters, digits and hyphens."
        )
    kubernetes_version = binaries.normal_version(kubernetes_version)
    programs = binaries.ensure(PROGRAMS, kubernetes_version=kubernetes_version, progress=progress)
    groups = {**components.USERS, **{user: tuple(of) for user, of in (users or {}).items()}}
    before = registry.read(name)
    if before and before.abandoned():
        progress(f"{name}: stopping what is left of a start that was cut off")
        stop(name)
    state = registry.claim(
        name, kubernetes_version=kubernetes_version, programs=programs, users=groups, with_audit=audit
    )
    if not survive:
        atexit.register(stop, name)
    try:
        layout = registry.layout(name)
        for path, text in components.files(layout, tokens=state.tokens, groups=groups).items():
            registry.write_private(path, text)
        up = starting.Starting(state, die_with_us=not survive)
        admin = up.api_server(api_server_flags)
        up.controllers()
        # Without it the first pod of a test is refused.
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        up.wait_for("kube-controller-manager", lambda: admin.answers(account))
        cluster = _handle(registry.completed(up.state))
        cluster.add_nodes(nodes)
    except BaseException:
        stop(name)
        raise
    return cluster


def stop(name: str) -> bool:
    """Stop that control plane's processes and remove its data, not its logs; False when there is none."""
    if name not in registry.names():
        return False
    # What they hold is thrown away, so there is no reason to wait for a slow farewell.
    processes.stop(registry.noted_processes(name), grace_seconds=1.0)
    registry.forget(name)
    return True


def load(name: str) -> ControlPlane:
    """The control plane of that name.

    Raises:
        ControlPlaneError: there is none, or not all of it runs.
    """
    state = registry.read(name)
    if state is None:
        raise ControlPlaneError(
            f"No control plane is named {name!r}. `python -m tests.cluster status` lists those there are."
        )
    if dead := state.dead():
        raise ControlPlaneError(
            f"Control plane {name!r} has lost {', '.join(dead)}. "
            f"Take it down (`python -m tests.cluster down {name}`), then start it again."
        )
    return _handle(state)


def use_existing() -> ControlPlane | None:
    """The cluster that the user wants tests to run on, if they say so; `stop` never stops it.

    `PILLION_TEST_KUBECONFIG` names its kubeconfig. `KUBECONFIG` alone is not enough, because it may well be
    production: it counts together with `PILLION_TEST_USE_KUBECONFIG=1`.
    """
    path = os.environ.get("PILLION_TEST_KUBECONFIG")
    if not path and os.environ.get("PILLION_TEST_USE_KUBECONFIG") == "1":
        path = os.environ.get("KUBECONFIG")
    if not path:
        return None
    kubeconfig = Path(path).expanduser().resolve()
    if not kubeconfig.is_file():
        raise ControlPlaneError(
            f"{kubeconfig} is named as the cluster to test on, but there is no such file."
        )
    found = shutil.which("kubectl")
    programs = Path(found).parent if found else binaries.ensure(["kubectl"])
    cluster = ControlPlane(
        name="existing", kubeconfig=kubeconfig, kubernetes_version="", programs=programs, ours=False
    )
    version = json.loads(cluster.kubectl("version", "--output=json"))["serverVersion"]["gitVersion"]
    return replace(cluster, kubernetes_version=version)


def _handle(state: State) -> ControlPlane:
    layout = registry.layout(state.name)
    return ControlPlane(
        name=state.name,
        kubeconfig=layout.admin_kubeconfig,
        kubernetes_version=state.kubernetes_version,
        programs=state.programs,
        server=state.server,
        requests=audit.Log(layout.audit_log) if state.audit else None,
        logs=layout.logs,
        pod_network=state.pod_network,
        tokens=state.tokens,
    )
