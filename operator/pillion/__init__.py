"""Pillion: an LLM beside an application that already runs."""
