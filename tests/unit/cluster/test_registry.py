"""Is it known what runs, is nothing signalled that is not ours, and are leftovers cleaned up?"""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster import processes, registry
from tests.cluster.processes import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

# Ends when its standard input does.
WAITER = [sys.executable, "-c", "import sys; sys.stdin.read()"]
GONE = Process(name="etcd", pid=2**22 + 1, started="1")  # above the largest id that Linux gives


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PILLION_CACHE", str(tmp_path))


@pytest.fixture
def waiter() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(WAITER, stdin=subprocess.PIPE) as child:
        yield child
        child.kill()


def claimed(name: str = "one") -> registry.State:
    return registry.claim(
        name, kubernetes_version="v1.36.3", programs=Path("/programs"), users=["admin"], with_audit=False
    )


def test_what_is_claimed_can_be_read_back() -> None:
    state = claimed()

    assert registry.read("one") == state
    assert registry.names() == ["one"]
    assert not state.gone()


def test_a_name_in_use_is_refused_with_the_way_out() -> None:
    claimed()

    with pytest.raises(registry.ControlPlaneError, match="'one' runs already"):
        claimed()


def test_two_control_planes_share_neither_ports_nor_pod_network() -> None:
    one, two = claimed("one"), claimed("two")

    ports = [
        getattr(state.ports, name) for state in (one, two) for name in ("api", "etcd", "etcd_peer", "kwok")
    ]
    assert len(set(ports)) == 8
    assert one.pod_network != two.pod_network


def test_one_of_which_nothing_runs_is_swept_and_its_logs_stay() -> None:
    state = claimed()
    (registry.layout("one").logs / "etcd.log").write_text("ready")
    registry.write(replace(state, processes=(GONE,), complete=True))

    assert registry.sweep() == ["one"]
    assert registry.names() == []
    assert not registry.layout("one").run.exists()
    assert (registry.layout("one").logs / "etcd.log").read_text() == "ready"


def test_one_whose_starter_died_before_it_started_anything_is_a_leftover() -> None:
    state = replace(claimed(), starter=GONE)

    assert state.gone()
    assert state.dead() == ["the command that was starting it"]


def test_a_half_written_state_is_a_leftover_and_its_name_is_free_again() -> None:
    claimed()
    path = registry.layout("one").state
    path.write_text(path.read_text()[:50])

    assert registry.read("one") is None
    assert claimed().name == "one"


def test_one_noted_by_another_version_of_the_tool_is_left_alone_while_it_runs(
    waiter: subprocess.Popen[bytes],
) -> None:
    state = claimed()
    ours = Process(name="etcd", pid=waiter.pid, started=processes.start_time(waiter.pid) or "")
    registry.write(replace(state, processes=(ours,), complete=True))
    path = registry.layout("one").state
    path.write_text(path.read_text().replace('"pod_network"', '"network_of_pods"'))

    assert registry.read("one") is None
    assert registry.sweep() == []
    with pytest.raises(registry.ControlPlaneError, match="'one' runs already"):
        claimed()


def test_only_the_latest_logs_are_kept() -> None:
    for number in range(registry.STOPPED_CLUSTERS_KEPT + 3):
        logs = registry.layout(f"c{number}").logs
        logs.mkdir(parents=True)

    registry.sweep()

    assert len(list(registry.folder().glob("*/logs"))) == registry.STOPPED_CLUSTERS_KEPT


def test_a_process_that_took_over_the_id_of_ours_is_not_ours(waiter: subprocess.Popen[bytes]) -> None:
    started = processes.start_time(waiter.pid)
    assert started is not None
    ours = Process(name="ours", pid=waiter.pid, started=started)
    reused = replace(ours, started="1")

    assert processes.runs(ours)
    assert not processes.runs(reused)
    assert processes.stop([reused]) == []
    assert waiter.poll() is None


def test_a_process_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    script = (
        "import signal, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\nwhile True: signal.pause()"
    )
    log = tmp_path / "deaf.log"
    deaf = processes.start("deaf", [sys.executable, "-c", script], log=log, die_with_us=True)
    assert processes.wait_until(lambda: "deaf" in log.read_text(), seconds=10)

    assert processes.stop([deaf], grace_seconds=0.1) == [deaf]
    assert not processes.runs(deaf)


def test_a_process_dies_with_the_one_that_started_it() -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom tests.cluster import processes\n"
        "child = processes.start('child', ['sleep', '600'], log=Path('/dev/null'), die_with_us=True)\n"
        "print(child.pid, child.started, flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid, started = parent.stdout.readline().split()
        child = Process(name="child", pid=int(pid), started=started)
        assert processes.runs(child)
        parent.send_signal(signal.SIGKILL)

    assert processes.wait_until(lambda: not processes.runs(child), seconds=10)
