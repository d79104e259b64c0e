"""In which order do the parts of a control plane start, and when is each of them ready?

Every component is noted the moment it runs, so that whatever happens next, it can be found and stopped.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from tests.cluster import api, components, processes, registry
from tests.cluster.components import HOST
from tests.cluster.registry import ControlPlaneError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.cluster.registry import State

# Generous, because a first start competes with compilers; a quiet machine needs a tenth.
COMPONENT_SECONDS = 90.0


class Starting:
    """One control plane while it comes up; `state` says what of it has been started."""

    def __init__(self, state: State, *, die_with_us: bool) -> None:
        self.state, self.die_with_us = state, die_with_us
        self.layout = registry.layout(state.name)

    def api_server(self, flags: Sequence[str]) -> api.Api:
        """The store and the API server, with a kubeconfig for everybody."""
        state, layout = self.state, self.layout
        self._run("etcd", components.etcd(self.state.programs, layout, state.ports))
        command = components.api_server(
            self.state.programs, layout, state.ports, with_audit=state.audit, extra=flags
        )
        self._run("kube-apiserver", command)
        # The file is there before it is filled.
        self.wait_for(
            "kube-apiserver",
            lambda: layout.authority.exists() and "END CERTIFICATE" in layout.authority.read_text(),
        )
        for user, token in state.tokens.items():
            text = components.kubeconfig(
                name=state.name, server=state.server, authority=layout.authority, user={"token": token}
            )
            registry.write_private(layout.kubeconfig(user), text)
        admin = api.Api(server=state.server, token=state.tokens[components.ADMIN], ca_file=layout.authority)
        self.wait_for("kube-apiserver", admin.answers)
        return admin

    def controllers(self) -> None:
        """Everything that is a client of the API server, all at once."""
        ports = self.state.ports
        self._run(
            "kube-controller-manager", components.controller_manager(self.state.programs, self.layout, ports)
        )
        self._run("kube-scheduler", components.scheduler(self.state.programs, self.layout, ports))
        self._run(
            "kwok",
            components.kwok(self.state.programs, self.layout, ports, pod_network=self.state.pod_network),
        )
        for component, address in (
            ("kube-controller-manager", f"https://{HOST}:{ports.controller_manager}"),
            ("kube-scheduler", f"https://{HOST}:{ports.scheduler}"),
            ("kwok", f"http://{HOST}:{ports.kwok}"),
        ):
            health = api.Api(server=address, token="", ca_file=None)
            self.wait_for(component, functools.partial(health.answers, "/healthz"))

    def wait_for(self, component: str, ready: Callable[[], bool]) -> None:
        """Wait until that component is ready, and give up at once if any of them ends."""
        lost: list[str] = []

        def settled() -> bool:
            lost[:] = self.state.dead()
            return bool(lost) or ready()

        came = processes.wait_until(settled, seconds=COMPONENT_SECONDS, poll_seconds=0.05)
        if came and not lost:
            return
        broken = lost[0] if lost else component
        log = self.layout.logs / f"{broken}.log"
        how = "ended" if lost else f"is not ready after {COMPONENT_SECONDS:.0f} s"
        raise ControlPlaneError(f"{broken} {how}. The end of {log}:\n{processes.tail(log)}")

    def _run(self, component: str, command: Sequence[str]) -> None:
        process = processes.start(
            component,
            command,
            log=self.layout.logs / f"{component}.log",
            die_with_us=self.die_with_us,
            # Proxies are for the world outside; components speak to each other. A HOME of their own keeps
            # them out of the user's.
            environment={"PATH": os.environ.get("PATH", ""), "HOME": str(self.layout.run)},
            cwd=self.layout.run,
        )
        self.state = registry.started(self.state, process)
