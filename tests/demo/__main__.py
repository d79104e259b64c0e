"""Which story can be told here, and how does it end? Exit status: 0 it was told, 1 something did not come.

    python -m tests.demo [--engine standin|vllm] [--simulated]

On kind where kind runs, else on a control plane with simulated pods. A failure ends in a sentence with what to
look at.
"""

from __future__ import annotations

import argparse
import sys

from tests.cluster import kind
from tests.demo import on_kind, simulated
from tests.demo.telling import Teller


def main() -> int:
    """Tell the story."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.demo", description="Show what Pillion does, on a cluster of this machine."
    )
    parser.add_argument(
        "--engine",
        choices=sorted(on_kind.ENGINES),
        default="standin",
        help="a small stand-in with vLLM's command line and API, or the real vLLM on CPU (default: %(default)s)",
    )
    parser.add_argument(
        "--simulated", action="store_true", help="use simulated pods although kind can run here"
    )
    options = parser.parse_args()
    tell = Teller()
    try:
        obstacle = "--simulated was given." if options.simulated else kind.availability()
        if not obstacle:
            try:
                on_kind.story(tell, engine=on_kind.ENGINES[options.engine])
            except on_kind.NoClusterError as error:
                obstacle = str(error)
        if obstacle:
            simulated.story(tell, obstacle=obstacle)
    except Exception as error:
        tell.failure(error)
        return 1
    except KeyboardInterrupt:
        tell.line(
            "Interrupted. What is up stays up; the next `make demo` goes on with it, and `make demo-down` deletes it."
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
