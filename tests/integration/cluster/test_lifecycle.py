"""Does a control plane end as it should, and does a failed start say what happened and leave nothing behind?"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster import api, controlplane, processes, registry

REPOSITORY = Path(__file__).parents[3]
STARTER = """
import sys
from tests.cluster import controlplane
controlplane.start(sys.argv[1], audit=False, progress=lambda line: None)
print("up", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def only_with_our_programs(control_plane: controlplane.ControlPlane) -> None:
    """Starts clusters of its own, for which the shared one has brought the programs."""
    if not control_plane.ours:
        pytest.skip("starts control planes, and runs on a cluster that is not ours")


def test_a_second_one_runs_beside_the_first_and_dies_with_its_starter(
    control_plane: controlplane.ControlPlane,
) -> None:
    name = f"{control_plane.name}-second"
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, name],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with starter:
        try:
            assert starter.stdout is not None
            assert starter.stdout.readline() == "up\n"
            second = controlplane.load(name)
            state = registry.read(name)
            assert state is not None
            assert second.admin.answers()
            assert control_plane.admin.answers()
            assert second.pod_network != control_plane.pod_network
            with pytest.raises(controlplane.ControlPlaneError, match="runs already"):
                controlplane.start(name)
        finally:
            starter.kill()

    assert processes.wait_until(state.gone, seconds=10)
    assert control_plane.admin.answers()
    assert name in registry.sweep()
    assert registry.read(name) is None
    assert (registry.layout(name).logs / "kube-apiserver.log").exists()


def test_one_that_has_lost_a_component_says_which(control_plane: controlplane.ControlPlane) -> None:
    name = f"{control_plane.name}-lame"
    controlplane.start(name, audit=False, progress=lambda _: None)
    try:
        state = registry.read(name)
        assert state is not None
        scheduler = next(each for each in state.processes if each.name == "kube-scheduler")
        os.kill(scheduler.pid, signal.SIGKILL)
        assert processes.wait_until(lambda: not processes.runs(scheduler), seconds=5)

        with pytest.raises(
            controlplane.ControlPlaneError, match=f"{name}' has lost kube-scheduler. Take it down"
        ):
            controlplane.load(name)
    finally:
        assert controlplane.stop(name)

    assert state.gone()
    assert not controlplane.stop(name)


def test_what_is_left_of_a_start_that_was_cut_off_is_stopped_by_the_next(
    control_plane: controlplane.ControlPlane,
) -> None:
    name = f"{control_plane.name}-cut"
    controlplane.start(name, audit=False, progress=lambda _: None)
    state = registry.read(name)
    assert state is not None
    nobody = replace(state.starter, started="another time")
    registry.write(replace(state, complete=False, starter=nobody))
    said: list[str] = []

    again = controlplane.start(name, audit=False, progress=said.append)
    try:
        assert said == [f"{name}: stopping what is left of a start that was cut off"]
        assert not any(processes.runs(process) for process in state.processes)
        assert again.admin.answers()
    finally:
        again.stop()


def test_a_component_that_does_not_start_is_named_with_the_end_of_its_log(
    control_plane: controlplane.ControlPlane,
) -> None:
    name = f"{control_plane.name}-broken"

    with pytest.raises(
        controlplane.ControlPlaneError, match=r"kube-apiserver ended\.(?s:.*)unknown flag: --no-such-flag"
    ):
        controlplane.start(name, api_server_flags=["--no-such-flag"], progress=lambda _: None)

    assert registry.read(name) is None


def test_a_token_that_the_server_does_not_know_is_refused(control_plane: controlplane.ControlPlane) -> None:
    authority = registry.layout(control_plane.name).authority
    intruder = api.Api(server=control_plane.server, token=secrets.token_urlsafe(), ca_file=authority)

    with pytest.raises(api.ApiError) as refused:
        intruder.request("GET", "/api/v1/nodes")

    assert refused.value.code == 401
