"""A model that never saw the held-out events, with the data that it was fitted and is judged on."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from penchant.config import Recipe
from penchant.data.dataset import Dataset
from penchant.data.splitting.cases import Cases, Split
from penchant.evaluation.evaluate import Evaluation, evaluate
from penchant.models.base import Recommender
from penchant.training.tuning import shared


@dataclass(frozen=True)
class Holdout:
    """A model fitted on the training events of a split.

    model    it serves nobody: it is measured in place of the one that is fitted on all events
    dataset  with all its events
    """

    model: Recommender
    dataset: Dataset
    parts: Split
    recipe: Recipe

    @cached_property
    def train(self) -> Dataset:
        """The dataset with the training events alone."""
        return self.dataset.with_events(self.parts.train)

    def validation(self, part: int) -> Cases:
        """Validation cases of one share of users: 0 for settings, 1 weights, 2 calibration."""
        return shared(self.dataset, self.parts.validation, part, self.recipe.seed)

    def with_model(self, model: Recommender) -> Self:
        """Another model of the same split."""
        return replace(self, model=model)

    def on_test(self) -> Evaluation:
        """What the model does on the test cases."""
        return evaluate(
            self.model,
            self.dataset.catalogue,
            self.parts.test,
            repeats=self.recipe.repeats,
            popularity=self.train.counts(),
            seed=self.recipe.seed,
        )
