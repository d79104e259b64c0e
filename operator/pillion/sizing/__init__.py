"""Shapes in; bytes, blocks and tokens out."""

from pillion.sizing.errors import SizingError
from pillion.sizing.estimate import Estimate, estimate
from pillion.sizing.request import EstimateRequest
from pillion.sizing.verdict import Finding, Verdict

__all__ = ["Estimate", "EstimateRequest", "Finding", "SizingError", "Verdict", "estimate"]
