"""`python -m pillion.cli` is `pillion`."""

from pillion.cli.main import run

run()
