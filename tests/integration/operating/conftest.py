"""Where does the operator run in these tests? On the lane's control plane, beside a local Hub and played engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.hub import server
from tests.integration.operating.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.controlplane import ControlPlane
    from tests.hub.server import Hub


@pytest.fixture(scope="session")
def hub() -> Iterator[Hub]:
    """A Hub that serves the test models."""
    with server.start() as running:
        yield running


@pytest.fixture(scope="session")
def idle_stage(
    control_plane: ControlPlane, hub: Hub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """Everything but a running operator."""
    if not control_plane.ours:
        pytest.skip("runs an operator and counts its requests, on a cluster that is started for it alone")
    made = Stage(control_plane, hub, tmp_path_factory.mktemp("operator"))
    yield made
    made.close()


@pytest.fixture
def stage(idle_stage: Stage) -> Stage:
    """With the operator running; a test that stops it has it started again for the next one."""
    if not idle_stage.running:
        idle_stage.start_operator()
    return idle_stage
