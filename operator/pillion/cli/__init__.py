"""The command line: `pillion run` is the operator, everything else is for people."""
