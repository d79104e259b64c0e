"""Shapes in; bytes, blocks and tokens out."""
