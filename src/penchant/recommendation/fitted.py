"""A fitted model with its data, as lists, rules and explanations read it."""

from collections.abc import Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from typing import Any, Self

import numpy as np

from penchant.config import Recipe
from penchant.data.dataset import Dataset, Events, Histories
from penchant.errors import ConfigError, DataError, counted
from penchant.evaluation.fit_report import FitReport
from penchant.features.kernels import Rows
from penchant.models.base import Recommender
from penchant.models.calibration import Calibration
from penchant.models.sequence import SequenceExpert
from penchant.models.transition.recommender import Transition
from penchant.recommendation.derived import Derived
from penchant.recommendation.interests import (
    Control,
    Interests,
    ItemSpace,
    Profile,
    interests_of,
    match_controls,
    set_control,
)
from penchant.recommendation.text_search import TextMatcher
from penchant.types import Ints

HistoryLike = Sequence[str | tuple[str, str]]
"""Items, or pairs of item and behavior, the oldest first."""


@dataclass(frozen=True, repr=False)
class FittedModel:
    """A recommender with the dataset it serves. Immutable: an update makes another one.

    report       what the fit found: trials, evaluation of the holdout model, notes
    calibrations make probabilities of scores, by behavior; none where too few events were held
                 out to fit one on
    others       what serves the behaviors besides the target, by name
    controls     what users made of their interests: their lists follow
    holdout_model of a fusion, the deep expert that was fitted without the held-out events: with it
                 the weights and calibrations are fitted again when a user is forgotten
    profiles     users' interests as texts, by user
    derived      what is made once of data and recommender; a model that is ``shared`` it has the
                 same
    """

    dataset: Dataset
    recommender: Recommender
    recipe: Recipe = field(default_factory=Recipe)
    report: FitReport = field(default_factory=FitReport)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    others: Mapping[str, Recommender] = field(default_factory=dict)
    controls: Mapping[str, tuple[Control, ...]] = field(default_factory=dict)
    holdout_model: SequenceExpert | None = None
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    derived: Derived = field(init=False, repr=False, compare=False)
    shared: InitVar[Derived | None] = None

    def __post_init__(self, shared: Derived | None) -> None:
        """Take over what another model of the same data and recommender has made of them."""
        private = self.report.privacy is not None
        own = shared or Derived(self.dataset, self.recommender, self.recipe, private)
        object.__setattr__(self, "derived", own)

    def with_target(self, behavior: str | None) -> Self:
        """The model that predicts another behavior; ConfigError where the run has none for it."""
        if behavior is None or behavior == self.dataset.target:
            return self
        self.dataset.catalogue.behavior(behavior)
        if behavior not in self.others:
            served = ", ".join(map(repr, (self.dataset.target, *self.others)))
            raise ConfigError(
                f"this run recommends for {served}, received {behavior!r}; fit another with --set "
                f"target={behavior}"
            )
        data, recommender = self.dataset.with_target(behavior), self.others[behavior]
        shared = self.derived.for_target(data, recommender)
        return replace(self, dataset=data, recommender=recommender, others={}, shared=shared)

    @property
    def calibration(self) -> Calibration | None:
        """What makes probabilities of the target's scores; None where there is nothing to."""
        return self.calibrations.get(self.dataset.target)

    def __repr__(self) -> str:
        users = counted(len(self.dataset.users), "user")
        return f"Model({self.family}, {users}, {counted(len(self.dataset.catalogue), 'item')})"

    @property
    def family(self) -> str:
        return self.recommender.name

    @property
    def settings(self) -> Any:
        return self.recommender.settings

    @property
    def transition(self) -> Transition | None:
        """The closed-form expert, alone or within the fusion; None where there is none."""
        return self.recommender.transition

    @property
    def popularity(self) -> Ints:
        """Events of the target behavior on each item, (N,); of a private run, as released."""
        return self.derived.popularity

    @property
    def by_popularity(self) -> Ints:
        """Item rows from the most popular down; ties to the lower row, (N,)."""
        return self.derived.by_popularity

    @property
    def by_popularity_rank(self) -> Ints:
        """The place of each item in ``by_popularity``, (N,)."""
        return self.derived.by_popularity_rank

    @property
    def space(self) -> ItemSpace:
        """Where the items lie for interests; ConfigError for a run without a transition expert."""
        return self.derived.space

    @property
    def text_matcher(self) -> TextMatcher:
        """What matches texts with the items."""
        return self.derived.text_matcher

    @property
    def content(self) -> Mapping[str, Rows]:
        """Unit rows of the items for each modality, (N, D) float64, sparse or dense."""
        return self.derived.content

    def within(self, space: ItemSpace) -> Self:
        """The same model, its items in a space that is at hand."""
        return replace(self, shared=replace(self.derived, given=space))

    def with_controls(self, user: str, controls: tuple[Control, ...]) -> Self:
        """The same model with other controls of a user, whom it need not know."""
        others = {name: own for name, own in self.controls.items() if name != user}
        own = {user: controls} if controls else {}
        return replace(self, controls=others | own, shared=self.derived)

    def history_of(
        self, user: str | None, history: HistoryLike | None
    ) -> tuple[Histories, tuple[str, ...]]:
        """Read the history of a user, or a history of items.

        Parameters
        ----------
        user
            A user by identifier; one who is not known has an empty history.
        history
            In place of a user: items, or pairs of item and behavior, the oldest first.

        Returns
        -------
        Histories
            One history as arrays.
        tuple of str
            Items of it that the catalogue does not hold.

        Raises
        ------
        ConfigError
            Unless there is one of the two.

        Examples
        --------
        >>> from penchant import fit, from_columns
        >>> model = fit(from_columns(user=["ann", "bo"], item=["tea", "cup"]), model="popularity")
        >>> model.history_of(None, ["tea", "mug"])[1]
        ('mug',)
        """
        if (user is None) == (history is None):
            raise ConfigError("expected a user or a history, one of the two")
        if user is not None:
            return self.dataset.history(user), ()
        return self.histories(history or ())

    def histories(self, history: HistoryLike) -> tuple[Histories, tuple[str, ...]]:
        """A history of items as arrays, and those of its items that are not known."""
        if isinstance(history, str):
            raise DataError(f"expected a history as a list of items, received the text {history!r}")
        catalogue = self.dataset.catalogue
        pairs = [(e, self.dataset.target) if isinstance(e, str) else e for e in history]
        rows = catalogue.items.rows(item for item, _ in pairs)
        behavior = np.array([catalogue.behavior(name) for _, name in pairs], np.int64)
        known = rows >= 0
        size = int(known.sum())
        place = np.arange(size)
        events = Events(
            np.full(size, -1),
            rows[known],
            np.full(size, -1),
            behavior[known],
            catalogue.domain[rows[known]],
            place,
            np.full(size, np.nan),
            place,
        )
        strange = tuple(
            item for (item, _), there in zip(pairs, known.tolist(), strict=True) if not there
        )
        return Histories(np.array([-1]), np.array([0, size]), events), strange

    def interests(
        self, user: str | None = None, *, history: HistoryLike | None = None
    ) -> Interests:
        """Find the interests of a known user, or of a history of items.

        Parameters
        ----------
        user
            A user by identifier.
        history
            In place of a user: items, or pairs of item and behavior, the oldest first.

        Returns
        -------
        Interests
            Clusters of the items, the weightiest first, each with its label and items.

        Raises
        ------
        ConfigError
            For a model without a transition expert, and for an unknown user.

        Examples
        --------
        >>> from penchant import fit, from_columns
        >>> events = {"user": ["ann", "ann", "bo"], "item": ["tea", "cup", "tea"]}
        >>> model = fit(from_columns(**events, timestamp=[1, 2, 3]), model="transition")
        >>> [interest.items for interest in model.interests("bo").clusters]
        [('tea',)]
        """
        if user is not None and user not in self.dataset.users:
            raise self.dataset.unknown_user(user)
        return self.interests_of(self.history_of(user, history)[0], user)

    def with_interest_factor(self, user: str, interest: str, factor: float) -> Self:
        """Mute (0), boost (above 1) or reset (1) an interest of a user; lists follow at once.

        Parameters
        ----------
        user
            A user by identifier.
        interest
            An ``id`` of ``interests``.
        factor
            From 0 to 100: by what the odds of its items are multiplied.

        Returns
        -------
        Model
            The model with that factor; this one stays as it is.

        Raises
        ------
        ConfigError
            For an unknown user or interest, and a factor outside [0, 100].

        Examples
        --------
        >>> from penchant import fit, from_columns
        >>> events = {"user": ["ann", "ann", "bo"], "item": ["tea", "cup", "tea"]}
        >>> model = fit(from_columns(**events, timestamp=[1, 2, 3]), model="transition")
        >>> interest = model.interests("bo").clusters[0].id
        >>> muted = model.with_interest_factor("bo", interest, 0.0)
        >>> muted.interests("bo").clusters[0].factor
        0.0
        """
        controls = set_control(self.interests(user), self.controls.get(user, ()), interest, factor)
        return self.with_controls(user, controls)

    def interests_of(self, given: Histories, user: str | None = None) -> Interests:
        """The interests of one history, with what its user made of them."""
        settings = self.recipe.interests
        interests = interests_of(self.space, self.dataset, given, settings, user)
        return match_controls(interests, self.controls.get(user or "", ()))
