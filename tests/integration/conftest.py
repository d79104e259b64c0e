"""What do all integration tests share? One control plane for the whole run, and a namespace for each test.

The control plane is started for the run and stopped after it, unless `PILLION_TEST_KUBECONFIG` names a
cluster to test on. Without the programs it is made of, and without a Go to build them, the lane is skipped
and says why.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

import pytest
from kubernetes import client, config

from tests.cluster import binaries, controlplane, processes, toolchain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cluster import audit

NODES = 3


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies below this folder, so that `-m 'not integration'` leaves it out."""
    here = os.path.dirname(__file__)  # noqa: PTH120 - compared with strings
    for item in items:
        if str(item.path).startswith(here):
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def control_plane(request: pytest.FixtureRequest) -> Iterator[controlplane.ControlPlane]:
    """A control plane with three ordinary simulated nodes; tests add and remove nodes of their own."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            print(f"\n{line}", end="", flush=True)

    existing = controlplane.use_existing()
    if existing:
        yield existing
        return
    try:
        # A build of several minutes is worth it: it happens once on a machine.
        started = controlplane.start(f"integration-{os.getpid()}", nodes=NODES, progress=say)
    except (binaries.BinariesError, toolchain.ToolchainError) as error:
        pytest.skip(f"no control plane to test on: {error}")
    yield started
    started.stop()


@pytest.fixture(scope="session")
def kubeconfig(control_plane: controlplane.ControlPlane) -> Path:
    """The kubeconfig of the control plane's administrator."""
    return control_plane.kubeconfig


@pytest.fixture(scope="session")
def kubectl(control_plane: controlplane.ControlPlane) -> Callable[..., str]:
    """`kubectl("get", "pods", "--namespace", namespace)`: what it prints; it raises with what it said."""
    return control_plane.kubectl


@pytest.fixture(scope="session")
def api_client(kubeconfig: Path) -> Iterator[client.ApiClient]:
    """The administrator's client of the `kubernetes` package."""
    # The package's loader has no types.
    made: client.ApiClient = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
    with made:
        yield made


@pytest.fixture(scope="session")
def requests(control_plane: controlplane.ControlPlane) -> audit.Log:
    """The API server's requests; a test that counts them is skipped on a cluster that is not ours."""
    if control_plane.requests is None:
        pytest.skip("counts requests in an audit log, which a cluster that is not ours does not show")
    return control_plane.requests


@pytest.fixture
def namespace(api_client: client.ApiClient) -> Iterator[str]:
    """The name of a new namespace that takes pods; nobody waits for its end."""
    core = client.CoreV1Api(api_client)
    name = f"test-{secrets.token_hex(4)}"
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
    # A pod without a service account is refused, and the controller manager needs a moment to make it.
    assert processes.wait_until(lambda: _has_account(core, name), seconds=10)
    yield name
    core.delete_namespace(name)


def _has_account(core: client.CoreV1Api, namespace: str) -> bool:
    try:
        core.read_namespaced_service_account("default", namespace)
    except client.ApiException as error:
        if error.status == 404:
            return False
        raise
    return True
