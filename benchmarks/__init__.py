"""How fast does the operator answer, what does it ask of the API server, and what does it take of the machine?

`python -m benchmarks` runs on a control plane of its own, as integration tests do; see docs/performance.md.
"""
