"""What every recommender does, whatever it is made of, and how one of a family is made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from penchant.config import Settings
from penchant.data.dataset import Dataset, Histories
from penchant.types import Arrays, Scores


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
              ``name.*`` stands for an entry for each positive behavior besides the target, and
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
