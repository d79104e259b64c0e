"""What the benchmarks print is what was measured."""

from __future__ import annotations

import os
import threading

import pytest

from benchmarks import consumption, results
from benchmarks.results import Measure, Requests
from benchmarks.seeing import Sight
from tests.cluster.audit import Request


def request(verb: str, resource: str, *, uri: str = "/", subresource: str = "") -> Request:
    return Request(
        user="operator",
        verb=verb,
        resource=resource,
        subresource=subresource,
        api_group="",
        namespace="",
        name="",
        code=200,
        received="",
        user_agent="",
        uri=uri,
    )


@pytest.mark.parametrize(
    ("values", "part", "expected"),
    [
        pytest.param([5.0], 50, 5.0, id="one sample is every percentile"),
        pytest.param([3.0, 1.0, 2.0], 50, 2.0, id="the middle one of three, in any order"),
        pytest.param([float(n) for n in range(1, 101)], 99, 99.0, id="the second largest of a hundred"),
        pytest.param([float(n) for n in range(1, 201)], 99, 198.0, id="the third largest of two hundred"),
        pytest.param([float(n) for n in range(1, 101)], 100, 100.0, id="the largest"),
    ],
)
def test_percentiles_are_samples(values: list[float], part: int, expected: float) -> None:
    assert results.percentile(values, part) == expected


def test_leases_watches_events_and_dry_runs_stand_apart() -> None:
    found = Requests.of(
        [
            request("get", "deployments"),
            request("patch", "modeldeployments", subresource="status"),
            request("patch", "modeldeployments", subresource="status"),
            request("create", "podtemplates", uri="/api/v1/namespaces/n/podtemplates?dryRun=All"),
            request("create", "events"),
            request("patch", "leases"),
            request("watch", "pods"),
        ],
        each=2,
    )
    assert found.counted == {"patch modeldeployments/status": 1.0, "get deployments": 0.5}
    assert found.total == 1.5
    assert found.writes == 1.0
    assert set(found.apart) == {"create podtemplates", "create events", "patch leases", "watch pods"}


def test_a_ratio_needs_a_floor() -> None:
    assert Measure(name="m", unit="ms", value=10.0, floor=4.0).ratio == 2.5
    assert Measure(name="m", unit="ms", value=10.0).ratio is None


def test_cpu_of_a_process_counts_its_threads() -> None:
    before = consumption.cpu_seconds([os.getpid()])
    done = threading.Event()

    def work() -> None:
        while consumption.cpu_seconds([os.getpid()]) - before < 0.02:
            sum(range(10_000))
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done.is_set()
    assert consumption.resident_bytes([os.getpid()]) > 1_000_000


def test_our_own_process_is_in_its_parents_tree() -> None:
    assert os.getpid() in consumption.tree(os.getppid())


async def test_a_sight_tells_when_a_condition_came_true() -> None:
    sight = Sight()
    made = {"metadata": {"name": "a", "generation": 1}}
    changed = {"metadata": {"name": "a", "generation": 2}}
    second = sight.when("a", lambda obj: obj["metadata"]["generation"] == 2)
    sight._see("ADDED", made, 10.0)
    assert not second.done()
    sight._see("MODIFIED", changed, 12.5)
    assert second.result() == 12.5
    assert sight.when("a", lambda obj: obj["metadata"]["generation"] == 2).done()
    sight._see("DELETED", changed, 13.0)
    assert not sight.when("a", lambda _: True).done()
    assert sight.last_change == 13.0
