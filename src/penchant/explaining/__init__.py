"""Explanations: what a score is the sum of, and what the list would be without an event."""

from penchant.explaining.explanation import Explanation, Without, explain, with_reasons
from penchant.explaining.fidelity import fidelity
from penchant.explaining.reasons import Reason

__all__ = ["Explanation", "Reason", "Without", "explain", "fidelity", "with_reasons"]
