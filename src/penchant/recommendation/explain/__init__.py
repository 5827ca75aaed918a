"""Explanations: what a score is the sum of, and what the list would be without an event."""

from penchant.recommendation.explain.contributions import Reason
from penchant.recommendation.explain.explanation import Explanation, Without, explain, with_reasons
from penchant.recommendation.explain.fidelity import fidelity

__all__ = ["Explanation", "Reason", "Without", "explain", "fidelity", "with_reasons"]
