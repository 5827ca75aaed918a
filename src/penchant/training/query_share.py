"""What the places of searches are worth, measured as lists are."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from penchant.config import QuerySettings, Recipe
from penchant.data.dataset import Dataset, Histories
from penchant.data.splitting.cases import Cases
from penchant.evaluation.evaluate import evaluate
from penchant.evaluation.fit_report import QueryTrials
from penchant.evaluation.metrics import paired
from penchant.features.kernels import unit_content
from penchant.models.base import Recommender
from penchant.models.topk import mask_seen
from penchant.recommendation.text_search.relevance import TextMatcher
from penchant.recommendation.text_search.slots import active_queries
from penchant.types import Arrays, Scores

SHARES = (0.0, 0.3, 0.6)
"""Shares of the latest search that are compared."""


@dataclass(frozen=True)
class Searching(Recommender):
    """A recommender whose lists give the searches of a history their places.

    Its scores are of items that were not seen unless ``repeats``: seen ones take no place.
    """

    recommender: Recommender
    text_matcher: TextMatcher
    queries: QuerySettings
    repeats: bool

    @property
    def name(self) -> str:
        return self.recommender.name

    @property
    def settings(self) -> Any:
        return self.recommender.settings

    def score(self, histories: Histories) -> Scores:
        scores = self.recommender.score(histories)
        mask_seen(scores, histories, None if self.repeats else histories.events.item)
        for row, active in active_queries(
            self.text_matcher.queries(histories), self.queries
        ).items():
            scores[row] = self.text_matcher.blend(scores[row], active, self.queries.weight)[
                0
            ].scores
        return scores

    def arrays(self) -> Arrays:
        return self.recommender.arrays()


def searching(holdout_model: Recommender, dataset: Dataset, recipe: Recipe) -> Searching:
    """A recommender with the places that a recipe gives to searches."""
    matcher = TextMatcher(dataset.catalogue, unit_content(dataset.catalogue))
    return Searching(holdout_model, matcher, recipe.queries, recipe.repeats)


def tune_query_share(
    holdout_model: Recommender, dataset: Dataset, cases: Cases, recipe: Recipe
) -> tuple[Recipe, QueryTrials | None]:
    """The recipe with the share of searches that suits validation cases, and what was tried.

    Cases without a search say nothing, and do not count. The default gives way to the best share
    where the whole interval of their paired difference lies above 0. What the recipe says itself
    stands, and where no case has a search nothing is tried.
    """
    with_searches = searching(holdout_model, dataset, recipe)
    searches = with_searches.text_matcher.queries(cases.histories)
    rows = np.unique([query.history for query in searches]).astype(np.int64)
    if not len(rows) or "share" in recipe.queries.model_fields_set:
        return recipe, None
    some = Cases(
        cases.histories.take(rows),
        np.concatenate([[0], np.cumsum(np.diff(cases.indptr)[rows])]),
        np.concatenate([cases.truth[slice(*cases.indptr[row : row + 2])] for row in rows]),
        cases.behavior[rows],
        cases.domain[rows],
    )
    tried = {}
    for share in SHARES:
        queries = recipe.queries.model_copy(update={"share": share})
        one = replace(with_searches, queries=queries)
        tried[share] = evaluate(
            one, dataset.catalogue, some, repeats=recipe.repeats, listed=False, seed=recipe.seed
        )
    values = {share: float(found.metrics["ndcg@10"].value) for share, found in tried.items()}
    default = recipe.queries.share
    best = max(SHARES, key=lambda share: (values[share], share))
    less = paired(tried[best].cases["ndcg@10"], tried[default].cases["ndcg@10"], recipe.seed)
    best = best if less.low > 0 else default
    queries = recipe.queries.model_copy(update={"share": best})
    trials = QueryTrials(best, len(rows), {str(share): value for share, value in values.items()})
    return recipe.model_copy(update={"queries": queries}), trials


def in_words(trials: QueryTrials) -> str:
    """What ``tune_query_share`` found, for a person."""
    values = ", ".join(f"{float(s):.0%}: {v:.4f}" for s, v in trials.ndcg.items())
    return (
        f"the latest search takes {trials.share:.0%} of a list's places; NDCG@10 of "
        f"{trials.cases:,} validation cases with searches by that share: {values}"
    )
