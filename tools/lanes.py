"""How did the lanes of the tests go, and what was skipped, and why?

    python -m tools.lanes unit integration e2e

Runs one pytest a lane, all of them whatever happens to the first, and sums up at the end.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

RESULTS = Path("build") / "tests"
LANES = {
    "unit": ["tests/unit"],
    "integration": ["-m", "integration", "tests/integration"],
    "e2e": ["-m", "e2e and not vllm", "tests/e2e"],
    "e2e-vllm": ["-m", "vllm", "tests/e2e"],
    "engine-vllm": ["-m", "engine", "tests/engine"],
}
NO_TESTS = 5  # pytest's exit status


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What one lane said."""

    lane: str
    status: int
    tests: int = 0
    failed: int = 0
    seconds: float = 0.0
    skipped: Counter[str]

    @property
    def line(self) -> str:
        """For people."""
        if self.status == NO_TESTS:
            return f"{self.lane}: no tests"
        passed = self.tests - self.failed - self.skipped.total()
        verdict = "passed" if self.status == 0 else "FAILED"
        return (
            f"{self.lane}: {verdict} ({passed} passed, {self.failed} failed, {self.skipped.total()} skipped,"
            f" {self.seconds:.0f} s)"
        )


def run(lane: str, extra: list[str]) -> Outcome:
    """One lane, its output on the terminal."""
    print(f"\n=== {lane} ===", flush=True)
    result = RESULTS / f"{lane}.xml"
    result.parent.mkdir(parents=True, exist_ok=True)
    result.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", f"--junitxml={result}", *LANES[lane], *extra]
    status = subprocess.run(command, check=False).returncode  # noqa: S603 (pytest on our own folders)
    if not result.exists():
        return Outcome(lane=lane, status=status or 1, skipped=Counter())
    return read(lane, status, result)


def read(lane: str, status: int, result: Path) -> Outcome:
    """The lane's outcome, from the file that pytest wrote."""
    suites = list(ET.parse(result).getroot().iter("testsuite"))  # noqa: S314 (pytest wrote it a moment ago)
    reasons = Counter(
        skipped.get("message") or "without a reason" for suite in suites for skipped in suite.iter("skipped")
    )
    return Outcome(
        lane=lane,
        status=status,
        tests=sum(int(suite.get("tests", 0)) for suite in suites),
        failed=sum(int(suite.get("failures", 0)) + int(suite.get("errors", 0)) for suite in suites),
        seconds=sum(float(suite.get("time", 0)) for suite in suites),
        skipped=reasons,
    )


def main() -> int:
    """Run the lanes; 0 where all passed."""
    parser = argparse.ArgumentParser(description="Run lanes of the tests, and sum up.")
    parser.add_argument("lanes", nargs="+", choices=sorted(LANES))
    parsed, extra = parser.parse_known_args()
    outcomes = [run(lane, extra) for lane in parsed.lanes]
    print("\n=== summary ===")
    for outcome in outcomes:
        print(outcome.line)
        for reason, count in sorted(outcome.skipped.items()):
            print(f"  skipped {count}: {reason}")
    return 0 if all(outcome.status == 0 for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
