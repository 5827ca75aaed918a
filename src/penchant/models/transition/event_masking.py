"""The transition expert where one event of a history is masked: it says nothing, all ages stay."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from penchant.data.dataset import Histories
from penchant.types import Scores

if TYPE_CHECKING:
    from penchant.models.transition.recommender import Transition


@dataclass(frozen=True)
class TransitionWithoutEvent:
    """The expert of one history without the event at a place."""

    expert: "Transition"
    place: int

    def score_inputs(self, histories: Histories, x: sparse.csr_array) -> Scores:
        """(1, N)"""
        return self.score(histories)

    def score(self, histories: Histories) -> Scores:
        """(1, N)"""
        expert, p = self.expert, self._predictor(histories)
        scores = expert.score(histories)
        parts = (
            [(np.arange(scores.shape[1]), expert.whole)]
            if expert.domain is None
            else expert.by_domain
        )
        for items, columns in parts:
            weight = expert.weights(histories, int(items[0]))[self.place]
            scores[0, items] -= weight * columns[[p]].toarray().ravel()
        return scores

    def inputs(self, histories: Histories) -> sparse.csr_array:
        """(1, P)"""
        x = self.expert.inputs(histories).tolil()
        x[0, self._predictor(histories)] -= self.expert.weights(histories)[self.place]
        return x.tocsr()

    def _predictor(self, histories: Histories) -> int:
        return int(self.expert.predictors.rows(histories.events)[self.place])
