"""vLLM, the default engine."""
