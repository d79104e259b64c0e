"""What can be said to the benchmarks on the command line?

python -m benchmarks                       all of them, one after the other
python -m benchmarks single burst-100      these
python -m benchmarks single -o json        for programs
python -m benchmarks single --profile F    the operator under cProfile; look at F with `python -m pstats F`
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import bench, report, scenarios
from benchmarks.api import ApiError
from benchmarks.consumption import Machine
from tests.cluster import ClusterError

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.results import Outcome


def main() -> int:
    """Run what was asked for. Exit status 1: something could not be measured."""
    options = _parser().parse_args()
    # Whoever ends it early gets what was started ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    outcomes, version, failed = [], "", False
    for name in options.scenarios or scenarios.SCENARIOS:
        started = time.monotonic()
        try:
            # Each on a cluster of its own: what one leaves behind would be in the figures of the next.
            with bench.start(say=_say, under=_under(options.profile)) as running:
                _say(f"{name}: measuring")
                version = running.cluster.kubernetes_version
                outcomes.append(_measured(running, name))
        except (ClusterError, ApiError, TimeoutError) as error:
            _say(f"{name}: {error}")
            failed = True
        _say(f"{name}: {time.monotonic() - started:.0f} s, with all that was started for it")
    if options.output == "json":
        print(report.as_json(Machine.this(), version, outcomes))
    else:
        report.show(Machine.this(), version, outcomes)
    return 1 if failed else 0


def _measured(running: Bench, name: str) -> Outcome:
    try:
        return asyncio.run(scenarios.run(running, scenarios.SCENARIOS[name]))
    except TimeoutError:
        _say(f"the operator's log:\n{running.operator.told()}")
        raise


def _under(profile: Path | None) -> tuple[str, ...]:
    return () if profile is None else ("-m", "cProfile", "-o", str(profile.resolve()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=bench.__doc__)
    parser.add_argument(
        "scenarios",
        nargs="*",
        metavar="SCENARIO",
        choices=[*scenarios.SCENARIOS, []],
        help=f"{', '.join(scenarios.SCENARIOS)}; absent: all",
    )
    parser.add_argument("-o", "--output", choices=["table", "json"], default="table")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="run the operator under cProfile")
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
