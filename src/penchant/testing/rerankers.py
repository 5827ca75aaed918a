"""What every re-ranker must do; a subclass names it."""

import numpy as np
import pytest

from penchant.config import Recipe
from penchant.data import synthetic
from penchant.models.baselines.popularity import POPULARITY
from penchant.recommendation import Model
from penchant.recommendation.rerank.outside_rerankers import OutsideReranker
from penchant.recommendation.results import ScoredItem


class RerankerSuite:
    """The contract of ``recommendation.rerank.outside_rerankers.OutsideReranker``.

    reranker  the one under test; ``staticmethod(function)`` for a function
    """

    reranker: OutsideReranker

    @pytest.fixture(scope="class")
    def model(self) -> Model:
        """Popularity on a small world."""
        data = synthetic.world(40, 120, seed=2).dataset()
        fitted = POPULARITY.fitter(data, 0)(POPULARITY.settings())
        return Model(data, fitted, Recipe())

    def ordered(self, model: Model, items: tuple[ScoredItem, ...], user: str) -> list[str]:
        """The items of a list as the re-ranker orders them, by name."""
        return [row.item for row in self.reranker(items, model, model.dataset.history(user))]

    def test_it_lists_what_it_was_given_each_once(self, model: Model) -> None:
        for user in model.dataset.users.ids[:5]:
            items = model.recommend(user, k=10).items
            order = self.ordered(model, items, user)
            assert len(set(order)) == len(order)
            assert set(order) <= {row.item for row in items}

    def test_the_same_list_has_the_same_order(self, model: Model) -> None:
        user = model.dataset.users.ids[0]
        items = model.recommend(user, k=10).items
        assert self.ordered(model, items, user) == self.ordered(model, items, user)

    def test_an_empty_list_and_an_empty_history(self, model: Model) -> None:
        nothing = model.histories([])[0]
        assert len(self.reranker((), model, nothing)) == 0
        items = model.recommend(history=[], k=5).items
        assert {row.item for row in self.reranker(items, model, nothing)} <= {
            row.item for row in items
        }
        assert np.isfinite([row.score for row in items]).all()
