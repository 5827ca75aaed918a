"""A model's scores where one event is masked: it says nothing, and all ages stay."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from penchant.data.dataset import Histories
from penchant.errors import ConfigError
from penchant.models.fusion.recommender import Fusion
from penchant.models.sequence import SequenceExpert
from penchant.models.transition.recommender import Transition
from penchant.recommendation.explain.contributions import Past
from penchant.types import Arrays, Scores


@dataclass(frozen=True)
class Transitioned:
    """The transition expert of one history without an event."""

    expert: Transition
    place: int

    def told(self, histories: Histories, x: sparse.csr_array) -> Scores:
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


@dataclass(frozen=True)
class Sequenced:
    """The deep expert of one history without an event."""

    expert: SequenceExpert
    place: int
    name: str = "sequence"

    @property
    def settings(self) -> object:
        return self.expert.settings

    def score(self, histories: Histories) -> Scores:
        """(1, N)"""
        return self.expert.masked(histories, self.place)

    def arrays(self) -> Arrays:
        return self.expert.arrays()


def masked(past: Past, place: int) -> Scores:
    """The model's scores of all items without the event at a place of the past, (1, N)."""
    one = past.model.recommender
    if isinstance(one, Transition):
        return Transitioned(one, place).score(past.given)
    if not isinstance(one, Fusion):
        raise ConfigError(f"expected a transition expert or a fusion, received {one.name!r}")
    experts = Transitioned(one.transition, place), Sequenced(one.sequence, place)
    return one.weigh(past.given, *experts)
