"""What a model makes once of its data and recommender, and hands on to models that share them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from penchant.config import Recipe
from penchant.data.dataset import Dataset
from penchant.errors import ConfigError
from penchant.features.kernels import Rows, unit_content
from penchant.models.base import Recommender
from penchant.recommendation.interests import ItemSpace
from penchant.recommendation.text_search import TextMatcher
from penchant.types import Ints


@dataclass(frozen=True, eq=False)
class Derived:
    """Popularity, item space and text matcher of N items, each made when it is first asked for.

    private   whether the events of a run may not be counted
    main      of the model that predicts the dataset's own target: what depends on the items alone
              is made there, once for all behaviors
    given     an item space to take as it is
    """

    dataset: Dataset
    recommender: Recommender
    recipe: Recipe
    private: bool = False
    main: "Derived | None" = None
    given: ItemSpace | None = None

    def for_target(self, dataset: Dataset, recommender: Recommender) -> "Derived":
        """That of the model which predicts another behavior."""
        return replace(self, dataset=dataset, recommender=recommender, main=self)

    @cached_property
    def popularity(self) -> Ints:
        """Events of the target behavior on each item, (N,); of a private run, as released."""
        if self.recommender.released_popularity is not None:
            return self.recommender.released_popularity
        if self.private:
            return np.zeros(len(self.dataset.catalogue), np.int64)
        return self.dataset.counts()

    @cached_property
    def by_popularity(self) -> Ints:
        """Item rows from the most popular down; ties to the lower row, (N,)."""
        return np.argsort(-self.popularity, kind="stable")

    @cached_property
    def by_popularity_rank(self) -> Ints:
        """The place of each item in ``by_popularity``, (N,)."""
        rank = np.empty_like(self.by_popularity)
        rank[self.by_popularity] = np.arange(len(rank))
        return rank

    @cached_property
    def space(self) -> ItemSpace:
        """Where the items lie for interests, whatever behavior is asked for.

        Raises ConfigError for a run without a transition expert.
        """
        if self.given is not None:
            return self.given
        if self.main is not None:
            return self.main.space
        transition = self.recommender.transition
        if transition is None:
            raise ConfigError(
                f"expected a run with a transition expert, whose sums say what is taken together, "
                f"received {self.recommender.name!r}; fit with --model transition or fusion"
            )
        data, settings = self.dataset, self.recipe.interests
        sums = transition.statistics
        return ItemSpace.of(data.catalogue, sums, data.event_counts, settings, self.recipe.seed)

    @cached_property
    def content(self) -> Mapping[str, Rows]:
        """Unit rows of the items for each modality, (N, D) float64, sparse or dense."""
        return self.recommender.content or unit_content(self.dataset.catalogue)

    @cached_property
    def text_matcher(self) -> TextMatcher:
        """What matches texts with the items."""
        if self.main is not None:
            return self.main.text_matcher
        return TextMatcher(self.dataset.catalogue, self.content)
