"""What can be said to the test clusters on the command line?"""

from __future__ import annotations

import argparse

from tests.cluster import binaries


def main() -> int:
    """Run one command; the exit status is 0 when it did what it was asked."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("command", choices=["binaries"])
    parser.parse_args()
    print(binaries.ensure(progress=lambda line: print(line, flush=True)))
    return 0
