"""What a differentially private release scores with: popularity, a regression, or both.

Only what was released is held. ``penchant.privacy`` makes it; here it is restored and scores.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from penchant.config import PrivacySettings, Settings, TransitionSettings
from penchant.data.dataset import Catalogue, Dataset, Histories
from penchant.errors import ConfigError
from penchant.models.base import Family, Recommender
from penchant.models.transition.statistics import WEIGHT_BITS, Predictors, decays, grid
from penchant.types import Arrays, Floats, Ints, Scores

SPENDS = (
    "each fit, update or erasure of a private model is a release that spends of a budget: expected "
    "penchant fit with --epsilon and --delta, on the events as they are to be"
)
"""Why a private model is not made anew in passing."""


class ReleaseSettings(Settings):
    """The public settings of a release.

    Parameters
    ----------
    privacy
        How the budget was spent.
    transition
        Of these, what says how histories are weighed.
    """

    privacy: PrivacySettings = PrivacySettings()
    transition: TransitionSettings = TransitionSettings()


@dataclass(frozen=True)
class Private(Recommender):
    """A released model: a history's own events against what was released.

    positive which events count, by ``Predictors``

    Parameters
    ----------
    left
        (N, d) float32, or (N, N) where there is no ``right``; None without a regression.
    right
        (d, N) float32: scores are x left right.
    counts
        Released popularity in 2^-16 events, (N,) int64, at least 1; None without.
    weight
        Weight of each behavior in a history, and its decay, (A,).
    """

    settings: ReleaseSettings
    left: NDArray[np.float32] | None
    right: NDArray[np.float32] | None
    counts: Ints | None
    weight: Floats
    decay: Floats
    predictors: Predictors
    size: int

    @property
    def name(self) -> str:
        return "private"

    @classmethod
    def of(
        cls,
        catalogue: Catalogue,
        settings: ReleaseSettings,
        left: NDArray[np.float32] | None = None,
        right: NDArray[np.float32] | None = None,
        counts: Ints | None = None,
    ) -> "Private":
        """The model of a release over this catalogue."""
        weights = settings.transition.behavior_weights
        weight = grid(catalogue, weights, WEIGHT_BITS).astype(np.float64) * 2.0**-WEIGHT_BITS
        how = weight, decays(catalogue, settings.transition), Predictors.of(catalogue)
        return cls(settings, left, right, counts, *how, len(catalogue))

    @cached_property
    def released_popularity(self) -> Ints:
        """What breaks ties and serves strangers: the released counts, or 0 for all, (N,)."""
        return np.zeros(self.size, np.int64) if self.counts is None else self.counts

    def inputs(self, histories: Histories) -> sparse.csr_array:
        """Decayed weights of each history's positive events about items, (B, N)."""
        own = histories.keep(self.predictors.targets(histories.events))
        behavior, window = own.events.behavior, self.settings.transition.window
        age = np.repeat(own.indptr[1:], own.lengths) - np.arange(len(behavior)) - 1
        faded = self.weight[behavior] * self.decay[behavior] ** np.minimum(age, window)
        x = np.where(age < window, faded, 0.0), own.events.item, own.indptr.copy()
        found = sparse.csr_array(x, shape=(len(own), self.size))
        found.sum_duplicates()
        return found

    def score(self, histories: Histories) -> Scores:
        base: Scores = np.zeros((len(histories), self.size))
        if self.counts is not None:
            base += np.log(self.counts)
        if self.left is None:
            return base
        # each row is a product of its own, so batches cannot change it
        found = np.asarray(self.inputs(histories) @ self.whole[0])
        if self.right is not None:
            found = np.array([row @ self.whole[1] for row in found]).reshape(base.shape)
        if self.counts is None:
            return found
        spread = found.std(axis=1, keepdims=True)
        standard = (found - found.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1)
        scores: Scores = base + self.settings.privacy.content * standard
        return scores

    @cached_property
    def whole(self) -> tuple[Floats, Floats]:
        """Both factors in float64; without any, empty."""
        none = np.zeros((0, 0))
        left, right = (none if of is None else of.astype(float) for of in (self.left, self.right))
        return left, right

    def arrays(self) -> Arrays:
        found = {"left": self.left, "right": self.right, "counts": self.counts}
        return {name: array for name, array in found.items() if array is not None}


def restore(arrays: Arrays, dataset: Dataset, settings: ReleaseSettings) -> Private:
    """The model that gave these arrays."""
    parts = (arrays.get(name) for name in ("left", "right", "counts"))
    return Private.of(dataset.catalogue, settings, *parts)


def _refused(dataset: Dataset, seed: int) -> NoReturn:
    raise ConfigError(SPENDS)


def _nothing(settings: Any, name: str, dataset: Dataset) -> float:
    return 0.0


PRIVATE = Family("private", ReleaseSettings, {}, _refused, restore, _nothing)
