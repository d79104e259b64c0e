"""What a checkpoint is: read from the Hub or a folder, and understood from its own files."""

from pillion.facts.errors import FactsError
from pillion.facts.model import AttentionKind, AttentionShape, ModelFacts, Quantization, WeightsShape
from pillion.facts.provenance import Basis, Fact

__all__ = [
    "AttentionKind",
    "AttentionShape",
    "Basis",
    "Fact",
    "FactsError",
    "ModelFacts",
    "Quantization",
    "WeightsShape",
]
