"""What every recommender does, whatever it is made of, and how one of a family is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from penchant.config import Settings
from penchant.data.dataset import Dataset, Histories

Scores = NDArray[np.float64]
Arrays = dict[str, NDArray[Any]]


@runtime_checkable
class Recommender(Protocol):
    """Scores every item for a batch of histories. Immutable once made."""

    @property
    def name(self) -> str:
        """The name of its family."""
        ...

    @property
    def settings(self) -> Any:
        """The settings that it was fitted with."""
        ...

    def score(self, histories: Histories) -> Scores:
        """Scores of all items, (B, N) float64, finite; -inf for an item without any score.

        A history's own events are scored like any item: who evaluates or lists leaves them out.
        The scores of a history depend on nothing but that history.
        """
        ...

    def arrays(self) -> Arrays:
        """All that was learned, by name; ``Family.restore`` makes the same recommender of it."""
        ...


@dataclass(frozen=True)
class Family:
    """A kind of recommender: what can be set, what a search tries, how one is fitted.

    settings  the type of its settings
    space     for each setting that the bounded search may change, the ladder of its values in
              order; the search begins at the defaults and climbs one setting at a time, in the
              order given here. ``name.tags`` is an entry of a dict, for data that has tags;
              ``name.*`` stands for an entry for each positive behaviour besides the target, and
              a name that ends in ``?`` is for data that has such
    fitter    (dataset, seed) -> (settings -> recommender): fits on ``dataset.events``; what does
              not depend on the settings is done once
    restore   (arrays, dataset, settings) -> the recommender that gave those arrays
    entry     (settings, name, dataset) -> the value of an entry that a dict does not have
    cheap     settings that hold during the search alone, to make each trial cost less
    watched   whether its fit is one long training that validation stops: the fit then takes
              ``watch``, a function of the recommender as it stands, and its settings come back
              with what was found
    """

    name: str
    settings: type[Settings]
    space: Mapping[str, tuple[Any, ...]]
    fitter: Callable[[Dataset, int], Callable[..., Recommender]]
    restore: Callable[[Arrays, Dataset, Any], Recommender]
    entry: Callable[[Any, str, Dataset], float] = lambda settings, name, dataset: 0.0
    cheap: Mapping[str, Any] = field(default_factory=dict)
    watched: bool = False


def over(arrays: Arrays, start: str) -> Arrays:
    """The arrays with ``start`` before their names; ``under`` takes it off again."""
    return {start + name: array for name, array in arrays.items()}


def under(arrays: Arrays, start: str) -> Arrays:
    """Those whose names begin with ``start``, without it."""
    return {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}


def at_least(scores: Scores, count: int) -> Scores:
    """What the ``count`` best scores of each row (B, N) are not below, (B, 1).

    No more than the least of them; -inf where a row has no more than ``count``.

    >>> at_least(np.array([[3.0, 1.0, 2.0]]), 2).tolist()
    [[2.0]]
    """
    B, N = scores.shape
    if count > N:
        return np.full((B, 1), -np.inf)
    best, width = scores, N
    if 8 * count < N:
        # the k-th largest of the maxima of k or more groups is no larger than the k-th best score
        width = max(count, int(np.sqrt(N)))
        whole = N // width
        best = scores[:, : whole * width].reshape(B, whole, width).max(axis=1)
    least: Scores = np.partition(best, width - count, axis=1)[:, width - count, None]
    return least
