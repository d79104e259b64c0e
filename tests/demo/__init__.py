"""What does Pillion do, shown on this machine in a few minutes? `python -m tests.demo`, or `make demo`."""
