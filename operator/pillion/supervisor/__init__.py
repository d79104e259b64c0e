"""The program in the engine's container; `supervisor.py` is one file because a ConfigMap carries it there."""
