"""Where does `python -m tests.cluster` start? Here."""

import sys

from tests.cluster import cli

sys.exit(cli.main())
