"""Shapes in; bytes, blocks and tokens out."""

from pillion.sizing.errors import SizingError
from pillion.sizing.estimate import Estimate, EstimateRequest, Finding, Verdict, estimate

__all__ = ["Estimate", "EstimateRequest", "Finding", "SizingError", "Verdict", "estimate"]
