"""Are the programs there that the tests of the chart and the integration lane start?

    python -m tools.programs

Builds them once (5 to 10 minutes). Where that cannot be, it says why and goes on: the tests that need them are skipped
with that reason.
"""

from __future__ import annotations

from tests.cluster import ClusterError, binaries


def main() -> None:
    """Build what is missing."""
    try:
        binaries.ensure(binaries.INTEGRATION)
    except ClusterError as error:
        print(f"no programs for a control plane, so tests that need one will be skipped: {error}")


if __name__ == "__main__":
    main()
