"""How does a test get a cluster?

From here: control planes out of bare processes, and kind clusters where containers really run.

Run it as `python -m tests.cluster --help`. Everything is built once from Go modules into a cache outside the
repository, and everything that is started here is stopped here, and nothing else. The standard library is
enough to run it, because it runs before anything of the project is installed.
"""


class ClusterError(Exception):
    """A test cluster, or a part of it, cannot be had.

    The text says why and what to do, for the command line to print and for test lanes to be skipped with.
    """
