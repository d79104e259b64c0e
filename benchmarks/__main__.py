"""What can be said to the benchmarks on the command line?

python -m benchmarks                       those that take minutes, one after the other
python -m benchmarks --list                all there are
python -m benchmarks single burst-100      these
python -m benchmarks all -o json           all of them, for programs
python -m benchmarks single --profile F    profile the operator's CPU; then `python -m pstats F`
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import bench, report, scenarios
from benchmarks.api import ApiError
from benchmarks.consumption import Machine
from tests.cluster import ClusterError, binaries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.bench import Bench
    from benchmarks.results import Outcome
    from benchmarks.scenarios import Scenario
    from benchmarks.scenarios.scenario import OnCluster

EVERYTHING = "all"
# What a scenario can end in; the others are measured all the same. What starts a cluster asserts what has to come up.
EXPECTED = (ClusterError, ApiError, TimeoutError, AssertionError, subprocess.SubprocessError)


def main() -> int:
    """Run what was asked for. Exit status 1: something could not be measured."""
    options = _parser().parse_args()
    # Whoever ends it early gets what was started ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if options.list:
        for scenario in scenarios.ALL.values():
            print(f"{scenario.name:18} {scenario.about}{'' if scenario.by_default else ' (only by name)'}")
        return 0
    machine, version = Machine.this(), binaries.DEFAULT_KUBERNETES_VERSION
    outcomes: list[Outcome] = []
    table = report.Table() if options.output == "table" else None
    if table is not None:
        table.head(machine, version)
    chosen = _chosen(options.scenarios)
    for scenario in chosen:
        started = time.monotonic()

        def measured(outcome: Outcome) -> None:
            # Shown at once: what a later scenario ends in takes nothing away.
            outcomes.append(outcome)
            if table is not None:
                table.add(outcome)

        try:
            _measure(scenario, profile=options.profile, measured=measured)
        except EXPECTED as error:
            traceback.print_exc()
            _say(f"{scenario.name}: {error or repr(error)}")
        _say(f"{scenario.name}: {time.monotonic() - started:.0f} s, with all that was started for it")
    if table is None:
        print(report.as_json(machine, version, outcomes))
    return 0 if len(outcomes) == len(chosen) else 1


def _chosen(names: Sequence[str]) -> list[Scenario]:
    if EVERYTHING in names:
        return list(scenarios.ALL.values())
    by_default = [name for name, scenario in scenarios.ALL.items() if scenario.by_default]
    return [scenarios.ALL[name] for name in names or by_default]


def _measure(scenario: Scenario, *, profile: Path | None, measured: Callable[[Outcome], None]) -> None:
    if scenario.alone is not None:
        _say(f"{scenario.name}: measuring")
        measured(scenario.alone())
        return
    assert scenario.on_cluster is not None
    under = () if profile is None else ("-m", "benchmarks.profiled", str(profile.resolve()))
    # Each on a cluster of its own: what one leaves behind would be in the figures of the next.
    with bench.start(say=_say, under=under) as running:
        _say(f"{scenario.name}: measuring")
        measured(_on_cluster(running, scenario.on_cluster))


def _on_cluster(running: Bench, act: OnCluster) -> Outcome:
    try:
        return asyncio.run(scenarios.on_cluster(running, act))
    except TimeoutError:
        _say(f"the operator's log:\n{running.operator.told()}")
        raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="How fast does the operator answer, what does it ask of the API server, and what does it take?",
    )
    parser.add_argument(
        "scenarios",
        nargs="*",
        metavar="SCENARIO",
        choices=[*scenarios.ALL, EVERYTHING, []],
        help="by name (--list); absent: those that take minutes",
    )
    parser.add_argument("--list", action="store_true", help="say which scenarios there are, and end")
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="profile the CPU of the operator")
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
