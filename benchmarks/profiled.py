"""Where does the operator's CPU go? A module run under cProfile, by the clock of its own thread's CPU time.

By the wall's clock most of the time of a program that waits is waiting, and on a busy machine each call that wakes
somebody else up looks slow. What other threads do is not in it.

    python -m benchmarks.profiled FILE -m MODULE ARGUMENT...      then: python -m pstats FILE
"""

from __future__ import annotations

import cProfile
import runpy
import sys
import time


def main() -> None:
    """Run it, and write the profile when it ends, however it ends."""
    file, dash_m, module, *arguments = sys.argv[1:]
    assert dash_m == "-m", "python -m benchmarks.profiled FILE -m MODULE ARGUMENT..."
    sys.argv = [module, *arguments]
    profile = cProfile.Profile(time.thread_time)
    profile.enable()
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    finally:
        profile.disable()
        profile.dump_stats(file)


if __name__ == "__main__":
    main()
