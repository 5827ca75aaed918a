"""A fitted model with its data: it recommends, finds similar items, saves and loads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from penchant.config import Recipe
from penchant.data.arrays import blocks
from penchant.data.dataset import Dataset, Events, Histories
from penchant.data.text_query import TextQuery
from penchant.errors import ConfigError, DataError
from penchant.evaluation.fit_report import FitReport
from penchant.features.kernels import Rows, unit_content
from penchant.models.base import Recommender
from penchant.models.calibration import Calibration
from penchant.models.sequence import SequenceExpert
from penchant.models.topk import CELLS, top_k
from penchant.models.transition.recommender import Transition
from penchant.recommendation.interests import (
    Control,
    Interests,
    ItemSpace,
    Profile,
    interests_of,
    match_controls,
    set_control,
)
from penchant.recommendation.ranking import listed, scored
from penchant.recommendation.results import (
    ASKED,
    POPULAR,
    Recommendation,
    RecommendationBatch,
    ScoredItem,
)
from penchant.recommendation.run_files import SavedRun, save
from penchant.recommendation.text_search import TextMatcher
from penchant.types import Ints


@dataclass(frozen=True)
class Model:
    """A recommender with the dataset it serves. Immutable: an update makes another one.

    report       what the fit found: trials, evaluation of the holdout model, notes
    calibrations make probabilities of scores, by behavior; none where too few events were held
                 out to fit one on
    others       what serves the behaviors besides the target, by name
    controls     what users made of their interests: their lists follow
    holdout_model of a fusion, the deep expert that was fitted without the held-out events: with it
                 the weights and calibrations are fitted again when a user is forgotten
    profiles     users' interests as texts, by user
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

    def with_target(self, behavior: str | None) -> "Model":
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
        data, one = self.dataset.with_target(behavior), self.others[behavior]
        head = replace(self, dataset=data, recommender=one, others={})
        if "text_matcher" in self.__dict__:  # neither depends on what is asked
            head.__dict__["text_matcher"] = self.text_matcher
        return head.within(self.space) if self.controls or "space" in self.__dict__ else head

    @property
    def calibration(self) -> Calibration | None:
        """What makes probabilities of the target's scores; None where there is nothing to."""
        return self.calibrations.get(self.dataset.target)

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

    @cached_property
    def popularity(self) -> Ints:
        """Events of the target behavior on each item, (N,); of a private run, as released."""
        if self.recommender.released_popularity is not None:
            return self.recommender.released_popularity
        if self.report.privacy is not None:
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
        """Where the items lie for interests; ConfigError for a run without a transition expert."""
        if self.transition is None:
            raise ConfigError(
                f"expected a run with a transition expert, whose sums say what is taken together, "
                f"received {self.family!r}; fit with --model transition or fusion"
            )
        data, settings = self.dataset, self.recipe.interests
        sums = self.transition.statistics
        return ItemSpace.of(data.catalogue, sums, data.event_counts, settings, self.recipe.seed)

    @cached_property
    def text_matcher(self) -> TextMatcher:
        """What matches texts with the items."""
        return TextMatcher(self.dataset.catalogue, self.content)

    def within(self, space: ItemSpace) -> "Model":
        """The same model, its items in a space that is at hand."""
        same = replace(self)
        same.__dict__["space"] = space
        return same

    def with_controls(self, user: str, controls: tuple[Control, ...]) -> "Model":
        """The same model with other controls of a user, whom it need not know."""
        others = {name: own for name, own in self.controls.items() if name != user}
        same = replace(self, controls=others | ({user: controls} if controls else {}))
        # what was made of data and recommender once is theirs, whatever users say
        made = {name: of for name, of in self.__dict__.items() if name not in same.__dict__}
        same.__dict__.update(made)
        return same

    def interests(
        self,
        user: str | None = None,
        *,
        history: Sequence[str | tuple[str, str]] | None = None,
    ) -> Interests:
        """The interests of a known user, or of a history of items, oldest first.

        Raises ConfigError for a run without a transition expert, and for an unknown user.
        """
        if (user is None) == (history is None):
            raise ConfigError("expected a user or a history, one of the two")
        if user is None:
            given = self.histories(history or [])[0]
        elif user in self.dataset.users:
            given = self.dataset.history(user)
        else:
            raise self.dataset.unknown_user(user)
        return self.interests_of(given, user)

    def with_interest_factor(self, user: str, interest: str, factor: float) -> "Model":
        """The model that mutes (0), boosts (above 1) or leaves (1) an interest of a user.

        Raises ConfigError for a user or interest that is not known, and a factor outside [0, 100].
        """
        controls = set_control(self.interests(user), self.controls.get(user, ()), interest, factor)
        return self.with_controls(user, controls)

    def recommend(
        self,
        user: str | None = None,
        *,
        history: Sequence[str | tuple[str, str]] | None = None,
        k: int = 10,
        domain: str | None = None,
        behavior: str | None = None,
        repeats: bool | None = None,
        query: str | None = None,
    ) -> Recommendation:
        """The k best items for a known user, or for a history of items, oldest first.

        An event of the history is an item or an (item, behavior); without a behavior it is one of
        the target behavior. Items that were seen are left out unless ``repeats``. An unknown user
        or an empty history gets the popular items, and says so. With a ``query`` the list is what
        fits that text, what suits the user first.

        Raises ConfigError for a domain or behavior that is not known, and for a k below 1.
        """
        if (user is None) == (history is None):
            raise ConfigError("expected a user or a history, one of the two")
        self._check(k)
        head = self.with_target(behavior)
        given, strange = self.histories(history or [])
        if user is not None:
            given = self.dataset.history(user)
        if query is not None:
            given = replace(given, queries=(TextQuery(query, 0, 0, 1.0),))
        domains = np.array([-1 if domain is None else self.dataset.catalogue.domain_row(domain)])
        found = head.ranked(given, k, domains, self._shut(given, repeats))
        rows = head.named(found)
        source = self.family if any(row.source != POPULAR for row in rows) else POPULAR
        return Recommendation(user, source, rows, len(rows) < k, strange)

    def recommend_all(
        self,
        k: int = 10,
        *,
        domain: str | None = None,
        behavior: str | None = None,
        repeats: bool | None = None,
    ) -> Iterator[RecommendationBatch]:
        """Lists of all known users, in blocks, so that memory does not grow with their number."""
        self._check(k)
        head = self.with_target(behavior)
        row = -1 if domain is None else self.dataset.catalogue.domain_row(domain)
        size = max(1, CELLS // max(1, len(self.dataset.catalogue)))
        for part in blocks(len(self.dataset.users), size):
            users = np.arange(part.start, part.stop)
            histories = self.dataset.events.histories(users)
            hidden = self._shut(histories, repeats)
            yield head.ranked(histories, k, np.full(len(users), row), hidden)

    def similar(self, item: str, k: int = 10) -> tuple[ScoredItem, ...]:
        """The k items most like one: by the cosine of their columns of B, where there is one.

        Two items are alike when the same pasts lead to both. Other families answer with what
        they would recommend after that item alone. Raises ConfigError for an unknown item.
        """
        self._check(k)
        catalogue = self.dataset.catalogue
        row = int(catalogue.items.rows([item])[0])
        if row < 0:
            raise self.dataset.unknown_item(item)
        if self.transition is not None:
            scores = self.transition.likeness(row)[None]
        else:
            scores = self.recommender.score(self.histories([item])[0])
        scores[0, row] = -np.inf
        found = top_k(scores, k)
        return tuple(
            ScoredItem(catalogue.items.ids[i], float(score), catalogue.title(i), self.family)
            for i, score in zip(found.items[0], found.scores[0], strict=True)
            if i >= 0 and score > 0
        )

    def histories(
        self, history: Sequence[str | tuple[str, str]]
    ) -> tuple[Histories, tuple[str, ...]]:
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

    def save(self, path: str | Path) -> Path:
        """Write the run: data, arrays and a manifest that vouches for each byte."""
        return save(SavedRun.of(self), path)

    def ranked(
        self, histories: Histories, k: int, domain: Ints, hidden: Ints | None
    ) -> RecommendationBatch:
        """The k best items of each history; with k = N all that can be listed, best first.

        ``domain`` (B,) is a row of the domains, -1 for all of them. ``hidden`` (E,) is, for each
        event, the item that it keeps out of its history's list, -1 for none. Items without a score
        follow those that have one, the more popular first.
        """
        return listed(self, scored(self, histories, hidden, domain=domain), k, domain)

    def interests_of(self, given: Histories, user: str | None = None) -> Interests:
        """The interests of one history, with what its user made of them."""
        found = interests_of(self.space, self.dataset, given, self.recipe.interests, user)
        return match_controls(found, self.controls.get(user or "", ()))

    def named(self, found: RecommendationBatch, case: int = 0) -> tuple[ScoredItem, ...]:
        """One list of a block, its items by name."""
        catalogue = self.dataset.catalogue
        columns = (found.items, found.scores, found.popular, found.probability)
        asked = [None] * found.items.shape[1] if found.asked is None else found.asked[case]
        return tuple(
            ScoredItem(
                catalogue.items.ids[item],
                float(score),
                catalogue.title(item),
                POPULAR if popular else self.family if text is None else ASKED,
                None if np.isnan(probability) else float(probability),
                because=None if text is None else f"because you asked for “{text}”",
            )
            for item, score, popular, probability, text in zip(
                *(c[case] for c in columns), asked, strict=True
            )
            if item >= 0
        )

    @cached_property
    def content(self) -> Mapping[str, Rows]:
        """Unit rows of the items for each modality, (N, D) float64, sparse or dense."""
        return self.recommender.content or unit_content(self.dataset.catalogue)

    def _shut(self, histories: Histories, repeats: bool | None) -> Ints | None:
        repeats = self.recipe.repeats if repeats is None else repeats
        return None if repeats else histories.events.item

    def _check(self, k: int) -> None:
        if k < 1:
            raise ConfigError(f"expected k of at least 1, received {k}")
