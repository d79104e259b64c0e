"""The operator itself: it gathers what is known, asks the core, and carries out its answer."""
