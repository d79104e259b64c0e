"""Which scenarios there are, and what they make of what they see."""

from __future__ import annotations

import json

import pytest

from benchmarks import engines, report, scenarios
from benchmarks.consumption import Machine
from benchmarks.results import Load, Measure, Outcome, Requests
from benchmarks.scenarios import swapping
from benchmarks.scenarios.scenario import Scenario
from benchmarks.seeing import Sight
from pillion.engines import instruction_hash


def nothing() -> Outcome:
    quiet = Load(average_before=0.0, average_after=0.0, others_cores=0.0)
    return Outcome(scenario="none", about="nothing", measures=(), load=quiet)


def test_a_scenario_stands_on_a_cluster_or_alone() -> None:
    with pytest.raises(ValueError, match="either on a cluster or alone"):
        Scenario(name="neither", about="")


def test_what_takes_many_minutes_runs_by_name_alone() -> None:
    by_name = {name for name, scenario in scenarios.ALL.items() if not scenario.by_default}
    assert by_name == {"burst-1000", "start-1000", "failing-50-of-500", "pods-10000", "swap"}


def test_one_without_requests_has_json_too() -> None:
    told = json.loads(report.as_json(Machine.this(), "v1.36.3", [nothing()]))
    assert told["scenarios"][0]["requests"] is None
    assert told["machine"]["cores"] >= 1


def test_requests_say_what_they_are_counted_for() -> None:
    outcome = Outcome(
        scenario="s",
        about="",
        measures=(Measure(name="m", unit="ms", value=3.0, floor=2.0),),
        load=nothing().load,
        requests=Requests.of([], per="a deletion"),
    )
    told = outcome.to_json()
    assert told["requests"]["per"] == "a deletion"
    assert told["requests"]["total"] == 0
    assert told["measures"][0]["ratio"] == 1.5


async def test_a_sight_tells_when_an_object_went() -> None:
    sight = Sight()
    assert sight.gone("a").done(), "it was never there"
    sight._see("ADDED", {"metadata": {"name": "a"}}, 1.0)
    went = sight.gone("a")
    assert not went.done()
    sight._see("DELETED", {"metadata": {"name": "a"}}, 2.5)
    assert went.result() == 2.5


def test_engines_of_two_clusters_have_ports_of_their_own() -> None:
    one, other = set(engines.ports("127.70.0.0/16")), set(engines.ports("127.71.0.0/16"))
    assert len(one) >= 20
    assert not one & {port + more for port in other for more in (-1, 0, 1)}
    # /proc/sys/net/ipv4/ip_local_port_range begins here, and a listener on all addresses must not meet a client.
    assert max(engines.ports("127.249.0.0/16")) + 1 < 32_768


async def test_an_engine_serves_what_it_was_told_last() -> None:
    played = engines.Supervisor()
    for revision in ("r-1", "r-2"):
        text = json.dumps({"revision": revision})
        played.instruct(text)
        assert played.status()["serving"] == instruction_hash(text)
        assert played.status()["revision"] == revision


LOG = """\
2026-11-24T10:00:01.000000000Z pillion: starting vllm, instruction aaaa
2026-11-24T10:00:02.500000000Z pillion: serving instruction aaaa, 1.4 s after the start
2026-11-24T10:00:07.000000000Z INFO 11-24 10:00:07 [standin.py:1] shutting down
2026-11-24T10:00:07.250000000Z pillion: starting vllm, instruction bbbb
2026-11-24T10:00:08.000000000Z INFO 11-24 10:00:08 [standin.py:1] serving chat
2026-11-24T10:00:08.750000000Z pillion: serving instruction bbbb, 1.5 s after the start
""".splitlines()


@pytest.mark.parametrize(
    ("after", "started", "serving", "load"),
    [
        pytest.param("10:00:00", 1.0, 2.5, 1.4, id="the first"),
        pytest.param("10:00:05", 7.25, 8.75, 1.5, id="the one that began after the change"),
    ],
)
def test_a_swap_is_read_from_the_supervisors_log(
    after: str, started: float, serving: float, load: float
) -> None:
    noon = swapping._seconds("2026-11-24T10:00:00Z")
    seen = swapping.read(LOG, after=swapping._seconds(f"2026-11-24T{after}Z"))
    assert (seen.started - noon, seen.serving - noon, seen.load_seconds) == pytest.approx(
        (started, serving, load)
    )


def test_a_log_without_a_swap_is_an_error() -> None:
    with pytest.raises(ValueError, match="no swap"):
        swapping.read(LOG[:2], after=swapping._seconds("2026-11-24T10:00:05Z"))
