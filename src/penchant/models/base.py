"""What every recommender does, whatever it is made of, and how one of a family is made."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from penchant.config import Settings, parse
from penchant.data.arrays import blocks
from penchant.data.dataset import Dataset, Histories
from penchant.data.merge import MergedDataset
from penchant.data.splitting.cases import Cases
from penchant.errors import ConfigError
from penchant.features.kernels import Rows
from penchant.storage.json_records import JsonRecord
from penchant.types import Arrays, Floats, Ints, Scores

if TYPE_CHECKING:
    from penchant.models.sequence import SequenceExpert
    from penchant.models.transition.recommender import Transition

_CELLS = 1 << 22  # scores that an explanation holds at once


@dataclass(frozen=True)
class DataChange:
    """Data that grew or shrank under a fitted model.

    before    the dataset that the model was fitted on
    merged    the dataset as it is now, and where the rows of the first have gone
    leaving   users whose contribution is taken away, rows of ``before``; -1 has none
    coming    users whose contribution is added, rows of ``merged.dataset``
    seed      of what is fitted again
    """

    before: Dataset
    merged: MergedDataset
    leaving: Ints
    coming: Ints
    seed: int


Refit = Callable[["Recommender", "Recommender | None"], "Recommender"]
"""(an expert that knows its own target alone, the one that served the asked target before) -> the
expert that serves it now."""


@dataclass(frozen=True)
class FeatureEffects(JsonRecord):
    """How far a deviation of each feature among candidates moves a score.

    effects  a row for each of the ``lengths`` of histories, with a number for each of ``features``
    """

    features: tuple[str, ...]
    lengths: tuple[str, ...]
    effects: tuple[tuple[float, ...], ...]


class Recommender(ABC):
    """Scores every item for a batch of histories. Immutable once fitted.

    A subclass has four members: ``name``, ``settings``, ``score`` and ``arrays``. All others have
    defaults made of these, so that whatever is written outside is updated, explained, saved and
    served; a subclass overrides those that it can do better.

    name        the name of its family
    settings    the settings that it was fitted with
    transition  the closed-form expert, alone or within it, whose sums give interests; None without
    sequence    the deep expert, alone or within it; None without

    Examples
    --------
    A class with ``fit`` and ``restore`` is all that ``penchant.fit`` asks for; see ``Family.of``.

    >>> import penchant
    >>> from penchant.data.synthetic import checkerboard
    >>> class Longest(Recommender):
    ...     name, settings = "longest", Settings()
    ...     def __init__(self, length):
    ...         self.length = length
    ...     def score(self, histories):
    ...         return np.tile(self.length, (len(histories), 1))
    ...     def arrays(self):
    ...         return {"length": self.length}
    ...     @classmethod
    ...     def fit(cls, dataset, settings, seed):
    ...         return cls(np.array([float(len(item)) for item in dataset.catalogue.items.ids]))
    ...     @classmethod
    ...     def restore(cls, arrays, dataset, settings):
    ...         return cls(arrays["length"])
    >>> penchant.fit(checkerboard(), model=Longest).recommend("u0002", k=1).source
    'longest'
    """

    if TYPE_CHECKING:  # subclasses that are dataclasses have them as fields, not as properties

        @property
        @abstractmethod
        def name(self) -> str: ...

        @property
        @abstractmethod
        def settings(self) -> Any: ...

        @property
        def transition(self) -> "Transition | None": ...

        @property
        def sequence(self) -> "SequenceExpert | None": ...

    else:
        transition = sequence = None

    curve: tuple[Any, ...] = ()
    """One line for each pass of its training; empty where there are none."""

    logits = False
    """Whether scores are logits of a softmax over the items."""

    @property
    def any_target(self) -> bool:
        """Whether one fit serves every behavior alike, with the same settings."""
        return False

    @abstractmethod
    def score(self, histories: Histories) -> Scores:
        """Scores of all items, (B, N) float64, finite; -inf for an item without any score.

        A history's own events are scored like any item: who evaluates or lists leaves them out.
        The scores of a history depend on nothing but that history.
        """

    @abstractmethod
    def arrays(self) -> Arrays:
        """All that was learned, by name; ``Family.restore`` makes the same recommender of it."""

    # What it is made of.

    @property
    def experts(self) -> Mapping[str, "Recommender"]:
        """The recommenders that it combines, by family; empty for one that stands alone."""
        return {}

    @property
    def released_popularity(self) -> Ints | None:
        """The counts (N,) that a private release may show; None where events may be counted."""
        return None

    @property
    def content(self) -> Mapping[str, Rows] | None:
        """Unit rows of the items for each modality, where it holds them already."""
        return None

    # Fitting again.

    @property
    def family(self) -> "Family":
        """The family that fits and restores it; ConfigError where this process has none."""
        if self.name not in KNOWN:
            raise ConfigError(
                f"expected a family of the name {self.name!r} that this process knows; give it to "
                "penchant.fit(model=...) or penchant.models.registry.family_of"
            )
        return KNOWN[self.name]

    def refit(
        self, dataset: Dataset, seed: int, trained: "Recommender | None" = None
    ) -> "Recommender":
        """The same family and settings fitted on other events.

        What was fitted on held-out cases stays, and ``trained`` stands in for an expert whose
        training takes long.
        """
        return self.family.fitter(dataset, seed)(self.settings)

    def refit_weights(self, cases: Cases, repeats: bool) -> Self:
        """With what it fits on held-out cases fitted on these; itself where that is nothing."""
        return self

    def with_weights(self, other: "Recommender") -> Self:
        """With what another of its family has fitted on held-out cases."""
        return self

    def weights_report(self) -> FeatureEffects | None:
        """What it has fitted on held-out cases; None where that is nothing."""
        return None

    # Other behaviors than the one it was fitted for.

    def for_target(
        self, dataset: Dataset, refit: Refit, before: "Recommender | None" = None
    ) -> "Recommender":
        """What serves the dataset's target, another behavior than its own.

        ``before`` is what served it before the fit, the update or the erasure that asks.
        """
        return refit(self, before)

    def saved_head(self, main: "Recommender") -> tuple[Mapping[str, object] | None, Arrays]:
        """Settings and arrays to save of it beside the ``main`` model, of another behavior.

        None and no arrays where ``main`` holds all of it.
        """
        return self.settings.model_dump(), self.arrays()

    def load_head(
        self, dataset: Dataset, settings: Mapping[str, Any] | None, arrays: Arrays
    ) -> "Recommender":
        """The model of the dataset's target of which ``saved_head`` gave this, itself the main."""
        if settings is None:
            return self
        chosen = parse(self.family.settings, settings, f"the settings of {dataset.target!r}")
        return self.family.restore(arrays, dataset, chosen)

    # Data that changes.

    def updated(self, change: DataChange) -> tuple["Recommender", int]:
        """As if fitted on the changed data, and how many items' scores were fitted again."""
        data = change.merged.dataset
        return self.refit(data, change.seed), len(data.catalogue)

    def remapped(self, dataset: Dataset, tokens: Ints, seed: int) -> "Recommender":
        """The same for a dataset without tokens and attributes that nobody has any more.

        Token t is now row ``tokens[t]``, -1 where it is gone.
        """
        return self.refit(dataset, seed)

    # Lists and explanations.

    def best(
        self, history: Histories, wanted: Sequence[tuple[NDArray[np.bool_] | None, int]]
    ) -> tuple[Scores, Ints | None]:
        """As ``score`` of one history, (1, N), but exact for its best items alone; and these.

        ``wanted`` are sets of items, (N,) or all, and how many of the best of each are asked for.
        The rows that come back, ascending, hold them; the other items stand no higher than they
        are, and below these. None where all are exact.
        """
        return self.score(history), None

    def without_event(self, history: Histories, place: int) -> Scores:
        """Scores of all items after one history, one of whose events says nothing, (1, N)."""
        return self.score(history.keep(np.arange(len(history.events)) != place))

    def contributions(self, history: Histories, items: Ints) -> Floats:
        """What each event of one history adds to the scores of some items, (L, I).

        By default the score less that of the history without the event: exact for any model,
        though the parts add up to the score only where events do not act together. An item
        without a score, with or without the event, has 0.
        """
        L = len(history.events)
        found: Floats = np.zeros((L, len(items)))
        with np.errstate(invalid="ignore"):
            whole = self.score(history)[0, items]
            for part in blocks(L, max(1, _CELLS // max(1, len(whole), L))):
                places = np.arange(part.start, part.stop)
                rows = np.tile(np.arange(L), (len(places), 1))
                rows = rows[rows != places[:, None]]
                indptr = np.arange(len(places) + 1) * (L - 1)
                users = np.repeat(history.users, len(places))
                left = Histories(users, indptr, history.events.take(rows))
                found[part] = whole - self.score(left)[:, items]
        found[~np.isfinite(found)] = 0.0
        return found

    def feature_parts(self, history: Histories, item: int) -> Mapping[str, float]:
        """What each part of a combination adds to an item's logit, by name; empty for others."""
        return {}


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

    @classmethod
    def of(cls, kind: type[Recommender]) -> "Family":
        """The family of a class that says itself what a family needs; ConfigError names what lacks.

        name                              of the family
        fit(dataset, settings, seed)      a class method that fits one
        restore(arrays, dataset, settings)  a class method that makes it of its arrays
        settings_type, space, cheap       as here, where there is something to set
        """
        lacking = [what for what in ("name", "fit", "restore") if not hasattr(kind, what)]
        name = getattr(kind, "name", None)
        if lacking or not isinstance(name, str):
            raise ConfigError(
                f"expected a recommender class with name, fit and restore, received {kind!r} "
                f"without {', '.join(lacking) or 'a name of the class itself'}"
            )
        fit: Callable[..., Recommender] = kind.fit  # type: ignore[attr-defined]

        def fitter(dataset: Dataset, seed: int) -> Callable[..., Recommender]:
            return lambda settings: fit(dataset, settings, seed)

        settings = getattr(kind, "settings_type", Settings)
        ladders, cheap = getattr(kind, "space", {}), getattr(kind, "cheap", {})
        return cls(name, settings, ladders, fitter, kind.restore, cheap=cheap)  # type: ignore[attr-defined]


KNOWN: dict[str, Family] = {}
"""Every family of this process by name: the package's, and those that were named or given."""


def over(arrays: Arrays, start: str) -> Arrays:
    """The arrays with ``start`` before their names; ``under`` takes it off again."""
    return {start + name: array for name, array in arrays.items()}


def under(arrays: Arrays, start: str) -> Arrays:
    """Those whose names begin with ``start``, without it."""
    return {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
