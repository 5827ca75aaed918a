"""What every recommender does, whatever it is made of."""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from penchant.data.dataset import Histories

Scores = NDArray[np.float64]


@runtime_checkable
class Recommender(Protocol):
    """Scores every item for a batch of histories.

    A model is fitted by a function of its own module; from then on it is immutable.
    """

    name: str

    def score(self, histories: Histories) -> Scores:
        """Scores of all items, (B, N) float64, finite; -inf for an item without any score."""
        ...
